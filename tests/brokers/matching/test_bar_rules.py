"""Properties of bars: nothing from outside the bar, nothing from before an order, and always the worse outcome."""

import os
import random
from decimal import Decimal

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.market import Bar, Interval
from brokers.matching import Event, MatchingEngine, VenueRules
from brokers.matching.events import Accepted, Canceled, LegActivated, LegResized, Rejected, Replaced, Traded, Triggered
from brokers.model import GroupKind, Liquidity, Order, OrderGroup, OrderType
from brokers.sides import Side
from tests.brokers.matching.acts import BYTES_AN_ACT, Dice, Send, group, one
from tests.brokers.matching.play import MINUTE, SYMBOL, X

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
ACCOUNT = "A"


@attrs.define
class Seen:
    """What the events have told of one order."""

    order: Order
    since_ns: int | None = None
    triggered: Decimal | None = None
    rivals: tuple[str, ...] = ()
    over: bool = False


class BarSession:
    """One bar after the other, with orders at any time between them."""

    def __init__(self, venue: VenueRules) -> None:
        self._venue = venue
        self._engine = MatchingEngine(venue, [X], random.Random(0))
        self._seen: dict[str, Seen] = {}
        self._close_ns = 0
        self.fills = 0
        self.ambiguous = 0

    def run(self, minutes: list[bytes]) -> None:
        for source in minutes:
            dice = Dice(source)
            self._close_ns += MINUTE
            for _ in range(dice.number(0, 3)):
                # most orders come right at the start of the bar, some while it lasts
                at = self._close_ns - MINUTE + dice.pick(0, 0, 0, 7, MINUTE // 2)
                self._send(dice.pick(one, group)(dice), at)
            self._pass(dice)

    def _send(self, act: Send, now: int) -> None:
        named = tuple(
            attrs.evolve(order, key=f"{len(self._seen)}-{index}", reduce_only=False)
            for index, order in enumerate(act.orders)
        )
        keys = tuple(order.key for order in named)
        exclusive = keys[1:] if act.kind is GroupKind.BRACKET else keys if act.kind is GroupKind.OCO else ()
        for order in named:
            self._seen[order.key] = Seen(order, rivals=exclusive if order.key in exclusive else ())
        if act.kind is None:
            self._follow(self._engine.submit(ACCOUNT, named[0], now))
            return
        parent = None if act.kind is GroupKind.OCO else named[0]
        children = named if parent is None else named[1:]
        sent = OrderGroup(keys[0], act.kind, parent, children, act.reduce_size)
        self._follow(self._engine.submit_group(ACCOUNT, sent, now))

    def _pass(self, dice: Dice) -> None:
        opened, first, second, closed = (dice.price() for _ in range(4))
        prices = opened, first, second, closed
        volume = Decimal(dice.number(0, 60))
        bar = Bar(SYMBOL, Interval.parse("1m"), opened, max(prices), min(prices), closed, volume, self._close_ns)
        there = {key for key, seen in self._seen.items() if self._was_there(seen)}
        events = self._engine.bar(bar, self._close_ns)
        traded = [event for event in events if isinstance(event, Traded)]
        assert sum(event.fill.quantity for event in traded) <= volume * self._venue.traded_share
        set_off: dict[str, Decimal] = {}
        resized: set[str] = set()
        for event in events:
            match event:
                case Traded():
                    self._check(event, bar, there, set_off.get(event.key))
                    if event.key not in resized:
                        self._check_time(event, bar, there, was_set_off=event.key in set_off)
                case Triggered():
                    set_off[event.key] = event.price
                case LegActivated():
                    there.discard(event.key)
                    set_off.pop(event.key, None)
                case LegResized():
                    resized.add(event.key)  # what it has grown by came during the bar
                    set_off.pop(event.key, None)
        self._follow(events)

    def _was_there(self, seen: Seen) -> bool:
        return not seen.over and seen.since_ns is not None and seen.since_ns <= self._close_ns - MINUTE

    def _check(self, event: Traded, bar: Bar, there: set[str], set_off: Decimal | None) -> None:
        self.fills += 1
        self.ambiguous += event.ambiguous_bar
        seen, fill = self._seen[event.key], event.fill
        side, price = fill.side, fill.price
        assert bar.low <= price <= bar.high or fill.liquidity is Liquidity.MAKER
        if set_off is not None:
            assert (price - set_off) * side.sign >= 0 or fill.liquidity is Liquidity.MAKER, "no stop fills too well"
        if fill.liquidity is Liquidity.MAKER:
            assert price == seen.order.limit_price
            good = bar.low if side is Side.BUY else bar.high
            assert (price - good) * side.sign > 0, "a limit needs a price beyond its own"
            self._check_loss_first(seen, bar, there)

    def _check_time(self, event: Traded, bar: Bar, there: set[str], *, was_set_off: bool) -> None:
        """Who was there takes the open, who came later takes the close, and a later limit needs the close."""
        fill, is_old = event.fill, event.key in there
        if fill.liquidity is Liquidity.TAKER:
            assert was_set_off or fill.price == (bar.open if is_old else bar.close)
        elif not is_old:
            assert (fill.price - bar.close) * fill.side.sign > 0

    def _check_loss_first(self, seen: Seen, bar: Bar, there: set[str]) -> None:
        """No target fills in a bar in which its group's stop was within reach."""
        for key in seen.rivals:
            rival = self._seen[key]
            if key in there and rival.order.type is OrderType.STOP and rival.triggered is None:
                stop, buys = rival.order.stop_price, rival.order.side is Side.BUY
                assert stop is not None
                assert not (bar.high >= stop if buys else bar.low <= stop)

    def _follow(self, events: tuple[Event, ...]) -> None:
        for event in events:
            seen = self._seen[event.key]
            match event:
                case Accepted(held=None) | LegActivated() | Replaced():
                    seen.since_ns = event.time_ns
                case Triggered():
                    seen.since_ns, seen.triggered = event.time_ns, event.price
                case Canceled() | Rejected():
                    seen.over = True


_MINUTES = st.lists(st.binary(min_size=3 * BYTES_AN_ACT, max_size=3 * BYTES_AN_ACT), min_size=2, max_size=25)


@settings(max_examples=100 * NIGHTLY, deadline=None)
@given(_MINUTES, st.integers(0, 2), st.sampled_from((Decimal(1), Decimal("0.5"))))
def test_P07_in_a_bar_nothing_is_better_than_it_could_have_been(
    minutes: list[bytes], slippage: int, share: Decimal
) -> None:
    BarSession(VenueRules(bar_slippage_ticks=slippage, traded_share=share)).run(minutes)


def test_P07_random_bars_fill_plenty_and_leave_some_in_doubt() -> None:
    chance = random.Random(7)
    fills = ambiguous = 0
    for _ in range(50):
        session = BarSession(VenueRules())
        session.run([chance.randbytes(3 * BYTES_AN_ACT) for _ in range(25)])
        fills += session.fills
        ambiguous += session.ambiguous
    assert fills > 500
    assert ambiguous > 10
