"""The control interface: HTTP over a Unix socket that only the daemon's own user can reach."""
