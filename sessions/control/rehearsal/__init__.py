"""Rehearsal: whole daemons, adapters included, against the brokers' emulators in one simulated world, from a seed.

cast       who takes part: the brokers' emulators, their credentials, and the settings that point a daemon at them
machine    what a life of a daemon runs on, and how it is cut off
lives      one life of the daemon after another, over what the machine kept
storm      faults: their classes, a schedule drawn from a seed, and who carries it out
checker    the invariants, told every entry of the emulators' logs and every row of the journal
hooks      assertions of the user's own
run        one rehearsal: the storm, the calm after it, and what is said of both
programme  what somebody wants rehearsed, as plain values; selection makes it of their settings
company    many runs on several processes
tape       a run in a file, to be played again; failures finds the faults that it needs to fail
page       the report

Assertions of one's own need `invariant` and `Moment` of this package and nothing else.
"""

from sessions.control.rehearsal.hooks import Moment as Moment
from sessions.control.rehearsal.hooks import invariant as invariant
