"""Who hears the news of a login, and what is said of its sockets; it outlives a crash of the actors that feed it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from brokers.gateway import Leave, LinkNews, News, OrderNews
from brokers.market import Interval, MarketEvent
from brokers.tradovate.bar_tail import BarTail
from brokers.tradovate.blotter import Blotter
from brokers.tradovate.gate import Quarantined
from brokers.tradovate.settings import BROKER

MOST_HELD: Final = 10_000  # pieces of news that wait for the answer to an order, and kinds of things put aside

Hear = Callable[[News], None]
Watch = Callable[[MarketEvent | LinkNews], None]


class Hub:
    """Listeners by account, watchers of the market with the symbols and bars they want, and the state of both links.

    While an order of an account is being placed, news of orders without a key wait for the answer, which may name them:
    events overtake the reply, and the command that carries our key may come last or not at all.
    """

    def __init__(self, blotter: Blotter, tell: Callable[[object], None]) -> None:
        self.wanted: Counter[str] = Counter()
        self.bars: dict[tuple[str, Interval], BarTail] = {}
        self.quarantined = 0
        self._blotter = blotter
        self._tell = tell
        self._listeners: dict[str, dict[Hear, None]] = {}
        self._watchers: dict[Watch, None] = {}
        self._placing: Counter[str] = Counter()
        self._held: list[OrderNews] = []
        self._said: set[str] = set()
        self._user_down: LinkNews | None = None
        self._market_down: LinkNews | None = None

    def listen(self, account: str, hear: Hear) -> Leave:
        """Hands an account's news to hear, first of all that its socket is down, if it is."""
        listeners = self._listeners.setdefault(account, {})
        listeners[hear] = None
        if self._user_down is not None:
            hear(self._user_down)

        def leave() -> None:
            listeners.pop(hear, None)

        return leave

    def watch(self, watch: Watch) -> Leave:
        """Hands market events to watch, first of all that the socket is down, if it is."""
        self._watchers[watch] = None
        if self._market_down is not None:
            watch(self._market_down)

        def leave() -> None:
            self._watchers.pop(watch, None)

        return leave

    # News of orders.

    def tell_orders(self, news: Iterable[OrderNews]) -> None:
        """Hands on what happened to orders, or keeps it until the order that is being placed has its id."""
        for one in news:
            if one.key is None and self._placing[one.account] and len(self._held) < MOST_HELD:
                self._held.append(one)
            else:
                self.tell(one.account, one)

    def tell(self, account: str, news: News) -> None:
        """Hands news to all who listen to the account."""
        for hear in tuple(self._listeners.get(account, ())):
            hear(news)

    @contextmanager
    def placing(self, account: str) -> Iterator[None]:
        """Holds news of orders without a key back for as long as the block takes."""
        self._placing[account] += 1
        try:
            yield
        finally:
            self._placing[account] -= 1
            if not self._placing[account]:
                self._release(account)

    def _release(self, account: str) -> None:
        held, self._held = self._held, [one for one in self._held if one.account != account]
        for one in held:
            if one.account == account:
                self.tell(account, self._blotter.keyed(one))

    # Links.

    def user_link(self, news: LinkNews) -> None:
        """The socket that tells of orders went down or came up."""
        self._user_down = None if news.up else news
        for account in tuple(self._listeners):
            self.tell(account, news)

    def market_link(self, news: LinkNews) -> None:
        """The socket that tells of the market went down or came up."""
        self._market_down = None if news.up else news
        self.show(news)

    def show(self, event: MarketEvent | LinkNews) -> None:
        """Hands an event to all who watch the market."""
        for watch in tuple(self._watchers):
            watch(event)

    # What was put aside.

    def put_aside(self, what: str, text: str) -> None:
        """Counts it, and tells each kind of thing once."""
        self.quarantined += 1
        if what not in self._said and len(self._said) < MOST_HELD:
            self._said.add(what)
            self._tell(Quarantined(BROKER, what, text))
