"""Quotes a second through the matching engine with 100 working orders on one core.

The market walks at random; of the orders 60 are limits
and 40 are stops, all off the market when they are placed. Each order that fills is replaced by a new one, inside
the measured time, so the figure contains fills, triggers and submissions besides the quotes that reach nothing.
"""

import random
import time
from collections.abc import Iterable
from decimal import Decimal

from brokers.instruments import Instrument, Kind
from brokers.market import Quote
from brokers.matching import MatchingEngine, VenueRules
from brokers.matching.events import Event, Filled
from brokers.model import Order, OrderType, TimeInForce
from brokers.sides import Side

TICK = Decimal("0.25")
START = 20_000  # the first price in ticks
WORKING = 100
NEAREST, FARTHEST = 3, 80  # ticks from the market at which orders are placed
CONTRACT = Instrument("ESZ26", "ES", Kind.FUTURE, "USD", TICK)


class _Desk:
    """Keeps 100 orders working: whatever fills is placed anew."""

    def __init__(self, seed: int) -> None:
        self.engine = MatchingEngine(VenueRules(), [CONTRACT], random.Random(seed))
        self.fills = 0
        self._chance = random.Random(seed)
        self._placed = 0

    def place(self, near: int, now: int) -> None:
        """Places one more order."""
        self._placed += 1
        side = self._chance.choice((Side.BUY, Side.SELL))
        away = self._chance.randint(NEAREST, FARTHEST) * side.sign
        is_limit = self._placed % 5 < 3
        price = (near - away if is_limit else near + away) * TICK
        order = Order(
            key=str(self._placed),
            symbol=CONTRACT.symbol,
            side=side,
            type=OrderType.LIMIT if is_limit else OrderType.STOP,
            quantity=Decimal(2),
            limit_price=price if is_limit else None,
            stop_price=None if is_limit else price,
            time_in_force=TimeInForce.GTC,
        )
        self.engine.submit("A", order, now)

    def replace_filled(self, events: Iterable[Event], near: int, now: int) -> None:
        """Places one for each that filled."""
        for event in events:
            if isinstance(event, Filled):
                self.fills += 1
                self.place(near, now)


def _walk(quotes: int, seed: int) -> tuple[list[Quote], list[int]]:
    chance = random.Random(seed)
    bid = START
    bids: list[int] = []
    for _ in range(quotes):
        bid += chance.choice((-1, 0, 0, 1))
        bids.append(bid)
    sizes = [Decimal(size) for size in range(1, 50)]
    shown = [
        Quote(CONTRACT.symbol, at * TICK, (at + 1) * TICK, chance.choice(sizes), chance.choice(sizes), now)
        for now, at in enumerate(bids, start=1)
    ]
    return shown, bids


def _run(quotes: int, seed: int) -> tuple[float, int]:
    shown, bids = _walk(quotes, seed)
    desk = _Desk(seed)
    for _ in range(WORKING):
        desk.place(START, 0)
    quote = desk.engine.quote
    began = time.perf_counter()
    for now, event in enumerate(shown, start=1):
        events = quote(event, now)
        if events:
            desk.replace_filled(events, bids[now - 1], now)
    return quotes / (time.perf_counter() - began), desk.fills


def measure_matching(rounds: int, quotes: int) -> list[float]:
    """Quotes a second, one figure a round."""
    return [_run(quotes, seed)[0] for seed in range(rounds)]
