"""One row of cells as one market event: pure, exact, and precise about which cell is wrong."""

import functools
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from brokers.market import Bar, Depth, Interval, Level, MarketEvent, Quote, Trade
from brokers.replay.columns import Layout, unit_in_name
from brokers.replay.errors import BadCellError, BadValueError
from brokers.replay.settings import ReplaySettings
from brokers.replay.times import TimeReader, time_reader
from brokers.sides import Side

T = TypeVar("T")
Row = Sequence[Any]
RowDecoder = Callable[[Row], MarketEvent]

_ZERO = Decimal(0)
_KEPT_NUMBERS = 1 << 16  # prices and sizes come again and again
_SIDES = {"buy": Side.BUY, "b": Side.BUY, "sell": Side.SELL, "s": Side.SELL, "": None, "none": None, "n": None}


def decoder(layout: Layout, settings: ReplaySettings, read_time: TimeReader | None = None) -> RowDecoder:
    """What turns the rows of a file into events; it raises BadCellError that names the column."""
    times = read_time or _time_reader(layout, settings)
    if layout.kind == "quotes":
        return _quotes(layout, settings, times)
    if layout.kind == "trades":
        return _trades(layout, settings, times)
    if layout.kind == "bars":
        return _bars(layout, settings, times)
    return _mixed(layout, settings, times)


def _time_reader(layout: Layout, settings: ReplaySettings) -> TimeReader:
    unit = settings.time_unit
    if unit == "auto":
        unit = unit_in_name(layout.column("time")) or "auto"
    return time_reader(unit, settings.zone, settings.calendar)


def _field(layout: Layout, field: str, convert: Callable[[Any], T]) -> Callable[[Row], T]:
    """Reads one field of a row; a file without its column reads as empty cells."""
    if field not in layout.at:
        return lambda _: _converted(convert, "", field)
    position, column = layout.at[field], layout.column(field)

    def read(row: Row) -> T:
        try:
            return convert(row[position])
        except BadValueError as error:
            raise BadCellError(column, error.expected, row[position]) from None

    return read


def _converted(convert: Callable[[Any], T], cell: object, column: str) -> T:
    try:
        return convert(cell)
    except BadValueError as error:
        raise BadCellError(column, error.expected, cell) from None


def number(cell: object) -> Decimal:
    """A finite decimal, exactly as written; a binary float counts as its shortest text."""
    return _number_in(cell if type(cell) is str else _text_of(cell))


@functools.lru_cache(maxsize=_KEPT_NUMBERS)
def _number_in(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadValueError("a decimal number", text) from None
    if not value.is_finite() or "_" in text or not text.isascii():
        raise BadValueError("a finite decimal number", text)
    return value


def _text_of(cell: object) -> str:
    if isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        return str(cell)
    raise BadValueError("a decimal number", cell)


def _missing_or_number(cell: object) -> Decimal | None:
    return None if cell is None or cell == "" else number(cell)


def _size(cell: object) -> Decimal:
    return _ZERO if cell is None or cell == "" else _stated_size(cell)


def _stated_size(cell: object) -> Decimal:
    value = number(cell)
    if value.is_signed() and value:
        raise BadValueError("a size of zero or more", cell)
    return value


def _count(cell: object) -> int:
    value = _size(cell)
    if value != value.to_integral_value():
        raise BadValueError("a whole number", cell)
    return int(value)


def _symbol(cell: object) -> str:
    if not isinstance(cell, str) or not cell or not cell.isprintable():
        raise BadValueError("a symbol; name it in the settings' `symbol` if the file has none", cell)
    return cell


def _side(cell: object) -> Side | None:
    if cell is None or (isinstance(cell, str) and cell.lower() in _SIDES):
        return _SIDES[(cell or "").lower()]
    raise BadValueError("buy, sell or nothing", cell)


def _interval(cell: object) -> Interval:
    try:
        return Interval.parse(str(cell))
    except ValueError:
        raise BadValueError("an interval such as 1m, 15m, 1d; give one in the settings' `interval`", cell) from None


def _levels(cell: object) -> tuple[Level, ...]:
    """Prices and sizes written like 6900.25@22;6900.00@31."""
    if cell is None or cell == "":
        return ()
    levels = []
    for text in str(cell).split(";"):
        price, at, size = text.partition("@")
        if not at:
            raise BadValueError("levels like 6900.25@22;6900.00@31", cell)
        levels.append(Level(number(price), _stated_size(size)))
    return tuple(levels)


def _symbols(layout: Layout, settings: ReplaySettings) -> Callable[[Row], str]:
    if settings.symbol is not None:
        stated = settings.symbol
        return lambda _: stated
    return _field(layout, "symbol", _symbol)


def _quotes(layout: Layout, settings: ReplaySettings, times: TimeReader) -> RowDecoder:
    symbol, time = _symbols(layout, settings), _field(layout, "time", times)
    bid, ask = _field(layout, "bid", _missing_or_number), _field(layout, "ask", _missing_or_number)
    bid_size, ask_size = _field(layout, "bid_size", _size), _field(layout, "ask_size", _size)
    return lambda row: Quote(symbol(row), bid(row), ask(row), bid_size(row), ask_size(row), time(row))


def _trades(layout: Layout, settings: ReplaySettings, times: TimeReader) -> RowDecoder:
    symbol, time = _symbols(layout, settings), _field(layout, "time", times)
    price, size = _field(layout, "price", number), _field(layout, "size", _stated_size)
    aggressor = _field(layout, "aggressor", _side)
    return lambda row: Trade(symbol(row), price(row), size(row), time(row), aggressor(row))


def _depth(layout: Layout, settings: ReplaySettings, times: TimeReader) -> RowDecoder:
    symbol, time = _symbols(layout, settings), _field(layout, "time", times)
    bids, asks = _field(layout, "bids", _levels), _field(layout, "asks", _levels)
    return lambda row: Depth(symbol(row), bids(row), asks(row), time(row))


def _bars(layout: Layout, settings: ReplaySettings, times: TimeReader) -> RowDecoder:
    symbol, time = _symbols(layout, settings), _field(layout, "time", times)
    prices = [_field(layout, name, number) for name in ("open", "high", "low", "close")]
    volume, trades = _field(layout, "volume", _size), _field(layout, "trades", _count)
    stated = settings.interval
    interval = _field(layout, "interval", _interval) if stated is None else lambda _: stated
    column = {name: layout.column(name) if name in layout.at else name for name in ("high", "low")}

    def decode(row: Row) -> Bar:
        opened, high, low, closed = [read(row) for read in prices]
        if high < max(opened, closed):
            raise BadCellError(column["high"], f"a high of at least {max(opened, closed)}", str(high))
        if low > min(opened, closed):
            raise BadCellError(column["low"], f"a low of at most {min(opened, closed)}", str(low))
        length = interval(row)
        close_ns = _bar_close(time(row), length, settings)
        return Bar(symbol(row), length, opened, high, low, closed, volume(row), close_ns, trades(row))

    return decode


def _bar_close(time_ns: int, interval: Interval, settings: ReplaySettings) -> int:
    if settings.bar_time == "close":
        return time_ns
    if settings.calendar is not None:
        return settings.calendar.bar_close(time_ns, interval)
    return time_ns + interval.nanoseconds


def _mixed(layout: Layout, settings: ReplaySettings, times: TimeReader) -> RowDecoder:
    makers = {"quote": _quotes, "trade": _trades, "depth": _depth, "bar": _bars}
    decoders = {name: make(layout, settings, times) for name, make in makers.items()}

    def known(cell: object) -> RowDecoder:
        found = decoders.get(cell) if isinstance(cell, str) else None
        if found is None:
            raise BadValueError("one of " + ", ".join(decoders), cell)
        return found

    which = _field(layout, "type", known)
    return lambda row: which(row)(row)
