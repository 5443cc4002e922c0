"""The one event stream of a runtime: what started, failed, restarted, stopped, overflowed, and why."""

import enum
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import attrs

from runtime.reasons import Reason


class EventKind(enum.Enum):
    """What can happen to an actor or a supervisor."""

    STARTED = "started"  # its task runs, on_start begins
    READY = "ready"  # on_start returned
    IGNORED = "ignored"  # on_start said that it is not needed
    START_FAILED = "start_failed"
    FAILED = "failed"  # an exception left it; the crash report is in `report`
    RESTARTING = "restarting"  # its supervisor begins to bring it back
    STOPPING = "stopping"
    STOP_SLOW = "stop_slow"  # it holds a stop up; `detail` says where it waits
    STOPPED = "stopped"
    GAVE_UP = "gave_up"  # a supervisor used up its budget
    MAILBOX_FULL = "mailbox_full"
    CALL_SLOW = "call_slow"
    CAST_LOST = "cast_lost"  # a cast to nobody
    BAD_MESSAGE = "bad_message"  # arguments that do not fit the method
    TIMER_LOST = "timer_lost"  # a timer fired into a full mailbox


@attrs.frozen
class Event:
    """One entry of the stream; `time` is monotonic seconds, `instance` counts the starts of that child."""

    sequence: int
    time: float
    kind: EventKind
    path: str
    instance: int
    reason: Reason | None = None
    detail: str = ""
    report: Any = None

    def line(self) -> str:
        """The event on one line for people."""
        parts = [f"{self.time:12.3f}", self.kind.value, f"{self.path}#{self.instance}"]
        if self.reason is not None:
            parts.append(str(self.reason).replace("\n", " "))
        if self.detail:
            parts.append(self.detail)
        return "  ".join(parts)


@attrs.frozen
class EventStatistics:
    """How many events of each kind there were, and how many the memory still holds."""

    counts: dict[str, int]
    kept: int


Listener = Callable[[Event], None]


class Events:
    """Numbers events, keeps the last ones and hands each to every listener at once.

    A listener is a plain function that must be quick and must not raise; `runtime.topics` carries
    events to tasks that want to wait for them.
    """

    def __init__(self, keep: int = 1_000) -> None:
        # Plain tuples until somebody looks: making an Event is a fifth of what it costs to start an idle actor.
        self._recent: deque[tuple[Any, ...]] = deque(maxlen=keep)
        self._listeners: list[Listener] = []
        self._counts: Counter[EventKind] = Counter()
        self._sequence = 0

    def emit(
        self,
        kind: EventKind,
        time: float,
        path: str,
        instance: int,
        reason: Reason | None = None,
        detail: str = "",
        report: Any = None,
    ) -> None:
        """Adds an event."""
        self._sequence += 1
        self._counts[kind] += 1
        fields = (self._sequence, time, kind, path, instance, reason, detail, report)
        self._recent.append(fields)
        if self._listeners:
            event = Event(*fields)
            for listener in self._listeners:
                listener(event)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls listener for each event from now on; the returned function ends that."""
        self._listeners = [*self._listeners, listener]

        def leave() -> None:
            self._listeners = [other for other in self._listeners if other is not listener]

        return leave

    def recent(self, kind: EventKind | None = None) -> list[Event]:
        """The last events, oldest first, of one kind or all."""
        return [Event(*fields) for fields in self._recent if kind is None or fields[2] is kind]

    def statistics(self) -> EventStatistics:
        """Counts since the start."""
        return EventStatistics({kind.value: n for kind, n in self._counts.items()}, len(self._recent))
