"""Who hears the paper broker, and whether the line to it is up; it outlives a crash of the actor that drives it."""

from collections import Counter
from collections.abc import Callable

from brokers.gateway import Leave, LinkNews, News
from brokers.market import MarketEvent

Hear = Callable[[News], None]
Watch = Callable[[MarketEvent | LinkNews], None]


class Hub:
    """Listeners by account, watchers of the market, and the symbols they want."""

    def __init__(self) -> None:
        self.up = True
        self.wanted: Counter[str] = Counter()
        self.lost_news = 0
        self._listeners: dict[str, dict[Hear, None]] = {}
        self._watchers: dict[Watch, None] = {}

    def listen(self, account: str, hear: Hear) -> Leave:
        """Hands an account's news to hear; the returned function ends that."""
        listeners = self._listeners.setdefault(account, {})
        listeners[hear] = None

        def leave() -> None:
            listeners.pop(hear, None)

        return leave

    def watch(self, watch: Watch) -> Leave:
        """Hands market events to watch; the returned function ends that."""
        self._watchers[watch] = None

        def leave() -> None:
            self._watchers.pop(watch, None)

        return leave

    def tell(self, account: str, news: News) -> None:
        """Hands news to all who listen; while the line is down it is lost, as at any broker."""
        if not self.up:
            self.lost_news += 1
            return
        for hear in tuple(self._listeners.get(account, ())):
            hear(news)

    def show(self, event: MarketEvent) -> None:
        """Hands a market event to all who watch, if its symbol is wanted and the line is up."""
        if self.up and event.symbol in self.wanted:
            for watch in tuple(self._watchers):
                watch(event)

    def set_line(self, news: LinkNews) -> None:
        """The line goes down or comes up, and everybody hears of it."""
        self.up = news.up
        for listeners in tuple(self._listeners.values()):
            for hear in tuple(listeners):
                hear(news)
        for watch in tuple(self._watchers):
            watch(news)
