"""Which column of a file holds what: by the names that exporters use, or as the user says.

Headers are compared without case, with spaces, dots and hyphens as underscores. Where a file has several names of one
field, the one named first here is taken.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from brokers.replay.errors import ReplayError

RowKind = Literal["quotes", "trades", "bars", "events"]

ALIASES: Mapping[str, tuple[str, ...]] = {
    "type": ("type", "event_type"),
    "time": (
        *("time_ns", "time_us", "time_ms", "time_s", "ts_ns", "ts_us", "ts_ms", "timestamp_ns", "timestamp_ms"),
        *("ts_event", "timestamp", "datetime", "date_time", "time", "ts", "date", "t"),
    ),
    "symbol": ("symbol", "ticker", "contract", "instrument", "sym"),
    "bid": ("bid", "bid_price", "best_bid", "best_bid_price", "bidprice", "bid_px", "bid_px_00"),
    "ask": (
        "ask",
        "ask_price",
        "best_ask",
        "best_ask_price",
        "askprice",
        "ask_px",
        "ask_px_00",
        "offer",
        "offer_price",
    ),
    "bid_size": (
        "bid_size",
        "bidsize",
        "bid_qty",
        "best_bid_size",
        "best_bid_qty",
        "bid_volume",
        "bid_sz",
        "bid_sz_00",
    ),
    "ask_size": (
        "ask_size",
        "asksize",
        "ask_qty",
        "best_ask_size",
        "best_ask_qty",
        "ask_volume",
        "ask_sz",
        "ask_sz_00",
    ),
    "price": ("price", "trade_price", "last", "last_price", "px", "p"),
    "size": ("size", "qty", "quantity", "trade_size", "last_size", "amount", "sz", "volume", "s"),
    "aggressor": ("aggressor", "aggressor_side", "taker_side", "side"),
    "interval": ("interval", "timeframe"),
    "open": ("open", "open_price", "o"),
    "high": ("high", "high_price", "h"),
    "low": ("low", "low_price", "l"),
    "close": ("close", "close_price", "c"),
    "volume": ("volume", "vol", "v"),
    "trades": ("trades", "trade_count", "number_of_trades", "count", "n"),
    "bids": ("bids",),
    "asks": ("asks",),
}
_REQUIRED: Mapping[RowKind, tuple[str, ...]] = {
    "events": ("type", "time"),
    "quotes": ("time", "bid", "ask"),
    "bars": ("time", "open", "high", "low", "close"),
    "trades": ("time", "price", "size"),
}
_OPTIONAL: Mapping[RowKind, tuple[str, ...]] = {
    "events": tuple(ALIASES),
    "quotes": ("symbol", "bid_size", "ask_size"),
    "bars": ("symbol", "interval", "volume", "trades"),
    "trades": ("symbol", "aggressor"),
}


@attrs.frozen
class Layout:
    """Where the fields of one file stand; `at` maps a field to the position of its column."""

    kind: RowKind
    header: tuple[str, ...]
    at: Mapping[str, int]

    def column(self, field: str) -> str:
        """The header of a field's column."""
        return self.header[self.at[field]]


def layout_of(file: str, header: Sequence[str], kind: RowKind | Literal["auto"], columns: Mapping[str, str]) -> Layout:
    """Finds the columns; raises ReplayError that names what was looked for and what the file has."""
    positions = _positions(file, header)
    unknown = sorted(set(columns) - set(ALIASES))
    if unknown:
        raise ReplayError(file, None, None, "fields of " + ", ".join(ALIASES), ", ".join(unknown), "correct `columns`")
    found = {field: position for field in ALIASES if (position := _find(file, field, positions, columns)) is not None}
    chosen = _kind_of(file, header, found) if kind == "auto" else kind
    for field in _REQUIRED[chosen]:
        if field not in found:
            names = ", ".join(ALIASES[field])
            advice = f"name it in `columns`, such as {{{field!r}: 'its header'}}"
            raise ReplayError(file, None, None, f"a column for {field} ({names})", _listed(header), advice)
    wanted = (*_REQUIRED[chosen], *_OPTIONAL[chosen])
    return Layout(chosen, tuple(header), {field: found[field] for field in wanted if field in found})


def _positions(file: str, header: Sequence[str]) -> dict[str, int]:
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        if positions.setdefault(normal(name), position) != position:
            raise ReplayError(
                file, None, name, "columns with different names", _listed(header), "rename one of the two"
            )
    return positions


def _find(file: str, field: str, positions: Mapping[str, int], columns: Mapping[str, str]) -> int | None:
    if field not in columns:
        return next((positions[alias] for alias in ALIASES[field] if alias in positions), None)
    if normal(columns[field]) not in positions:
        got = ", ".join(positions)
        raise ReplayError(file, None, columns[field], f"a column for {field} of this name", got, "correct `columns`")
    return positions[normal(columns[field])]


def _kind_of(file: str, header: Sequence[str], found: Mapping[str, int]) -> RowKind:
    for kind in ("events", "quotes", "bars", "trades"):
        if all(field in found for field in _REQUIRED[kind]):
            return kind
    expected = "columns of quotes (time, bid, ask), trades (time, price, size) or bars (time, open, high, low, close)"
    raise ReplayError(file, None, None, expected, _listed(header), "name them in `columns`")


def _listed(header: Sequence[str]) -> str:
    return "the columns " + ", ".join(header) if header else "no header"


def normal(name: str) -> str:
    """A header's name as it is compared."""
    return re.sub(r"[\s.\-]+", "_", name.strip().lower())


def unit_in_name(column: str) -> Literal["s", "ms", "us", "ns"] | None:
    """The unit that a time column's name states, such as ns in time_ns."""
    for unit in ("ns", "us", "ms", "s"):
        if normal(column).endswith(f"_{unit}"):
            return unit
    return None
