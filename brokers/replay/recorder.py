"""Market events as CSV that a Replay reads back exactly: one format for quotes, trades, depth and bars together."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TextIO

from brokers.market import Bar, Depth, Level, MarketEvent, Quote, Trade

FIELDS = (
    *("type", "time_ns", "symbol", "bid", "ask", "bid_size", "ask_size", "price", "size", "aggressor"),
    *("interval", "open", "high", "low", "close", "volume", "trades", "bids", "asks"),
)


def header_line() -> str:
    """The first line of a recording."""
    return _line(FIELDS)


def event_line(event: MarketEvent) -> str:
    """One event as a line; appended lines in time order under one header are a recording."""
    cells = {"time_ns": event.time_ns, "symbol": event.symbol, **_cells(event)}
    return _line([cells.get(field) for field in FIELDS])


def record(events: Iterable[MarketEvent], out: TextIO) -> int:
    """Writes a whole recording; the number of events."""
    out.write(header_line())
    count = 0
    for event in events:
        out.write(event_line(event))
        count += 1
    return count


def _cells(event: MarketEvent) -> dict[str, object]:
    if isinstance(event, Quote):
        sizes = {"bid_size": event.bid_size, "ask_size": event.ask_size}
        return {"type": "quote", "bid": event.bid, "ask": event.ask, **sizes}
    if isinstance(event, Trade):
        side = event.aggressor.value if event.aggressor else None
        return {"type": "trade", "price": event.price, "size": event.size, "aggressor": side}
    if isinstance(event, Depth):
        return {"type": "depth", "bids": _levels(event.bids), "asks": _levels(event.asks)}
    return {"type": "bar", **_bar(event)}


def _bar(bar: Bar) -> dict[str, object]:
    names = ("interval", "open", "high", "low", "close", "volume", "trades")
    return {name: getattr(bar, name) for name in names}


def _levels(levels: Sequence[Level]) -> str:
    return ";".join(f"{level.price}@{level.size}" for level in levels)


def _line(cells: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
