"""The faults of a market: a burst in which a hundred times as much happens."""

from typing import Final

import attrs

from brokers.market import MarketEvent
from sessions.control.rehearsal.storm.kinds import Kind, Place, Undo, lasting
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
)
