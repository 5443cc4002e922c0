"""No order from old market data."""

from collections.abc import Mapping

import attrs

from brokers.guards.errors import StaleData
from brokers.guards.timeline import SECOND_NS


@attrs.frozen
class Freshness:
    """How old a quote may be to base an order on, by instrument."""

    broker: str
    limit_ns: int = attrs.field(default=5 * SECOND_NS, validator=attrs.validators.ge(0))
    per_symbol: Mapping[str, int] = attrs.field(factory=dict)

    def check(self, symbol: str, quoted_ns: int | None, now_ns: int) -> None:
        """Raises StaleData when the quote is missing, too old, or as far ahead of our clock."""
        limit_ns = self.per_symbol.get(symbol, self.limit_ns)
        if quoted_ns is None:
            raise StaleData.of(self.broker, symbol, None, limit_ns)
        if abs(now_ns - quoted_ns) > limit_ns:
            raise StaleData.of(self.broker, symbol, now_ns - quoted_ns, limit_ns)
