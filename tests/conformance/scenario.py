"""A scenario: an id, what a broker must be able to do for it, the faults it needs, and the play itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from brokers.capability import Capability, OrderSupport
from brokers.emulation import possible_faults
from brokers.emulation.catalogue import CATALOGUE
from brokers.market import BarUnit
from brokers.model import GroupKind, OrderType, TimeInForce
from tests.conformance.candidate import Candidate

NO_SUCH_FAULT = "its wire has no"


@attrs.frozen
class Need:
    """A predicate over the capability record, with its words for people."""

    what: str
    holds: Callable[[Capability], bool]

    def __and__(self, other: "Need") -> "Need":
        return Need(f"{self.what} and {other.what}", lambda record: self.holds(record) and other.holds(record))


def of_orders(what: str, holds: Callable[[OrderSupport], bool]) -> Need:
    return Need(what, lambda record: record.orders is not None and holds(record.orders))


def takes(kind: OrderType) -> Need:
    return of_orders(f"{kind.value} orders", lambda orders: kind in orders.types)


def lasts(kind: TimeInForce) -> Need:
    return of_orders(f"time in force {kind.value}", lambda orders: kind in orders.times_in_force)


def groups(kind: GroupKind) -> Need:
    return of_orders(f"{kind.value} groups", lambda orders: kind in orders.groups)


NOTHING = Need("nothing", lambda _: True)
ORDERS = of_orders("orders", lambda _: True)
DATA = Need("market data", lambda record: record.data is not None)
QUOTES = Need("quotes", lambda record: record.data is not None and record.data.quotes)
MINUTES = Need("bars of minutes", lambda record: record.data is not None and BarUnit.MINUTE in record.data.bars)


@attrs.frozen(eq=False)
class Scenario:
    """One row of the table; `play` gets a Floor, or a Stage where it leads several lives."""

    id: str
    needs: Need
    switches: tuple[str, ...]  # faults by name that the protocol must be able to have
    still: bool  # whether the market stands still but for what the play shows
    lives: bool  # whether the play opens the adapter itself, as often as it likes
    play: "Plays"

    def excluded(self, candidate: Candidate) -> str:
        """Why it does not apply to a broker, or nothing."""
        if not self.needs.holds(candidate.capability):
            return f"needs {self.needs.what}"
        missing = [name for name in self.switches if name not in possible_faults(candidate.parts)]
        if missing:
            return f"{NO_SUCH_FAULT} {CATALOGUE[missing[0]].part.value.replace('_', ' ')} for {', '.join(missing)}"
        return ""


Plays = Callable[[Any], Awaitable[None]]


def scenario(
    id_: str, needs: Need = NOTHING, *, switches: tuple[str, ...] = (), still: bool = True, lives: bool = False
) -> Callable[[Plays], Scenario]:
    """Makes a play a scenario; the table finds it in its module."""
    return lambda play: Scenario(id_, needs, switches, still, lives, play)
