"""The arithmetic that this ledger replaces, restated faithfully with its faults, to show that each test bites."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class SeedPosition:
    """What the old books keep of a position; one object, changed in place and handed out."""

    side: int
    quantity: float
    average: float


@dataclass
class SeedOrder:
    """An order of the old simulator."""

    quantity: float
    filled: float = 0.0
    average: float = 0.0
    state: str = "working"


def _nothing(*_: Any) -> None:
    """Nobody listens."""


@dataclass
class SeedBooks:
    """Equity first, then position, from one execution: side is +1 or -1."""

    balance: float = 0.0
    equity: float = 0.0
    realised: float = 0.0
    declared_equity: float = 0.0  # the field that the documents promise and nobody writes
    unrealised: dict[str, float] = field(default_factory=dict)
    positions: dict[str, SeedPosition] = field(default_factory=dict)
    executions: list[tuple[str, int, float, float]] = field(default_factory=list)
    on_order: Callable[[SeedOrder], None] = _nothing
    on_equity: Callable[["SeedBooks"], None] = _nothing

    def execute(self, side: int, quantity: float, price: float, symbol: str = "ONE") -> None:
        """One execution through the whole cascade."""
        self.executions.append((symbol, side, quantity, price))
        self.update_equity(side, quantity, price, symbol)
        self.on_equity(self)
        self.update_position(side, quantity, price, symbol)

    def execute_order(self, order: SeedOrder, side: int, price: float) -> None:
        """An order is always filled in full, whatever was filled before."""
        order.state, order.filled, order.average = "filled", order.quantity, price
        self.on_order(order)
        self.execute(side, order.quantity, price)

    def update_equity(self, side: int, quantity: float, price: float, symbol: str) -> None:
        """Books profit with the sign of the execution; a mark is only ever the execution's own price."""
        held = self.positions.get(symbol)
        if held is None or held.quantity == 0:
            return
        value = side * quantity * price + held.side * held.average * held.quantity
        size = abs(held.side * held.quantity) + side * quantity
        direction = side_of(value)
        if held.side == side:
            average = value / size
            self.unrealised[symbol] = (price - average) * direction * size
            self.equity = self.balance + sum(self.unrealised.values())
        else:
            profit = (price - held.average) * side * quantity
            self.balance += profit
            self.realised += profit

    def update_position(self, side: int, quantity: float, price: float, symbol: str) -> None:
        """Averages every execution in, whether it adds, reduces or flips."""
        held = self.positions.get(symbol)
        if held is None:
            self.positions[symbol] = SeedPosition(side, quantity, price)
            return
        cost = held.average * held.quantity * held.side + price * quantity * side
        left = held.quantity * held.side + quantity * side
        if left:
            held.side, held.quantity, held.average = (1 if left > 0 else -1), abs(left), cost / left
        else:
            held.quantity = 0
            del self.positions[symbol]


def side_of(value: float) -> int:
    """The old side of a position: the sign of its value, nought counting as a buy."""
    return 1 if value >= 0 else -1


def seed_after(*executions: tuple[int, float, float]) -> SeedBooks:
    """The old books after executions given as (side, quantity, price)."""
    books = SeedBooks()
    for side, quantity, price in executions:
        books.execute(side, quantity, price)
    return books
