"""Level one as the streamer numbers it: each service's fields by their numbers."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from brokers.instruments import Instrument, Kind
from brokers.thinkorswim.emulator.board import Sight
from brokers.thinkorswim.emulator.names import product
from brokers.thinkorswim.emulator.words import EASTERN, milliseconds, plain

Value = Decimal | int | str | bool
Numbered = Mapping[int, Value]

EQUITIES: Final = "LEVELONE_EQUITIES"
FUTURES: Final = "LEVELONE_FUTURES"
SERVICES: Final[Mapping[str, Kind]] = {EQUITIES: Kind.STOCK, FUTURES: Kind.FUTURE}
ASSETS: Final[Mapping[Kind, str]] = {Kind.STOCK: "EQUITY", Kind.FUTURE: "FUTURE"}
TRADING_HOURS: Final = "GLBX(de=1640;0=-1700151515301600;1=r-17001515r15301600d-15551640;7=d-16401555)"
_FORMATS: Final = {"ZB": "3,32", "ZN": "3,32", "ZF": "3,32", "ZT": "3,32"}
_MARKETS: Final = {"NASDAQ": ("Q", "XNAS"), "ARCA": ("P", "ARCX"), "NYSE": ("N", "XNYS")}


def equity(sight: Sight, at: int) -> Numbered:
    """The fields of LEVELONE_EQUITIES; `at` is how far the clock on the wire is off."""
    letter, venue = market(sight.instrument)
    quoted, traded = milliseconds(sight.quote.time_ns + at), milliseconds(sight.trade_ns + at)
    change, percent = plain(sight.change), plain(sight.percent)
    return {
        **_top(sight),
        6: letter,
        7: letter,
        8: plain(sight.volume),
        9: plain(sight.last_size),
        10: plain(sight.high),
        11: plain(sight.low),
        12: plain(sight.close),
        13: letter,
        14: True,
        15: sight.instrument.description,
        16: letter,
        17: plain(sight.open),
        18: change,
        19: plain(sight.year_high),
        20: plain(sight.year_low),
        21: 0,
        22: 0,
        23: 0,
        24: 0,
        25: sight.instrument.exchange,
        26: "",
        27: True,
        28: True,
        29: plain(sight.last),
        30: plain(sight.last_size),
        31: change,
        32: sight.word,
        33: plain(sight.last),
        34: quoted,
        35: traded,
        36: traded,
        37: quoted,
        38: quoted,
        39: venue,
        40: venue,
        41: venue,
        42: percent,
        43: percent,
        44: change,
        45: percent,
        46: -1,
        47: 0,
        48: 0,
        49: 1,
        50: 0,
        51: 0,
    }


def future(sight: Sight, active: str, at: int) -> Numbered:
    """The fields of LEVELONE_FUTURES; `active` is the contract that its root stands for."""
    one = sight.instrument
    quoted, traded = milliseconds(sight.quote.time_ns + at), milliseconds(sight.trade_ns + at)
    expiry = expiry_ms(one)
    return {
        **_top(sight),
        6: "?",
        7: "?",
        8: plain(sight.volume),
        9: plain(sight.last_size),
        10: quoted,
        11: traded,
        12: plain(sight.high),
        13: plain(sight.low),
        14: plain(sight.close),
        15: "@",
        16: description(one),
        17: "?",
        18: plain(sight.open),
        19: plain(sight.change),
        20: plain(sight.percent),
        21: venue_of_future(one),
        22: sight.word,
        23: 0,
        24: plain(sight.last),
        25: plain(one.tick),
        26: plain(one.tick * one.multiplier),
        27: product(one),
        28: price_format(one),
        29: TRADING_HOURS,
        30: True,
        31: plain(one.multiplier),
        32: active == f"/{one.symbol}",
        33: plain(sight.close),
        34: active,
        35: expiry,
        36: "Quarterly",
        37: quoted,
        38: quoted,
        39: sight.status.trading,
        40: expiry,
    }


def _top(sight: Sight) -> dict[int, Value]:
    quote = sight.quote
    return {
        1: plain(sight.bid),
        2: plain(sight.ask),
        3: plain(sight.last),
        4: plain(quote.bid_size),
        5: plain(quote.ask_size),
    }


# What quotes that are asked for say too.


def market(instrument: Instrument) -> tuple[str, str]:
    """The letter of a stock's exchange, and its market identifier."""
    return _MARKETS.get(instrument.exchange, ("U", "XADF"))


def venue_of_future(instrument: Instrument) -> str:
    """The market identifier of a future's exchange."""
    return {"CME": "XCME", "CBOT": "XCBT", "NYMEX": "XNYM", "COMEX": "XCEC"}.get(instrument.exchange, "XCME")


def price_format(instrument: Instrument) -> str:
    """Whether a price is shown in decimals or in thirty-seconds; on the wire it is decimal either way."""
    return _FORMATS.get(instrument.root, "D,D")


def description(instrument: Instrument) -> str:
    """What a contract is called."""
    if instrument.expiry is None:
        return instrument.description
    return f"{instrument.description},{instrument.expiry:%b-%Y},ETH"


def expiry_ms(instrument: Instrument) -> int:
    """The end of a contract's last day, 0 for what has none."""
    if instrument.expiry is None:
        return 0
    return int(dt.datetime.combine(instrument.expiry, dt.time(17), EASTERN).timestamp()) * 1000


def fraction(percent: Decimal) -> Decimal:
    """A change in percent as a share."""
    return plain(percent / 100)
