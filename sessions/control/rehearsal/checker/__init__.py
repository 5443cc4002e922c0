"""The invariants of reliability, told what the brokers saw and what the journal holds, and nothing else."""

from sessions.control.rehearsal.checker.checker import Checker as Checker
from sessions.control.rehearsal.checker.invariant import Invariant as Invariant
from sessions.control.rehearsal.checker.invariant import Scene as Scene
from sessions.control.rehearsal.checker.invariant import Violation as Violation
