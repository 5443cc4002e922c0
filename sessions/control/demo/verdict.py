"""The audit at the end of the demo: what the broker did against what the journal holds; pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TypeAlias

import attrs

from brokers.model import Fill
from sessions.control.demo.books import BrokerSide, JournalSide

Print: TypeAlias = tuple[str, str | None, str, str, Decimal, Decimal]


@attrs.frozen
class Profit:
    """What one account earned, by both books."""

    account: str
    journal: Decimal
    broker: Decimal
    fees: Decimal  # as the broker counts them

    @property
    def agrees(self) -> bool:
        """Whether both books say the same, to the last digit."""
        return self.journal == self.broker


@attrs.frozen
class Verdict:
    """What became of the promises.

    duplicates   orders at the broker that no intent in the journal accounts for, or that share one
    lost         executions at the broker that the journal does not hold
    invented     executions in the journal that the broker never had
    """

    orders: int
    fills: int
    duplicates: tuple[str, ...]
    lost: tuple[str, ...]
    invented: tuple[str, ...]
    profits: tuple[Profit, ...]

    def broken(self) -> Iterator[str]:
        """A sentence for each promise that was not kept."""
        if self.duplicates:
            yield f"{len(self.duplicates)} orders at the broker too many: {', '.join(self.duplicates)}"
        if self.lost:
            yield f"{len(self.lost)} fills lost: {'; '.join(self.lost)}"
        if self.invented:
            yield f"{len(self.invented)} fills in the journal that the broker never had: {'; '.join(self.invented)}"
        for one in self.profits:
            if not one.agrees:
                yield f"{one.account} earned {one.journal} by the journal and {one.broker} by the broker"


def judge(broker: BrokerSide, journal: JournalSide) -> Verdict:
    """Holds the journal against the broker."""
    theirs, ours = Counter(map(_print, broker.fills)), Counter(map(_print, journal.fills.values()))
    earned, fees = broker.realised(), broker.fees()
    return Verdict(
        orders=len(broker.orders),
        fills=len(broker.fills),
        duplicates=tuple(_duplicates(broker.orders, journal)),
        lost=tuple(map(_told, (theirs - ours).elements())),
        invented=tuple(map(_told, (ours - theirs).elements())),
        profits=tuple(Profit(name, journal.realised(name), earned[name], fees[name]) for name in sorted(earned)),
    )


def _duplicates(orders: Mapping[str, object], journal: JournalSide) -> Iterator[str]:
    """The broker's ids of orders that are not the one order of one intent."""
    seen: set[str] = set()
    for id_ in orders:
        meant = journal.ids.get(id_, set()) & journal.sessions.keys()
        if len(meant) != 1 or meant & seen:
            yield id_
        seen |= meant


def _print(fill: Fill) -> Print:
    """By what an execution is known on both sides, which number them differently."""
    return fill.account, fill.broker_order_id, fill.symbol, fill.side.value, fill.quantity, fill.price


def _told(one: Print) -> str:
    account, order, symbol, side, quantity, price = one
    return f"{side} {quantity} {symbol} at {price}, order {order} of {account}"
