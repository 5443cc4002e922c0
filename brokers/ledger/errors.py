"""What the ledger refuses, each with the offending value; after any of these the books are as they were."""

from typing import Any


class LedgerError(Exception):
    """A fact the ledger did not take; nothing of it was booked."""


class WrongAccount(LedgerError):
    """A fact of another broker or account."""

    def __init__(self, fact: Any, broker: str, account: str) -> None:
        super().__init__(
            f"expected a fact of account {account!r} at {broker!r}, got one of {fact.account!r} at {fact.broker!r}; "
            "nothing was booked; send it to that account's ledger"
        )
        self.fact = fact
        self.broker = broker
        self.account = account


class UnknownInstrument(LedgerError):
    """A symbol that is not in the instrument table."""

    def __init__(self, symbol: str) -> None:
        super().__init__(
            f"instrument {symbol!r} is not in the table, so its multiplier and currency are unknown; "
            "nothing was booked; add the instrument and send the fact again"
        )
        self.symbol = symbol


class BadFact(LedgerError):
    """A field that cannot be booked: zero, negative, not a number, not a Decimal, without id, of a wrong kind."""

    def __init__(self, fact: Any, field: str, value: Any, expected: str) -> None:
        super().__init__(
            f"{type(fact).__name__}.{field} must be {expected}, got {value!r}; nothing was booked; "
            "correct the source of the fact and send it again"
        )
        self.fact = fact
        self.field = field
        self.value = value
        self.expected = expected


class ConflictingFact(LedgerError):
    """An id that was booked before with other figures."""

    def __init__(self, fact: Any, booked: tuple[Any, ...], offered: tuple[Any, ...]) -> None:
        super().__init__(
            f"{type(fact).__name__} {fact.id!r} was booked as {_figures(booked)} and now comes as "
            f"{_figures(offered)}; nothing was booked; send a Correction if the broker changed it, "
            "or make the adapter's ids unique"
        )
        self.fact = fact
        self.booked = booked
        self.offered = offered


class FactTooOld(LedgerError):
    """A fact so old that memory cannot tell whether it was booked."""

    def __init__(self, fact: Any, unsure_ns: int) -> None:
        super().__init__(
            f"{type(fact).__name__} {fact.id!r} of {fact.time_ns} may have been booked and forgotten, as ids up to "
            f"{unsure_ns} are no longer all known; nothing was booked; look it up in the journal: drop it when it is "
            "there, else fold the journal again together with it"
        )
        self.fact = fact
        self.unsure_ns = unsure_ns


class NotMonotone(LedgerError):
    """A cumulative report that takes back what an earlier one stated."""

    def __init__(self, report: Any, filled_before: Any, problem: str) -> None:
        super().__init__(
            f"report of order {report.order_id!r} states {report.filled} filled at {report.average_price}, after "
            f"{filled_before} filled: {problem}; no fill was made of it; a stale report can be dropped, "
            "a bust must come as a Correction"
        )
        self.report = report
        self.filled_before = filled_before
        self.problem = problem


class RateMissing(LedgerError):
    """Money in a currency that has no conversion rate yet."""

    def __init__(self, currency: str, into: str) -> None:
        super().__init__(
            f"no rate from {currency!r} into {into!r}; the figures stay available in {currency!r}; "
            "give the ledger a Rate and ask again"
        )
        self.currency = currency
        self.into = into


class BadState(LedgerError):
    """Stored state that does not belong to these terms and instruments."""

    def __init__(self, field: str, value: Any, expected: Any) -> None:
        super().__init__(
            f"stored ledger state has {field} {value!r}, expected {expected!r}; nothing was loaded; "
            "fold the journal instead"
        )
        self.field = field
        self.value = value
        self.expected = expected


def _figures(values: tuple[Any, ...]) -> str:
    return " ".join(str(getattr(value, "value", value)) for value in values if value not in (None, ""))
