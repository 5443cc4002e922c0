"""The matching engine: commands and market data in, events out; deterministic, without clock and without I/O."""

import random
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial

from brokers.instruments import Instrument
from brokers.market import Bar, Depth, MarketEvent, MarketStatus, Quote, Trade
from brokers.matching import data
from brokers.matching.agenda import NEVER, Action, Agenda
from brokers.matching.arrivals import Arrivals
from brokers.matching.bars import match_bar
from brokers.matching.desk import Admit, Desk
from brokers.matching.events import BadMarketDataError, FillCause, UnknownSymbolError
from brokers.matching.kept import KeptMarket, KeptOrder, KeptTie, VenueMemory
from brokers.matching.matching import match_arrivals, match_display, match_print, take_from_tape, waiting
from brokers.matching.outbox import Events, Outbox
from brokers.matching.pit import Pit
from brokers.matching.rules import TriggerSource, VenueRules
from brokers.model import Change, Order, OrderGroup, OrderReport, OrderType
from brokers.sides import Side


class MatchingEngine:
    """One venue: several accounts, several symbols, one sequence of events.

    `now` is the time at which a command is sent or data comes in. A command takes effect after the order's
    latency and the feed's, in the order its account sent it; `direct` is for what the venue itself does, such as
    a liquidation, and takes effect at once. What is due is done before the data of the same instant is looked at,
    and an order meets only data that came at or after it (but see `VenueRules.standing_ns`). A time before the
    newest seen counts as the newest, so the venue stands still until such a clock has caught up: give it one that
    does not step, such as the wall's time at the start plus what a monotonic clock has counted since.
    """

    def __init__(
        self,
        rules: VenueRules,
        instruments: Iterable[Instrument],
        chance: random.Random,
        *,
        admit: Admit | None = None,
        first_number: int = 1,
    ) -> None:
        self._chance = chance
        self._rules, self._order_latency, self._feed_latency = rules, rules.order_latency, rules.feed_latency
        self._agenda = Agenda()
        self._outbox = Outbox(rules.ack_latency, chance)
        self._desk = Desk(rules, self._outbox, self._agenda, chance, admit, first_number)
        self._pits = self._desk.pits
        self._arrivals = Arrivals(self._desk)
        self._last_arrival: dict[str, int] = {}
        for instrument in instruments:
            self.list_instrument(instrument)

    # commands

    def submit(self, account: str, order: Order, now: int, *, direct: bool = False) -> Events:
        """Sends an order."""
        return self._send(account, partial(self._arrivals.submit, account, order), now, direct=direct)

    def submit_group(self, account: str, group: OrderGroup, now: int, *, direct: bool = False) -> Events:
        """Sends a bracket, OCO or OTO."""
        return self._send(account, partial(self._arrivals.submit_group, account, group), now, direct=direct)

    def change(
        self, account: str, change: Change, now: int, *, order_id: str | None = None, direct: bool = False
    ) -> Events:
        """Sends a change; an order id picks one of several orders with the same key."""
        return self._send(account, partial(self._arrivals.change, account, change, order_id), now, direct=direct)

    def cancel(self, account: str, key: str, now: int, *, order_id: str | None = None, direct: bool = False) -> Events:
        """Sends a cancel; an order id picks one of several orders with the same key."""
        return self._send(account, partial(self._arrivals.cancel, account, key, order_id), now, direct=direct)

    def advance(self, now: int) -> Events:
        """Does what is due by now: commands that arrive, orders whose time is up."""
        self._catch_up(now)
        self._desk.registry.prune(now)
        return self._outbox.hand_out()

    @property
    def now_ns(self) -> int:
        """The venue's time: of the newest command or data."""
        return self._outbox.now_ns

    @property
    def next_due(self) -> int | None:
        """When `advance` next has something to do; None when nothing is planned."""
        return None if self._agenda.next_ns == NEVER else self._agenda.next_ns

    # market

    def quote(self, quote: Quote, now: int) -> Events:
        """Shows a best bid and offer, which replaces what was shown before."""
        pit = self._pit(quote.symbol)
        try:
            quiet = self._agenda.next_ns > now and pit.is_quiet(quote)
        except InvalidOperation as error:
            raise BadMarketDataError(quote, "a price or a size is not a number") from error
        if not quiet:
            data.check_quote(quote)
            self._catch_up(now)
            return self._show(pit, quote)
        self._outbox.now_ns = max(self._outbox.now_ns, now)
        pit.show(quote, self._outbox.now_ns)
        return self._outbox.hand_out()

    def depth(self, depth: Depth, now: int) -> Events:
        """Shows a book snapshot, which replaces what was shown before."""
        pit = self._pit(depth.symbol)
        data.check_depth(depth)
        self._catch_up(now)
        return self._show(pit, depth)

    def trade(self, trade: Trade, now: int) -> Events:
        """A print: moves queues, fills what it went through, and triggers where prints do."""
        pit = self._pit(trade.symbol)
        data.check_trade(trade)
        self._catch_up(now)
        pit.print_last(trade.price, self._outbox.now_ns)
        if pit.is_quiet_at(trade.price):
            return self._outbox.hand_out()
        if pit.status.trading:
            tape = match_print(pit, trade, self._desk)
            if pit.prints_trigger:
                self._pull_triggers(pit, trade.price, trade.price)
            if not pit.book.quoted:
                take_from_tape(waiting(pit), trade.price, tape, pit, self._desk, FillCause.PRINT)
        return self._finish(pit)

    def bar(self, bar: Bar, now: int) -> Events:
        """A finished bar; ignored where quotes, depth or prints have told of its time already."""
        pit = self._pit(bar.symbol)
        data.check_bar(bar)
        self._catch_up(now)
        start = max(bar.time_ns - bar.interval.nanoseconds, pit.opened_ns)
        if not pit.status.trading or bar.time_ns <= pit.opened_ns or pit.ticked_ns > start:
            return self._outbox.hand_out()
        pit.last = bar.close
        match_bar(pit, bar, start, self._desk)
        return self._finish(pit)

    def mark(self, symbol: str, price: Decimal, now: int) -> Events:
        """The venue's mark price, which only triggers look at."""
        pit = self._pit(symbol)
        data.check_price(price)
        self._catch_up(now)
        pit.mark, pit.mark_ns = price, self._outbox.now_ns
        if self._rules.trigger is TriggerSource.MARK and pit.status.trading:
            self._pull_triggers(pit, price, price)
        return self._finish(pit)

    def market(self, event: MarketEvent, now: int) -> Events:
        """Any of quote, trade, depth and bar."""
        match event:
            case Quote():
                return self.quote(event, now)
            case Trade():
                return self.trade(event, now)
            case Depth():
                return self.depth(event, now)
            case Bar():
                return self.bar(event, now)

    def set_status(self, symbol: str, status: MarketStatus, now: int) -> Events:
        """Opens, interrupts or closes a symbol; a bar that ends with the session has to come before."""
        pit = self._pit(symbol)
        self._catch_up(now)
        if not pit.settled and status is not pit.status:
            self._desk.change_status(pit, status)
        return self._finish(pit)

    def settle(self, symbol: str, price: Decimal, now: int) -> Events:
        """Ends a contract for ever: its orders expire and its positions are closed at this price."""
        pit = self._pit(symbol)
        data.check_price(price)
        self._catch_up(now)
        if not pit.settled:
            self._desk.settle(pit, price)
        return self._finish(pit)

    def list_instrument(self, instrument: Instrument, status: MarketStatus = MarketStatus.OPEN) -> None:
        """Begins to make a market in an instrument; one that is listed already stays as it is."""
        if instrument.symbol not in self._pits:
            self._desk.list_instrument(instrument, status)

    # queries

    def open_orders(self, account: str) -> tuple[OrderReport, ...]:
        """An account's open orders, the oldest first."""
        return tuple([working.report() for working in self._desk.registry.open_of(account)])

    def has_open(self, account: str) -> bool:
        """Whether an account has any open order."""
        return self._desk.registry.has_open(account)

    def order(self, account: str, key: str, *, order_id: str | None = None) -> OrderReport | None:
        """One order, open or finished; None when it is not known, or no longer remembered."""
        working = self._desk.registry.find(account, key, order_id)
        return None if working is None else working.report()

    def status(self, symbol: str) -> MarketStatus:
        """What a symbol's market is doing."""
        return self._pit(symbol).status

    def position(self, account: str, symbol: str) -> Decimal:
        """An account's net position as the venue knows it."""
        return self._desk.positions.of(account, symbol)

    def set_position(self, account: str, symbol: str, quantity: Decimal, now: int) -> Events:
        """States a position from outside, at the start above all; orders it leaves nothing to reduce end."""
        self._catch_up(now)
        self._desk.positions.put(account, symbol, quantity)
        self._desk.drop_idle_reducers(account, symbol)
        return self._outbox.hand_out()

    # what must not be forgotten

    def kept_order(self, account: str, key: str, order_id: str) -> tuple[KeptOrder | None, KeptTie | None]:
        """An order as it is now, with its group; None where the venue has forgotten it, or where it has none."""
        working = self._desk.registry.find(account, key, order_id)
        if working is None:
            return None, None
        return KeptOrder.of(working), None if working.tie is None else KeptTie.of(working.tie)

    def kept_trails(self) -> Iterator[KeptOrder]:
        """The open trailing stops as they are now: they move without an event."""
        for working in self._desk.registry.all_open():
            if working.order.type is OrderType.TRAILING_STOP and working.best is not None:
                yield KeptOrder.of(working)

    def kept_market(self, symbol: str) -> KeptMarket:
        """The state of a symbol's market."""
        pit = self._pit(symbol)
        return KeptMarket(pit.status, pit.settled)

    def restore(self, memory: VenueMemory) -> None:
        """Goes on where an engine of the past stopped, which must come first; raises UnknownSymbolError.

        No data of that past is left: orders meet what is shown from now on.
        """
        self._desk.restore(memory)

    # within

    def _pit(self, symbol: str) -> Pit:
        pit = self._pits.get(symbol)
        if pit is None:
            raise UnknownSymbolError(symbol, len(self._pits))
        return pit

    def _send(self, account: str, action: Action, now: int, *, direct: bool) -> Events:
        sent = max(now, self._outbox.now_ns)
        arrival = sent if direct else self._arrival(account, sent)
        if arrival > sent:
            self._agenda.put(arrival, action)
            return self.advance(sent)
        if self._agenda.next_ns <= sent:
            self._catch_up(sent)
        self._outbox.now_ns = sent
        action()
        self._serve_arrivals()
        self._desk.registry.prune(sent)
        return self._outbox.hand_out()

    def _arrival(self, account: str, sent: int) -> int:
        """When a command gets there: never before one that its account sent earlier."""
        arrival = sent + self._order_latency.draw(self._chance) + self._feed_latency.draw(self._chance)
        self._last_arrival[account] = arrival = max(arrival, self._last_arrival.get(account, arrival))
        return arrival

    def _catch_up(self, now: int) -> None:
        outbox = self._outbox
        while (due := self._agenda.take(now)) is not None:
            time_ns, action = due
            outbox.now_ns = max(outbox.now_ns, time_ns)
            action()
            self._serve_arrivals()
        outbox.now_ns = max(outbox.now_ns, now)

    def _show(self, pit: Pit, shown: Quote | Depth) -> Events:
        pit.show(shown, self._outbox.now_ns)
        if pit.status.trading:
            if pit.quotes_trigger:
                self._pull_triggers(pit, pit.book.best(Side.SELL), pit.book.best(Side.BUY))
            match_display(pit, self._desk)
        return self._finish(pit)

    def _pull_triggers(self, pit: Pit, for_buys: Decimal | None, for_sells: Decimal | None) -> None:
        """Moves trailing stops after the prices their sides watch, then sets off what these reach."""
        for side, price in ((Side.BUY, for_buys), (Side.SELL, for_sells)):
            if price is not None:
                pit.follow(side, price, pit.admits)
                for working in pit.triggers.reached(side, price):
                    if working.watching and pit.admits(working):
                        self._desk.trigger(working, price)

    def _serve_arrivals(self) -> None:
        came = self._desk.came
        while came:
            match_arrivals(came.popleft(), self._desk)

    def _finish(self, pit: Pit) -> Events:
        self._serve_arrivals()
        if pit.restless:
            pit.reband()
        return self._outbox.hand_out()
