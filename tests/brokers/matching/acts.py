"""Random sessions at a venue, each act read from a few bytes, and the running of them under an auditor's eyes."""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st

from brokers.market import Depth, Level, MarketEvent, MarketStatus, Quote, Trade
from brokers.matching import (
    DuplicateKeys,
    Event,
    Events,
    Latency,
    MatchingEngine,
    OutsideHours,
    TriggerSource,
    VenueRules,
)
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderType, TimeInForce
from brokers.sides import Side
from tests.brokers.matching.audit import Auditor
from tests.brokers.matching.play import SYMBOL, X

T = TypeVar("T")

ACCOUNTS = ("A", "B")
BYTES_AN_ACT = 24


class Dice:
    """Choices read from bytes; when these are used up the first choice is always taken."""

    def __init__(self, source: bytes) -> None:
        self._source = iter(source)

    def number(self, low: int, high: int) -> int:
        return low + next(self._source, 0) % (high - low + 1)

    def pick(self, *options: T) -> T:
        return options[self.number(0, len(options) - 1)]

    def price(self) -> Decimal:
        return Decimal(self.number(94, 106))

    def size(self) -> Decimal:
        return Decimal(self.number(0, 8))

    def quantity(self) -> Decimal:
        return Decimal(self.number(1, 9))


@attrs.frozen
class Send:
    """A new order or group; its keys are given when it is sent."""

    account: str
    orders: tuple[Order, ...]  # the parent first where there is one
    kind: GroupKind | None = None
    reduce_size: bool = False


@attrs.frozen
class Amend:
    """A change of the n-th order from the last."""

    index: int
    terms: dict[str, Decimal]


@attrs.frozen
class Recall:
    """A cancel of the n-th order from the last."""

    index: int


Act = MarketEvent | Send | Amend | Recall | MarketStatus


def act_from(source: bytes) -> tuple[int, Act]:
    """The time that passes, and what then happens."""
    dice = Dice(source)
    return dice.number(0, 9), dice.pick(*_KINDS)(dice)


def quote(dice: Dice) -> Quote:
    bid = dice.price()
    ask = bid + dice.number(0, 4)
    empty = dice.number(0, 15)
    shown = None if empty == 1 else bid, None if empty == 2 else ask
    return Quote(SYMBOL, *shown, dice.size(), dice.size(), 0)


def depth(dice: Dice) -> Depth:
    middle = dice.price()

    def side(sign: int) -> tuple[Level, ...]:
        price, levels = middle, []
        for _ in range(dice.number(0, 3)):
            price += sign * dice.number(1, 3)
            levels.append(Level(price, dice.size()))
        return tuple(levels)

    return Depth(SYMBOL, side(-1), side(1), 0)


def trade(dice: Dice) -> Trade:
    return Trade(SYMBOL, dice.price(), dice.size(), 0, dice.pick(None, None, *Side))


def order(dice: Dice, side: Side) -> Order:
    kind = dice.pick(OrderType.LIMIT, *OrderType)
    tif = dice.pick(TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
    limited = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}
    stopped = kind in {OrderType.STOP, OrderType.STOP_LIMIT}
    resting = tif in {TimeInForce.DAY, TimeInForce.GTC}
    return Order(
        key="",
        symbol=SYMBOL,
        side=side,
        type=kind,
        quantity=dice.quantity(),
        limit_price=dice.price() if limited else None,
        stop_price=dice.price() if stopped else None,
        trail_offset=Decimal(dice.number(1, 5)) if kind is OrderType.TRAILING_STOP else None,
        time_in_force=tif,
        extended_hours=dice.pick(False, True),
        reduce_only=dice.pick(False, False, True),
        post_only=dice.pick(False, False, True) and kind is OrderType.LIMIT and resting,
    )


def one(dice: Dice) -> Send:
    return Send(dice.pick(*ACCOUNTS), (order(dice, dice.pick(*Side)),))


def group(dice: Dice) -> Send:
    """A group of one size, its exits against its entry, as people send them."""
    kind, account, reduce_size = dice.pick(*GroupKind), dice.pick(*ACCOUNTS), dice.pick(False, True)
    parent = order(dice, dice.pick(*Side))
    children = [attrs.evolve(order(dice, parent.side.opposite), quantity=parent.quantity) for _ in range(2)]
    first = [] if kind is GroupKind.OCO else [attrs.evolve(parent, reduce_only=False)]
    return Send(account, (*first, *children), kind, reduce_size)


def amend(dice: Dice) -> Amend:
    field = dice.pick("quantity", "limit_price", "stop_price")
    return Amend(dice.number(1, 9), {field: dice.quantity() if field == "quantity" else dice.price()})


def recall(dice: Dice) -> Recall:
    return Recall(dice.number(1, 9))


def status(dice: Dice) -> MarketStatus:
    choices: tuple[MarketStatus, ...] = (*(MarketStatus.OPEN,) * 3, *MarketStatus)
    return dice.pick(*choices)


_KINDS: tuple[Callable[[Dice], Act], ...] = (
    *(quote,) * 4,
    *(depth,) * 2,
    *(trade,) * 3,
    *(one,) * 3,
    *(group,) * 2,
    amend,
    recall,
    status,
)


Acts = list[tuple[int, Act]]


def sessions() -> st.SearchStrategy[Acts]:
    """Acts with the time that passes before each; in some sessions nothing is ever displayed."""
    act = st.binary(min_size=BYTES_AN_ACT, max_size=BYTES_AN_ACT).map(act_from)
    acts = st.lists(act, min_size=10, max_size=80)
    return st.one_of(acts, acts, acts, acts.map(without_displays))


def without_displays(acts: Acts) -> Acts:
    return [(passed, act) for passed, act in acts if not isinstance(act, Quote | Depth)]


def random_session(seed: int, length: int) -> tuple[VenueRules, Acts]:
    """Rules and acts from a seed, without a search; every fifth session has no displays."""
    chance = random.Random(seed)
    venue = rules_from(Dice(chance.randbytes(12)))
    acts = [act_from(chance.randbytes(BYTES_AN_ACT)) for _ in range(length)]
    return venue, without_displays(acts) if seed % 5 == 0 else acts


def rules() -> st.SearchStrategy[VenueRules]:
    return st.binary(min_size=12, max_size=12).map(lambda source: rules_from(Dice(source)))


def rules_from(dice: Dice, **fixed: Any) -> VenueRules:
    delays = (Latency(), Latency((5,)), Latency((0, 3, 17)))
    return VenueRules(
        trigger=dice.pick(TriggerSource.BID_ASK, TriggerSource.LAST),
        standing_ns=dice.pick(0, 10, None),
        through_in_full=dice.pick(False, True),
        legs_wait_for_full_fill=dice.pick(False, True),
        duplicates=dice.pick(*DuplicateKeys),
        outside_hours=dice.pick(*OutsideHours),
        order_latency=dice.pick(*delays),
        feed_latency=dice.pick(*delays),
        ack_latency=dice.pick(*delays),
        touch_chance=dice.pick(0.0, 0.0, 0.5),
        refuse_self_cross=dice.pick(False, True),
    )


class Session:
    """One run of acts on a new engine, each of them audited."""

    def __init__(self, venue: VenueRules, seed: int) -> None:
        self.engine = MatchingEngine(venue, [X], random.Random(seed))
        self.auditor = Auditor(venue)
        self.events: list[Event] = []
        self._now = 0
        self._sent: list[tuple[str, str]] = []

    def run(self, acts: Acts) -> "Session":
        for passed, act in acts:
            self._now += passed
            self._do(act)
        self._now += 1000
        self._note(None, self.engine.advance(self._now))
        return self

    def _do(self, act: Act) -> None:
        if isinstance(act, Quote | Depth | Trade):
            # commands that are due come before the data, so they are audited before it is shown
            self._note(None, self.engine.advance(self._now))
            self._note(act, self.engine.market(act, self._now))
        else:
            self._note(None, self._command(act))

    def _command(self, act: Act) -> Events:
        engine, now = self.engine, self._now
        match act:
            case Send():
                return self._send(act)
            case Amend() if self._sent:
                account, key = self._sent[-act.index % len(self._sent)]
                return engine.change(account, Change(key, **act.terms), now)
            case Recall() if self._sent:
                account, key = self._sent[-act.index % len(self._sent)]
                return engine.cancel(account, key, now)
            case MarketStatus():
                return engine.set_status(SYMBOL, act, now)
        return ()

    def _send(self, act: Send) -> Events:
        first = len(self._sent)
        named = tuple(attrs.evolve(order, key=f"k{first + index}") for index, order in enumerate(act.orders))
        self._sent += [(act.account, order.key) for order in named]
        for order in named:
            self.auditor.expect(act.account, order, self._now)
        if act.kind is None:
            return self.engine.submit(act.account, named[0], self._now)
        parent = None if act.kind is GroupKind.OCO else named[0]
        sent = OrderGroup(named[0].key, act.kind, parent, named if parent is None else named[1:], act.reduce_size)
        self.auditor.expect_group(act.account, sent)
        return self.engine.submit_group(act.account, sent, self._now)

    def _note(self, data: MarketEvent | None, events: Events) -> None:
        self.events += events
        self.auditor.watch(data, events, self._now)
        self.auditor.compare(self.engine)
