"""The faults of actors: exceptions in every callback, cancellation in the middle, crash storms, poison, slowness."""

import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import trio

from brokers.tokens.token_store import TokenStore
from runtime import Name
from runtime.errors import CallError
from runtime.inspection import resume, suspend
from runtime.mishaps import AFTER, BEFORE, CANCEL, START, STOP, Mishap, point_of
from runtime.ref import Ref
from runtime.server import ActorCell
from sessions.control.daemon.connections import CONNECTIONS
from sessions.control.daemon.house import POOL, SESSIONS, TREE, House
from sessions.control.rehearsal.storm.kinds import Kind, Place, Undo, lasting
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.control.rehearsal.storm.stage import Stage
from sessions.session import trader_name
from sessions.sessions import Sessions
from sessions.trader.trader import Trader, consult_point

MANY: Final = range(1, 400)  # hits of a point that fires for a while
ANSWERED: Final = 5.0  # seconds in which any call must be answered; nobody gives it more
FROZEN: Final = 150.0  # seconds that a stopped process may add to that
_EXCEPTIONS: Final = (BEFORE, AFTER, START, STOP, "helper")


class NeverAnswered(AssertionError):
    """A call waited for longer than anybody allowed it to."""


def actors(house: House, below: str) -> list[ActorCell]:
    """The living actors of a part of the tree, in the order in which they started."""
    cells = house.runtime.cells()
    return [one for one in cells if isinstance(one, ActorCell) and f"{one.path}/".startswith(f"/{TREE}{below}/")]


def chosen(cells: Sequence[ActorCell], which: str) -> ActorCell | None:
    """One of them: the end of its path, or how far it is from the first to the last, from 0 to 1."""
    if which.startswith("/"):
        return next((one for one in cells if one.path.endswith(which)), None)
    return cells[int(float(which) * len(cells))] if cells else None


def _share(chance: random.Random) -> str:
    return f"{chance.random():.3f}"


def _one_actor(stage: Stage, which: str) -> ActorCell | None:
    house = stage.lives.house
    return None if house is None else chosen(actors(house, ""), which)


# F31, F33: one exception, one cancellation.


def _raise(stage: Stage, strike: Strike) -> None:
    """At the next message, or at once where no message is needed for it."""
    kind, _, which = strike.value.rpartition(" ")
    cell = _one_actor(stage, which)
    if cell is None:
        return
    if kind != "helper":
        stage.world.faults.arm(point_of(kind, cell.path))
    if kind in ("helper", START, STOP):
        cell.crash(Mishap(f"a helper of {cell.path}"))


def _exception(chance: random.Random) -> str:
    return f"{chance.choice(_EXCEPTIONS)} {_share(chance)}"


def _cancel(stage: Stage, strike: Strike) -> None:
    """At the n-th checkpoint in the handling of messages from now on."""
    checkpoint, _, which = strike.value.partition(" ")
    cell = _one_actor(stage, which)
    if cell is not None:
        stage.world.faults.arm(point_of(CANCEL, cell.path), int(checkpoint))


def _checkpoint(chance: random.Random) -> str:
    return f"{chance.choice((1, 1, 2, 3, 5, 8, 13))} {_share(chance)}"


# F32, F34: the same again and again.


def _storm(stage: Stage, strike: Strike) -> Undo:
    """Each message ends the trader, until the session's restarts are spent."""
    point = point_of(BEFORE, f"/{TREE}/{SESSIONS}/{POOL}/{strike.at}/trader")
    return _armed(stage, point)


def _armed(stage: Stage, point: str) -> Undo:
    for hit in MANY:
        stage.world.faults.arm(point, hit)
    return partial(stage.world.faults.disarm, point)


def _poison(stage: Stage, strike: Strike) -> None:
    """What the strategy is told next ends the trader, and again when the next trader is told."""
    for hit in range(1, int(strike.value) + 1):
        stage.world.faults.arm(consult_point(strike.at), hit)


# F12, F35: names and calls.


def _token_restart(stage: Stage, strike: Strike) -> None:
    """The token store of a broker ends just when the sessions there start: what it told is lost."""
    house = stage.lives.house
    if house is None:
        return
    for cell in actors(house, f"/{CONNECTIONS}/{POOL}/{strike.at}"):
        if isinstance(cell.actor, TokenStore):
            cell.kill("a strike")
    for session in house.sessions_on(strike.at):
        stage.nursery.start_soon(stage.operator.do, partial(_restart, session))


async def _restart(session: str, house: House) -> None:
    await house.sessions.call(Sessions.restart, session)


def _call_the_dead(stage: Stage, strike: Strike) -> None:
    """Calls to one who never was, to one who dies, and to one who is being started again."""
    house = stage.lives.house
    if house is None:
        return
    trader = house.runtime.name(trader_name(strike.at), Trader)
    for target in (house.runtime.name("nobody", Trader), trader, trader.resolve()):
        if target is not None:
            stage.nursery.start_soon(_need_answer, target)
    if (living := trader.resolve()) is not None:
        living.kill("a strike")


async def _need_answer(target: Name[Trader] | Ref[Trader]) -> None:
    with trio.move_on_after(ANSWERED + FROZEN) as waited:
        with suppress(CallError):
            await target.call(Trader.statistics)
    if waited.cancelled_caught:
        raise NeverAnswered(f"a call to {target} had no answer after {ANSWERED + FROZEN:g} s")


# F22: slowness.


def _suspend(stage: Stage, strike: Strike) -> Undo | None:
    """An actor of a session stands still, and what is sent to it piles up."""
    house = stage.lives.house
    cell = None if house is None else chosen(actors(house, f"/{SESSIONS}/{POOL}/{strike.at}"), strike.value)
    if cell is None:
        return None
    try:
        suspend(cell.ref)
    except CallError:
        return None  # it is ending, and will not be held up

    def go_on() -> None:
        with suppress(CallError):  # it has ended meanwhile
            resume(cell.ref)

    return go_on


ACTORS: Final = (
    Kind(
        name="raise",
        row="F31",
        does="raises in one actor: before or after its next message, in a helper task, at its next start or end",
        place=Place.MACHINE,
        act=_raise,
        value=_exception,
        hourly=40,
    ),
    Kind(
        name="cancel",
        row="F33",
        does="cancels one actor at the n-th checkpoint of its work",
        place=Place.MACHINE,
        act=_cancel,
        value=_checkpoint,
        hourly=40,
    ),
    Kind(
        name="crash-storm",
        row="F32",
        does="every message ends the trader of a session",
        place=Place.SESSION,
        act=_storm,
        lasts=lasting(5, 40),
        hourly=6,
    ),
    Kind(
        name="poison",
        row="F34",
        does="what a strategy is told next ends its trader so many times in turn",
        place=Place.SESSION,
        act=_poison,
        value=lambda chance: str(chance.choice((1, 2, 3, 4))),
        hourly=12,
    ),
    Kind(
        name="token-restart",
        row="F12",
        does="ends the token store of a broker while the sessions on it start",
        place=Place.BROKER,
        act=_token_restart,
        hourly=12,
    ),
    Kind(
        name="call-the-dead",
        row="F35",
        does="calls actors that never were, that die, and that are being started",
        place=Place.SESSION,
        act=_call_the_dead,
        hourly=20,
    ),
    Kind(
        name="suspend",
        row="F22",
        does="holds an actor of a session still while the feed goes on",
        place=Place.SESSION,
        act=_suspend,
        value=_share,
        lasts=lasting(0.2, 20),
        hourly=30,
    ),
)
