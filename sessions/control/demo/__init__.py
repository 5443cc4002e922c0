"""The demo: a real daemon that trades at an emulated broker, is crashed three ways, and is audited at the end."""
