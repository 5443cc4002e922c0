"""One configured broker opened: its settings in the words of its room, and its actors below a supervisor of its own."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from brokers.broker import Broker
from brokers.capability import Environment
from brokers.catalogue import Catalogue
from brokers.guards.events import PauseBegan
from brokers.guards.memory import Kept
from brokers.guards.pauses import HOST
from brokers.guards.skew import ClockMoved, Skew
from brokers.guards.timeline import SECOND_NS, Timeline
from brokers.listing import BrokerPlan, broker_plan
from brokers.paper import PaperAccount, PaperFaults, PaperSettings
from brokers.symbol_refresh import kept_table
from brokers.vault.shelf import VaultShelf
from config.settings import BrokerSettings, PaperMarket
from runtime import Backoff, Child, DynamicSupervisor, Ref, Runtime, Supervisor, SupervisorRef
from runtime.wire.capture import Recorder
from sessions.connection_watch import connection_watch, tell_watch, watch_name
from sessions.control.daemon.guard_memory import guard_stream, note, remembered
from sessions.control.daemon.house import HEALTH, House, refresh_name
from sessions.control.daemon.memory import JournalStream
from sessions.health import Health
from sessions.journal import Journal, JournalCapture
from sessions.order_journal import JournalOrderLog

_RESTARTS: Final = Backoff(first=0.1, most=15)
KIB: Final = 1024


class LeftAlone(Exception):
    """A broker that wants to hear nothing from us for a while is not even asked for its accounts before that."""

    def __init__(self, broker: str, pause: PauseBegan) -> None:
        self.left_s = (pause.until_ns - pause.at_ns) / SECOND_NS
        super().__init__(
            f"{broker} wants to be left alone for {self.left_s:.0f} s more ({pause.reason}); nothing was sent, and its "
            "connection is opened then"
        )


class Grounds(Runtime):
    """The runtime as one connection sees it: what it starts stands below that connection's supervisor."""

    def __init__(self, runtime: Runtime, under: SupervisorRef) -> None:
        self.__dict__.update(runtime.__dict__)
        self._under = under

    async def start(  # type: ignore[override]  # one form for both of its overloads
        self, child: Child[Any] | Supervisor | DynamicSupervisor, name: str = "main"
    ) -> Ref[Any] | None:
        """Starts a part of the connection, and has it started again when it fails; raises StartFailed."""
        if not isinstance(child, Child):
            child = Child(name, child, backoff=_RESTARTS)
        return await self._under.start_child(child)


async def open_broker(house: House, name: str, settings: BrokerSettings, under: SupervisorRef) -> Broker:
    """Opens a broker below a supervisor; raises LeftAlone, UnknownBroker, BadPlan, StartFailed, and what it names."""
    plan = broker_plan(settings.kind)
    stream = guard_stream(house.journal, house.world, name)
    guards = await remembered(stream)
    stand = guards.standing(Timeline(house.world.clock).now_ns())
    for event in stand:
        if isinstance(event, PauseBegan) and event.category == HOST:
            raise LeftAlone(name, event)
    tell = _tells(house, name, tell_watch(house.runtime, plan.name), stream)
    offered = {**_offers(house, name, plan), "recorder": await _recorder(house, name), "guards": guards, "tell": tell}
    taken = inspect.signature(plan.open).parameters
    grounds = Grounds(house.runtime, under)
    if house.runtime.registry.whereis(watch_name(plan.name)) is None:  # two logins of a broker share its watch
        await grounds.start(connection_watch(plan.name))
    for event in stand:
        tell_watch(house.runtime, plan.name)(event)  # it is in the journal already
    broker: Broker = await plan.open(
        grounds,
        settings_of(plan, settings),
        **{key: value for key, value in offered.items() if key in taken},
    )
    if broker.orders is not None:
        await grounds.start(broker.connection_check(tell, house.settings.health.check_s))
    if broker.feed is not None and settings.market is None:  # a market of our own has the facts from us
        await grounds.start(broker.symbol_refresh(_symbols_file(house, name), name=refresh_name(name)))
    return broker


def _tells(house: House, name: str, watch: Callable[[object], None], stream: JournalStream) -> Callable[[object], None]:
    """What takes the news of a connection: the journal what the next daemon must know, the watch everything.

    With a clock that is far off nothing is traded live before a person has looked (S60).
    """

    def tell(news: object) -> None:
        if isinstance(news, Kept):
            note(stream, news)
        elif isinstance(news, ClockMoved) and news.skew is Skew.FAR and house.arms.withdraw(name, "the clock is off"):
            house.runtime.name(HEALTH, Health).cast(Health.look)
        watch(news)

    return tell


def _symbols_file(house: House, name: str) -> Path:
    """What the broker told last of what it trades."""
    return house.place.state / f"{name}.symbols.toml"


def _catalogue(house: House, name: str) -> Catalogue:
    """A catalogue of its own: what one broker says of a contract's margin is no news about another's."""
    table = kept_table(house.world.disk, _symbols_file(house, name), house.catalogue.table)
    return attrs.evolve(house.catalogue, table=table)


async def _recorder(house: House, name: str) -> Recorder | None:
    """What keeps the requests and answers of a broker in the journal, unless the settings say no."""
    said = house.settings.journal
    if not said.capture:
        return None
    writer = await house.journal.call(Journal.handle)
    clock = house.world.clock
    return Recorder(
        name,
        clock,
        house.redactor,
        JournalCapture(writer.note, clock, house.unwritten),
        kept_bytes=said.capture_kib * KIB,
        heard=False,
    )


def _offers(house: House, name: str, plan: BrokerPlan) -> Mapping[str, Any]:
    """What a daemon has for its brokers; each takes what it has a parameter for."""
    market = house.machine.market
    return {
        "name": name,
        "recording": None if market is None else market(house.world.clock.wall_ns()),
        "catalogue": _catalogue(house, name),
        "store": house.place.state / f"{name}.jsonl",
        "logs": lambda account: JournalOrderLog(house.journal, plan.name, account, house.world),
        "shelf": VaultShelf(house.vault),
        "streams": house.streams,
        "redactor": house.redactor,
    }


def settings_of(plan: BrokerPlan, settings: BrokerSettings) -> Any:
    """The settings of a broker's own kind; a host of the configuration goes to the field of its name."""
    if settings.market is not None:
        return _paper(settings, settings.market)
    said = {
        "login": settings.login,
        "environment": Environment(settings.environment),
        "accounts": settings.accounts,
        "activity": True,  # a daemon has people to tell what happens in their accounts by whatever hand
        "emulated": bool(settings.hosts),
        "acts_within_ns": None if settings.acts_within_ms is None else settings.acts_within_ms * 1_000_000,
    }
    known = {field.alias: field.default for field in attrs.fields(plan.settings)}
    hosts = {key: f"{_scheme(known.get(key))}://{host}" for key, host in settings.hosts.items()}
    return plan.settings(**{key: value for key, value in {**said, **hosts}.items() if key in known})


def _scheme(usual: object) -> str:
    """An emulator speaks without TLS; whether over HTTP or a WebSocket, the usual address of that host tells."""
    return "ws" if str(usual).startswith("wss:") else "http"


def _paper(settings: BrokerSettings, market: PaperMarket) -> PaperSettings:
    faults = market.faults
    return PaperSettings(
        symbols=market.symbols,
        accounts=tuple(PaperAccount(account, market.currency, market.deposit) for account in settings.accounts),
        faults=PaperFaults(
            reject=float(faults.reject),
            thin=float(faults.thin),
            slow_ack=float(faults.slow_ack),
            slow_ack_ns=faults.slow_ack_ms * 1_000_000,
            disconnects_per_hour=float(faults.disconnects_per_hour),
            disconnect_ns=faults.disconnect_ms * 1_000_000,
        ),
        seed=market.seed,
    )
