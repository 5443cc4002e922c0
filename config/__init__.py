"""Plain records of settings, the shipped tables, and how both are read from TOML."""
