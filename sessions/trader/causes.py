"""What news means for a session's place on the ladder: causes that come and go, as pure functions.

Down goes at once. Up never by itself: a cleared cause only lets the next reconciliation lift the session.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from brokers.account_books import Agreement
from brokers.gateway import LinkNews
from brokers.guards.ladder import Cause, Cleared, LadderEvent, Raised
from brokers.instruments import Instrument
from sessions.journal import JournalCorrupt, JournalDown, JournalError, JournalFenced, JournalUp
from sessions.risk.limits import Limits

ALERTS: Final = ("alerts",)  # the topic of what a person should know
JOURNAL_CAUSES: Final = (Cause.JOURNAL_WRITE_FAILED, Cause.JOURNAL_CORRUPT, Cause.OWNER_CHANGED)

CONNECTION_CAUSES: Final = frozenset(  # what a connection's watch tells
    {
        Cause.TOKEN_LOST,
        Cause.PAUSED,
        Cause.SUBMIT_BREAKER_OPEN,
        Cause.CONNECTION_DEGRADED,
        Cause.CONNECTION_DOWN,
        Cause.CLOCK_SKEW,
    }
)


def cause_topic(broker: str) -> tuple[str, str]:
    """Where a broker's connection publishes Raised and Cleared for all its sessions, such as a lost token."""
    return ("causes", broker)


def gone(before: Iterable[tuple[Cause, str]], stand: Collection[LadderEvent]) -> list[LadderEvent]:
    """Which causes of a connection held a session before and stand no more."""
    return [
        Cleared(cause, about)
        for cause, about in before
        if cause in CONNECTION_CAUSES and Raised(cause, about) not in stand
    ]


def of_agreement(news: Agreement, escalated: Iterable[str]) -> list[LadderEvent]:
    """What a reconciliation says; `escalated` are the orders that waited for a person before."""
    differ = Cleared(Cause.BOOKS_DIFFER) if news.agreed else Raised(Cause.BOOKS_DIFFER)
    waiting = set(news.escalated)
    return [
        differ,
        *(Raised(Cause.ORDER_UNRESOLVED, key) for key in news.escalated),
        *(Cleared(Cause.ORDER_UNRESOLVED, key) for key in escalated if key not in waiting),
    ]


def of_link(news: LinkNews, cause: Cause) -> LadderEvent:
    """What the state of a stream says."""
    return Cleared(cause) if news.up else Raised(cause)


def of_journal(news: JournalDown | JournalUp) -> list[LadderEvent]:
    """What the state of the journal says."""
    if isinstance(news, JournalDown):
        return [Raised(_journal_cause(news.error))]
    return [Cleared(cause) for cause in JOURNAL_CAUSES]


def _journal_cause(error: JournalError) -> Cause:
    if isinstance(error, JournalFenced):
        return Cause.OWNER_CHANGED
    return Cause.JOURNAL_CORRUPT if isinstance(error, JournalCorrupt) else Cause.JOURNAL_WRITE_FAILED


def of_data(quoted_ns: Mapping[Instrument, int], limits: Limits, now_ns: int) -> list[LadderEvent]:
    """Which instruments' quotes are too old to trade on, of those whose markets trade now (B23)."""
    return [
        Raised(Cause.STALE_DATA, instrument.symbol)
        if now_ns - at_ns > limits.stale_ns_of(instrument)
        else Cleared(Cause.STALE_DATA, instrument.symbol)
        for instrument, at_ns in quoted_ns.items()
    ]
