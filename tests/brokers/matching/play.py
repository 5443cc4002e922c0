"""A short language for what is done to a venue, and short sentences for what it answers."""

import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import singledispatch
from typing import Any

import attrs

from brokers.instruments import Instrument, Kind
from brokers.market import Bar, Depth, Interval, Level, MarketStatus, Quote, Trade
from brokers.matching import Admit, Event, Events, MatchingEngine, VenueRules
from brokers.matching import events as says
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderType, TimeInForce
from brokers.sides import Side

D = Decimal
SYMBOL = "X"
ACCOUNT = "A"
MINUTE = 60_000_000_000
X = Instrument(SYMBOL, SYMBOL, Kind.FUTURE, "USD", tick=D(1))
Y = Instrument("Y", "Y", Kind.FUTURE, "USD", tick=D(1))

Step = Callable[[MatchingEngine, int], Events]


def engine_with(rules: VenueRules, admit: Admit | None = None, seed: int = 1) -> MatchingEngine:
    return MatchingEngine(rules, [X, Y], random.Random(seed), admit=admit)


def play(engine: MatchingEngine, steps: Iterable[Step | int]) -> list[Event]:
    """Takes the steps one time unit apart; a number sets the time of the next step."""
    happened: list[Event] = []
    now = 0
    for step in steps:
        if isinstance(step, int):
            now = step - 1
            continue
        now += 1
        happened += step(engine, now)
    return happened


def order(key: str, side: Side, quantity: object, **terms: Any) -> Order:
    """An order whose type follows from its terms; numbers become decimals."""
    for name in ("limit_price", "stop_price", "trail_offset", "trail_percent"):
        if terms.get(name) is not None:
            terms[name] = D(str(terms[name]))
    terms.setdefault("type", _type_of(terms))
    return Order(key=key, symbol=terms.pop("symbol", SYMBOL), side=side, quantity=D(str(quantity)), **terms)


def _type_of(terms: dict[str, Any]) -> OrderType:
    if "trail_offset" in terms or "trail_percent" in terms:
        return OrderType.TRAILING_STOP
    kinds = {
        (True, True): OrderType.STOP_LIMIT,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (False, False): OrderType.MARKET,
    }
    return kinds["limit_price" in terms, "stop_price" in terms]


def _named(terms: dict[str, Any]) -> dict[str, Any]:
    short = {"limit": "limit_price", "stop": "stop_price", "tif": "time_in_force"}
    named = {short.get(name, name): value for name, value in terms.items()}
    if "time_in_force" in named:
        named["time_in_force"] = TimeInForce(named["time_in_force"])
    return named


def bought(key: str, quantity: object, **terms: Any) -> Order:
    return order(key, Side.BUY, quantity, **_named(terms))


def sold(key: str, quantity: object, **terms: Any) -> Order:
    return order(key, Side.SELL, quantity, **_named(terms))


def submit(sent: Order, account: str = ACCOUNT) -> Step:
    return lambda engine, now: engine.submit(account, sent, now)


def buy(key: str, quantity: object, *, account: str = ACCOUNT, **terms: Any) -> Step:
    return submit(bought(key, quantity, **terms), account)


def sell(key: str, quantity: object, *, account: str = ACCOUNT, **terms: Any) -> Step:
    return submit(sold(key, quantity, **terms), account)


def group(kind: GroupKind, parent: Order | None, *children: Order, reduce_size: bool = False) -> Step:
    sent = OrderGroup("g", kind, parent, children, reduce_size)
    return lambda engine, now: engine.submit_group(ACCOUNT, sent, now)


def bracket(parent: Order, *children: Order, reduce_size: bool = False) -> Step:
    return group(GroupKind.BRACKET, parent, *children, reduce_size=reduce_size)


def oco(*children: Order, reduce_size: bool = False) -> Step:
    return group(GroupKind.OCO, None, *children, reduce_size=reduce_size)


def oto(parent: Order, *children: Order) -> Step:
    return group(GroupKind.OTO, parent, *children)


def change(key: str, *, order_id: str | None = None, **terms: object) -> Step:
    named = {name: D(str(value)) for name, value in _named(terms).items()}
    return lambda engine, now: engine.change(ACCOUNT, Change(key, **named), now, order_id=order_id)


def cancel(key: str, *, order_id: str | None = None, direct: bool = False) -> Step:
    return lambda engine, now: engine.cancel(ACCOUNT, key, now, order_id=order_id, direct=direct)


def quote(bid: object, ask: object, bid_size: object = 10, ask_size: object = 10, symbol: str = SYMBOL) -> Step:
    def show(engine: MatchingEngine, now: int) -> Events:
        best_bid, best_ask = (None if price is None else D(str(price)) for price in (bid, ask))
        return engine.market(Quote(symbol, best_bid, best_ask, D(str(bid_size)), D(str(ask_size)), now), now)

    return show


def depth(bids: dict[int, int], asks: dict[int, int]) -> Step:
    def levels(side: dict[int, int]) -> tuple[Level, ...]:
        return tuple(Level(D(price), D(size)) for price, size in side.items())

    return lambda engine, now: engine.market(Depth(SYMBOL, levels(bids), levels(asks), now), now)


def trade(price: object, size: object, aggressor: Side | None = None) -> Step:
    return lambda engine, now: engine.market(Trade(SYMBOL, D(str(price)), D(str(size)), now, aggressor), now)


def bar(at_open: int, high: int, low: int, close: int, volume: int = 1000) -> Step:
    """A minute's bar that ends at the time of its step."""
    prices = D(at_open), D(high), D(low), D(close)
    return lambda engine, now: engine.market(Bar(SYMBOL, Interval.parse("1m"), *prices, D(volume), now), now)


def mark(price: object) -> Step:
    return lambda engine, now: engine.mark(SYMBOL, D(str(price)), now)


def status(word: str) -> Step:
    return lambda engine, now: engine.set_status(SYMBOL, MarketStatus(word), now)


def position(quantity: int) -> Step:
    return lambda engine, now: engine.set_position(ACCOUNT, SYMBOL, D(quantity), now)


def settle(price: object) -> Step:
    return lambda engine, now: engine.settle(SYMBOL, D(str(price)), now)


def wait() -> Step:
    return lambda engine, now: engine.advance(now)


@singledispatch
def said(event: Event) -> str:
    """One event as a short sentence."""
    raise TypeError(f"no words for {event!r}")


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


@said.register
def _(event: says.Accepted) -> str:
    return f"accepted {event.key}" + (f" held {event.held.value}" if event.held else "")


@said.register
def _(event: says.Rejected) -> str:
    return f"rejected {event.key} {event.refusal.code.value}"


@said.register
def _(event: says.AlreadyKnown) -> str:
    return f"known {event.key} {event.report.state.value}"


@said.register
def _(event: says.Released) -> str:
    return f"released {event.key}"


@said.register
def _(event: says.Triggered) -> str:
    return f"triggered {event.key} @{_plain(event.price)}" + (" ambiguous" if event.ambiguous_bar else "")


@said.register
def _(event: says.Traded) -> str:
    word = "filled" if isinstance(event, says.Filled) else "partial"
    fill = event.fill
    words = (
        f"{word} {event.key} {_plain(fill.quantity)}@{_plain(fill.price)} {fill.liquidity.value} {event.cause.value}"
    )
    return words + (" ambiguous" if event.ambiguous_bar else "")


@said.register
def _(event: says.Canceled) -> str:
    return f"canceled {event.key} {event.reason.value}"


@said.register
def _(event: says.Expired) -> str:
    return f"expired {event.key} {event.reason.value}"


@said.register
def _(event: says.Replaced) -> str:
    return f"replaced {event.key} {'kept' if event.kept_place else 'moved'}"


@said.register
def _(event: says.ReplaceRefused) -> str:
    return f"replace_refused {event.key} {event.refusal.code.value}"


@said.register
def _(event: says.CancelRefused) -> str:
    return f"cancel_refused {event.key} {event.refusal.code.value}"


@said.register
def _(event: says.LegActivated) -> str:
    return f"activated {event.key} {_plain(event.live)}/{_plain(event.quantity)}"


@said.register
def _(event: says.LegResized) -> str:
    return f"resized {event.key} {_plain(event.live)}/{_plain(event.quantity)}"


@said.register
def _(event: says.Settled) -> str:
    return f"settled {event.account} {_plain(event.quantity)}@{_plain(event.price)}"


_DEFAULT = VenueRules()


@attrs.frozen
class Scenario:
    """What is done, under which rules, and all that the venue answers."""

    name: str
    steps: tuple[Step | int, ...]
    answers: tuple[str, ...]
    rules: VenueRules = _DEFAULT
    admit: Admit | None = None
