"""The place where one symbol trades: its book, its orders, and the band of prices in which nothing happens."""

from decimal import Decimal

from brokers.instruments import Instrument
from brokers.market import Depth, MarketStatus, Quote
from brokers.matching.book import Book
from brokers.matching.ladder import Ladder
from brokers.matching.orders import Working
from brokers.matching.prices import HIGHEST, LOWEST, rank
from brokers.matching.rules import TriggerSource, VenueRules
from brokers.matching.triggers import Chosen, Triggers
from brokers.model import Order
from brokers.sides import Side

_NO_NEW_ORDERS = frozenset({MarketStatus.BREAK, MarketStatus.CLOSED})


class Pit:
    """One symbol's market; after each change `reband` fixes what later data may pass over in O(1)."""

    def __init__(self, instrument: Instrument, rules: VenueRules, status: MarketStatus) -> None:
        self.instrument = instrument
        self.rules = rules
        self.status = status
        self.settled = False
        self.opened_ns = 0  # when trading last began
        self.ticked_ns = -1  # when the last quote, depth or print came
        self.last: Decimal | None = None  # the price of the last print or bar
        self.last_ns: int | None = None
        self.mark: Decimal | None = None
        self.mark_ns: int | None = None
        self.book = Book()
        self.triggers = Triggers(instrument.tick)
        self.unsettled: list[Working] = []  # executable, but neither filled nor come to rest
        self.restless = True
        self.bid_low = self.ask_low = self.print_low = HIGHEST
        self.bid_high = self.ask_high = self.print_high = LOWEST
        self._buys = Ladder()
        self._sells = Ladder()

    @property
    def symbol(self) -> str:
        """What trades here."""
        return self.instrument.symbol

    def ladder(self, side: Side) -> Ladder:
        """The executable orders of one side."""
        return self._buys if side is Side.BUY else self._sells

    def orders(self) -> list[Working]:
        """All orders in the market here, by their number."""
        orders = [*self._buys, *self._sells, *self.triggers.orders()]
        return sorted(orders, key=lambda working: working.number)

    def add(self, working: Working) -> None:
        """Puts an order into the market: to its trigger, or among those that may trade."""
        self.restless = True
        if working.watching:
            self.triggers.add(working)
            return
        self.ladder(working.side).add(working, rank(working.side, working.limit))
        if not working.resting:
            self.unsettled.append(working)

    def remove(self, working: Working) -> None:
        """Takes an order out of the market."""
        self.restless = True
        if working.watching:
            self.triggers.remove(working)
            return
        self.ladder(working.side).remove(working)
        if not working.resting:
            self.unsettled.remove(working)

    def rest(self, working: Working, ahead: Decimal | None) -> None:
        """Lets an order join the queue at its price, behind the size that is ahead."""
        self.restless = True
        self.unsettled.remove(working)
        working.resting = True
        working.ahead = ahead

    def follow(self, side: Side, price: Decimal, chosen: Chosen) -> None:
        """Moves the chosen trailing stops of one side after a price."""
        if self.triggers.follow(side, price, chosen):
            self.restless = True

    def admits(self, working: Working) -> bool:
        """Whether an order may trade now: it is in the market and its session is on."""
        if not working.open or working.hold is not None:
            return False
        return self.status is MarketStatus.OPEN or (
            self.status is MarketStatus.EXTENDED and working.order.extended_hours
        )

    def takes(self, order: Order) -> bool:
        """Whether an order may come in at present."""
        if self.status is MarketStatus.EXTENDED:
            return order.extended_hours
        return self.status not in _NO_NEW_ORDERS

    def is_fresh(self, time_ns: int | None, since_ns: int) -> bool:
        """Whether data of this time is a price for an order that is there since then."""
        if time_ns is None:
            return False
        standing = self.rules.standing_ns
        return standing is None or time_ns >= since_ns - standing

    def show(self, shown: Quote | Depth, now: int) -> None:
        """Takes a display over."""
        self.book.show(shown, now)
        self.ticked_ns = now

    def print_last(self, price: Decimal, now: int) -> None:
        """Takes a print's price over."""
        self.last = price
        self.last_ns = self.ticked_ns = now

    def watched(self, working: Working) -> Decimal | None:
        """The trigger price as it stands for an order; None when there is none fresh enough."""
        if self.rules.trigger is TriggerSource.MARK:
            price, time_ns = self.mark, self.mark_ns
        elif self.prints_trigger:
            price, time_ns = self.last, self.last_ns
        else:
            price, time_ns = self.book.best(working.side.opposite), self.book.time_ns
        return price if self.is_fresh(time_ns, working.entered_ns) else None

    def interrupt(self, *, queues_end: bool) -> None:
        """Forgets what can be traded with until new data comes; at a session's end the queues go too."""
        self.book.grow_stale()
        self.last_ns = self.mark_ns = None
        self.restless = True
        if queues_end:
            for working in (*self._buys, *self._sells):
                working.ahead = None

    @property
    def prints_trigger(self) -> bool:
        """Whether the last trade is what stops look at here."""
        source = self.rules.trigger
        return source is TriggerSource.LAST or (source is TriggerSource.BID_ASK and not self.book.quoted)

    @property
    def quotes_trigger(self) -> bool:
        """Whether bid and ask are what stops look at here."""
        return self.rules.trigger is TriggerSource.BID_ASK

    def is_quiet(self, quote: Quote) -> bool:
        """Whether a quote reaches no order, so that showing it is all there is to do."""
        bid, ask = quote.bid, quote.ask
        return (
            not self.restless
            and bid is not None
            and ask is not None
            and self.bid_low < bid < self.bid_high
            and self.ask_low < ask < self.ask_high
            and quote.bid_size >= 0
            and quote.ask_size >= 0
        )

    def is_quiet_at(self, price: Decimal) -> bool:
        """Whether a print at a price reaches no order."""
        return not self.restless and self.print_low < price < self.print_high

    def reband(self) -> None:
        """Fixes the band anew from the orders as they are."""
        if not self.status.trading:
            self.restless = False
            self.bid_low = self.ask_low = self.print_low = LOWEST
            self.bid_high = self.ask_high = self.print_high = HIGHEST
            return
        self.restless = bool(self.unsettled)
        top_buy = self._buys.first_rank.copy_negate()
        low_sell = self._sells.first_rank
        triggers = self.triggers
        self.bid_low = self.ask_low = self.print_low = top_buy
        self.bid_high = self.ask_high = self.print_high = low_sell
        if self.quotes_trigger:
            self.bid_low = max(top_buy, triggers.falls_at(Side.SELL))
            self.bid_high = min(low_sell, triggers.rises_at(Side.SELL))
            self.ask_low = max(top_buy, triggers.falls_at(Side.BUY))
            self.ask_high = min(low_sell, triggers.rises_at(Side.BUY))
        if self.prints_trigger:
            self.print_low = max(top_buy, triggers.falls_at(Side.SELL), triggers.falls_at(Side.BUY))
            self.print_high = min(low_sell, triggers.rises_at(Side.SELL), triggers.rises_at(Side.BUY))
