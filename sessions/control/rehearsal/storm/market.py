"""The faults and moves of a market: a burst in which a hundred times as much happens, and prices that jump."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import attrs

from brokers.market import MarketEvent, Quote
from sessions.control.rehearsal.storm.kinds import Kind, Place, Undo, lasting, one_of
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.control.rehearsal.storm.stage import Stage

TIMES: Final = 100


def _burst(stage: Stage, strike: Strike) -> Undo:
    """Each market event comes a hundred times."""
    desk, bursting = stage.emulator(strike.at).desk, False

    def repeat(event: MarketEvent) -> None:
        nonlocal bursting
        if bursting:
            return
        bursting = True
        for count in range(1, TIMES):
            desk.market(attrs.evolve(event, time_ns=event.time_ns + count))
        bursting = False

    return desk.watch(repeat)


def _jump(stage: Stage, strike: Strike) -> Undo:
    """The next quote is followed by one so many ticks away: limits are met and stops go off."""
    desk, ticks = stage.emulator(strike.at).desk, Decimal(strike.value)

    def move(event: MarketEvent) -> None:
        if not isinstance(event, Quote) or event.bid is None or event.ask is None:
            return
        leave()
        by = ticks * desk.instruments[event.symbol].tick
        bid, ask = max(event.bid + by, by.copy_abs()), max(event.ask + by, by.copy_abs() + event.ask - event.bid)
        desk.market(attrs.evolve(event, bid=bid, ask=ask, time_ns=event.time_ns + 1))

    leave: Callable[[], None] = desk.watch(move)
    return leave


MARKET: Final = (
    Kind(
        name="burst",
        row="F23",
        does="each market event comes a hundred times",
        place=Place.BROKER,
        act=_burst,
        lasts=lasting(0.5, 4),
        hourly=6,
    ),
    Kind(
        name="jump",
        row="market",
        does="the price jumps by so many ticks for a moment",
        place=Place.BROKER,
        act=_jump,
        value=one_of(*(sign * size for size in (4, 20, 100) for sign in (-1, 1))),
        lasts=lasting(5, 60),
        hourly=40,
    ),
)
