"""All that a rehearsal judges, in the order of the rows; and what it cannot judge, with what proves it instead."""

from collections.abc import Mapping
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

ELSEWHERE: Final[Mapping[str, str]] = {
    "R21": "tests/runtime/wire/test_websocket_heartbeat.py::test_f03_a_half_open_socket_is_noticed",
    "R27": "tests/brokers/guards/test_breaker.py::test_b08_r27_exactly_one_probe_goes_when_the_wait_is_over",
}
"""Bounds that neither log nor journal shows: what a stream's heartbeat is, and which request was a probe."""

IN_PART: Final[Mapping[str, str]] = {
    "I10": "tests/runtime/test_requests.py",
    "I11": "tests/runtime/test_mailbox.py",
    "I14": "tests/sessions/daemon/test_rehearsal.py",
    "I19": "tests/sessions/risk/test_checks.py",
    "I22": "tests/sessions/journal/test_store.py",
    "I23": "tests/sessions/daemon/test_rehearsal.py",
}
"""Rules that a rehearsal sees from outside only, with the tests that look inside: at every deadline and mailbox, at the
two keys of a live broker, at each check that may raise, at a journal folded twice, at commands sent again.
"""
