"""Records of the control interface as lines of text: pure functions that know neither a terminal nor a daemon."""
