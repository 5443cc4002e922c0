"""Names of actors: unique or duplicate keys with values, exact at every moment.

An owner's keys are free before anybody hears of its end, so a restarted actor never meets its own old name, and
nobody resolves a name to a dead actor.
"""

import enum
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from runtime.cell import Cell
from runtime.errors import ActorError, InvalidSpec, NameTaken, NotTheOwner
from runtime.reasons import Reason
from runtime.ref import Ref


class Keys(enum.Enum):
    """Whether a key has one owner or many."""

    UNIQUE = "unique"
    DUPLICATE = "duplicate"


@attrs.frozen(eq=False)
class Entry:
    """One registration."""

    key: Any
    owner: Ref[Any]
    value: Any


@attrs.frozen
class Registered:
    """Told to listeners: a key got an owner."""

    key: Any
    owner: Ref[Any]
    value: Any


@attrs.frozen
class Unregistered:
    """Told to listeners: an owner let go of a key, by its end when `reason` is given."""

    key: Any
    owner: Ref[Any]
    reason: Reason | None


Listener = Callable[[Registered | Unregistered], None]


@attrs.frozen
class RegistryStatistics:
    """One moment of a registry."""

    keys: int
    entries: int
    waiting: int


class Registry:
    """A table of keys and owners; every operation is immediate except wait_for and lock."""

    def __init__(self, keys: Keys = Keys.UNIQUE, metadata: dict[Hashable, Any] | None = None) -> None:
        if not isinstance(keys, Keys):
            raise InvalidSpec("Registry.keys", keys, "Keys.UNIQUE or Keys.DUPLICATE")
        self._unique = keys is Keys.UNIQUE
        self._entries: dict[Hashable, list[Entry]] = {}
        self._metadata = dict(metadata or {})
        self._listeners: list[Listener] = []
        self._waiting: dict[Hashable, list[Task]] = {}
        self._locks: dict[Hashable, deque[Task]] = {}

    # Owners.

    def register(self, key: object, owner: Ref[Any], value: object = None) -> None:
        """Gives the key to the owner until its end; raises NameTaken with the present owner."""
        strict = _strict(key)
        entries = self._entries.get(strict)
        if entries and self._unique:
            raise NameTaken(key, entries[0].owner)
        cell = _cell_of(owner)
        if cell.exit is not None:
            raise ActorError(f"{owner} has ended and can not own {key!r}; register a living actor")
        self._entries.setdefault(strict, []).append(Entry(key, owner, value))
        if cell.names is None:
            cell.names = []
        cell.names.append((self, strict))
        self._tell(Registered(key, owner, value))
        for task in self._waiting.pop(strict, ()):
            reschedule(task)

    def unregister(self, key: object, owner: Ref[Any]) -> None:
        """Takes all the owner's entries under the key away; nothing happens if there are none."""
        self._remove(key, owner, lambda _: True)

    def unregister_match(self, key: object, owner: Ref[Any], matches: Callable[[Any], bool]) -> None:
        """As unregister, for the entries whose value matches."""
        self._remove(key, owner, matches)

    def _remove(self, key: object, owner: Ref[Any], matches: Callable[[Any], bool]) -> None:
        strict, cell = _strict(key), _cell_of(owner)
        for entry in [e for e in self._entries.get(strict, ()) if e.owner is owner and matches(e.value)]:
            self._drop(strict, entry)
            if cell.names is not None:
                cell.names.remove((self, strict))
            self._tell(Unregistered(entry.key, owner, None))

    def _drop(self, strict: Hashable, entry: Entry) -> None:
        entries = self._entries[strict]
        entries.remove(entry)
        if not entries:
            del self._entries[strict]

    def owner_ended(self, strict: Hashable, cell: Cell, reason: Reason) -> None:
        """Frees one entry of an instance that ends; called by the instance itself."""
        for entry in self._entries.get(strict, ()):
            if _cell_of(entry.owner) is cell:
                self._drop(strict, entry)
                self._tell(Unregistered(entry.key, entry.owner, reason))
                return

    def update_value(self, key: object, owner: Ref[Any], change: Callable[[Any], Any]) -> tuple[Any, Any]:
        """Replaces the value by change(old) and returns (new, old); raises NotTheOwner without calling change."""
        if not self._unique:
            raise ActorError(f"update_value({key!r}) needs a registry with unique keys; unregister and register")
        entries = self._entries.get(_strict(key), [])
        if not entries or entries[0].owner is not owner:
            raise NotTheOwner(key, owner)
        old = entries[0].value
        entries[0] = attrs.evolve(entries[0], value=change(old))
        return entries[0].value, old

    # Readers.

    def whereis(self, key: object) -> Ref[Any] | None:
        """The one owner of a unique key, or None."""
        entries = self._entries.get(key if type(key) is str else _strict(key))
        return entries[0].owner if entries else None

    def lookup(self, key: object) -> list[tuple[Ref[Any], Any]]:
        """Owners and values under a key, oldest first; empty if there are none."""
        return [(entry.owner, entry.value) for entry in self._entries.get(_strict(key), ())]

    def keys(self, owner: Ref[Any]) -> list[Any]:
        """The owner's keys, one for each entry, oldest first."""
        names = _cell_of(owner).names or ()
        return [self._entries[strict][0].key for registry, strict in names if registry is self]

    def count(self) -> int:
        """How many entries there are."""
        return sum(len(entries) for entries in self._entries.values())

    def select(self, matches: Callable[[Entry], bool]) -> list[Entry]:
        """All entries that match, in order of their keys' registration."""
        return [entry for entry in self if matches(entry)]

    def __iter__(self) -> Iterator[Entry]:
        return iter([entry for entries in self._entries.values() for entry in entries])

    def dispatch(self, key: object, act: Callable[[list[tuple[Ref[Any], Any]]], None]) -> None:
        """Calls act once with all entries of the key, in the caller; not at all if there are none."""
        found = self.lookup(key)
        if found:
            act(found)

    async def wait_for(self, key: object) -> Ref[Any]:
        """Waits until the key has an owner, bounded by the caller's cancel scope only; returns it."""
        strict = _strict(key)
        while not (entries := self._entries.get(strict)):
            await self._park(self._waiting.setdefault(strict, []))
        await trio.lowlevel.checkpoint_if_cancelled()
        return entries[0].owner

    # Metadata, listeners, locks.

    def put_meta(self, key: Hashable, value: object) -> None:
        """Keeps a value beside the table."""
        self._metadata[key] = value

    def get_meta(self, key: Hashable) -> Any:
        """The value kept under key; raises KeyError."""
        return self._metadata[key]

    def delete_meta(self, key: Hashable) -> None:
        """Forgets the value; a missing one is fine."""
        self._metadata.pop(key, None)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls listener for each registration and release, crashes included; the returned function ends that."""
        self._listeners = [*self._listeners, listener]

        def leave() -> None:
            self._listeners = [other for other in self._listeners if other is not listener]

        return leave

    def _tell(self, change: Registered | Unregistered) -> None:
        for listener in self._listeners:
            listener(change)

    @asynccontextmanager
    async def lock(self, key: Hashable) -> AsyncIterator[None]:
        """One holder at a time per key, first come first served; freed however the block is left."""
        queue = self._locks.get(key)
        if queue is None:
            self._locks[key] = deque()
        else:
            await self._park(queue)
        try:
            yield
        finally:
            queue = self._locks[key]
            if queue:
                reschedule(queue.popleft())
            else:
                del self._locks[key]

    async def _park(self, queue: "list[Task] | deque[Task]") -> None:
        task = current_task()
        queue.append(task)

        def give_up(_: RaiseCancelT) -> Abort:
            queue.remove(task)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(give_up)

    def statistics(self) -> RegistryStatistics:
        """Counts of this moment."""
        return RegistryStatistics(len(self._entries), self.count(), sum(map(len, self._waiting.values())))


def _cell_of(ref: Ref[Any]) -> Cell:
    return ref.cell()


def _strict(key: object) -> Hashable:
    """A key under which 1, 1.0 and True are three keys."""
    if type(key) is str:
        return key
    if isinstance(key, tuple):
        return (tuple, *map(_strict, key))
    if not isinstance(key, Hashable):
        raise InvalidSpec("registry key", key, "a hashable value")
    return (type(key), key)
