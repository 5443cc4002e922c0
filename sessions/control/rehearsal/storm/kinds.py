"""What a class of strikes is: its row of the fault table, where it strikes, what is drawn for it, and what it does."""

import enum
import random
from collections.abc import Callable

import attrs

from brokers.emulation.catalogue import Part
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.control.rehearsal.storm.stage import Stage

Undo = Callable[[], object]
Act = Callable[[Stage, Strike], Undo | None]
Value = Callable[[random.Random], str]
Seconds = Callable[[random.Random], float]


class Place(enum.Enum):
    """What a strike hits: `Strike.at` names it, and is empty for the machine."""

    BROKER = "broker"
    SESSION = "session"
    MACHINE = "machine"


def nothing(_: random.Random) -> str:
    """The value of a class that takes none."""
    return ""


def one_of(*values: object) -> Value:
    """Any of these, all equally likely."""
    return lambda chance: str(chance.choice(values))


def whole(low: int, high: int) -> Value:
    """A whole number, small ones more likely."""
    return lambda chance: str(round(low * (high / low) ** chance.random()))


def seconds(low: float, high: float) -> Value:
    """A time, short ones more likely."""
    return lambda chance: f"{low * (high / low) ** chance.random():.3g}"


def lasting(low: float, high: float) -> Seconds:
    """How long something goes on, short times more likely."""
    return lambda chance: low * (high / low) ** chance.random()


@attrs.frozen(eq=False, kw_only=True)
class Kind:
    """One class of strikes.

    act     strikes, and returns what ends it if it goes on
    lasts   how long it goes on
    hourly  the highest rate that is drawn for it
    part    what the protocol of a broker must have
    """

    name: str
    row: str
    does: str
    place: Place
    act: Act
    value: Value = nothing
    lasts: Seconds | None = None
    hourly: float = 60.0
    part: Part | None = None
