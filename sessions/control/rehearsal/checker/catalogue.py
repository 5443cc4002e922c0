"""All that a rehearsal judges, in the order of the rows; and what it cannot judge, with what proves it instead."""

from typing import Final

from sessions.control.rehearsal.checker.audit import EverythingRecorded
from sessions.control.rehearsal.checker.chain import JournalKeepsItsPrefix
from sessions.control.rehearsal.checker.checker import Rule
from sessions.control.rehearsal.checker.duplicates import OneOrderPerIntent, WrittenBeforeSent
from sessions.control.rehearsal.checker.exposure import NobodyLive, NoSecretShown, NothingShared
from sessions.control.rehearsal.checker.fills import BothSidesAgree, EachFillOnce, PositionsAreSums
from sessions.control.rehearsal.checker.limits import LimitsKept
from sessions.control.rehearsal.checker.liveness import LIVENESS
from sessions.control.rehearsal.checker.money import MoneyConserved
from sessions.control.rehearsal.checker.orders import LegalMoves, NoOrderLost
from sessions.control.rehearsal.checker.repeats import CommandsOnce, IdsFollowFromContent
from sessions.control.rehearsal.checker.risk import KillSwitchStops, LimitsOfRisk, NoRiskBelowFull
from sessions.control.rehearsal.checker.supervision import (
    BudgetsHold,
    MailboxesHold,
    NoMessageForEver,
    NothingLeftRunning,
)
from sessions.control.rehearsal.checker.times import CausesFirst
from sessions.control.rehearsal.checker.tokens import FreshTokens

SAFETY: Final[tuple[Rule, ...]] = (
    OneOrderPerIntent,
    WrittenBeforeSent,
    NoOrderLost,
    PositionsAreSums,
    EachFillOnce,
    BothSidesAgree,
    LegalMoves,
    JournalKeepsItsPrefix,
    NothingLeftRunning,
    NoMessageForEver,
    MailboxesHold,
    FreshTokens,
    NoSecretShown,
    NobodyLive,
    LimitsKept,
    NoRiskBelowFull,
    KillSwitchStops,
    BudgetsHold,
    LimitsOfRisk,
    CausesFirst,
    EverythingRecorded,
    IdsFollowFromContent,
    CommandsOnce,
    MoneyConserved,
    NothingShared,
)
RULES: Final[tuple[Rule, ...]] = (*SAFETY, *LIVENESS)
