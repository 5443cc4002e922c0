"""What an emulator saw and did, in order: the oracle that a check of the other side is held against."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

ARRIVED = "arrived"  # a request came in whole
ANSWERED = "answered"  # its reply was handed to the line
ACCEPTED = "accepted"  # an order was taken
REFUSED = "refused"  # an order was not
FILLED = "filled"  # an execution
BUSTED = "busted"  # an execution was taken back
ENDED = "ended"  # an order was cancelled or expired; one that filled whole ended with that
GRANTED = "granted"  # a token was handed out
FAULT = "fault"  # a switch did its harm
LINE = "line"  # something happened to a connection


@attrs.frozen
class Entry:
    """One thing that happened."""

    sequence: int
    time_ns: int
    kind: str
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        return json.dumps([self.sequence, self.time_ns, self.kind, dict(self.facts)], sort_keys=True, default=str)


class EventLog:
    """Entries in the order in which they happened; credentials are never among their facts."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._entries: list[Entry] = []
        self._listeners: tuple[Callable[[Entry], object], ...] = ()

    def listen(self, listener: Callable[[Entry], object]) -> None:
        """Calls listener, which must not raise, with each entry from now on."""
        self._listeners = (*self._listeners, listener)

    def put(self, kind: str, **facts: Any) -> Entry:
        """Notes what happens now."""
        entry = Entry(len(self._entries) + 1, self._now_ns(), kind, facts)
        self._entries.append(entry)
        for listener in self._listeners:
            listener(entry)
        return entry

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything so far."""
        return tuple(self._entries)

    def of(self, kind: str, **facts: Any) -> tuple[Entry, ...]:
        """The entries of a kind that have these facts."""
        return tuple(
            entry
            for entry in self._entries
            if entry.kind == kind and all(entry.facts.get(name) == value for name, value in facts.items())
        )

    @property
    def digest(self) -> str:
        """One hash that stands for every entry: equal logs, equal digests."""
        digest = hashlib.sha256()
        for entry in self._entries:
            digest.update(f"{entry}\n".encode())
        return digest.hexdigest()
