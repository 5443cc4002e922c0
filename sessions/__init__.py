"""Sessions: what trades, and the face of the house in `sessions.control`."""
