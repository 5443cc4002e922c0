"""The tree of a daemon, in the order in which it starts; what falls takes with it what came after."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from brokers.vault import Vault
from config.settings.sections import HealthSettings
from config.settings.sessions import NONE, SAME
from runtime import Actor, Child, DynamicSupervisor, Strategy, Supervisor
from sessions.control.daemon.connections import CONNECTIONS, Connections, brokers_tried
from sessions.control.daemon.curve import CURVE, Curve
from sessions.control.daemon.house import (
    HEAD_FILE,
    HEALTH,
    JOURNAL,
    POOL,
    RISK,
    SESSIONS,
    VAULT,
    VAULT_FILE,
    House,
    pool_name,
)
from sessions.control.daemon.months import Months
from sessions.control.daemon.plans import session_plan
from sessions.health import Health, Seat, Watched
from sessions.journal import Journal, JournalSettings
from sessions.risk.desk import RiskDesk
from sessions.sessions import JournalDesired, Sessions

KEEPER: Final = "keeper"
JOURNAL_SECONDS: Final = 120.0  # to verify the end of a long journal


def daemon_tree(house: House, control: Child[Any]) -> Supervisor:
    """The whole daemon; `control` is its face."""
    return Supervisor(
        [
            Child("journal", lambda: _journal(house), name=JOURNAL, start_limit=JOURNAL_SECONDS),
            Child("vault", lambda: _vault(house), name=VAULT),
            Child("risk", lambda: RiskDesk(house.gate, house.switch), name=RISK),
            _branch(CONNECTIONS, Child("opener", lambda: Connections(house), name=CONNECTIONS)),
            _branch(SESSIONS, Child(KEEPER, lambda: _keeper(house), name=SESSIONS)),
            Child(HEALTH, lambda: Health(_watched(house)), name=HEALTH),
            Child("months", lambda: Months(house)),
            Child(CURVE, lambda: Curve(house), name=CURVE),
            control,
        ],
        strategy=Strategy.REST_FOR_ONE,
    )


class Signpost(Actor):
    """Registers the pool beside it, which as a supervisor cannot do that itself."""

    def __init__(self, branch: str) -> None:
        self.branch = branch

    async def on_start(self) -> None:
        """The pool is up: it stands before this one, and outlives it."""
        above = self.ref.cell().parent
        assert above is not None  # noqa: S101 - it stands in a branch
        pool = above.ref.supervisor(POOL)
        if self.runtime.registry.whereis(pool_name(self.branch)) is not pool:
            self.runtime.registry.register(pool_name(self.branch), pool)


def _branch(name: str, keeper: Child[Any]) -> Child[Any]:
    """Children that come and go, and the one that has them come and go."""
    children = [Child(POOL, DynamicSupervisor()), Child("signpost", lambda: Signpost(name)), keeper]
    return Child(name, Supervisor(children, strategy=Strategy.REST_FOR_ONE))


def journal_settings(house: House) -> JournalSettings:
    """Where the journal lies."""
    stated = house.settings.journal.folder
    folder = house.place.state / "journal" if stated is None else Path(stated).expanduser()
    return JournalSettings(folder, house.place.state / HEAD_FILE)


def _journal(house: House) -> Journal:
    return Journal(journal_settings(house), house.chain, unwritten=house.unwritten)


def _vault(house: House) -> Vault:
    machine = house.machine
    return Vault(house.place.state / VAULT_FILE, house.keys, machine.entropy, machine.guard, machine.alone)


def _keeper(house: House) -> Sessions:
    configured = {name: one.autostart for name, one in house.settings.sessions.items()}
    desired = JournalDesired(house.journal, house.world)
    return Sessions(
        house.pool(SESSIONS),
        configured,
        lambda session: session_plan(house, session),
        house.gate,
        desired,
        lambda session: brokers_tried(house.runtime, *_brokers_of(house, session)),
    )


def _brokers_of(house: House, session: str) -> set[str]:
    settings = house.settings.sessions[session]
    return {settings.broker, settings.data} - {NONE, SAME}


def _watched(house: House) -> Watched:
    def settings() -> HealthSettings:
        return house.settings.health

    def sessions() -> Mapping[str, Seat]:
        return {name: _seat(house, name) for name in _running(house)}

    def unarmed() -> frozenset[str]:
        return frozenset(name for name in _running(house) if not _is_armed(house, name))

    def disarms() -> int | None:
        return house.arms.ends_ns(house.settings.brokers)

    def free() -> int:
        return house.machine.free(house.place.state)

    return Watched(house.journal, house.risk, settings, sessions, unarmed, disarms, free, house.keep_portfolio)


def _running(house: House) -> list[str]:
    """The sessions that are seated and configured."""
    return [name for name in house.gate.sessions() if name in house.settings.sessions]


def _seat(house: House, session: str) -> Seat:
    settings = house.settings.sessions[session]
    return Seat(house.brokers.get(settings.broker), settings.account, settings.data != NONE)


def _is_armed(house: House, session: str) -> bool:
    broker = house.settings.sessions[session].broker
    settings = house.settings.brokers.get(broker)
    return settings is not None and house.arms.permits(broker, settings)
