"""The news of a Tradovate login, and the bars that are wanted of it."""

from collections.abc import Callable

from brokers.market import Interval
from brokers.news_hub import NewsHub
from brokers.tradovate.bar_tail import BarTail
from brokers.tradovate.blotter import Blotter
from brokers.tradovate.settings import BROKER


class Hub(NewsHub):
    """What the sockets of a login share."""

    def __init__(self, blotter: Blotter, tell: Callable[[object], None]) -> None:
        super().__init__(BROKER, blotter.keyed, tell)
        self.bars: dict[tuple[str, Interval], BarTail] = {}
