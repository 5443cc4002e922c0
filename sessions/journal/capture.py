"""The raw audit: every request, answer and frame as an entry, redacted and cut by the recorder that made it."""

import enum
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from runtime.wire.capture import Exchange
from runtime.world import Clock
from sessions.journal.errors import JournalClosed, JournalError
from sessions.journal.rows import OWN_STREAM, Entry
from sessions.journal.unwritten import Unwritten

RAW: Final = "raw"


class JournalCapture:
    """Hands a recorder's exchanges to the journal as notes, in order; call it with each.

    It never raises and never waits. What a journal that has ended does not take, the next one begins with; what a full
    one does not take is counted, and the next entry is preceded by one that says how many are missing: a gap is never
    silent.
    """

    def __init__(
        self, note: Callable[[Sequence[Entry]], object], clock: Clock, unwritten: Unwritten | None = None
    ) -> None:
        self.lost = 0  # since the journal took one the last time
        self._note = note
        self._clock = clock
        self._unwritten = unwritten or Unwritten()

    def __call__(self, exchange: Exchange) -> None:
        """Takes one exchange."""
        entries = [raw_entry(exchange)]
        if self.lost:
            entries.insert(0, gap(self.lost, self._clock))
        try:
            self._note(entries)
        except JournalClosed:
            self._unwritten.keep(entries)
            self.lost = 0
        except JournalError:
            self.lost += 1
        else:
            self.lost = 0


def gap(lost: int, clock: Clock) -> Entry:
    """The entry that says how many are missing."""
    return Entry("raw.lost", OWN_STREAM, None, json.dumps({"lost": lost}), clock.wall_ns(), clock.monotonic_ns())


def raw_entry(exchange: Exchange) -> Entry:
    """The entry for one exchange: its stream is its connection, its key that of the order it is about."""
    fields = attrs.asdict(
        exchange,
        filter=lambda field, value: field.name not in _ELSEWHERE and value is not None,
        value_serializer=_plain,
    )
    return Entry(
        kind=RAW,
        stream=f"connection/{exchange.connection}",
        key=exchange.intent_key,
        body=json.dumps(fields, separators=(",", ":")),
        wall_ns=exchange.wall_ns,
        monotonic_ns=exchange.monotonic_ns,
    )


_ELSEWHERE: Final = frozenset({"connection", "intent_key", "wall_ns", "monotonic_ns"})


def _plain(_: object, __: object, value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value
