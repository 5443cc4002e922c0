"""The net position of each account and symbol, as the venue's own fills make it."""

from decimal import Decimal

from brokers.matching.prices import ZERO
from brokers.sides import Side


class Positions:
    """Signed quantities; a flat position takes no room."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Decimal] = {}

    def of(self, account: str, symbol: str) -> Decimal:
        """The position, positive for long."""
        return self._held.get((account, symbol), ZERO)

    def put(self, account: str, symbol: str, quantity: Decimal) -> None:
        """States a position."""
        if quantity:
            self._held[account, symbol] = quantity
        else:
            self._held.pop((account, symbol), None)

    def reducible(self, account: str, symbol: str, side: Side) -> Decimal:
        """How much an order of this side can trade before it opens something."""
        return max(self.of(account, symbol) * -side.sign, ZERO)

    def close_all(self, symbol: str) -> list[tuple[str, Decimal]]:
        """Ends all positions in a symbol and returns them by account, in the order they were opened."""
        ended = [(account, held) for (account, traded), held in self._held.items() if traded == symbol]
        for account, _ in ended:
            del self._held[account, symbol]
        return ended
