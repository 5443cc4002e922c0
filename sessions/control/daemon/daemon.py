"""The daemon's life: lock, tree, signals, service manager, drain; one function from the first to the last moment."""

import signal
from collections.abc import Callable
from functools import partial
from typing import Final, TextIO, cast

import attrs
import trio

from brokers.catalogue import Catalogue
from brokers.vault import Keyholder
from config.reading import ConfigError
from config.settings import DaemonSettings, Folders, Settings
from runtime import Child, Runtime, SupervisorRef, open_runtime
from runtime.logs import log_events, open_log
from runtime.wire.log_guard import guard_logs
from runtime.wire.redaction import Redactor
from runtime.world import World
from sessions.control.api.control import CONTROL, Control
from sessions.control.daemon import notify
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.connections import brokers_tried
from sessions.control.daemon.drain import drain, keep_switch
from sessions.control.daemon.house import TREE, House, make_house
from sessions.control.daemon.log_file import DaemonLog
from sessions.control.daemon.machine import THIS_MACHINE, Machine
from sessions.control.daemon.news_log import log_news
from sessions.control.daemon.notify import ServiceManager
from sessions.control.daemon.reload import reload
from sessions.control.daemon.tree import daemon_tree
from sessions.journal import Chain
from sessions.strategy import StrategyError
from sessions.trader.history import HISTORY

AUDIT_KEY_FILE: Final = "audit.key"
_KEY_BYTES: Final = 32
_MIB: Final = 1 << 20
_LATE_SECONDS: Final = 1.0  # a loop that is later than this is not called alive
FINE, BROKEN = 0, 1  # exit codes
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@attrs.frozen(eq=False)
class Daemon:
    """What a daemon is started with; the folders are there, checked and held by this process alone.

    say       told one sentence at each turn of its life
    signals   whether this process's signals are for it; a rehearsal has none
    """

    world: World
    configuration: Configuration
    settings: Settings
    place: Folders
    keys: Keyholder
    manager: ServiceManager = ServiceManager(None, None)  # noqa: RUF009 - frozen
    say: Callable[[str], None] = lambda _: None
    signals: bool = False
    machine: Machine = THIS_MACHINE


async def run_daemon(daemon: Daemon, *, task_status: trio.TaskStatus[House] = trio.TASK_STATUS_IGNORED) -> int:
    """Runs until it is told to end, and returns the exit code; raises StartFailed when it cannot start."""
    redactor = Redactor()
    unguard = guard_logs(redactor)
    log = _log_file(daemon, redactor)
    try:
        async with open_runtime(daemon.world) as runtime:
            logging = _Logging(runtime, log)
            house = _house(daemon, runtime, redactor, logging)
            leave_history = runtime.topics.attach(HISTORY, house.works.hear)
            try:
                return await _live(daemon, house, task_status)
            finally:
                leave_history()
                logging.leave_news()  # the runtime's own events are heard until its very end
    finally:
        log.close()
        unguard()


async def _live(daemon: Daemon, house: House, task_status: trio.TaskStatus[House]) -> int:
    control = Child(CONTROL, lambda: Control(house, daemon.configuration), name=CONTROL)
    tree = await house.runtime.start(daemon_tree(house, control), TREE)
    async with trio.open_nursery() as nursery:
        if daemon.signals:
            await nursery.start(_obey, daemon, house)
        nursery.start_soon(_watch, house, tree)
        nursery.start_soon(_beat, daemon.manager)
        await _begun(house)
        daemon.manager.tell(notify.ready(f"{len(house.settings.sessions)} sessions configured"))
        daemon.say(f"ready; control socket {house.socket}")
        task_status.started(house)
        await house.wished.wait()
        await _leave(daemon, house)
        nursery.cancel_scope.cancel(reason="the daemon ends")
    return FINE if tree.cell().exit is None else BROKEN


async def _begun(house: House) -> None:
    """Returns when every broker was tried once, or somebody wants the end before; people are answered meanwhile."""
    async with trio.open_nursery() as nursery:

        async def end() -> None:
            await house.wished.wait()
            nursery.cancel_scope.cancel(reason="the daemon ends")

        nursery.start_soon(end)
        await brokers_tried(house.runtime)
        nursery.cancel_scope.cancel(reason="the brokers were tried")


async def _leave(daemon: Daemon, house: House) -> None:
    assert house.wish is not None  # noqa: S101 - whoever wishes says why
    daemon.manager.tell(notify.stopping(house.wish.why))
    daemon.say(f"ends: {house.wish.why}")
    seconds = house.settings.daemon.drain_s if house.wish.drain_s is None else house.wish.drain_s
    await keep_switch(house)
    if left := await drain(house, seconds):
        daemon.say(f"{len(left)} orders are in doubt and will be looked up at the next start: {', '.join(left)}")


async def _watch(house: House, tree: SupervisorRef) -> None:
    """A tree that gave up ends the daemon; whoever supervises the process starts it again."""
    reason = await tree.ended()
    house.end(f"the tree ended: {reason}", 0)


async def _beat(manager: ServiceManager) -> None:
    """Tells the service manager that the event loop turns, unless it turns too late."""
    if manager.watchdog_s is None:
        return
    pause = manager.watchdog_s / 2
    while True:
        due = trio.current_time() + pause
        await trio.sleep_until(due)
        if trio.current_time() - due < _LATE_SECONDS:
            manager.tell(notify.WATCHDOG)


# Signals.


async def _obey(daemon: Daemon, house: House, task_status: trio.TaskStatus[None]) -> None:
    """TERM and INT end the daemon, INT again at once; HUP reloads; USR1 pulls the kill switch."""
    before = signal.signal(signal.SIGUSR1, house.switch.on_signal)
    try:
        with trio.open_signal_receiver(*SIGNALS) as received:
            task_status.started()
            async for number in received:
                if number == signal.SIGHUP:
                    await _reload(daemon, house)
                else:
                    again = number == signal.SIGINT and house.wish is not None
                    house.end(f"signal {signal.Signals(number).name}", 0 if again else None)
    finally:
        signal.signal(signal.SIGUSR1, before)


async def _reload(daemon: Daemon, house: House) -> None:
    daemon.manager.tell(notify.reloading(house.world.clock.monotonic_ns()))
    try:
        done = await reload(house, daemon.configuration.whole(house.place, daemon.world.disk).settings)
    except (ConfigError, StrategyError, OSError) as error:
        daemon.say(f"the settings were not reloaded, all goes on as before: {error}")
    else:
        daemon.say(f"reloaded: {done}")
    daemon.manager.tell(notify.ready("reloaded"))


# The parts.


def _house(daemon: Daemon, runtime: Runtime, redactor: Redactor, logging: "_Logging") -> House:
    chain, is_new = _chain(daemon)
    house = make_house(
        runtime,
        daemon.settings,
        daemon.place,
        chain=chain,
        redactor=redactor,
        log=logging.log,
        keys=daemon.keys,
        catalogue=Catalogue.shipped(),
        machine=daemon.machine,
    )
    if is_new:
        house.switch.permit("the first start of this state folder")
    house.applied = partial(_relog, logging)
    house.apply()
    return house


def _chain(daemon: Daemon) -> tuple[Chain, bool]:
    """The journal's hash chain under the key of this state folder, and whether the folder was new."""
    path, disk = daemon.place.state / AUDIT_KEY_FILE, daemon.world.disk
    try:
        return Chain(disk.read(path)), False
    except FileNotFoundError:
        key = daemon.machine.entropy(_KEY_BYTES)
        disk.write(path, key)
        return Chain(key), True


def _log_file(daemon: Daemon, redactor: Redactor) -> DaemonLog:
    said = daemon.settings.daemon
    return daemon.machine.open_log(
        daemon.place.state / "logs", redactor, size=said.log_size_mib * _MIB, files=said.log_files
    )


@attrs.define(eq=False)
class _Logging:
    """How the runtime's events, and news for people, come into the log."""

    runtime: Runtime
    log: DaemonLog
    leave_events: Callable[[], None] = lambda: None
    leave_news: Callable[[], None] = lambda: None


def _relog(logging: _Logging, settings: DaemonSettings) -> None:
    """Logs as the settings say from now on."""
    logging.leave_events()
    logging.leave_news()
    logging.log.bound(settings.log_size_mib * _MIB, settings.log_files)
    stream = cast("TextIO", logging.log)
    stamp = logging.runtime.world.clock.wall_ns
    logger = open_log(stream, stamp, json=settings.log_format == "json", level=settings.log_level)
    logging.leave_events = log_events(logging.runtime, logger)
    logging.leave_news = log_news(logging.runtime, logger)
