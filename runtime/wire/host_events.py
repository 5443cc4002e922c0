"""What the host tells its owner: events as they happen, and counters to be read at any time."""

from collections import Counter
from collections.abc import Callable, Mapping

import attrs


@attrs.frozen
class RequestRefused:
    """A request never reached its handler, or was cut short, because it broke a rule or a limit.

    Status is that of the response, or the close code of a WebSocket.
    """

    id: str
    status: int
    reason: str
    client: object


@attrs.frozen
class RequestFailed:
    """A handler raised or broke the ASGI protocol; the client learnt the id and nothing else."""

    id: str
    method: str
    path: str
    error: BaseException


@attrs.frozen
class RequestAbandoned:
    """A client left before its handler was done; error is what the handler made of that, None if it was cancelled."""

    method: str
    path: str
    error: BaseException | None


@attrs.frozen
class PeerDropped:
    """A client was cut off because it took no bytes ("write_deadline") or fell silent ("pong_deadline")."""

    reason: str
    client: object


@attrs.frozen
class ConnectionFailed:
    """The host itself failed on one connection, which is closed; all others go on."""

    id: str
    client: object
    error: BaseException


@attrs.frozen
class LifespanFailed:
    """The application's lifespan went wrong in a phase that does not end the host."""

    phase: str
    error: BaseException


HostEvent = RequestRefused | RequestFailed | RequestAbandoned | PeerDropped | ConnectionFailed | LifespanFailed
Report = Callable[[HostEvent], None]


@attrs.frozen
class HostStatistics:
    """What a host has done since it began, and what it holds open now."""

    connections_open: int
    connections_total: int
    requests: int
    refused: Mapping[str, int]
    failed: int
    abandoned: int
    dropped: int
    websockets_open: int
    websockets_total: int
    bytes_in: int
    bytes_out: int


@attrs.define
class Tally:
    """The running counters behind `HostStatistics`."""

    connections_open: int = 0
    connections_total: int = 0
    requests: int = 0
    refused: Counter[str] = attrs.field(factory=Counter)
    failed: int = 0
    abandoned: int = 0
    dropped: int = 0
    websockets_open: int = 0
    websockets_total: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def note(self, event: HostEvent) -> None:
        """Counts one event."""
        match event:
            case RequestRefused():
                self.refused[event.reason] += 1
            case RequestFailed() | ConnectionFailed():
                self.failed += 1
            case RequestAbandoned():
                self.abandoned += 1
            case PeerDropped():
                self.dropped += 1
            case LifespanFailed():
                pass

    def read(self) -> HostStatistics:
        """The counters as they stand."""
        values = attrs.asdict(self, recurse=False)
        values["refused"] = dict(self.refused)
        return HostStatistics(**values)
