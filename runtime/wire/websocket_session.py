"""One open WebSocket: frames that are never cut, a heartbeat that notices silence, and exactly one typed end."""

import itertools
from collections.abc import Callable
from typing import Final, Self

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.utilities import ProtocolError

from runtime.wire.capture import Direction, Kind, Recorder
from runtime.wire.delivery import Delivery, Phase, Sent
from runtime.wire.redaction import Redactor
from runtime.wire.watched_stream import WatchedStream
from runtime.wire.websocket_ends import Ending, WebSocketClosed

Message = str | bytes

_NO_GOODBYE: Final = 1006
_TOO_LARGE: Final = 1009
_BROKEN_PROTOCOL: Final = frozenset({1002, 1003, 1007})
_MOST_FRAGMENTS: Final = 10_000
_OVERSIZE: Final = "Exceeded maximum message size"  # how the library explains its own 1009


@attrs.frozen
class Heartbeat:
    """How a session keeps its peer awake and notices that it is gone.

    every     seconds between two beats
    patience  seconds without a byte, although we listen, until the peer counts as gone
    beat      makes the broker's own heartbeat message; None sends WebSocket pings
    """

    every: float = attrs.field(default=10.0, validator=attrs.validators.gt(0))
    patience: float = attrs.field(
        default=attrs.Factory(lambda self: 2 * self.every, takes_self=True), validator=attrs.validators.gt(0)
    )
    beat: Callable[[], Message] | None = None


@attrs.frozen(kw_only=True)
class WebSocketSettings:
    """The limits of one session.

    connect_seconds     for connection, TLS and the opening handshake together
    disconnect_seconds  for the goodbye
    max_message         characters or bytes of one incoming message
    receive_queue       messages that wait to be received; then the peer has to wait
    send_queue          messages that wait to be written; then `send` has to wait
    """

    heartbeat: Heartbeat = Heartbeat()
    connect_seconds: float = attrs.field(default=10.0, validator=attrs.validators.gt(0))
    disconnect_seconds: float = attrs.field(default=1.0, validator=attrs.validators.gt(0))
    max_message: int = attrs.field(default=1024 * 1024, validator=attrs.validators.gt(0))
    receive_queue: int = attrs.field(default=64, validator=attrs.validators.gt(0))
    send_queue: int = attrs.field(default=64, validator=attrs.validators.gt(0))


@attrs.frozen
class WebSocketStatistics:
    """What went through a session so far, and what waits to be written."""

    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    waiting_out: int


@attrs.frozen
class End:
    """How a session ended; see WebSocketClosed."""

    reason: Ending
    code: int
    text: str
    clean: bool


@attrs.define(eq=False)
class _Frame:
    """A message on its way out."""

    message: Message
    delivery: Delivery
    intent_key: str | None
    settled: trio.Event = attrs.field(factory=trio.Event)
    written: bool = False
    withdrawn: bool = False


class WebSocketSession:
    """Made by `open_websocket`; any number of tasks may send, usually one receives."""

    def __init__(
        self,
        connection: WebSocketConnection,
        stream: WatchedStream,
        settings: WebSocketSettings,
        redactor: Redactor,
        recorder: Recorder | None,
        number: int,
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._settings = settings
        self._redactor = redactor
        self._recorder = recorder
        self._number = number
        self._outbox, self._frames = trio.open_memory_channel[_Frame](settings.send_queue)
        self._waiting: set[_Frame] = set()
        self._messages_in = self._messages_out = 0
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._end: End | None = None

    async def receive(self) -> Message:
        """The next message; raises WebSocketClosed after the last one."""
        try:
            message: Message = await self._connection.get_message()
        except ConnectionClosed:
            self._leave()
            await self._ended.wait()
        else:
            self._messages_in += 1
            if self._recorder is not None:
                self._recorder.record(Kind.FRAME, Direction.IN, self._number, body=message)
            return message
        raise self._closed(Sent.NOTHING)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """Like `receive`, but iteration just ends when we closed the session."""
        try:
            return await self.receive()
        except WebSocketClosed as end:
            if end.reason is Ending.CLOSED_HERE:
                raise StopAsyncIteration from None
            raise

    async def send(self, message: Message, delivery: Delivery | None = None, *, intent_key: str | None = None) -> None:
        """Returns when the message is written; raises WebSocketClosed, which says whether it may have left.

        Cancelled before its turn the message is withdrawn; later it is written all the same, and the delivery
        says so. A frame is never cut. What is no message raises TypeError or UnicodeEncodeError, unsent.
        """
        _check(message)
        frame = _Frame(message, Delivery() if delivery is None else delivery, intent_key)
        frame.delivery.reach(Phase.QUEUE)
        self._waiting.add(frame)
        try:
            await self._outbox.send(frame)
            await frame.settled.wait()
        except trio.BrokenResourceError:
            pass  # the session ended while the queue was full
        finally:
            frame.withdrawn = True
            self._waiting.discard(frame)
        if not frame.written:
            raise self._closed(frame.delivery.sent)

    async def close(self, code: int = 1000, text: str = "") -> None:
        """Says goodbye, waits a little for the answer, and ends the session; closing twice is fine."""
        if self._connection.closed is None and self._end is None:
            self._end = End(Ending.CLOSED_HERE, code, text, clean=True)
            with trio.move_on_after(self._settings.disconnect_seconds) as goodbye:
                await self._connection.aclose(code, text)
            if goodbye.cancelled_caught:
                self._end = attrs.evolve(self._end, clean=False)
            self._scope.cancel()
        self._leave()
        await self._ended.wait()

    def abandon(self) -> None:
        """Ends the session at once, without a goodbye."""
        self._fail(Ending.CLOSED_HERE, "abandoned")

    def statistics(self) -> WebSocketStatistics:
        """What went through so far, and what waits to be written."""
        return WebSocketStatistics(
            self._messages_in,
            self._messages_out,
            self._stream.bytes_in,
            self._stream.bytes_out,
            len(self._waiting),
        )

    async def run(self) -> None:
        """Serves the session until it ends."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._beat)
                    nursery.start_soon(self._watch)
                    await self._stream.lost.wait()
                    nursery.cancel_scope.cancel()
        finally:
            self._finish()

    async def _write(self) -> None:
        """Writes one frame after the other; the only task that does."""
        async for frame in self._frames:
            if not frame.withdrawn and not await self._written(frame):
                break
        self._leave()

    async def _written(self, frame: _Frame) -> bool:
        if self._connection.closed is not None:
            return False
        if self._recorder is not None:
            self._recorder.record(
                Kind.FRAME, Direction.OUT, self._number, body=frame.message, intent_key=frame.intent_key
            )
        frame.delivery.reach(Phase.SEND)
        try:
            await self._connection.send_message(frame.message)
        except (ConnectionClosed, ProtocolError):
            return False
        frame.delivery.reach(Phase.DONE)
        self._messages_out += 1
        frame.written = True
        frame.settled.set()
        return True

    async def _beat(self) -> None:
        heartbeat = self._settings.heartbeat
        for count in itertools.count():
            await trio.sleep(heartbeat.every)
            try:
                if heartbeat.beat is None:
                    await self._connection.ping(count.to_bytes(8, "big"))
                else:
                    await self.send(heartbeat.beat())
            except (ConnectionClosed, ProtocolError, WebSocketClosed):
                return

    async def _watch(self) -> None:
        """Ends the session when the peer is gone, or said goodbye while nobody received, or never ends a message."""
        patience = self._settings.heartbeat.patience
        while self._end is not None or self._connection.closed is None:
            await trio.sleep_until(min(self._stream.quiet_since(), trio.current_time()) + patience)
            if self._stream.quiet_since() + patience <= trio.current_time():
                return self._fail(Ending.PEER_SILENT, f"gave no sign of life, or took no byte, for {patience:g} s")
            if _fragments(self._connection) > _MOST_FRAGMENTS:
                return self._fail(Ending.TOO_LARGE, f"a message in more than {_MOST_FRAGMENTS} fragments")
        return self._leave()

    def _fail(self, reason: Ending, text: str) -> None:
        self._end = self._end or End(reason, _NO_GOODBYE, text, clean=False)
        self._scope.cancel()

    def _leave(self) -> None:
        """Ends the session, unless `close` is at work, which does so in good time."""
        if self._end is None:
            self._scope.cancel()

    def _finish(self) -> None:
        self._end = self._end or self._judged()
        if self._recorder is not None:
            body = f"{self._end.reason.value} {self._end.code} {self._end.text}".rstrip()
            self._recorder.record(Kind.CLOSED, Direction.IN, self._number, body=body)
        self._ended.set()
        self._frames.close()
        for frame in self._waiting:
            frame.settled.set()

    def _judged(self) -> End:
        """Who ended the session, and why, as the library below tells it."""
        closed = self._connection.closed
        if closed is None or closed.code == _NO_GOODBYE:
            here = self._stream.closed_here
            reason = Ending.PROTOCOL if here else Ending.LOST
            return End(reason, 1002 if here else _NO_GOODBYE, "", clean=False)
        text = closed.reason or ""
        if closed.code == _TOO_LARGE and text.startswith(_OVERSIZE):
            return End(Ending.TOO_LARGE, closed.code, text, clean=False)
        if closed.code in _BROKEN_PROTOCOL:
            return End(Ending.PROTOCOL, closed.code, text, clean=False)
        return End(Ending.CLOSED_THERE, closed.code, text, clean=True)

    def _closed(self, sent: Sent) -> WebSocketClosed:
        end = self._end or self._judged()
        return WebSocketClosed(end.reason, end.code, self._redactor.line(end.text), end.clean, sent)


def _check(message: object) -> None:
    if isinstance(message, str):
        message.encode()  # here a lone surrogate hurts its sender, in the writer it would end the session
    elif not isinstance(message, bytes):
        raise TypeError(f"expected a message of str or bytes, got {type(message).__name__}")


def _fragments(connection: WebSocketConnection) -> int:
    """How many fragments of an unfinished message are kept; the one private spot of the library that we read."""
    return len(connection._message_parts)  # noqa: SLF001 - its size limit counts bytes, and fragments can be empty
