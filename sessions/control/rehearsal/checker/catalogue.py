"""All invariants that a rehearsal can judge, in the order of their rows."""

from typing import Final

from sessions.control.rehearsal.checker.checker import Rule
from sessions.control.rehearsal.checker.duplicates import OneOrderPerIntent, WrittenBeforeSent
from sessions.control.rehearsal.checker.fills import BothSidesAgree, EachFillOnce, PositionsAreSums
from sessions.control.rehearsal.checker.orders import LegalMoves, NoOrderLost

SAFETY: Final[tuple[Rule, ...]] = (
    OneOrderPerIntent,
    WrittenBeforeSent,
    NoOrderLost,
    PositionsAreSums,
    EachFillOnce,
    BothSidesAgree,
    LegalMoves,
)
RULES: Final[tuple[Rule, ...]] = SAFETY
