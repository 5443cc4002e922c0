"""What a strategy is told. Market data comes as it is: a Bar, a Quote, a Trade; the rest has a class of its own."""

import datetime as dt

import attrs

from brokers.market import Bar, Quote, Trade
from brokers.model import Fill, OrderReport
from runtime.quick import quick


@attrs.frozen
class Started:
    """The strategy begins: history is in the view; `restored` tells whether the state is from an earlier run."""

    restored: bool


@attrs.frozen
class ParametersChanged:
    """The strategy goes on with other parameters, which it holds already; `keys` are those that differ."""

    keys: tuple[str, ...]


@quick
@attrs.frozen(weakref_slot=False)
class OrderUpdate:
    """One of the strategy's orders has another state, price or size; `tag` is the strategy's own name for it."""

    tag: str
    report: OrderReport


@quick
@attrs.frozen(weakref_slot=False)
class Filled:
    """One of the strategy's orders traded; `tag` is None for a fill that the session adopted."""

    tag: str | None
    fill: Fill


@attrs.frozen
class Denied:
    """A decision that was not carried out, by risk, a rule of the broker or its refusal; nothing is at the broker."""

    tag: str
    reason: str


@attrs.frozen
class TimerDue:
    """A timer that the strategy asked for by name; a late one comes once."""

    name: str
    due_ns: int


@attrs.frozen
class Rolled:
    """Another contract is in front: from now on the root's bars, quotes and hours are the new contract's."""

    root: str
    old: str
    new: str


@attrs.frozen
class SessionOpened:
    """Regular trading of a symbol's trading day begins."""

    symbol: str
    trading_day: dt.date


@attrs.frozen
class SessionClosed:
    """Regular trading of a symbol's trading day is over."""

    symbol: str
    trading_day: dt.date


Event = (
    Quote
    | Trade
    | Bar
    | Filled
    | OrderUpdate
    | Denied
    | TimerDue
    | SessionOpened
    | SessionClosed
    | Rolled
    | Started
    | ParametersChanged
)
