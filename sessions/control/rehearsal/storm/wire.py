"""The faults of the wire: each switch of the emulators is a class of strikes, with values worth drawing."""

import random
from collections.abc import Mapping
from typing import Final

from brokers.emulation.catalogue import CATALOGUE, HOSTILE, WRONG, FaultKind, Takes
from brokers.emulation.faults import places
from sessions.control.rehearsal.storm.kinds import Kind, Place, Undo, Value, lasting, nothing, one_of, seconds, whole
from sessions.control.rehearsal.storm.operator import PERSONAL
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.control.rehearsal.storm.stage import Stage

_ERRORS: Final = (500, 502, 503, 504)
_VALUES: Final[Mapping[str, Value]] = {
    "stream-drop": whole(1, 300),
    "go-away": whole(1, 300),
    "half-open": whole(1, 100),
    "cut": whole(1, 2_000),
    "slice": whole(1, 60),
    "clump": whole(2, 6),
    "drip": whole(200, 20_000),
    "refuse-connects": seconds(0.5, 20),
    "delay": seconds(0.2, 15),
    "short-tokens": seconds(15, 300),
    "ticket": seconds(1, 30),
    "late-fill": seconds(0.1, 10),
    "bust": seconds(0.1, 10),
    "correction": seconds(0.1, 10),
    "forget-finished": seconds(60, 900),
    "clock-skew": one_of(-3600, -30, -1, 1, 30, 3600),
    "swizzle": seconds(0.2, 3),
    "error-after": one_of(*_ERRORS),
    "error-before": one_of(*_ERRORS),
    "quota": one_of("429,1", "429,5", "429,20", "418,5", "403", "403,5"),  # a bare 429 may mean a block of an hour
    "body": one_of(*WRONG),
    "hostile": one_of(*HOSTILE),
}
_RARE: Final[Mapping[str, float]] = {"hostile": 12, "drip": 12, "swizzle": 12, "slice": 12, "clump": 12}
_TIMES: Final = whole(1, 4)


def _kind(fault: FaultKind) -> Kind:
    return Kind(
        name=fault.name,
        row=fault.row,
        does=fault.does,
        place=Place.BROKER,
        act=_switch_on,
        value=_value(fault),
        lasts=lasting(5, 120) if fault.times is None else None,
        hourly=4 if fault.name in PERSONAL else _RARE.get(fault.name, 60),
        part=fault.part,
    )


def _value(fault: FaultKind) -> Value:
    """A switch as it is written behind its name: value, place, and how often it strikes."""
    where = sorted(one.value for one in places(fault))
    drawn = _VALUES.get(fault.name) or (one_of(*fault.words) if fault.takes is Takes.WORD else nothing)

    def written(chance: random.Random) -> str:
        value = drawn(chance)
        text = f"={value}" if value else ""
        if where:
            text += f"/{chance.choice(where)}"
        return text if fault.times is None else f"{text}*{_TIMES(chance)}"

    return written


def _switch_on(stage: Stage, strike: Strike) -> Undo | None:
    faults = stage.emulator(strike.at).faults
    faults.on(strike.fault + strike.value)
    return (lambda: faults.off(strike.fault)) if strike.lasts_ms else None


WIRE: Final[tuple[Kind, ...]] = tuple(map(_kind, CATALOGUE.values()))
