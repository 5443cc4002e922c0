"""Exact accounting: one ledger an account, net by instrument, attributed by session.

Figures are kept as whole numbers and one fraction and come out as exact decimals. The only points of rounding are:

- a quotient without a finite decimal (an average, and the open cost behind realised and unrealised) is shown with 20
  digits; realised and unrealised derive from the one open cost that is shown, so every sum stays exact;
- the open cost of a position that is never flat, once its denominator outgrows 128 bits (brokers.ledger.tally);
- the value of an inverse contract, to what its settlement currency is paid in (brokers.ledger.measure);
- the share of a flip's fee in trade statistics, and the price of a fill made from totals, to 20 digits.

None of them touches the identity I24, which `Ledger.identity` states: what is owned is what was earned, to the last
digit. Realised profit is before fees throughout; fees, funding, interest and dividends stand beside it.
"""

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
from brokers.ledger.seen import Print, RecentIds, Seen
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
    "Print",
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
