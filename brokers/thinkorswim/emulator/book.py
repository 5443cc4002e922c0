"""Schwab's order book: every order, and the activity in which the exchange's events are told."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.emulation.house import SECOND_NS, House
from brokers.emulation.updates import Update, Updates
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
from brokers.thinkorswim.emulator import activity
from brokers.thinkorswim.emulator.records import Record

_FIRST_ORDER: Final = 1_002_345_678_901
_FIRST_EXECUTION: Final = 70_001
_HELD: Final = {Hold.PARENT: "AWAITING_PARENT_ORDER", Hold.HOURS: "PENDING_ACTIVATION"}


class OrderBook:
    """All orders of all accounts."""

    def __init__(self, house: House, desk: Desk) -> None:
        self.updates = Updates(house.faults, self._untrue)
        self._house = house
        self._faults = house.faults
        self._desk = desk
        self._records: dict[int, Record] = {}
        self._at_exchange: dict[str, Record] = {}
        self._changes: dict[str, Record] = {}  # what is to take the place of the order with that key
        self._numbers = count(_FIRST_ORDER)
        self._executions = count(_FIRST_EXECUTION)
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

    def find(self, account: str, order_id: int) -> Record | None:
        """The order of an account with that id, unless the broker has forgotten it."""
        record = self._records.get(order_id)
        return record if record is not None and record.account == account and self._kept(record.root) else None

    def roots(self, account: str) -> list[Record]:
        """The orders of an account, newest first, without those below others and those that are forgotten."""
        newest = reversed(self._records.values())
        return [one for one in newest if one.account == account and one.parent is None and self._kept(one)]

    def write(self, record: Record) -> dict[str, Any]:
        """The record of an order as it stands."""
        return record.write(self.at)

    def write_old(self, record: Record) -> dict[str, Any]:
        """The record of a root as it stood one update ago."""
        return record.before or self.write(record)

    def at(self, time_ns: int) -> int:
        """An instant as the wire's clock shows it."""
        return time_ns + self._house.wall_ns() - self._house.now_ns()

    def _kept(self, root: Record) -> bool:
        forget = self._faults.state("forget-finished")
        if forget is None or root.open or root.closed_ns is None:
            return True
        return self._house.now_ns() - root.closed_ns < forget.seconds * SECOND_NS

    # Beginnings and ends.

    def open(self, make: Callable[[int], Record]) -> Record:
        """A new order, of which nobody is told yet; `make` gets its id."""
        record = make(next(self._numbers))
        record.key = str(record.order_id)
        self._records[record.order_id] = self._at_exchange[record.key] = record
        return record

    def reject(self, record: Record, why: str) -> None:
        """Refuses an order: it was there for a moment."""
        if record.word == "NEW":
            self._tell(record, "PENDING_ACKNOWLEDGEMENT", activity.created(record, self.at))
        record.reason = why
        self._close(record, "REJECTED", activity.out(record, "SystemReject", self._now(), why))

    def intend(self, old: Record, new: Record) -> None:
        """The next change of an order at the exchange gives it a new id."""
        new.key, new.ahead = old.key, old.ahead + old.filled
        self._changes[old.key] = new

    # What the exchange says.

    def _hear(self, cascade: Cascade) -> None:
        for event in cascade.events:
            record, happened = self._at_exchange.get(event.key), self._happened.get(type(event))
            if record is not None and happened is not None:
                happened(record, event, cascade)

    def _accepted(self, record: Record, event: Accepted, _: Cascade) -> None:
        if event.held is Hold.PARENT:
            record.word = _HELD[event.held]
            return
        begun = [activity.created(record, self.at), activity.accepted(record, self.at)]
        if event.held is not None:
            self._tell(record, _HELD[event.held], *begun)
        else:
            self._work(record, *begun)

    def _work(self, record: Record, *events: activity.Event) -> None:
        """An order is in the market, or waits there for its stop."""
        if record.ticket is not None and record.ticket.stops:
            self._tell(record, "AWAITING_STOP_CONDITION", *events, activity.monitored(record, "Created", self._now()))
        else:
            self._tell(record, "WORKING", *events, *activity.routed(record, "New", self._now()))

    def _rejected(self, record: Record, event: Rejected, _: Cascade) -> None:
        self.reject(record, event.refusal.sentence)

    def _leg_activated(self, record: Record, event: LegActivated, _: Cascade) -> None:
        record.quantity = event.quantity
        self._work(record, activity.created(record, self.at), activity.accepted(record, self.at))

    def _leg_resized(self, record: Record, event: LegResized, _: Cascade) -> None:
        record.quantity = event.quantity
        self._tell(record, record.word)

    def _released(self, record: Record, _: Released, __: Cascade) -> None:
        self._work(record)

    def _triggered(self, record: Record, _: Triggered, __: Cascade) -> None:
        done = activity.monitored(record, "Completed", self._now())
        self._tell(record, "WORKING", done, *activity.routed(record, "New", self._now()))

    def _replaced(self, record: Record, event: Replaced, _: Cascade) -> None:
        new = self._changes.pop(event.key)
        self._at_exchange[event.key] = new
        new.take_place_of(record)
        word, now = record.word, self._now()
        gone = activity.out(record, "ClientCancel", now)
        early = self._faults.strikes("out-on-replace") is not None
        if early:
            self._tell(record, record.word, gone)
        self._tell(record, "PENDING_REPLACE", activity.change_created(new, record, self.at))
        self._tell(new, word, activity.change_accepted(new, record, now))
        self._close(record, "REPLACED", *(() if early else (gone,)))

    def _replace_refused(self, record: Record, event: ReplaceRefused, _: Cascade) -> None:
        new = self._changes.pop(event.key)
        self._tell(new, "PENDING_ACKNOWLEDGEMENT", activity.change_created(new, record, self.at))
        self.reject(new, event.refusal.sentence)

    def _canceled(self, record: Record, event: Canceled, _: Cascade) -> None:
        now = self._now()
        if event.reason is CancelReason.REQUESTED:
            self._tell(record, "PENDING_CANCEL", activity.cancel_accepted(record, now))
            for one in (*activity.routed(record, "Cancel", now), activity.uro(record, now)):
                self._tell(record, "PENDING_CANCEL", one)
        kind = "ClientCancel" if event.reason is CancelReason.REQUESTED else "SystemCancel"
        self._close(record, "CANCELED", activity.out(record, kind, now))

    def _expired(self, record: Record, _: Expired, __: Cascade) -> None:
        self._close(record, "EXPIRED", activity.expired(record, self._now()))

    # Executions.

    def _traded(self, record: Record, event: Traded, cascade: Cascade) -> None:
        (fill,) = [fill for fill in cascade.executions if fill.id == event.fill.id]  # with its fee
        number = next(self._executions)
        late = self._faults.strikes("late-fill") if not event.remaining else None
        if late is not None:
            gone = activity.out(record, "SystemCancel", self._now())
            record.fills[fill.id] = number, fill
            record.shown = "CANCELED"
            self._close(record, "FILLED", gone)
            self._house.later(late.seconds, partial(self._show_late, record, fill, number))
        else:
            record.fills[fill.id] = number, fill
            told = activity.filled(record, fill, number, self.at)
            if event.remaining:
                self._tell(record, "WORKING", told, fills=True)
            else:
                self._close(record, "FILLED", told, fills=True)
        self._mistake(record, fill, number)

    def _show_late(self, record: Record, fill: Fill, number: int) -> None:
        record.shown = None
        self._tell(record, record.word, activity.filled(record, fill, number, self.at), fills=True)

    def _mistake(self, record: Record, fill: Fill, number: int) -> None:
        bust, correction = self._faults.strikes("bust"), self._faults.strikes("correction")
        if bust is not None:
            self._house.later(bust.seconds, partial(self._bust, record, fill, number))
        elif correction is not None:
            self._house.later(correction.seconds, partial(self._correct, record, fill, number))

    def _bust(self, record: Record, fill: Fill, number: int) -> None:
        self._desk.correct(fill, None)
        del record.fills[fill.id]
        word = record.word if record.fills or record.word != "FILLED" else "CANCELED"
        self._tell(record, word, activity.restated(record, fill, number, "Bust", self.at))

    def _correct(self, record: Record, fill: Fill, number: int) -> None:
        """The price moves one tick against the owner."""
        tick = self._desk.instruments[fill.symbol].tick
        right = attrs.evolve(fill, price=fill.price + tick * (1 if fill.side is Side.BUY else -1))
        self._desk.correct(fill, right.price)
        record.fills[fill.id] = number, right
        self._tell(record, record.word, activity.restated(record, right, number, "Correct", self.at))

    # Telling.

    def _now(self) -> int:
        return self._house.wall_ns()

    def _close(self, record: Record, word: str, *events: activity.Event, fills: bool = False) -> None:
        record.closed_ns = self._house.now_ns()
        if all(one.word in {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "REPLACED"} for one in record.root.tree):
            record.root.closed_ns = record.root.closed_ns or record.closed_ns
        self._tell(record, word, *events, fills=fills)

    def _tell(self, record: Record, word: str, *events: activity.Event, fills: bool = False) -> None:
        """Tells of an order in its new status."""
        record.word, root = word, record.root
        root.before, root.last = root.last, self.write(root)
        for event in events:
            self.updates.tell(Update(record.account, str(record.order_id), event, fills))

    def _untrue(self, word: str, frame: activity.Event) -> activity.Event:
        """Activity that cannot be; lists tell the same of that order from then on."""
        self._records[int(frame["SchwabOrderID"])].lie = word
        return activity.untrue(word, frame)
