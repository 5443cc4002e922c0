"""Buy and sell."""

import enum
from functools import cached_property


class Side(enum.Enum):
    """The direction of an order, a fill or an aggressor."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    BUY = "buy"
    SELL = "sell"

    @cached_property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @cached_property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY
