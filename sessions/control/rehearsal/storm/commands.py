"""What an operator does, as strikes: sessions stopped, restarted and moved, the kill switch pulled and lifted."""

from functools import partial
from typing import Final

from brokers.account_manager import AccountManager
from sessions.control.api.deeds import Hands, move, reload_
from sessions.control.api.records import Move, Reload
from sessions.control.daemon.house import House
from sessions.control.rehearsal.storm.kinds import Kind, Place, Undo, lasting
from sessions.control.rehearsal.storm.operator import NAME
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.control.rehearsal.storm.stage import Stage
from sessions.risk.desk import RiskDesk
from sessions.session import account_name
from sessions.sessions import Sessions

ROW: Final = "command"


def _stop(stage: Stage, strike: Strike) -> Undo:
    operator, session = stage.operator, strike.at
    operator.stopped[session] = operator.stopped.get(session, 0) + 1

    async def stop(house: House) -> None:
        await house.sessions.call(Sessions.halt, session)

    def let_run() -> None:
        operator.stopped[session] -= 1  # the operator sees to it at the next look

    stage.nursery.start_soon(operator.do, stop)
    return let_run


def _restart(stage: Stage, strike: Strike) -> None:
    async def restart(house: House) -> None:
        await house.sessions.call(Sessions.restart, strike.at)

    stage.nursery.start_soon(stage.operator.do, restart)


def _pull(stage: Stage, strike: Strike) -> Undo:
    """The kill switch, for a while."""
    operator = stage.operator
    operator.pulled += 1
    method = {"halt": RiskDesk.halt, "cancel-only": RiskDesk.cancel_only, "flatten-all": RiskDesk.flatten}[strike.fault]

    async def pull(house: House) -> None:
        await house.risk.call(method, NAME, "a strike")

    def lift() -> None:
        operator.pulled -= 1

    stage.nursery.start_soon(operator.do, pull)
    return lift


def _flatten(stage: Stage, strike: Strike) -> None:
    async def flatten(house: House) -> None:
        await house.runtime.name(account_name(strike.at), AccountManager).call(AccountManager.flatten)

    stage.nursery.start_soon(stage.operator.do, flatten)


def _move(stage: Stage, strike: Strike) -> None:
    """To a broker that others trade at, flattened first where the value says so."""
    settings = stage.lives.settings
    how, share = strike.value.split()
    seats = list(dict.fromkeys((one.broker, one.account) for one in settings.sessions.values()))
    broker, account = seats[int(float(share) * len(seats))]
    command = Move(f"move {strike.at_ms}", strike.at, account, broker, flatten=how == "flatten")
    stage.nursery.start_soon(stage.operator.do, partial(_moved, stage, command))


async def _moved(stage: Stage, command: Move, house: House) -> None:
    await move(Hands(house, stage.lives.configuration), command)


def _reload(stage: Stage, strike: Strike) -> None:
    async def read_again(house: House) -> None:
        await reload_(Hands(house, stage.lives.configuration), Reload(f"reload {strike.at_ms}"))

    stage.nursery.start_soon(stage.operator.do, read_again)


def _pulls(name: str, does: str) -> Kind:
    return Kind(name=name, row=ROW, does=does, place=Place.MACHINE, act=_pull, lasts=lasting(1, 90), hourly=6)


COMMANDS: Final = (
    Kind(
        name="stop",
        row=ROW,
        does="stops a session, and starts it again later",
        place=Place.SESSION,
        act=_stop,
        lasts=lasting(1, 120),
        hourly=10,
    ),
    Kind(name="restart", row=ROW, does="restarts a session", place=Place.SESSION, act=_restart, hourly=12),
    _pulls("halt", "pulls the kill switch, and lifts it later"),
    _pulls("cancel-only", "lets strategies only cancel for a while"),
    _pulls("flatten-all", "has all sessions close what they hold, and trade again later"),
    Kind(
        name="flatten",
        row=ROW,
        does="closes what a session holds",
        place=Place.SESSION,
        act=_flatten,
        hourly=12,
    ),
    Kind(
        name="move",
        row=ROW,
        does="moves a session to where another one trades, flattened first or as it is",
        place=Place.SESSION,
        act=_move,
        value=lambda chance: f"{chance.choice(('flatten', 'as-is'))} {chance.random():.3f}",
        hourly=8,
    ),
    Kind(name="reload", row=ROW, does="reads the configuration again", place=Place.MACHINE, act=_reload, hourly=12),
)
