"""What outlives the actors of a daemon: settings, risk gate, kill switch, opened brokers, the log and its redactor."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs
import trio

from brokers.broker import Broker
from brokers.catalogue import Catalogue
from brokers.vault import Keyholder, Vault
from config.settings import DaemonSettings, Folders, SessionSettings, Settings
from runtime import Name, Runtime, SupervisorRef
from runtime.errors import NotFound
from runtime.registry import Keys, Registry
from runtime.wire.redaction import Redactor
from runtime.world import World
from sessions.control.daemon.arming import STREAM as ARMING
from sessions.control.daemon.arming import Arms
from sessions.control.daemon.log_file import DaemonLog
from sessions.control.daemon.machine import Machine
from sessions.control.daemon.memory import JournalStream
from sessions.control.daemon.risk_limits import portfolio_limits
from sessions.control.daemon.works import Works
from sessions.journal import Chain, Journal, Unwritten
from sessions.risk.book import Snapshot
from sessions.risk.desk import RiskDesk
from sessions.risk.gate import RiskGate
from sessions.risk.kill_switch import KillSwitch
from sessions.sessions import Sessions
from sessions.version import VERSION

TREE: Final = "pitboss"
JOURNAL, VAULT, RISK, SESSIONS, HEALTH = "journal", "vault", "risk", "sessions", "health"  # names in the registry
POOL: Final = "pool"
PORTFOLIO_FILE: Final = "portfolio.json"
HEAD_FILE: Final = "journal.head"
VAULT_FILE: Final = "vault.pitboss"
SOCKET_FILE: Final = "pitboss.sock"


def pool_name(branch: str) -> tuple[str, str]:
    """Under which name a branch's dynamic supervisor is registered."""
    return (branch, POOL)


def refresh_name(broker: str) -> tuple[str, str]:
    """Under which name the refresh of a configured broker's instruments is registered; logins have one each."""
    return (broker, "symbol-refresh")


@attrs.frozen
class Wish:
    """Why the daemon shall end, and within which time; None: as configured."""

    why: str
    drain_s: float | None = None


@attrs.define(eq=False)
class House:
    """One daemon's belongings; `brokers` holds those that are open, by their names in the configuration."""

    runtime: Runtime
    settings: Settings
    place: Folders
    chain: Chain
    redactor: Redactor
    log: DaemonLog
    keys: Keyholder
    catalogue: Catalogue
    machine: Machine
    switch: KillSwitch
    gate: RiskGate
    arms: Arms
    version: str
    started_ns: int
    streams: Registry = attrs.field(factory=lambda: Registry(Keys.DUPLICATE))
    brokers: dict[str, Broker] = attrs.field(factory=dict)
    works: Works = attrs.field(factory=Works)
    unwritten: Unwritten = attrs.field(factory=Unwritten)
    epoch: int = 0
    wish: Wish | None = None
    wished: trio.Event = attrs.field(factory=trio.Event)
    applied: Callable[[DaemonSettings], None] = lambda _: None

    @property
    def world(self) -> World:
        """Clock, chance, network, disk, threads."""
        return self.runtime.world

    @property
    def journal(self) -> Name[Journal]:
        """The journal."""
        return self.runtime.name(JOURNAL, Journal)

    @property
    def vault(self) -> Name[Vault]:
        """The vault."""
        return self.runtime.name(VAULT, Vault)

    @property
    def risk(self) -> Name[RiskDesk]:
        """The risk desk."""
        return self.runtime.name(RISK, RiskDesk)

    @property
    def sessions(self) -> Name[Sessions]:
        """The keeper of the sessions."""
        return self.runtime.name(SESSIONS, Sessions)

    @property
    def socket(self) -> Path:
        """Where the control interface listens."""
        return self.place.runtime / SOCKET_FILE

    def branch(self, name: str) -> SupervisorRef:
        """A supervisor right below the top; raises NotFound."""
        return self.runtime.root.ref.supervisor(TREE).supervisor(name)

    def pool(self, branch: str) -> SupervisorRef:
        """The dynamic supervisor of a branch, also while the tree is still being started; raises NotFound."""
        found = self.runtime.registry.whereis(pool_name(branch))
        if not isinstance(found, SupervisorRef):
            raise NotFound(f"{TREE}/{branch}", POOL)
        return found

    def sessions_on(self, broker: str) -> Mapping[str, SessionSettings]:
        """The sessions that trade at a broker or take its prices."""
        return {name: one for name, one in self.settings.sessions.items() if broker in (one.broker, one.data)}

    @property
    def hurries(self) -> bool:
        """Whether somebody wants the end without any wait."""
        return self.wish is not None and self.wish.drain_s == 0

    def end(self, why: str, drain_s: float | None = None) -> None:
        """Has the daemon end; the first reason counts, and a shorter time."""
        if self.wish is None:
            self.wish = Wish(why, drain_s)
        elif drain_s is not None:
            self.wish = attrs.evolve(self.wish, drain_s=drain_s)
        self.wished.set()

    def apply(self) -> None:
        """Takes up those settings of the process that need no restart."""
        self.arms.minutes = self.settings.daemon.arming_minutes
        self.applied(self.settings.daemon)

    def keep_portfolio(self) -> None:
        """Keeps the book of all sessions together, so that a day's loss survives a restart; raises OSError."""
        self.world.disk.write(self.place.state / PORTFOLIO_FILE, self.gate.book(None).snapshot().to_json().encode())


def make_house(
    runtime: Runtime,
    settings: Settings,
    place: Folders,
    *,
    chain: Chain,
    redactor: Redactor,
    log: DaemonLog,
    keys: Keyholder,
    catalogue: Catalogue,
    machine: Machine,
) -> House:
    """Puts the belongings together; nothing is opened yet. Raises OSError."""
    world = runtime.world
    switch = KillSwitch(world.disk, world.clock, place.state)
    kept = _kept_portfolio(world, place)
    gate = RiskGate(portfolio_limits(settings.risk), switch, catalogue.calendars.by_name, kept=kept)
    stream = JournalStream(runtime.name(JOURNAL, Journal), world, ARMING)
    return House(
        runtime=runtime,
        settings=settings,
        place=place,
        chain=chain,
        redactor=redactor,
        log=log,
        keys=keys,
        catalogue=catalogue,
        machine=machine,
        switch=switch,
        gate=gate,
        arms=Arms(stream, VERSION, settings.daemon.arming_minutes),
        version=VERSION,
        started_ns=world.clock.wall_ns(),
    )


def _kept_portfolio(world: World, place: Folders) -> Snapshot | None:
    try:
        return Snapshot.from_json(world.disk.read(place.state / PORTFOLIO_FILE).decode())
    except FileNotFoundError:
        return None
