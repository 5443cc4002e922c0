"""Other settings for a running daemon: only what they change is touched, and what cannot be used changes nothing."""

import contextlib

import attrs
import trio

from config.lines import Path
from config.settings import Changes, Settings, diff
from runtime.errors import NotFound
from sessions.control.daemon.connections import CONNECTIONS, Connections
from sessions.control.daemon.house import SESSIONS, House
from sessions.control.daemon.plans import loaded
from sessions.control.daemon.tree import KEEPER

CLOSE_SECONDS = 120.0


@attrs.frozen
class Reloaded:
    """What a reload did; `waiting` are the keys that the next start takes up."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    restarted: tuple[str, ...]
    brokers: tuple[str, ...]
    keys: tuple[str, ...]
    waiting: tuple[str, ...]

    def __str__(self) -> str:
        """A sentence for the log."""
        told = [
            f"{field.name} {', '.join(names)}"
            for field in attrs.fields(Reloaded)
            if (names := getattr(self, field.name))
        ]
        return "; ".join(told) or "nothing has changed"


async def reload(house: House, settings: Settings) -> Reloaded:
    """Goes over to other settings; raises StrategyError before anything is changed."""
    changes = diff(house.settings, settings)
    for session in settings.sessions.values():
        loaded(house, session)
    if changes:
        await _apply(house, settings, changes)
    return _told(changes)


async def _apply(house: House, settings: Settings, changes: Changes) -> None:
    """The keeper of the sessions rests meanwhile; when it starts again it takes up what runs and starts the rest."""
    with trio.CancelScope(shield=True):  # half a reload would be no state that anybody asked for
        await house.branch(SESSIONS).terminate_child(KEEPER)
        for session in (*changes.sessions.removed, *changes.restarts):
            with contextlib.suppress(NotFound):
                await house.pool(SESSIONS).terminate_child(session)
        house.settings = settings
        house.apply()
        if changes.brokers != type(changes.brokers)():
            with trio.move_on_after(CLOSE_SECONDS):
                await house.runtime.name(CONNECTIONS, Connections).call(Connections.reconfigure)
        await house.branch(SESSIONS).restart_child(KEEPER)


def _told(changes: Changes) -> Reloaded:
    brokers = changes.brokers
    waiting = (*changes.waiting, *(key for key in changes.keys if key[0] == "risk"))
    return Reloaded(
        added=changes.sessions.added,
        removed=changes.sessions.removed,
        restarted=changes.restarts,
        brokers=(*brokers.added, *brokers.removed, *brokers.changed),
        keys=tuple(map(_dotted, changes.keys)),
        waiting=tuple(map(_dotted, waiting)),
    )


def _dotted(key: Path) -> str:
    return ".".join(key)
