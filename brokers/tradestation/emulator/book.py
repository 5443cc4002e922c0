"""TradeStation's order book: every order, and the statuses in which the exchange's events are told."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.updates import Update, Updates
from brokers.instruments import Instrument
from brokers.matching import Event
from brokers.matching.events import (
    Accepted,
    Canceled,
    CancelReason,
    Expired,
    Filled,
    Hold,
    LegActivated,
    LegResized,
    PartiallyFilled,
    Rejected,
    Released,
    Replaced,
    ReplaceRefused,
    Traded,
    Triggered,
)
from brokers.model import Fill
from brokers.paper.exchange import Cascade
from brokers.sides import Side
from brokers.tradestation.emulator.records import Record, untrue
from brokers.tradestation.emulator.tickets import Ticket
from brokers.tradestation.emulator.words import SECOND_NS

_FIRST_ORDER: Final = 948_679_459
_ASKED: Final = frozenset({CancelReason.REQUESTED, CancelReason.SIBLING_TRADED, CancelReason.SIBLING_ENDED})
_WAITING: Final = frozenset({"OSO", "DON"})
_HELD: Final = {None: "ACK", Hold.PARENT: "OSO", Hold.HOURS: "DON"}


class OrderBook:
    """All orders of all accounts."""

    def __init__(self, house: House, desk: Desk) -> None:
        self.updates = Updates(house.faults, untrue)
        self._house = house
        self._faults = house.faults
        self._desk = desk
        self._records: dict[str, Record] = {}
        self._numbers = count(_FIRST_ORDER)
        self._happened: Mapping[type[Event], Callable[[Record, Any, Cascade], None]] = {
            Accepted: self._accepted,
            Rejected: self._rejected,
            LegActivated: self._leg_activated,
            LegResized: self._leg_resized,
            Released: self._released,
            Triggered: self._triggered,
            PartiallyFilled: self._traded,
            Filled: self._traded,
            Replaced: self._replaced,
            ReplaceRefused: self._replace_refused,
            Canceled: self._canceled,
            Expired: self._expired,
        }
        desk.hear(self._hear)

    # Questions.

    def find(self, order_id: str) -> Record | None:
        """The order with that id."""
        return self._records.get(order_id)

    def of(self, accounts: Iterable[str]) -> list[Record]:
        """The orders of accounts, newest first, without those that the broker has forgotten."""
        wanted = frozenset(accounts)
        return [one for one in reversed(self._records.values()) if one.ticket.account in wanted and self._kept(one)]

    def write(self, record: Record) -> dict[str, Any]:
        """The record of an order as it stands."""
        return record.write(self._at)

    def write_old(self, record: Record) -> dict[str, Any]:
        """The record of an order as it stood one update ago."""
        return record.before or self.write(record)

    def _kept(self, record: Record) -> bool:
        forget = self._faults.state("forget-finished")
        if forget is None or record.closed_ns is None or record.open:
            return True
        return self._house.now_ns() - record.closed_ns < forget.seconds * SECOND_NS

    def _at(self, time_ns: int) -> int:
        return time_ns + self._house.wall_ns() - self._house.now_ns()

    # Beginnings and ends.

    def new_id(self) -> str:
        """An id that no order has had."""
        return str(next(self._numbers))

    def open(self, ticket: Ticket, instrument: Instrument) -> Record:
        """The record of a new order, of which nobody is told yet."""
        held = self._desk.exchange.engine.position(ticket.account, instrument.symbol)
        record = Record(
            order_id=self.new_id(),
            ticket=ticket,
            instrument=instrument,
            opened_ns=self._house.now_ns(),
            quantity=ticket.quantity,
            limit=ticket.limit,
            stop=ticket.stop,
            type=ticket.type,
            closes=held * ticket.side.sign < 0,
        )
        self._records[record.order_id] = record
        return record

    def fail(self, record: Record, why: str) -> None:
        """Refuses an order in the reply: it stays in the lists, and no stream tells of it."""
        record.status, record.reason, record.closed_ns = "REJ", why, self._house.now_ns()

    def reject(self, record: Record, why: str) -> None:
        """Refuses an order that was taken: the streams tell it."""
        record.reason = why
        self.close(record, "REJ")

    def close(self, record: Record, status: str, *, fills: bool = False) -> None:
        """Ends an order."""
        record.closed_ns = self._house.now_ns()
        self._tell(record, status, fills=fills)

    # What the exchange says.

    def _hear(self, cascade: Cascade) -> None:
        for event in cascade.events:
            record, happened = self._records.get(event.key), self._happened.get(type(event))
            if record is not None and happened is not None:
                happened(record, event, cascade)

    def _accepted(self, record: Record, event: Accepted, _: Cascade) -> None:
        self._tell(record, _HELD[event.held])

    def _rejected(self, record: Record, event: Rejected, _: Cascade) -> None:
        """An order that never was is answered in the reply; one whose turn came is told in the streams."""
        (self.fail if record.status == "PLA" else self.reject)(record, event.refusal.sentence)

    def _leg_activated(self, record: Record, event: LegActivated, _: Cascade) -> None:
        record.quantity = event.quantity
        self._tell(record, "OPN")
        self._tell(record, "ACK")

    def _leg_resized(self, record: Record, event: LegResized, _: Cascade) -> None:
        record.quantity = event.quantity
        self._tell(record, record.status)

    def _released(self, record: Record, _: Released, __: Cascade) -> None:
        self._tell(record, "ACK")

    def _triggered(self, record: Record, event: Triggered, _: Cascade) -> None:
        record.moved_ns = event.time_ns
        self._tell(record, record.status, "STP")

    def _replaced(self, record: Record, event: Replaced, _: Cascade) -> None:
        if self._faults.strikes("out-on-replace") is not None:
            self._tell(record, record.status, "OUT")
        order = event.order
        market = record.type == "Market"
        record.limit, record.stop = (None, None) if market else (order.limit_price, order.stop_price)
        record.quantity = order.quantity
        record.ticket = attrs.evolve(record.ticket, trail_amount=order.trail_offset, trail_percent=order.trail_percent)
        record.moved_ns = event.time_ns
        self._tell(record, "FPR" if record.fills else record.status if record.status in _WAITING else "ACK")

    def _replace_refused(self, record: Record, _: ReplaceRefused, __: Cascade) -> None:
        if record.open:
            self._tell(record, record.status, "RJR")
            self._tell(record, record.status)

    def _canceled(self, record: Record, event: Canceled, _: Cascade) -> None:
        if event.reason in _ASKED:
            self._tell(record, "UCN")
        self.close(record, "FLP" if record.fills else "OUT")

    def _expired(self, record: Record, _: Expired, __: Cascade) -> None:
        self.close(record, "EXP")

    def _traded(self, record: Record, event: Traded, cascade: Cascade) -> None:
        (fill,) = [fill for fill in cascade.executions if fill.id == event.fill.id]  # with its fee
        late = self._faults.strikes("late-fill") if not event.remaining else None
        record.fills[fill.id] = fill
        if late is not None:
            record.shown = "OUT"
            self.close(record, "FLL")
            self._house.later(late.seconds, partial(self._show_late, record))
        elif event.remaining:
            self._tell(record, "FPR", fills=True)
        else:
            self._filled(record)
        self._mistake(record, fill)

    def _filled(self, record: Record) -> None:
        """The fill of an order that was replaced or triggered comes with an ACK, and FLL follows."""
        if record.moved_ns is not None:
            self._tell(record, "ACK", fills=True)
        self.close(record, "FLL", fills=record.moved_ns is None)

    def _show_late(self, record: Record) -> None:
        record.shown = None
        self._tell(record, record.status, fills=True)

    def _mistake(self, record: Record, fill: Fill) -> None:
        bust, correction = self._faults.strikes("bust"), self._faults.strikes("correction")
        if bust is not None:
            self._house.later(bust.seconds, partial(self._bust, record, fill))
        elif correction is not None:
            self._house.later(correction.seconds, partial(self._correct, record, fill))

    def _bust(self, record: Record, fill: Fill) -> None:
        self._desk.correct(fill, None)
        del record.fills[fill.id]
        self._tell(record, "BRO")

    def _correct(self, record: Record, fill: Fill) -> None:
        """The price moves one tick against the owner."""
        price = fill.price + record.instrument.tick * (1 if fill.side is Side.BUY else -1)
        self._desk.correct(fill, price)
        record.fills[fill.id] = attrs.evolve(fill, price=price)
        self._tell(record, record.status, "COR")

    # Telling.

    def _tell(self, record: Record, status: str, told: str | None = None, *, fills: bool = False) -> None:
        """Tells of an order in its status, or in one that passes at once and that no list ever shows."""
        record.status = status
        record.before, record.last = record.last, record.write(self._at)
        self.updates.tell(Update(record.ticket.account, record.order_id, record.write(self._at, told), fills))
