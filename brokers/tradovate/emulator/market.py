"""The market-data calls of a socket: quotes, best prices as a book, and charts, with the events that follow."""

from functools import partial
from itertools import count
from typing import Any, Final

from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.instruments import Instrument
from brokers.market import MarketEvent, Quote, Trade
from brokers.tradovate.emulator.board import Board, Entries, displayed
from brokers.tradovate.emulator.charts import Charts, LiveChart, read_chart
from brokers.tradovate.emulator.names import Names
from brokers.tradovate.emulator.socket import Socket
from brokers.tradovate.emulator.words import AnsweredError, Fields, stamp, whole

_HISTORY_SECONDS: Final = 0.05  # the history of a chart comes after the reply that has its ids


class Subscriptions:
    """What one socket follows."""

    def __init__(self, market: "MarketData", socket: Socket) -> None:
        self.quotes: dict[str, None] = {}
        self.books: dict[str, None] = {}
        self.charts: dict[int, LiveChart] = {}
        self._market = market
        self._socket = socket

    def take(self, event: MarketEvent) -> None:
        """The market moved."""
        if isinstance(event, Quote):
            if event.symbol in self.quotes:
                self._market.tell_quote(self._socket, event.symbol, displayed(event), event.time_ns)
            if event.symbol in self.books:
                self._market.tell_book(self._socket, event)
        elif isinstance(event, Trade):
            if event.symbol in self.quotes:
                self._market.tell_trade(self._socket, event)
            for live in self.charts.values():
                if live.begun and live.chart.instrument.symbol == event.symbol:
                    self._market.tell_chart(self._socket, live, event)


class MarketData:
    """Answers what is asked about the market."""

    def __init__(self, house: House, desk: Desk, names: Names) -> None:
        self._house = house
        self._desk = desk
        self._names = names
        self._board = Board(desk)
        self._charts = Charts(desk)
        self._ids = count(31)
        self._subscriptions: dict[Socket, Subscriptions] = {}

    # What is asked.

    def subscribe_quote(self, socket: Socket, fields: Fields) -> dict[str, Any]:
        """Quotes from now on, the first one whole."""
        symbol = self._instrument(fields).symbol
        self._of(socket).quotes[symbol] = None
        self._house.later(0, partial(self._first_quote, socket, symbol))
        return {"subscriptionId": next(self._ids)}

    def unsubscribe_quote(self, socket: Socket, fields: Fields) -> dict[str, Any]:
        """No more quotes."""
        self._of(socket).quotes.pop(self._instrument(fields).symbol, None)
        return {}

    def subscribe_book(self, socket: Socket, fields: Fields) -> dict[str, Any]:
        """The best prices of both sides as a book."""
        symbol = self._instrument(fields).symbol
        self._of(socket).books[symbol] = None
        quote = self._board.quote(symbol)
        if quote is not None:
            self.tell_book(socket, quote)
        return {"subscriptionId": next(self._ids)}

    def unsubscribe_book(self, socket: Socket, fields: Fields) -> dict[str, Any]:
        """No more books."""
        self._of(socket).books.pop(self._instrument(fields).symbol, None)
        return {}

    def chart(self, socket: Socket, fields: Fields) -> dict[str, Any]:
        """A chart: its history, then what happens."""
        chart = read_chart(self._instrument(fields), fields, self._desk.now_ns())
        live = LiveChart(chart, history_id=next(self._ids), live_id=next(self._ids))
        self._of(socket).charts[live.live_id] = live
        self._house.later(_HISTORY_SECONDS, partial(self._begin_chart, socket, live))
        return {"historicalId": live.history_id, "realtimeId": live.live_id}

    def cancel_chart(self, socket: Socket, fields: Fields) -> dict[str, Any]:
        """No more of a chart."""
        wanted = whole(fields, "subscriptionId")
        if self._of(socket).charts.pop(wanted, None) is None:
            raise AnsweredError({"errorText": "Unknown subscription", "errorCode": "UnknownSubscription"})
        return {}

    # What is told.

    def tell_quote(self, socket: Socket, symbol: str, entries: Entries, time_ns: int) -> None:
        """Entries of a quote."""
        quote = {
            "timestamp": stamp(time_ns + self._skew_ns()),
            "contractId": self._names.contract_id(symbol),
            "entries": entries,
        }
        socket.push("md", {"quotes": [quote]})

    def tell_trade(self, socket: Socket, trade: Trade) -> None:
        """The entries that a trade changes."""
        self.tell_quote(socket, trade.symbol, self._board.traded(trade), trade.time_ns)

    def tell_book(self, socket: Socket, quote: Quote) -> None:
        """The best prices."""
        entries = displayed(quote)
        book = {
            "contractId": self._names.contract_id(quote.symbol),
            "timestamp": stamp(quote.time_ns + self._skew_ns()),
            "bids": [entries["Bid"]] if "Bid" in entries else [],
            "offers": [entries["Offer"]] if "Offer" in entries else [],
        }
        socket.push("md", {"doms": [book]})

    def tell_chart(self, socket: Socket, live: LiveChart, trade: Trade) -> None:
        """A trade in a chart."""
        packet = self._charts.traded(live, trade, self._board.quote(trade.symbol), self._skew_ns())
        socket.push("chart", {"charts": [packet]})

    # Within.

    def _first_quote(self, socket: Socket, symbol: str) -> None:
        self.tell_quote(socket, symbol, self._board.entries(symbol), self._desk.now_ns())

    def _begin_chart(self, socket: Socket, live: LiveChart) -> None:
        following = self._subscriptions.get(socket)
        if following is None or live.live_id not in following.charts:
            return
        for packet in self._charts.history(live, self._skew_ns()):
            socket.push("chart", {"charts": [packet]})
        live.begun = True

    def _instrument(self, fields: Fields) -> Instrument:
        instrument = self._names.find(fields.get("symbol"))
        if instrument is None:
            raise AnsweredError({"errorText": "Symbol is not found", "errorCode": "UnknownSymbol"})
        return instrument

    def _of(self, socket: Socket) -> Subscriptions:
        if socket not in self._subscriptions:
            self._subscriptions[socket] = subscriptions = Subscriptions(self, socket)
            leave = self._desk.watch(subscriptions.take)
            socket.at_end(leave)
            socket.at_end(partial(self._subscriptions.pop, socket, None))
        return self._subscriptions[socket]

    def _skew_ns(self) -> int:
        return self._house.wall_ns() - self._house.now_ns()
