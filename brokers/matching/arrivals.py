"""What a venue does with a command when it arrives: takes or refuses orders, groups, changes and cancels."""

import attrs

from brokers.matching import groups
from brokers.matching.desk import Desk
from brokers.matching.events import (
    AlreadyKnown,
    CancelReason,
    CancelRefused,
    Code,
    Hold,
    Refusal,
    Rejected,
    ReplaceRefused,
)
from brokers.matching.orders import Tie, Working
from brokers.matching.pit import Pit
from brokers.matching.prices import ZERO, rank, reaches
from brokers.matching.rules import DuplicateKeys, OutsideHours, WithoutPrice
from brokers.matching.terms import check_group, check_order, members
from brokers.model import Change, Order, OrderGroup, OrderType, TimeInForce

_IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_NOBODY: list[Working | None] = [None]


class Arrivals:
    """The venue's counter: everything that is asked of it, at the moment it gets there."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def submit(self, account: str, order: Order) -> None:
        """An order arrives: Accepted, Rejected, or AlreadyKnown."""
        if self._answers_duplicates(account, (order,)):
            return
        refusal = self._refusal(account, order)
        if refusal is not None:
            self._desk.refuse(account, order, refusal)
            return
        working = self._desk.accept(account, order, self._hold(order))
        if working.hold is None:
            self._desk.enter(working)

    def submit_group(self, account: str, group: OrderGroup) -> None:
        """A group arrives: all of it is taken, or none."""
        orders = members(group)
        if self._answers_duplicates(account, orders):
            return
        refusals = self._group_refusals(account, group)
        if any(refusals):
            fallback = Refusal(Code.BAD_GROUP, f"another order of the group {group.key!r} was refused")
            for order, refusal in zip(orders, refusals, strict=True):
                self._desk.refuse(account, order, refusal or fallback)
            return
        for working in self._accept_group(account, group):
            if working.hold is None:
                self._desk.enter(working)

    def change(self, account: str, change: Change, order_id: str | None) -> None:
        """A change arrives: Replaced, or ReplaceRefused when it came too late or makes no sense."""
        working = self._desk.registry.find(account, change.key, order_id)
        if working is None or not working.open:
            head = self._head(account, change.key, working)
            self._desk.outbox.put(ReplaceRefused(*head, _gone(change.key, working)))
            return
        order = _changed(working.order, change)
        refusal = self._change_refusal(working, order)
        if refusal is not None:
            self._desk.outbox.put(ReplaceRefused(*self._desk.outbox.head_of(working), refusal))
            return
        self._desk.replace(working, order, kept_place=_keeps_place(working.order, order))

    def cancel(self, account: str, key: str, order_id: str | None) -> None:
        """A cancel arrives: Canceled, or CancelRefused when there is nothing left to cancel."""
        working = self._desk.registry.find(account, key, order_id)
        if working is None or not working.open:
            head = self._head(account, key, working)
            self._desk.outbox.put(CancelRefused(*head, _gone(key, working)))
            return
        self._desk.cancel(working, CancelReason.REQUESTED)

    # whether a key was there before

    def _answers_duplicates(self, account: str, orders: tuple[Order, ...]) -> bool:
        """Answers orders whose keys are used up; with one of them known, none of them is taken."""
        policy = self._desk.rules.duplicates
        if policy is DuplicateKeys.ACCEPT:
            return False
        found = [self._desk.registry.find(account, order.key) for order in orders]
        if found == _NOBODY:
            return False
        if policy is DuplicateKeys.OPEN_ONLY:
            found = [working if working is not None and working.open else None for working in found]
        if not any(found):
            return False
        for order, working in zip(orders, found, strict=True):
            self._answer_duplicate(account, order, working)
        return True

    def _answer_duplicate(self, account: str, order: Order, working: Working | None) -> None:
        outbox = self._desk.outbox
        if working is not None and self._desk.rules.duplicates is DuplicateKeys.RETURN_EXISTING:
            head = outbox.head(account, order.symbol, order.key, working.order_id)
            outbox.put(AlreadyKnown(*head, working.report()))
            return
        used = "is in use" if working is not None else "came with a key that is in use"
        refusal = Refusal(Code.DUPLICATE_KEY, f"order key {order.key!r} {used}; nothing new was taken")
        outbox.put(Rejected(*outbox.head(account, order.symbol, order.key), order, refusal))

    # whether an order may come in

    def _refusal(self, account: str, order: Order) -> Refusal | None:
        pit = self._desk.pits.get(order.symbol)
        if pit is None:
            return _unlisted(order)
        taken = pit.takes(order)
        return (
            self._terms_refusal(order, pit)
            or self._hours_refusal(order, pit, taken=taken)
            or (self._market_refusal(account, order, pit) if taken else None)
            or self._desk.admission(account, order)
        )

    def _terms_refusal(self, order: Order, pit: Pit) -> Refusal | None:
        if pit.settled:
            return Refusal(Code.SETTLED, f"{order.symbol} has expired and been settled")
        return check_order(order, pit.instrument, self._desk.outbox.now_ns)

    def _hours_refusal(self, order: Order, pit: Pit, *, taken: bool) -> Refusal | None:
        immediate = order.time_in_force in _IMMEDIATE
        if taken:
            if immediate and not pit.status.trading:
                return Refusal(Code.CLOSED, f"{order.symbol} is {pit.status.value}: nothing can trade at once")
            return None
        if immediate or pit.rules.outside_hours is OutsideHours.REJECT:
            return Refusal(Code.CLOSED, f"{order.symbol} is {pit.status.value}: this order may not come in now")
        return None

    def _hold(self, order: Order) -> Hold | None:
        return None if self._desk.pits[order.symbol].takes(order) else Hold.HOURS

    def _market_refusal(self, account: str, order: Order, pit: Pit) -> Refusal | None:
        positions = self._desk.positions
        if order.reduce_only and not positions.reducible(account, order.symbol, order.side):
            held = positions.of(account, order.symbol)
            return Refusal(Code.REDUCE_ONLY, f"a reduce-only {order.side.value} cannot reduce a position of {held}")
        if order.type is OrderType.MARKET and self._lacks_price(order, pit):
            return Refusal(Code.NO_PRICE, f"nobody offers {order.symbol} on the other side")
        return self._crossing_refusal(account, order, pit)

    def _lacks_price(self, order: Order, pit: Pit) -> bool:
        if pit.rules.without_price is WithoutPrice.WAIT:
            return False
        if pit.book.quoted:
            return pit.book.offered(order.side.opposite) is None
        return pit.last is None

    def _crossing_refusal(self, account: str, order: Order, pit: Pit) -> Refusal | None:
        if order.post_only and self._would_take(order, pit):
            return Refusal(Code.POST_ONLY, f"a post-only order at {order.limit_price} would take at once")
        if pit.rules.refuse_self_cross and self._meets_own(account, order, pit):
            return Refusal(Code.SELF_CROSS, "it would trade with a resting order of the same account")
        return None

    def _would_take(self, order: Order, pit: Pit) -> bool:
        if not pit.is_fresh(pit.book.time_ns, self._desk.now_ns):
            return False
        offered = pit.book.offered(order.side.opposite)
        return offered is not None and reaches(order.side, order.limit_price, offered)

    def _meets_own(self, account: str, order: Order, pit: Pit) -> bool:
        """Whether an own order stands on the other side within the order's reach; stops reach nothing yet."""
        if order.type is OrderType.LIMIT:
            reach = order.limit_price
        elif order.type is OrderType.MARKET:
            reach = pit.book.offered(order.side.opposite)
        else:
            return False
        if reach is None:
            return False
        facing = pit.ladder(order.side.opposite).until(rank(order.side.opposite, reach))
        return any(working.account == account and working.limit is not None for working in facing)

    # groups

    def _group_refusals(self, account: str, group: OrderGroup) -> list[Refusal | None]:
        orders = members(group)
        shape = check_group(group)
        if shape is not None:
            return [shape] * len(orders)
        if group.parent is None:
            return [self._refusal(account, order) for order in orders]
        return [self._refusal(account, group.parent), *map(self._child_refusal, group.children)]

    def _child_refusal(self, order: Order) -> Refusal | None:
        """What is wrong with a child from the start; the market and its owner's means are asked when it wakes."""
        pit = self._desk.pits.get(order.symbol)
        return _unlisted(order) if pit is None else self._terms_refusal(order, pit)

    def _accept_group(self, account: str, group: OrderGroup) -> list[Working]:
        parent = None if group.parent is None else self._accept(account, group.parent, group, asleep=False)
        legs = tuple(self._accept(account, child, group, asleep=parent is not None) for child in group.children)
        state = groups.Group(
            kind=group.kind,
            reduce_size=group.reduce_size,
            parent=None if parent is None else groups.Parent(parent.order.quantity),
            legs=tuple(self._leg(working) for working in legs),
        )
        tie = Tie(group.key, state, parent, legs)
        for index, working in enumerate(legs):
            working.tie, working.leg = tie, index
        if parent is not None:
            parent.tie = tie
        return [*legs] if parent is None else [parent]

    def _accept(self, account: str, order: Order, group: OrderGroup, *, asleep: bool) -> Working:
        hold = Hold.PARENT if asleep else self._hold(order)
        working = self._desk.accept(account, order, hold, group.key)
        if asleep:
            working.live = ZERO
        return working

    def _leg(self, working: Working) -> groups.Leg:
        return groups.Leg(
            quantity=working.order.quantity,
            lot=self._desk.pit_of(working).instrument.lot,
            size=working.order.quantity,
            waits=working.immediate or self._desk.rules.legs_wait_for_full_fill,
            live=working.live,
        )

    # changes

    def _change_refusal(self, working: Working, order: Order) -> Refusal | None:
        old, pit = working.order, self._desk.pit_of(working)
        if order.quantity <= working.filled:
            return Refusal(Code.BAD_QUANTITY, f"{working.filled} are filled already, so {order.quantity} is too few")
        if working.triggered and (order.stop_price, order.trail_offset) != (old.stop_price, old.trail_offset):
            return Refusal(Code.BAD_TERMS, "the order has been triggered, so its stop cannot move any more")
        refusal = check_order(order, pit.instrument, self._desk.now_ns)
        if refusal is not None or _keeps_place(old, order):
            return refusal
        crossing = None if working.hold is not None else self._crossing_refusal(working.account, order, pit)
        return crossing or self._desk.admission(working.account, order)

    def _head(self, account: str, key: str, working: Working | None) -> tuple[int, int, int, str, str, str, str]:
        if working is None:
            return self._desk.outbox.head(account, "", key)
        return self._desk.outbox.head(account, working.order.symbol, key, working.order_id)


def _unlisted(order: Order) -> Refusal:
    return Refusal(Code.UNKNOWN_SYMBOL, f"{order.symbol!r} is not listed here")


def _gone(key: str, working: Working | None) -> Refusal:
    if working is None:
        return Refusal(Code.UNKNOWN_ORDER, f"no order with key {key!r} is known")
    return Refusal(Code.TOO_LATE, f"order {key!r} is over: {working.reason}")


def _changed(order: Order, change: Change) -> Order:
    terms = attrs.asdict(change, filter=lambda field, value: field.name != "key" and value is not None)
    return attrs.evolve(order, **terms)


def _keeps_place(old: Order, new: Order) -> bool:
    """Whether a change leaves an order where it stands: less of it, at the same prices."""
    return new.quantity <= old.quantity and attrs.evolve(new, quantity=old.quantity) == old
