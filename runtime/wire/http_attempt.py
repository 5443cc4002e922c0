"""One request on its way: what is known of it, and how whatever goes wrong becomes the one typed failure."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar, Unpack

import httpcore
import httpx
import trio

from runtime.wire.capture import Content, Direction, Kind, Recorder
from runtime.wire.delivery import Delivery, Phase
from runtime.wire.http_body import BrokenEncoding, TooLarge
from runtime.wire.http_messages import ILLEGAL, Fault, HttpFailure, HttpRequest, without_query
from runtime.wire.origins import NotAllowed, reason_of
from runtime.wire.redaction import Redactor

T = TypeVar("T")

_LONGEST_TEXT: Final = 500
_FAULTS: Final[dict[type[Exception], Fault]] = {
    NotAllowed: Fault.FORBIDDEN,
    UnicodeError: Fault.INVALID,
    httpcore.LocalProtocolError: Fault.INVALID,
    httpcore.ConnectError: Fault.UNREACHABLE,
    httpcore.ConnectTimeout: Fault.UNREACHABLE,
    httpcore.ReadError: Fault.LOST,
    httpcore.WriteError: Fault.LOST,
    httpcore.RemoteProtocolError: Fault.MALFORMED,
    httpx.RemoteProtocolError: Fault.MALFORMED,
    BrokenEncoding: Fault.MALFORMED,
    TooLarge: Fault.TOO_LARGE,
}
_EXPECTED: Final = tuple(_FAULTS)


class Attempt:
    """A request, its delivery, and its records: one of the request, one of its answer or failure.

    A streamed answer adds a record for each piece and one of its end.
    """

    def __init__(
        self, request: HttpRequest, delivery: Delivery | None, redactor: Redactor, recorder: Recorder | None
    ) -> None:
        self.request = request
        self.delivery = Delivery() if delivery is None else delivery
        self.failed = False
        self._redactor = redactor
        self._recorder = recorder
        self._number = recorder.number() if recorder else 0
        self._scope = trio.CancelScope()
        self._closed = False
        self._answered = False
        self._ended = False
        self._record(
            Kind.REQUEST,
            Direction.OUT,
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
        )

    @property
    def recorded(self) -> bool:
        """Whether anybody keeps a record."""
        return self._recorder is not None

    async def within(self, seconds: float, late: Fault, work: Callable[[], Awaitable[T]]) -> T:
        """Does a part of the exchange; raises HttpFailure, with the fault `late` when the time runs out."""
        if self._closed:
            raise self._failure(late, "")
        self._scope = trio.CancelScope(deadline=trio.current_time() + seconds)
        try:
            with self._scope:
                return await work()
            fault, text = late, f"nothing within {seconds:g} s"
        except _EXPECTED as error:
            fault, text = self._explain(error)
        except BaseException:
            self._end("given up by the caller")
            raise
        raise self._failure(fault, text)  # out here it has no context, which could hold a secret

    def close(self) -> None:
        """Ends the exchange because the client is closed."""
        self._closed = True
        self._scope.cancel()

    def answered(self, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        """Records the answer."""
        self._answered = True
        self._record(Kind.ANSWER, Direction.IN, status=status, headers=headers, body=body)

    def received(self, piece: bytes) -> None:
        """Records a piece of a streamed answer."""
        self._record(Kind.FRAME, Direction.IN, body=piece)

    def finished(self) -> None:
        """Notes the end of a streamed answer, unless it failed before."""
        if not self.failed:
            self.delivery.reach(Phase.DONE)
        self._end("")

    def _explain(self, error: Exception) -> tuple[Fault, str]:
        fault = next(fault for kind, fault in _FAULTS.items() if isinstance(error, kind))
        return fault, ILLEGAL if fault is Fault.INVALID else reason_of(error)

    def _failure(self, fault: Fault, text: str) -> HttpFailure:
        if self._closed:
            fault, text = Fault.CLOSED, "the client was closed"
        self.failed = True
        text = self._redactor.line(text)[:_LONGEST_TEXT]
        name = self._redactor.line(f"{self.request.method} {without_query(self.request.url)}")
        self._end(text)
        return HttpFailure(fault, self.delivery.phase, self.delivery.sent, name, text)

    def _end(self, text: str) -> None:
        if not self._ended:
            self._ended = True
            kind = Kind.CLOSED if self._answered else Kind.FAILURE
            self._record(kind, Direction.IN, body=text, sent=self.delivery.sent)

    def _record(self, kind: Kind, direction: Direction, **content: Unpack[Content]) -> None:
        if self._recorder is not None:
            self._recorder.record(kind, direction, self._number, intent_key=self.request.intent_key, **content)
