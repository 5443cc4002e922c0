"""One connection from its first byte to its last: requests in turn, or one WebSocket."""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from runtime.wire.host_alarms import Alarm
from runtime.wire.host_context import Context
from runtime.wire.host_errors import ClientGone, Refused
from runtime.wire.host_events import PeerDropped
from runtime.wire.host_head import HeadScan
from runtime.wire.host_http import Exchange
from runtime.wire.host_request import Request, read_handshake, read_request
from runtime.wire.host_response import error_response
from runtime.wire.host_stream import Peer, Wire

if TYPE_CHECKING:
    from runtime.wire.host_websocket import WebSocketSession

_DEADLINES: Final = {"write_deadline", "pong_deadline"}


class Connection:
    """Serves one client until either side has had enough."""

    def __init__(self, context: Context, stream: trio.abc.Stream, peer: Peer) -> None:
        self._context = context
        self._limits = context.limits
        self._peer = peer
        self._wire = Wire(stream, context.limits.write_seconds, context.tally)
        self._served = 0
        self._idle = Alarm(context.limits.keep_alive_seconds, partial(self._wire.cut, "idle"))
        self._websocket: WebSocketSession | None = None
        self._head_only = False
        self._pump_scope = trio.CancelScope()
        self._nursery: trio.Nursery

    async def run(self, refused: Refused | None = None) -> None:
        """Serves until the connection is over, or only refuses; waits for handlers busy in the background."""
        alarms = self._idle, self._wire.stuck
        self._context.alarms.add(*alarms)
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._pump)
                await (self._converse() if refused is None else self._turn_away(refused))
        finally:
            self._context.alarms.remove(*alarms)
            if self._wire.broken in _DEADLINES:
                self._context.report(PeerDropped(self._wire.broken, self._peer.name))

    def drain(self) -> None:
        """Ends the connection as soon as the request it is busy with is answered."""
        self._wire.announce()
        if self._websocket is not None:
            self._websocket.drain()

    async def _pump(self) -> None:
        with self._pump_scope:
            await self._wire.pump()

    async def _converse(self, last: Exchange | None = None) -> None:
        """Serves requests in turn, after a last one if need be, until it is over or a successor has taken over."""
        try:
            while last is None or await self._settles(last):
                request = await self._next_request()
                if request is None:
                    break
                if request.upgrades:
                    await self._upgrade(request)
                    break
                last = self._exchange(request)
                await last.run()
                if last.overtaken:
                    return
        except Refused as refused:
            await self._refuse(refused)
        self._pump_scope.cancel()

    async def _settles(self, exchange: Exchange) -> bool:
        """Whether another request may follow this exchange; parts from the client if not."""
        clean = await exchange.leaves_wire_clean()
        if not clean:
            await self._part(abruptly=not exchange.request.body.complete)
        return clean

    def _exchange(self, request: Request) -> Exchange:
        self._served += 1
        self._context.tally.requests += 1
        most = self._limits.requests_per_connection
        return Exchange(
            self._context,
            self._wire,
            self._peer,
            request,
            last=most is not None and self._served >= most,
            overrun=self._take_over,
        )

    def _take_over(self, exchange: Exchange) -> None:
        """Goes on with the next request while the handler of the last one is busy in the background."""
        if exchange.busy and not exchange.overtaken:
            exchange.overtaken = True
            self._nursery.start_soon(self._converse, exchange)

    async def _upgrade(self, request: Request) -> None:
        from runtime.wire.host_websocket import WebSocketSession  # noqa: PLC0415 - most hosts never see a WebSocket

        handshake = read_handshake(request)
        self._websocket = WebSocketSession(self._context, self._wire, self._peer, request, handshake)
        await self._websocket.run()

    async def _next_request(self) -> Request | None:
        """The next request, None when none comes in time; raises Refused."""
        self._head_only = False
        if not await self._wake_up():
            return None
        head = await self._read_head()
        self._wire.relieve()
        self._head_only = head.startswith(b"HEAD ")
        return read_request(head, self._limits)

    async def _wake_up(self) -> bool:
        """Waits for the first byte of a request; False when none comes in time, or any more."""
        if self._served:
            self._idle.arm()
            await self._first_byte()
            self._idle.disarm()
        else:
            with trio.move_on_after(self._limits.head_seconds):
                await self._first_byte()
        return bool(self._wire.buffer)

    async def _first_byte(self) -> None:
        while not (self._wire.buffer or self._wire.ended or self._context.draining):
            await self._wire.more()

    async def _read_head(self) -> bytes:
        scan = HeadScan(self._limits)
        head = scan.take(self._wire.buffer)
        if head is None:
            with trio.move_on_after(self._limits.head_seconds):
                while head is None:
                    if self._wire.ended:
                        raise Refused(400, "truncated_head")
                    await self._wire.more()
                    head = scan.take(self._wire.buffer)
        if head is None:
            raise Refused(408, "head_timeout")
        return head

    async def _refuse(self, refused: Refused) -> None:
        error_id = self._context.refused(refused, self._peer)
        extra = (*self._context.stamp(), *refused.headers)
        answer = error_response(refused.status, refused.reason, error_id, head_only=self._head_only, extra=extra)
        with suppress(ClientGone):
            await self._wire.send(answer)
            await self._part(abruptly=True)

    async def _turn_away(self, refused: Refused) -> None:
        await self._refuse(refused)
        self._pump_scope.cancel()

    async def _part(self, *, abruptly: bool) -> None:
        """Bytes left unread would turn the close into a reset, which may overtake the answer."""
        if self._wire.buffer or abruptly:
            await self._wire.linger(self._limits.linger_seconds)
