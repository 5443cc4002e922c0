"""Rehearsal: whole daemons, adapters included, against the brokers' emulators in one simulated world, from a seed.

cast      who takes part: the brokers' emulators, their credentials, and the settings that point a daemon at them
machine   what a life of a daemon runs on, and how it is cut off
lives     one life of the daemon after another, over what the machine kept
storm     faults: their classes, a schedule drawn from a seed, and who carries it out
checker   the invariants, told every entry of the emulators' logs and every row of the journal
run       one rehearsal: the storm, the calm after it, and what is said of both
"""
