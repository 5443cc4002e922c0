"""The market-data side of the interface: quotes, price history, a search for stocks, and the hours of markets."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from brokers.calendar import Session, SessionCalendar
from brokers.emulation.catalogue import Where
from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.web import Reply, Request
from brokers.instruments import Instrument, Kind
from brokers.market import BarUnit, MarketStatus
from brokers.thinkorswim.emulator import level_one
from brokers.thinkorswim.emulator.board import DAY, DAY_NS, Board, Sight
from brokers.thinkorswim.emulator.history import Question, candles, months, read_question
from brokers.thinkorswim.emulator.names import Names, product
from brokers.thinkorswim.emulator.routes import Route, route
from brokers.thinkorswim.emulator.words import EASTERN, SECOND_NS, RefusedError, milliseconds, plain, reply

ROOT: Final = "/marketdata/v1"
_MOST: Final = 500
_BLOCKS: Final = frozenset({"quote", "reference"})
_MARKETS: Final = ("equity", "option", "bond", "future", "forex")
_CUSIPS: Final = {"AAPL": "037833100", "MSFT": "594918104", "SPY": "78462F103", "QQQ": "46090E103"}
_Match = Callable[[str, str, Instrument], bool]
_PROJECTIONS: Final[Mapping[str, _Match]] = {
    "symbol-search": lambda asked, name, _: asked.upper() == name,
    "symbol-regex": lambda asked, name, _: re.fullmatch(asked, name) is not None,
    "desc-search": lambda asked, _, one: asked.lower() in one.description.lower(),
    "desc-regex": lambda asked, _, one: re.search(asked, one.description) is not None,
    "search": lambda asked, name, _: asked.upper() == name,
    "fundamental": lambda asked, name, _: asked.upper() == name,
}


def cusip(symbol: str) -> str:
    """The number under which a stock is registered, noughts where it is not known here."""
    return _CUSIPS.get(symbol, "000000000")


class MarketData:
    """Answers questions about the market."""

    def __init__(self, house: House, desk: Desk, names: Names, board: Board) -> None:
        self._house = house
        self._desk = desk
        self._names = names
        self._board = board

    def routes(self) -> tuple[Route, ...]:
        """The endpoints."""
        query = Where.QUERY
        return (
            route("GET", f"{ROOT}/quotes", query, self._quotes),
            route("GET", f"{ROOT}/{{}}/quotes", query, self._quote),
            route("GET", f"{ROOT}/pricehistory", query, self._history),
            route("GET", f"{ROOT}/instruments", query, self._instruments),
            route("GET", f"{ROOT}/markets", query, self._markets),
            route("GET", f"{ROOT}/markets/{{}}", query, self._market),
        )

    def _skew_ns(self) -> int:
        return self._house.wall_ns() - self._house.now_ns()

    # Quotes.

    def _quotes(self, request: Request, _: list[str]) -> Reply:
        names = list(dict.fromkeys(filter(None, request.query.get("symbols", "").split(","))))
        if not 0 < len(names) <= _MOST:
            raise RefusedError(400, f"symbols must hold 1 to {_MOST} symbols", parameter="symbols")
        blocks = _blocks(request)
        found = {name: self._written(name, blocks) for name in names}
        strange = [name for name, written in found.items() if written is None]
        answer: dict[str, Any] = {name: written for name, written in found.items() if written is not None}
        return reply(answer | ({"errors": {"invalidSymbols": strange}} if strange else {}))

    def _quote(self, request: Request, parts: list[str]) -> Reply:
        written = self._written(parts[0], _blocks(request))
        if written is None:
            raise RefusedError(404, f"Symbol not found: {parts[0][:40]}", parameter="symbol_id")
        return reply({parts[0]: written})

    def _written(self, name: str, blocks: frozenset[str]) -> dict[str, Any] | None:
        instrument = self._names.instrument(name)
        sight = None if instrument is None else self._board.sight(instrument.symbol)
        if instrument is None or sight is None:
            return None
        future = instrument.kind is Kind.FUTURE
        head = {"assetMainType": "FUTURE"} if future else {"assetMainType": "EQUITY", "assetSubType": "COE"}
        told = {"quote": self._numbers(sight), "reference": self._reference(instrument, sight)}
        kind = {} if future else {"quoteType": "NBBO"}
        return {
            **head,
            **kind,
            "realtime": True,
            "ssid": 0,
            "symbol": name,
            **{block: said for block, said in told.items() if block in blocks},
        }

    def _numbers(self, sight: Sight) -> dict[str, Any]:
        instrument, skew = sight.instrument, self._skew_ns()
        future = instrument.kind is Kind.FUTURE
        venue = level_one.venue_of_future(instrument) if future else level_one.market(instrument)[1]
        quoted = milliseconds(sight.quote.time_ns + skew)
        written = {
            "askMICId": venue,
            "askPrice": plain(sight.ask),
            "askSize": plain(sight.quote.ask_size),
            "askTime": quoted,
            "bidMICId": venue,
            "bidPrice": plain(sight.bid),
            "bidSize": plain(sight.quote.bid_size),
            "bidTime": quoted,
            "closePrice": plain(sight.close),
            "highPrice": plain(sight.high),
            "lastMICId": venue,
            "lastPrice": plain(sight.last),
            "lastSize": plain(sight.last_size),
            "lowPrice": plain(sight.low),
            "mark": plain(sight.last),
            "netChange": plain(sight.change),
            "openPrice": plain(sight.open),
            "quoteTime": quoted,
            "securityStatus": sight.word,
            "totalVolume": plain(sight.volume),
            "tradeTime": milliseconds(sight.trade_ns + skew),
        }
        return written | (_of_future(sight, skew) if future else _of_stock(sight))

    def _reference(self, instrument: Instrument, sight: Sight) -> dict[str, Any]:
        if instrument.kind is not Kind.FUTURE:
            return {
                "cusip": cusip(instrument.symbol),
                "description": instrument.description,
                "exchange": level_one.market(instrument)[0],
                "exchangeName": instrument.exchange,
                "isHardToBorrow": False,
                "isShortable": True,
                "htbRate": 0,
            }
        active = self._names.active(instrument)
        return {
            "description": level_one.description(instrument),
            "exchange": "@",
            "exchangeName": level_one.venue_of_future(instrument),
            "futureActiveSymbol": active,
            "futureExpirationDate": level_one.expiry_ms(instrument),
            "futureIsActive": active == self._names.name(instrument.symbol),
            "futureMultiplier": plain(instrument.multiplier),
            "futurePriceFormat": level_one.price_format(instrument),
            "futureSettlementPrice": plain(sight.close),
            "futureTradingHours": level_one.TRADING_HOURS,
            "product": product(instrument),
        }

    # History.

    def _history(self, request: Request, _: list[str]) -> Reply:
        question = read_question(request.query, self._house.now_ns())
        instrument = self._names.instrument(question.symbol)
        if instrument is None:
            raise RefusedError(404, f"Symbol not found: {question.symbol[:40]}", parameter="symbol")
        if instrument.kind is Kind.FUTURE:  # streamed, but no history of it is kept
            return reply({"candles": [], "symbol": question.symbol, "empty": True})
        bars = self._desk.source.bars(instrument.symbol, question.interval, question.first_ns, question.last_ns)
        wanted = (bar for bar in bars if self._wanted(question, instrument, bar.time_ns))
        shown = candles(months(wanted) if question.by_months else wanted, self._skew_ns())
        answer: dict[str, Any] = {"candles": shown, "symbol": question.symbol, "empty": not shown}
        if question.previous_close:
            answer |= self._previous_close(instrument.symbol, question.first_ns)
        return reply(answer)

    def _wanted(self, question: Question, instrument: Instrument, close_ns: int) -> bool:
        if question.extended or question.interval.unit is not BarUnit.MINUTE:
            return True
        return self._desk.source.status(instrument.symbol, close_ns - 1) is MarketStatus.OPEN

    def _previous_close(self, symbol: str, before_ns: int) -> dict[str, Any]:
        days = list(self._desk.source.bars(symbol, DAY, before_ns - 7 * DAY_NS, before_ns))
        if not days:
            return {}
        stamped = milliseconds(days[-1].time_ns + self._skew_ns())
        return {"previousClose": plain(days[-1].close), "previousCloseDate": stamped}

    # Stocks to be found.

    def _instruments(self, request: Request, _: list[str]) -> Reply:
        asked, projection = request.query.get("symbol", ""), request.query.get("projection", "")
        if not asked:
            raise RefusedError(400, "symbol is required", parameter="symbol")
        if projection not in _PROJECTIONS:
            raise RefusedError(400, f"projection must be one of {', '.join(_PROJECTIONS)}", parameter="projection")
        matches = _PROJECTIONS[projection]
        try:
            found = [(name, one) for name, one in self._names.stocks if matches(asked, name, one)]
        except re.error:
            raise RefusedError(400, "symbol is no regular expression", parameter="symbol") from None
        return reply({"instruments": [_instrument(name, one) for name, one in found]} if found else {})

    # Hours.

    def _markets(self, request: Request, _: list[str]) -> Reply:
        return self._hours(request, request.query.get("markets", "").split(","))

    def _market(self, request: Request, parts: list[str]) -> Reply:
        return self._hours(request, parts)

    def _hours(self, request: Request, wanted: list[str]) -> Reply:
        if not set(wanted) <= set(_MARKETS):
            raise RefusedError(400, f"markets must be some of {', '.join(_MARKETS)}", parameter="markets")
        day = self._day(request.query.get("date"))
        answer: dict[str, dict[str, Any]] = {}
        for kind in wanted:
            answer[kind] = {}
            for root, calendar in self._calendars(kind).items():
                answer[kind] |= _market_hours(kind, root, calendar, day, self._desk.source.offset_ns)
        return reply(answer)

    def _day(self, text: str | None) -> dt.date:
        if text is None:
            return dt.datetime.fromtimestamp(self._house.now_ns() // SECOND_NS, EASTERN).date()
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise RefusedError(400, "date must be given as yyyy-MM-dd", parameter="date") from None

    def _calendars(self, kind: str) -> dict[str, SessionCalendar]:
        catalogue = self._desk.catalogue
        if kind == "equity":
            return {"EQ": catalogue.calendar("SPY")}
        if kind == "future":
            futures = [one for one in self._desk.instruments.values() if one.kind is Kind.FUTURE]
            return {product(one): catalogue.calendar(one.symbol) for one in futures}
        return {}


def _blocks(request: Request) -> frozenset[str]:
    asked = request.query.get("fields", "all")
    return _BLOCKS if asked == "all" else frozenset(asked.split(","))


def _of_stock(sight: Sight) -> dict[str, Any]:
    return {
        "52WeekHigh": plain(sight.year_high),
        "52WeekLow": plain(sight.year_low),
        "netPercentChange": plain(sight.percent),
        "volatility": 0,
    }


def _of_future(sight: Sight, skew_ns: int) -> dict[str, Any]:
    one = sight.instrument
    return {
        "futurePercentChange": level_one.fraction(sight.percent),
        "openInterest": 0,
        "quotedInSession": sight.status.trading,
        "settleTime": milliseconds(sight.quote.time_ns + skew_ns),
        "tick": plain(one.tick),
        "tickAmount": plain(one.tick * one.multiplier),
    }


def _instrument(name: str, instrument: Instrument) -> dict[str, str]:
    return {
        "cusip": cusip(name),
        "symbol": name,
        "description": instrument.description,
        "exchange": instrument.exchange,
        "assetType": "EQUITY",
    }


def _market_hours(kind: str, name: str, calendar: SessionCalendar, day: dt.date, ahead_ns: int) -> dict[str, Any]:
    """A market's hours on a day; the emulated market may run so far ahead of the calendar. A day off has none."""
    noon = int(dt.datetime.combine(day, dt.time(12), EASTERN).timestamp()) * SECOND_NS + ahead_ns
    session = calendar.session_of(dt.datetime.fromtimestamp(noon // SECOND_NS, EASTERN).date())
    head = {"date": day.isoformat(), "marketType": kind.upper(), "exchange": "NYSE" if kind == "equity" else "CME"}
    if session is None:
        return {kind: {**head, "category": None, "product": kind, "isOpen": False}}
    said = {"category": None, "product": name, "productName": kind, "isOpen": True}
    return {name: {**head, **said, "sessionHours": _session_hours(session, ahead_ns)}}


def _session_hours(session: Session, ahead_ns: int) -> dict[str, list[dict[str, str]]]:
    hours: dict[str, list[dict[str, str]]] = {}
    for phase in session.phases:
        name = "regularMarket"
        if phase.status is not MarketStatus.OPEN:
            name = "postMarket" if "regularMarket" in hours else "preMarket"
        start, end = (_local(time_ns - ahead_ns) for time_ns in (phase.start_ns, phase.end_ns))
        hours.setdefault(name, []).append({"start": start, "end": end})
    return hours


def _local(time_ns: int) -> str:
    return dt.datetime.fromtimestamp(time_ns // SECOND_NS, EASTERN).isoformat()
