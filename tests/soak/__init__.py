"""The long soak in real time: one real daemon, every broker's emulator on loopback, many sessions, faults without end."""
