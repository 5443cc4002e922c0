"""Opening a WebSocket: to an allowed origin, in bounded time, with one typed refusal for all that can go wrong."""

import re
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Unpack, cast

import attrs
import h11
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream
from wsproto.utilities import ProtocolError

from runtime.wire.capture import Content, Direction, Headers, Kind, Recorder
from runtime.wire.http_messages import ILLEGAL, HttpResponse, pairs, without_query
from runtime.wire.origins import AllowList, NotAllowed, dial, reason_of
from runtime.wire.redaction import Redactor
from runtime.wire.tls import shared_tls, verifying
from runtime.wire.watched_stream import WatchedStream
from runtime.wire.websocket_ends import Refusal, WebSocketRefused
from runtime.wire.websocket_session import WebSocketSession, WebSocketSettings
from runtime.world import Network

_DEFAULTS: Final = WebSocketSettings()
_READ_SIZE: Final = 65536
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_COMPLAINTS: Final = (  # what the library below raises when the peer, or the request, does not keep to the rules
    ConnectionRejected,
    ConnectionClosed,
    ProtocolError,
    UnicodeError,
    h11.LocalProtocolError,
)


def _checked(tls: ssl.SSLContext | None) -> ssl.SSLContext:
    return verifying(tls or shared_tls())


@asynccontextmanager
async def open_websocket(
    network: Network,
    url: str,
    allowed: AllowList,
    redactor: Redactor,
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    settings: WebSocketSettings = _DEFAULTS,
    tls: ssl.SSLContext | None = None,
    recorder: Recorder | None = None,
) -> AsyncIterator[WebSocketSession]:
    """Opens a WebSocket for the time of a block; raises WebSocketRefused.

    At the end of the block it says goodbye. When an exception or a cancellation ends the block, it drops the
    connection at once, and the exception comes out as it is.
    """
    opening = _Opening(network, url, allowed, redactor, headers, settings, tls, recorder)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            session = await opening.open(nursery)
            try:
                yield session
                await session.close()
            finally:
                session.abandon()
        except BaseException as error:  # noqa: BLE001 - raised again below, where no nursery wraps it
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


@attrs.frozen
class _Opening:
    """One attempt to open a WebSocket."""

    _network: Network
    _url: str
    _allowed: AllowList
    _redactor: Redactor
    _headers: Headers = attrs.field(converter=pairs)
    _settings: WebSocketSettings
    _tls: ssl.SSLContext = attrs.field(converter=_checked)
    _recorder: Recorder | None
    _number: int = attrs.field(init=False, default=attrs.Factory(lambda self: self._next_number(), takes_self=True))

    def _next_number(self) -> int:
        return self._recorder.number() if self._recorder else 0

    async def open(self, nursery: trio.Nursery) -> WebSocketSession:
        """Connects and starts the session in the nursery; raises WebSocketRefused."""
        self._record(Kind.REQUEST, Direction.OUT, method="GET", url=self._url, headers=self._headers)
        try:
            return await self._open(nursery)
        except BaseException as error:
            self._record_failure(error)
            raise

    async def _open(self, nursery: trio.Nursery) -> WebSocketSession:
        reason, text = Refusal.TIMEOUT, f"not open within {self._settings.connect_seconds:g} s"
        with trio.move_on_after(self._settings.connect_seconds):
            try:
                origin, target = self._allowed.split(self._url)
                stream = await dial(self._network, origin, self._tls)
            except NotAllowed as error:
                reason, text = Refusal.FORBIDDEN, str(error)
            except OSError as error:
                reason, text = Refusal.UNREACHABLE, reason_of(error)
            else:
                session: WebSocketSession = await nursery.start(
                    self._serve, WatchedStream(stream), origin.authority, target
                )
                return session
        raise self._refused(reason, text)

    async def _serve(
        self,
        stream: WatchedStream,
        host: str,
        target: str,
        *,
        task_status: trio.TaskStatus[WebSocketSession],
    ) -> None:
        """Shakes hands, then runs the session to its end; the library's reader lives in the nursery here."""
        session = None
        complaints: list[BaseException] = []
        try:
            async with trio.open_nursery() as nursery:
                connection = await self._shake_hands(nursery, stream, host, target)
                if connection is not None:
                    session = self._session_of(connection, stream)
                    task_status.started(session)
                    await session.run()
                nursery.cancel_scope.cancel()
        except* _COMPLAINTS as group:
            complaints = _leaves(group)
        finally:
            await stream.aclose()
        if session is None:
            raise self._rejection(complaints, stream)

    async def _shake_hands(
        self, nursery: trio.Nursery, stream: WatchedStream, host: str, target: str
    ) -> WebSocketConnection | None:
        """The open connection, or None when the stream was lost before: of that the library would tell nobody."""
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_lost, stream, scope)
            return await wrap_client_stream(
                nursery,
                cast("trio.SocketStream", stream),  # any stream will do
                host,
                target,
                extra_headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in self._headers],
                message_queue_size=self._settings.receive_queue,
                max_message_size=self._settings.max_message,
                receive_buffer_size=_READ_SIZE,
            )
        return None

    def _session_of(self, connection: WebSocketConnection, stream: WatchedStream) -> WebSocketSession:
        stream.opened()
        self._record(Kind.ANSWER, Direction.IN, status=101, headers=_text(connection.handshake_headers))
        return WebSocketSession(connection, stream, self._settings, self._redactor, self._recorder, self._number)

    def _rejection(self, complaints: list[BaseException], stream: WatchedStream) -> WebSocketRefused:
        for complaint in complaints:
            if isinstance(complaint, ConnectionRejected):
                headers = _text(complaint.headers)
                said = HttpResponse(complaint.status_code, headers, complaint.body or b"")
                return self._refused(Refusal.REJECTED, f"status {said.status}", said)
        if complaints and not stream.bytes_out:
            return self._refused(Refusal.INVALID, ILLEGAL)
        status = _STATUS_LINE.match(stream.answer)
        if status is not None and status[1] != b"101":
            return self._refused(Refusal.REJECTED, f"status {int(status[1])}", HttpResponse(int(status[1])))
        if b"\r\n\r\n" in stream.answer or stream.closed_here:
            return self._refused(Refusal.PROTOCOL, "the answer does not open a WebSocket")
        return self._refused(Refusal.LOST, "the connection ended before an answer came")

    def _refused(self, reason: Refusal, text: str, answer: HttpResponse | None = None) -> WebSocketRefused:
        line = self._redactor.line
        return WebSocketRefused(reason, line(without_query(self._url)), line(text), answer)

    def _record(self, kind: Kind, direction: Direction, **content: Unpack[Content]) -> None:
        if self._recorder is not None:
            self._recorder.record(kind, direction, self._number, **content)

    def _record_failure(self, error: BaseException) -> None:
        if not isinstance(error, WebSocketRefused):
            self._record(Kind.FAILURE, Direction.IN, body="given up by the caller")
        elif error.answer is None:
            self._record(Kind.FAILURE, Direction.IN, body=error.text)
        else:
            answer = error.answer
            self._record(Kind.ANSWER, Direction.IN, status=answer.status, headers=answer.headers, body=answer.body)


async def _cancel_when_lost(stream: WatchedStream, scope: trio.CancelScope) -> None:
    await stream.lost.wait()
    scope.cancel()


def _text(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
