"""What happened in a simulated run: an append-only list of events, folded into one hash as they come."""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import attrs
import msgspec


@attrs.frozen
class TraceEvent:
    """One event; `at_ns` is virtual time since the run began."""

    at_ns: int
    kind: str
    fields: Mapping[str, Any]

    def line(self) -> str:
        """The event on one line for people."""
        fields = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.at_ns / 1e9:14.6f}  {self.kind}  {fields}".rstrip()


class Trace:
    """Collects events; two runs went the same way if and only if their hashes are equal."""

    def __init__(self, now_ns: Callable[[], int], tail: int = 0) -> None:
        self._now_ns = now_ns
        self._hash = hashlib.sha256()
        self._tail: deque[TraceEvent] = deque(maxlen=tail)
        self._keeps_tail = tail > 0
        self.count = 0

    def record(self, kind: str, /, **fields: Any) -> None:
        """Appends an event; raises TypeError for a value without a lasting form of its own."""
        now_ns = self._now_ns()
        self._hash.update(_encode((now_ns, kind, fields)))
        self.count += 1
        if self._keeps_tail:
            self._tail.append(TraceEvent(now_ns, kind, fields))

    @property
    def hash(self) -> str:
        """The SHA-256 of all events so far, in hex."""
        return self._hash.hexdigest()

    @property
    def tail(self) -> tuple[TraceEvent, ...]:
        """The newest events, as many as the trace was told to keep."""
        return tuple(self._tail)


def _plain(value: object) -> object:
    match value:
        case PurePath():
            return str(value)
        case BaseException():
            return [type(value).__name__, str(value)]
        case _:
            raise TypeError(
                f"a trace event cannot hold {type(value).__name__}: its text may differ from run to run;"
                " record its numbers, names or an attrs value instead"
            )


_encode: Callable[[object], bytes] = msgspec.json.Encoder(enc_hook=_plain, order="deterministic").encode
