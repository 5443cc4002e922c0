"""Who hears the news of a login, and what is said of its links; it outlives a crash of the actors that feed it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs

from brokers.gateway import DoubtNews, Leave, LinkNews, News, OrderNews
from brokers.market import MarketEvent

MOST_HELD: Final = 10_000  # pieces of news that wait for the answer to an order, and kinds of things put aside

Hear = Callable[[News], None]
Watch = Callable[[MarketEvent | LinkNews], None]


@attrs.frozen
class Quarantined:
    """Something that the broker said was put aside; a person should look at the broker's own screen."""

    broker: str
    what: str
    text: str


class NewsHub:
    """Listeners by account, watchers of the market with the symbols they want, and the state of all links.

    While an order of an account is being placed, news of orders without a key wait for the answer, which may name them:
    a fill can overtake the reply to its order. `keyed` gives such news with the key that was learned meanwhile.
    """

    def __init__(self, broker: str, keyed: Callable[[OrderNews], OrderNews], tell: Callable[[object], None]) -> None:
        self.broker = broker
        self.wanted: Counter[str] = Counter()
        self.quarantined = 0
        self._keyed = keyed
        self._tell = tell
        self._listeners: dict[str, dict[Hear, None]] = {}
        self._watchers: tuple[Watch, ...] = ()  # never changed, but replaced
        self._placing: Counter[str] = Counter()
        self._held: list[OrderNews] = []
        self._said: set[str] = set()
        self._orders_down: LinkNews | None = None
        self._market_down: dict[str, LinkNews] = {}

    def listen(self, account: str, hear: Hear) -> Leave:
        """Hands an account's news to hear, first of all that its link is down, if it is."""
        listeners = self._listeners.setdefault(account, {})
        listeners[hear] = None
        if self._orders_down is not None:
            hear(self._orders_down)

        def leave() -> None:
            listeners.pop(hear, None)

        return leave

    def watch(self, watch: Watch) -> Leave:
        """Hands market events to watch, first of all which links are down, if any is."""
        self._watchers = (*self._watchers, watch)
        for news in self._market_down.values():
            watch(news)

        def leave() -> None:
            self._watchers = tuple(one for one in self._watchers if one != watch)

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
                self.tell(account, self._keyed(one))

    # Links.

    def orders_link(self, news: LinkNews) -> None:
        """The link that tells of orders went down or came up."""
        self._orders_down = None if news.up else news
        for account in tuple(self._listeners):
            self.tell(account, news)

    def market_link(self, news: LinkNews, part: str = "quotes") -> None:
        """A link that tells of the market went down or came up; the market's is up when none of its parts is down."""
        self._market_down.pop(part, None)
        if not news.up:
            self._market_down[part] = news
        if not (news.up and self._market_down):
            self.show(news)

    def show(self, event: MarketEvent | LinkNews) -> None:
        """Hands an event to all who watch the market."""
        for watch in self._watchers:
            watch(event)

    # What was put aside.

    def put_aside(self, what: str, text: str) -> None:
        """Counts it, and tells each kind of thing once."""
        self.quarantined += 1
        if what not in self._said and len(self._said) < MOST_HELD:
            self._said.add(what)
            self._tell(Quarantined(self.broker, what, text))

    def doubt(self, news: DoubtNews) -> None:
        """Puts aside what was told of orders, and lets all accounts compare what they know."""
        self.put_aside(news.what, news.text)
        for account in tuple(self._listeners):
            self.tell(account, news)
