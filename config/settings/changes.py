"""What differs between two settings, so that a reload restarts only what changed."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from config.lines import Path
from config.settings.schema import Settings, field_at, fields, named_record_of, needs_restart, record_of
from config.settings.sessions import SessionSettings


@attrs.frozen
class Names:
    """What happened to the names of one kind."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@attrs.frozen
class Changes:
    """The difference of two settings.

    keys      every key of a section that changed; `waiting` are those that need a restart of the daemon
    affected  sessions whose own settings are the same and whose broker or data source came, went or changed
    """

    keys: tuple[Path, ...] = ()
    waiting: tuple[Path, ...] = ()
    brokers: Names = Names()
    sessions: Names = Names()
    affected: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Changes()

    @property
    def restarts(self) -> tuple[str, ...]:
        """The sessions that were there before and must start anew."""
        return (*self.sessions.changed, *self.affected)


def diff(old: Settings, new: Settings) -> Changes:
    """What a change from the old settings to the new ones means."""
    keys = tuple(_changed_keys(old, new, ()))
    brokers, sessions = _names(old.brokers, new.brokers), _names(old.sessions, new.sessions)
    touched = {*brokers.added, *brokers.removed, *brokers.changed}
    steady = (name for name in new.sessions if old.sessions.get(name) == new.sessions[name])
    return Changes(
        keys=keys,
        waiting=tuple(key for key in keys if _waits(key)),
        brokers=brokers,
        sessions=sessions,
        affected=tuple(name for name in steady if _uses(new.sessions[name], touched)),
    )


def _changed_keys(old: Any, new: Any, path: Path) -> Iterator[Path]:
    for key, field in fields(type(old)).items():
        before, after = getattr(old, key), getattr(new, key)
        if before == after or named_record_of(field) is not None:
            continue
        if record_of(field) is not None:
            yield from _changed_keys(before, after, (*path, key))
        else:
            yield (*path, key)


def _waits(key: Path) -> bool:
    field = field_at(key)
    return field is not None and needs_restart(field)


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> Names:
    return Names(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in new if name in old and old[name] != new[name]),
    )


def _uses(session: SessionSettings, brokers: set[str]) -> bool:
    return not brokers.isdisjoint((session.broker, session.data))
