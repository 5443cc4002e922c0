"""The daemon: one process that holds the lock, runs the tree, answers signals and the service manager, and drains."""
