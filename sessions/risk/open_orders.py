"""Open orders and how much of each may still fill, at worst.

Orders of one group cancel each other, so of each side only the largest counts. Orders with a parent fill no further
than their parent has: they leave what it entered.
"""

from decimal import Decimal
from typing import NamedTuple

import attrs

from brokers.instruments import EXACT
from brokers.sides import Side
from runtime.quick import quick
from sessions.risk.lines import Line, Lines

_ZERO = Decimal(0)


class Holding(NamedTuple):
    """Whose position it is, and in what."""

    session: str
    symbol: str


@quick
@attrs.frozen(weakref_slot=False)
class OpenOrder:
    """One order that may fill: its largest possible quantity, and how much of that is filled."""

    session: str
    key: str
    symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal = _ZERO
    group: str | None = None


@attrs.frozen
class OpenGroup:
    """Orders that cancel each other; `entered` is how far their parent has filled, None without a parent."""

    key: str
    parent: str | None
    entered: Decimal | None
    bought: Decimal = _ZERO
    sold: Decimal = _ZERO

    def cap(self, quantity: Decimal) -> Decimal:
        """How far an order of the group can fill."""
        return quantity if self.entered is None else min(quantity, self.entered)

    def filled(self, side: Side) -> Decimal:
        """What the group's orders of a side have filled, the closed ones included."""
        return self.bought if side is Side.BUY else self.sold


class OpenOrders:
    """What is open; the lines are told how much of it may still fill."""

    def __init__(self, lines: Lines) -> None:
        self.orders: dict[str, OpenOrder] = {}
        self.groups: dict[str, OpenGroup] = {}
        self._lines = lines
        self._members: dict[str, list[str]] = {}
        self._children: dict[str, str] = {}  # a parent's key to the group it enters for

    def __len__(self) -> int:
        return len(self.orders)

    def live(self, holding: Holding, side: Side) -> Decimal:
        """How much the open orders of a side may still fill in all."""
        line = self._lines.known.get(holding)
        if line is None:
            return _ZERO
        return line.buys if side is Side.BUY else line.sells

    def place(self, order: OpenOrder, parent: str | None) -> Line:
        """Adds an order; returns its line."""
        line = self._lines.line(order.session, order.symbol)
        if order.group is None:
            self.orders[order.key] = order
            line.shift(order.side, _rest(order))
            return line
        before = self._group_live(order.group, order.side)
        self._join(order, order.group, parent)
        line.shift(order.side, EXACT.subtract(self._group_live(order.group, order.side), before))
        return line

    def _join(self, order: OpenOrder, group: str, parent: str | None) -> None:
        self.orders[order.key] = order
        self._members.setdefault(group, []).append(order.key)
        if group not in self.groups:
            self.groups[group] = OpenGroup(group, parent, None if parent is None else _ZERO)
            if parent is not None:
                self._children[parent] = group

    def growth_at(self, order: OpenOrder, quantity: Decimal) -> Decimal:
        """How much more its side could fill if the order had at least this quantity."""
        if quantity <= order.quantity:
            return _ZERO
        if order.group is None:
            rest = max(EXACT.subtract(quantity, order.filled), _ZERO)
            return EXACT.subtract(rest, _rest(order))
        group = self.groups[order.group]
        rest = max(EXACT.subtract(group.cap(quantity), group.filled(order.side)), _ZERO)
        return max(EXACT.subtract(rest, self._group_live(order.group, order.side)), _ZERO)

    def resize(self, key: str, quantity: Decimal) -> None:
        """Gives an order another quantity."""
        order = self.orders[key]
        self._replace(order, attrs.evolve(order, quantity=quantity))

    def fits(self, key: str, session: str, symbol: str, side: Side) -> bool:
        """Whether a fill of an order can be of this holding and side, as far as the order is known."""
        order = self.orders.get(key)
        if order is not None and not (order.side is side and order.symbol == symbol and order.session == session):
            return False
        entered = self._children.get(key) if self._children else None
        if entered is None:
            return True
        member = self.orders[self._members[entered][0]]
        return (member.session, member.symbol) == (session, symbol)

    def fill(self, key: str, quantity: Decimal, line: Line) -> None:
        """Takes a fill of an order of this line, and lets those that wait for it fill as far."""
        order = self.orders.get(key)
        if order is not None:
            self._fill_open(order, quantity, line)
        if self._children and (entered := self._children.get(key)) is not None:
            self._enter(entered, quantity)

    def _fill_open(self, order: OpenOrder, quantity: Decimal, line: Line) -> None:
        side, group = order.side, order.group
        filled = EXACT.add(order.filled, quantity)
        self.orders[order.key] = after = OpenOrder(
            order.session, order.key, order.symbol, side, order.quantity, filled, group
        )
        if group is None and filled <= order.quantity:  # as nearly all are: what is filled can fill no more
            line.shift(side, quantity.copy_negate())
            return
        before = self._side_live(order)
        if group is not None:
            self._count(self.groups[group], side, quantity)
        line.shift(side, EXACT.subtract(self._side_live(after), before))

    def _count(self, group: OpenGroup, side: Side, quantity: Decimal) -> None:
        total = EXACT.add(group.filled(side), quantity)
        counted = attrs.evolve(group, bought=total) if side is Side.BUY else attrs.evolve(group, sold=total)
        self.groups[group.key] = counted

    def _enter(self, key: str, quantity: Decimal) -> None:
        group = self.groups[key]
        before = {side: self._group_live(key, side) for side in Side}
        self.groups[key] = attrs.evolve(group, entered=EXACT.add(group.entered or _ZERO, quantity))
        member = self.orders[self._members[key][0]]
        for side in Side:
            self._shift_side(member, side, EXACT.subtract(self._group_live(key, side), before[side]))

    def close(self, key: str) -> Line | None:
        """Removes an order; returns its line, None if that is as it was: for an order that is filled, or not here."""
        order = self.orders.get(key)
        if order is None:
            return None
        if order.group is None and order.filled >= order.quantity:
            del self.orders[key]
            return None
        before = self._side_live(order)
        del self.orders[key]
        after = _ZERO
        if order.group is not None:
            self._members[order.group].remove(key)
            after = self._group_live(order.group, order.side)
            if not self._members[order.group]:
                self._forget(order.group)
        self._shift(order, EXACT.subtract(after, before))
        return self._lines.line(order.session, order.symbol)

    def _forget(self, key: str) -> None:
        del self._members[key]
        group = self.groups.pop(key)
        if group.parent is not None:
            del self._children[group.parent]

    def restore(self, orders: tuple[OpenOrder, ...], groups: tuple[OpenGroup, ...]) -> None:
        """Takes up what another one had."""
        for group in groups:
            self.groups[group.key] = group
            if group.parent is not None:
                self._children[group.parent] = group.key
        for order in orders:
            self.place(order, None)

    def _replace(self, before: OpenOrder, after: OpenOrder) -> None:
        live = self._side_live(before)
        self.orders[after.key] = after
        self._shift(after, EXACT.subtract(self._side_live(after), live))

    def _side_live(self, order: OpenOrder) -> Decimal:
        return _rest(order) if order.group is None else self._group_live(order.group, order.side)

    def _group_live(self, key: str, side: Side) -> Decimal:
        group = self.groups.get(key)
        if group is None:
            return _ZERO
        members = (self.orders[member] for member in self._members.get(key, ()))
        largest = max((group.cap(order.quantity) for order in members if order.side is side), default=_ZERO)
        return max(EXACT.subtract(largest, group.filled(side)), _ZERO)

    def _shift(self, order: OpenOrder, by: Decimal) -> None:
        self._shift_side(order, order.side, by)

    def _shift_side(self, order: OpenOrder, side: Side, by: Decimal) -> None:
        if by:
            self._lines.line(order.session, order.symbol).shift(side, by)


def _rest(order: OpenOrder) -> Decimal:
    filled = order.filled
    if not filled:
        return order.quantity
    return EXACT.subtract(order.quantity, filled) if filled < order.quantity else _ZERO
