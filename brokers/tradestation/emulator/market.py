"""The market-data side of the interface: symbols, quotes and bars, asked for or streamed."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from brokers.emulation.catalogue import Where
from brokers.emulation.frames import Emit
from brokers.emulation.house import House
from brokers.emulation.web import Request, Streaming
from brokers.tradestation.emulator.bars import bar_record, read_chart
from brokers.tradestation.emulator.names import INVALID, Names, v2_record
from brokers.tradestation.emulator.prices import Candle, QuoteBoard
from brokers.tradestation.emulator.routes import Answer, Route, route
from brokers.tradestation.emulator.streams import GO_AWAY_MARKET, Streams
from brokers.tradestation.emulator.words import RefusedError, frame, reply

MARKET_STREAM: Final = "application/vnd.tradestation.streams.v2+json"
_SCOPE: Final = "MarketData"
_MOST_DETAILS: Final = 50
_MOST_QUOTES: Final = 100


class MarketData:
    """Answers questions about the market."""

    def __init__(self, house: House, names: Names, board: QuoteBoard, streams: Streams) -> None:
        self._house = house
        self._names = names
        self._board = board
        self._streams = streams

    def routes(self) -> tuple[Route, ...]:
        """The endpoints."""
        query, stream, of = Where.QUERY, Where.STREAM, "/v3/marketdata"
        return (
            route("GET", f"{of}/symbols/{{}}", query, _SCOPE, "", self._details),
            route("GET", f"{of}/quotes/{{}}", query, _SCOPE, "quotes", self._quotes),
            route("GET", f"{of}/barcharts/{{}}", query, _SCOPE, "barcharts", self._bars),
            route("GET", f"{of}/stream/quotes/{{}}", stream, _SCOPE, "quote-streams", self._quote_stream),
            route("GET", f"{of}/stream/barcharts/{{}}", stream, _SCOPE, "barcharts", self._bar_stream),
            route("GET", "/v2/data/symbols/search/{}", query, _SCOPE, "", self._search),
            route("GET", "/v2/data/symbols/suggest/{}", query, _SCOPE, "", self._suggest),
        )

    def _details(self, _: Request, parts: list[str]) -> Answer:
        names = _several(parts[0], _MOST_DETAILS)
        found = {name: self._names.detail(name) for name in names}
        return reply({"Symbols": [one for one in found.values() if one is not None], "Errors": _unknown(found.items())})

    def _quotes(self, _: Request, parts: list[str]) -> Answer:
        names = _several(parts[0], _MOST_QUOTES)
        found = {name: self._names.instrument(name) for name in names}
        skew = self._house.wall_ns() - self._house.now_ns()
        quotes = [
            self._board.write(one.symbol, name.upper(), skew, share=False)
            for name, one in found.items()
            if one is not None
        ]
        return reply({"Quotes": quotes, "Errors": _unknown(found.items())})

    def _bars(self, request: Request, parts: list[str]) -> Answer:
        instrument = self._names.instrument(parts[0])
        if instrument is None:
            raise RefusedError(404, INVALID)
        chart = read_chart(request.query, self._house.now_ns())
        bars = self._streams.charts.history(instrument.symbol, chart)
        skew = self._house.wall_ns() - self._house.now_ns()
        return reply(
            {
                "Bars": [
                    bar_record(Candle.of(bar), bar.time_ns, skew, live=False, last=False, closed=True) for bar in bars
                ]
            }
        )

    def _search(self, _: Request, parts: list[str]) -> Answer:
        """Criteria stand inside the path: C=FU or C=S, and N= for a root."""
        criteria = dict(parse_qsl(parts[0]))
        names = self._names.search(criteria.get("N", "").upper())
        kind = {"FU": "Future", "S": "Stock"}.get(criteria.get("C", ""))
        return reply([one for one in self._v2(names) if kind in (None, one["Category"])])

    def _suggest(self, request: Request, parts: list[str]) -> Answer:
        top = request.query.get("$top", "20")
        most = int(top) if top.isascii() and top.isdigit() else 20
        names = [name for name in self._names.search("") if name.startswith(parts[0].upper())]
        return reply(self._v2(names)[:most])

    def _v2(self, names: Iterable[str]) -> list[dict[str, Any]]:
        details = (self._names.detail(name) for name in names)
        return [v2_record(detail) for detail in details if detail is not None]

    def _quote_stream(self, _: Request, parts: list[str]) -> Answer:
        names = _several(parts[0], _MOST_QUOTES)
        found = {name: self._names.instrument(name) for name in names}
        good = [name for name, one in found.items() if one is not None]
        errors = _unknown(found.items())

        async def run(emit: Emit) -> None:
            await self._streams.quotes(good, errors, emit)

        return Streaming(run, MARKET_STREAM, GO_AWAY_MARKET)

    def _bar_stream(self, request: Request, parts: list[str]) -> Answer:
        instrument = self._names.instrument(parts[0])
        chart = read_chart(request.query, self._house.now_ns())
        if chart.unit == "Monthly":
            raise RefusedError(501, "Monthly bars are not streamed.")

        async def run(emit: Emit) -> None:
            if instrument is None:
                await emit(frame({"Error": "Failed", "Message": "FAILED, EX_INVALID_SYMBOL"}))
            else:
                await self._streams.bars(instrument.symbol, chart, emit)

        return Streaming(run, MARKET_STREAM, GO_AWAY_MARKET)


def _several(text: str, most: int) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    if len(names) > most:
        raise RefusedError(400, f"At most {most} symbols are allowed.")
    return names


def _unknown(found: Iterable[tuple[str, object]]) -> list[dict[str, str]]:
    return [{"Symbol": name, "Error": INVALID} for name, one in found if one is None]
