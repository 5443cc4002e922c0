"""What the daemon does when it is told: one function a command, each answers with a record or raises."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from brokers.account_books import AccountBooks, books_name
from brokers.guards.alerts import Alert
from brokers.reconciliation.resolve import Absent, Found
from config.settings import SessionSettings, Settings
from sessions.control.api import orders as operator
from sessions.control.api.errors import Refused
from sessions.control.api.records import (
    Arm,
    Backup,
    Cancel,
    Disarm,
    Done,
    Flatten,
    Halt,
    Modify,
    Move,
    Reload,
    Resolve,
    Restart,
    Resume,
    Shutdown,
    Start,
    Started,
    Stop,
    Submit,
)
from sessions.control.daemon.configuration import Configuration, by_hand, keep_by_hand, written
from sessions.control.daemon.connections import CONNECTIONS, Connections
from sessions.control.daemon.house import HEALTH, House
from sessions.control.daemon.plans import loaded
from sessions.control.daemon.reload import Reloaded, reload
from sessions.health import Health
from sessions.journal import Journal
from sessions.risk.desk import RiskDesk, RiskStatus
from sessions.sessions import Sessions, SessionStatus
from sessions.trader.causes import ALERTS

START_SECONDS: Final = 600.0
LONG_SECONDS: Final = 3_600.0
COPIED: Final = "entries are copied and checked"


@attrs.frozen(eq=False)
class Hands:
    """What commands work with."""

    house: House
    configuration: Configuration


# Sessions.


async def start(hands: Hands, command: Start) -> Done:
    """Has a session run, a new one too."""
    if command.new is not None:
        await _add(hands, command.session, command.new)
    with trio.fail_after(START_SECONDS):
        return _told(await hands.house.sessions.call(Sessions.start, command.session))


async def _add(hands: Hands, session: str, new: Started) -> None:
    house = hands.house
    if session in house.settings.sessions:
        raise Refused(409, "name_taken", f"a session {session!r} is configured", "choose another name, or start it")
    settings = _tried(hands, session, _table(new))
    await reload(house, settings)
    _keep(house, {**_by_hand(house), session: _table(new)})


def _table(new: Started) -> dict[str, Any]:
    params = dict(_parameter(word) for word in new.params)
    stated = attrs.asdict(new, filter=lambda field, _: field.name != "params")
    return {**stated, "params": params}


def _parameter(word: str) -> tuple[str, Any]:
    key, equals, text = word.partition("=")
    if not equals:
        raise Refused(400, "bad_request", f"expected KEY=VALUE, got {word!r}", "correct the parameter")
    return key, _value(text)


def _value(text: str) -> Any:
    """A whole number, true or false as such, anything else as text, which is how exact numbers are written."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text


def _tried(hands: Hands, session: str, table: Mapping[str, Any]) -> Settings:
    """The present settings with this session as the table has it; raises ConfigError, and nothing is changed."""
    house = hands.house
    kept = _by_hand(house)
    text = written({**kept, session: {**kept.get(session, {}), **table}})
    found: SessionSettings = _whole(hands, text).sessions[session]
    return attrs.evolve(house.settings, sessions={**house.settings.sessions, session: found})


def _whole(hands: Hands, by_hand: str | None = None) -> Settings:
    """The settings as the sources have them now; raises ConfigError."""
    house = hands.house
    return hands.configuration.whole(house.place, house.world.disk, by_hand).settings


def _by_hand(house: House) -> dict[str, Any]:
    return by_hand(house.place, house.world.disk)


def _keep(house: House, tables: Mapping[str, Mapping[str, Any]]) -> None:
    keep_by_hand(house.place, house.world.disk, tables)


async def stop(hands: Hands, command: Stop) -> Done:
    """Has a session stay down."""
    with trio.fail_after(START_SECONDS):
        return _told(await hands.house.sessions.call(Sessions.halt, command.session))


async def restart(hands: Hands, command: Restart) -> Done:
    """Starts a session anew."""
    with trio.fail_after(START_SECONDS):
        return _told(await hands.house.sessions.call(Sessions.restart, command.session))


async def reload_(hands: Hands, command: Reload) -> Reloaded | Done:
    """Reads the configuration again, or one session's strategy."""
    house = hands.house
    settings = _whole(hands)
    if command.session is None:
        return await reload(house, settings)
    if command.session not in settings.sessions:
        raise Refused(404, "unknown_session", f"no session {command.session!r} is configured", "see `pitboss sessions`")
    strategy, parameters = loaded(house, settings.sessions[command.session])
    with trio.fail_after(START_SECONDS):
        changed = await house.sessions.call(Sessions.reload, command.session, strategy, parameters)
    return Done(f"{command.session} goes on with its strategy read anew; changed: {', '.join(changed) or 'nothing'}")


async def move(hands: Hands, command: Move) -> Done:
    """Takes a session to another account; where that is refused all is as before."""
    house, tables = hands.house, _by_hand(hands.house)
    said = {"account": command.account, **({} if command.broker is None else {"broker": command.broker})}
    if command.session not in house.settings.sessions:
        raise Refused(404, "unknown_session", f"no session {command.session!r} is configured", "see `pitboss sessions`")
    before, house.settings = house.settings, _tried(hands, command.session, said)
    _keep(house, {**tables, command.session: {**tables.get(command.session, {}), **said}})
    try:
        with trio.fail_after(START_SECONDS):
            status = await house.sessions.call(Sessions.move, command.session, flatten=command.flatten)
            return Done(f"{status.session} is {status.condition.value} on account {command.account}")
    except BaseException:
        house.settings = before
        _keep(house, tables)
        raise


def _told(status: SessionStatus) -> Done:
    return Done(f"{status.session} is {status.condition.value}{f': {status.why}' if status.why else ''}")


# Orders.


async def submit(hands: Hands, command: Submit) -> Any:
    """Places an order for a session."""
    return await operator.submit(hands.house, command)


async def cancel(hands: Hands, command: Cancel) -> Any:
    """Asks for the end of an order."""
    return await operator.cancel(hands.house, command)


async def modify(hands: Hands, command: Modify) -> Any:
    """Asks for new terms of an order."""
    return await operator.modify(hands.house, command)


async def flatten(hands: Hands, command: Flatten) -> Any:
    """Closes what a session holds; without a session the switch is pulled and every session closes its own."""
    if command.session is not None:
        return await operator.flatten(hands.house, command.session)
    return _switched(await hands.house.risk.call(RiskDesk.flatten, command.by, command.reason))


async def resolve(hands: Hands, command: Resolve) -> Any:
    """Takes a person's word for an order in doubt."""
    house = hands.house
    broker = house.brokers.get(command.broker)
    if broker is None:
        raise Refused(404, "unknown_broker", f"no open broker is named {command.broker!r}", "see `pitboss brokers`")
    seen = Absent() if command.state is None else _found(command)
    books = house.runtime.name(books_name(broker.name, command.account), AccountBooks)
    return await books.call(AccountBooks.resolve, command.key, seen, command.by)


def _found(command: Resolve) -> Found:
    assert command.state is not None  # noqa: S101 - asked for only where there is one
    return Found(command.state, command.broker_order_id, command.filled, command.average_price)


# The switch and the second key.


async def halt(hands: Hands, command: Halt) -> Done:
    """Pulls the kill switch; that holds before anything is waited for."""
    method = RiskDesk.cancel_only if command.cancel_only else RiskDesk.halt
    return _switched(await hands.house.risk.call(method, command.by, command.reason))


async def resume(hands: Hands, command: Resume) -> Done:
    """Lifts the kill switch, or a day's loss that struck."""
    if command.session is None and not command.portfolio:
        return _switched(await hands.house.risk.call(RiskDesk.resume, command.by))
    return await _lift_loss(hands.house, command)


async def _lift_loss(house: House, command: Resume) -> Done:
    """Whoever lost too much today may take new risk again; the loss counts from nought."""
    session = None if command.portfolio else command.session
    if session is not None and session not in house.gate.sessions():
        raise Refused(409, "not_running", f"no session {session!r} runs", "see `pitboss sessions`")
    who = "the portfolio" if session is None else session
    if not house.gate.book(session).result.tripped:
        text = f"the daily loss of {who} did not strike; nothing was lifted"
        raise Refused(409, "nothing_to_lift", text, "see `pitboss status`")
    await house.risk.call(RiskDesk.lift_loss, session, command.by)
    house.keep_portfolio()
    return Done(f"{who} may take new risk once its books are known to agree; the day's loss counts from nought")


def _switched(status: RiskStatus) -> Done:
    switch = status.switch
    if switch.mark is None:
        return Done("trading is allowed; each session trades as soon as its books are known to agree")
    kept = "a restart would stay stopped" if switch.survives else f"a restart would not know: {switch.problem}"
    return Done(f"{switch.mark.mode.value} by {switch.mark.by} holds; {kept}")


async def arm(hands: Hands, command: Arm) -> Any:
    """Lets a live broker trade for a time, and opens it."""
    house = hands.house
    settings = house.settings.brokers.get(command.broker)
    if settings is None:
        raise _no_broker(command.broker)
    if not command.by.strip():
        raise Refused(400, "bad_request", "expected the name of the person who arms, got none", "say who you are")
    armed = await house.arms.arm(command.broker, settings, command.by, command.minutes)
    house.runtime.name(CONNECTIONS, Connections).cast(Connections.retry, command.broker)
    house.runtime.name(HEALTH, Health).cast(Health.look)
    _tell(house, "armed", command.broker, f"LIVE TRADING IS ARMED: {command.broker}, by {command.by}; it is real money")
    return armed


async def disarm(hands: Hands, command: Disarm) -> Done:
    """Takes the leave away at once: sessions there take no new risk, what is held can still be closed."""
    house = hands.house
    if command.broker not in house.arms.held.keys() | house.settings.brokers.keys():
        raise _no_broker(command.broker)
    await house.arms.disarm(command.broker, command.by)
    await house.runtime.name(HEALTH, Health).call(Health.look)
    _tell(house, "disarmed", command.broker, f"{command.broker} is not armed any more, by {command.by}")
    return Done(f"{command.broker} is not armed; its sessions take no new risk")


def _tell(house: House, cause: str, broker: str, text: str) -> None:
    """Tells a person, who reads the log, if nobody else."""
    now_ns = house.world.clock.wall_ns()
    house.runtime.topics.publish(ALERTS, Alert(cause, broker, text, 1, now_ns, now_ns))


def _no_broker(name: str) -> Refused:
    """A slip of the pen must not be told as done."""
    return Refused(404, "unknown_broker", f"no broker {name!r} is configured", "see `pitboss status`")


# The daemon.


async def backup(hands: Hands, command: Backup) -> Done:
    """Copies and verifies the journal."""
    target = Path(command.folder)
    if not target.is_absolute():
        raise Refused(400, "bad_request", f"expected an absolute path, got {command.folder!r}", "give the whole path")
    journal = hands.house.journal
    entries = (await journal.call(Journal.statistics)).seq
    with trio.fail_after(LONG_SECONDS), hands.house.works.begin(command.id, COPIED, entries) as advance:
        head = await journal.call(Journal.backup, target, advance)
    return Done(f"{head.seq} entries are in {target}, verified")


async def shutdown(hands: Hands, command: Shutdown) -> Done:
    """Ends the daemon, once this is answered."""
    hands.house.end(f"shutdown by {command.by}", command.drain_s)
    return Done("the daemon ends")


Deed = Callable[[Hands, Any], Any]

DEEDS: Final[Mapping[type[Any], Deed]] = {
    Start: start,
    Stop: stop,
    Restart: restart,
    Reload: reload_,
    Move: move,
    Submit: submit,
    Cancel: cancel,
    Modify: modify,
    Flatten: flatten,
    Halt: halt,
    Resume: resume,
    Resolve: resolve,
    Arm: arm,
    Disarm: disarm,
    Backup: backup,
    Shutdown: shutdown,
}
URGENT: Final = frozenset({Halt, Flatten, Cancel, Disarm, Shutdown})  # what stops must not wait for the journal
