"""The commands, a file a family; each imports click alone and everything else when it runs."""
