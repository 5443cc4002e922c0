"""What a strategy has not been told yet: news of its orders first, then the market, quotes conflated by symbol.

The inbox outlives the trader. Orders and fills are never dropped: an instance that ends in the middle leaves them to
the next one, and an event that ended three of them is put aside. The market is not kept: the next instance has
its own.
"""

from collections import deque
from typing import Final

from brokers.market import Bar, Quote, Trade
from sessions.strategy import Event, Filled, OrderUpdate

MOST_NEWS: Final = 100_000
MOST_MARKET: Final = 100_000
DELIVERIES: Final = 3

_KEPT: Final = frozenset({OrderUpdate, Filled})


class InboxFull(Exception):
    """More news of orders wait than anybody could want: their strategy does not take them."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        super().__init__(f"{waiting} orders and fills wait for the strategy; its session starts anew and reconciles")


class Inbox:
    """One session's events on their way to its strategy; `delivered` ends the delivery that `take` began.

    `news` and `market` are to be looked at only: whether anything waits is asked with every tick.
    """

    def __init__(self) -> None:
        self.missed = 0  # market events that there was no room for
        self.conflated = 0
        self.poisoned: list[Event] = []
        self.news: deque[Event] = deque()
        self.market: deque[Event | str] = deque()  # a text stands for the newest quote of that symbol
        self._newest: dict[str, Quote] = {}
        self._current: Event | None = None
        self._suspect: Event | None = None  # the piece of news that was told last, if nobody came back from it
        self._deliveries = 0  # of the suspect

    def __len__(self) -> int:
        return len(self.news) + len(self.market)

    def put(self, event: Event) -> None:
        """Adds what must not be lost; raises InboxFull."""
        if len(self.news) >= MOST_NEWS:
            raise InboxFull(len(self.news))
        self.news.append(event)

    def put_first(self, event: Event) -> None:
        """Adds what comes before everything that waits: the start."""
        self.news.appendleft(event)

    def put_quote(self, quote: Quote) -> None:
        """Adds a quote, in the place of an older one of its symbol that still waits."""
        if quote.symbol in self._newest:
            self.conflated += 1
        else:
            self.market.append(quote.symbol)
        self._newest[quote.symbol] = quote

    def put_market(self, event: Bar | Trade) -> None:
        """Adds a bar or a print; without room it is counted and left out."""
        if len(self.market) >= MOST_MARKET:
            self.missed += 1
            return
        self.market.append(event)

    def take(self) -> Event | None:
        """The next event, or None."""
        if self.news:
            event = self.news[0]
            if type(event) in _KEPT:
                self._deliveries = self._deliveries + 1 if event is self._suspect else 1
                self._suspect = event
        elif self.market:
            first = self.market.popleft()
            event = self._newest.pop(first) if isinstance(first, str) else first
        else:
            return None
        self._current = event
        return event

    def delivered(self) -> None:
        """The event that was taken last is done with."""
        current, self._current = self._current, None
        if self.news and self.news[0] is current:
            self.news.popleft()
        if current is self._suspect:
            self._suspect = None

    def begin(self) -> Event | None:
        """Readies the inbox for a new trader; returns the event that was put aside, if one has ended too many."""
        self.market.clear()
        self._newest.clear()
        self._current = None
        self.news = deque(event for event in self.news if type(event) in _KEPT)
        suspect = self._suspect
        if suspect is None or self._deliveries < DELIVERIES or not self.news or self.news[0] is not suspect:
            return None
        self._suspect = None
        self.poisoned.append(self.news.popleft())
        return suspect
