"""The news of a TradeStation login, the bars that are wanted of it, and what is halted."""

from collections.abc import Callable

from brokers.market import Interval
from brokers.news_hub import NewsHub
from brokers.tradestation.bar_tail import BarTail
from brokers.tradestation.order_memory import OrderMemory
from brokers.tradestation.settings import BROKER


class Hub(NewsHub):
    """What the streams of a login share."""

    def __init__(self, memory: OrderMemory, tell: Callable[[object], None]) -> None:
        super().__init__(BROKER, memory.keyed, tell)
        self.bars: dict[tuple[str, Interval], BarTail] = {}
        self.halted: set[str] = set()
