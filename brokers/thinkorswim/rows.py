"""What a row of each service holds, field by field."""

from decimal import Decimal
from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from brokers.figures import Figure
from brokers.thinkorswim.fields import Service, wire_names

# None: the streamer says that there is none; UNSET: it is as before.
Size = int | Decimal | UnsetType | None
Moment = int | UnsetType | None


class FutureRow(msgspec.Struct, rename=wire_names(Service.LEVELONE_FUTURES), gc=False):
    """What changed of a future's best prices."""

    key: str
    delayed: bool | UnsetType = UNSET
    bid: Figure = UNSET
    ask: Figure = UNSET
    last: Figure = UNSET
    bid_size: Size = UNSET
    ask_size: Size = UNSET
    volume: Decimal | UnsetType | None = UNSET  # never the same again
    last_size: Size = UNSET
    quote_ms: Moment = UNSET
    trade_ms: Moment = UNSET
    active_symbol: str | UnsetType | None = UNSET


class EquityRow(msgspec.Struct, rename=wire_names(Service.LEVELONE_EQUITIES), gc=False):
    """What changed of a stock's best prices; displayed sizes are in lots."""

    active_symbol: ClassVar[UnsetType] = UNSET
    key: str
    delayed: bool | UnsetType = UNSET
    bid: Figure = UNSET
    ask: Figure = UNSET
    last: Figure = UNSET
    bid_size: Size = UNSET
    ask_size: Size = UNSET
    volume: Decimal | UnsetType | None = UNSET  # never the same again
    last_size: Size = UNSET
    quote_ms: Moment = UNSET
    trade_ms: Moment = UNSET


class FutureCandle(msgspec.Struct, rename=wire_names(Service.CHART_FUTURES), gc=False):
    """A finished minute of a future."""

    key: str
    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class EquityCandle(msgspec.Struct, rename=wire_names(Service.CHART_EQUITY), gc=False):
    """A finished minute of a stock."""

    key: str
    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class ActivityRow(msgspec.Struct, rename=wire_names(Service.ACCT_ACTIVITY), gc=False):
    """Something that happened to an order of the login; `seq` counts from the beginning of the connection."""

    key: str
    account: str = ""
    kind: str = ""
    body: str | None = None
    seq: int = -1


LevelRow = FutureRow | EquityRow
CandleRow = FutureCandle | EquityCandle
Row = LevelRow | CandleRow | ActivityRow
