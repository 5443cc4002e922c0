"""Exact accounting: one ledger an account, net by instrument, attributed by session."""

from brokers.ledger.cumulative import CumulativeReport, Progress, deltas
from brokers.ledger.entry import LedgerEntry
from brokers.ledger.errors import (
    BadFact,
    BadState,
    ConflictingFact,
    FactTooOld,
    LedgerError,
    NotMonotone,
    RateMissing,
    UnknownInstrument,
    WrongAccount,
)
from brokers.ledger.facts import CashFlow, Correction, Fact, FlowKind, Mark, Rate, Settlement
from brokers.ledger.ledger import Ledger, rebuild
from brokers.ledger.report import Converted, ConvertedStatement, Identity, SessionPosition, Statement, TradeStatistics
from brokers.ledger.seen import RecentIds, Seen
from brokers.ledger.state import dump, load
from brokers.ledger.terms import AccountTerms, Marking

__all__ = [
    "AccountTerms",
    "BadFact",
    "BadState",
    "CashFlow",
    "ConflictingFact",
    "Converted",
    "ConvertedStatement",
    "Correction",
    "CumulativeReport",
    "Fact",
    "FactTooOld",
    "FlowKind",
    "Identity",
    "Ledger",
    "LedgerEntry",
    "LedgerError",
    "Mark",
    "Marking",
    "NotMonotone",
    "Progress",
    "Rate",
    "RateMissing",
    "RecentIds",
    "Seen",
    "SessionPosition",
    "Settlement",
    "Statement",
    "TradeStatistics",
    "UnknownInstrument",
    "WrongAccount",
    "deltas",
    "dump",
    "load",
    "rebuild",
]
