"""An emulator's HTTP side as an ASGI application: a broker's service in the middle, the faults around it."""

import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol
from urllib.parse import parse_qsl

import attrs
import trio

from brokers.emulation.bodies import Body, hostile, wrong
from brokers.emulation.catalogue import Where
from brokers.emulation.frames import Emit, FrameSender
from brokers.emulation.house import House
from brokers.emulation.line import Line, current_line
from brokers.emulation.log import ANSWERED, ARRIVED, GRANTED
from runtime.wire.host import Message, Receive, Send

JSON = "application/json"
_ENDLESS_PAUSE = 0.001  # so that time passes in a simulated world too


@attrs.frozen
class Request:
    """A request as it came in whole."""

    method: str
    path: str
    raw_path: str  # with its escapes
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen
class Reply:
    """A whole answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON


@attrs.frozen
class Streaming:
    """An answer without an end: `run` emits its frames until it is cancelled, or returns to end it."""

    run: Callable[[Emit], Awaitable[None]]
    content_type: str = JSON
    farewell: bytes = b""  # the frame that says goodbye, where the protocol has one


class Service(Protocol):
    """A broker behind its HTTP interface."""

    accounts: tuple[str, ...]

    def where(self, request: Request) -> Where:
        """The class of a request."""
        ...

    def facts(self, request: Request) -> Mapping[str, object]:
        """What the log keeps of a request beside its line: the key of an order, never a credential."""
        ...

    async def answer(self, request: Request) -> Reply | Streaming:
        """Does what is asked."""
        ...

    def failure(self, status: int) -> Reply:
        """What the broker says with an HTTP error."""
        ...


class Application:
    """Serves a broker's service with whatever is switched on."""

    def __init__(self, service: Service, house: House) -> None:
        self._service = service
        self._house = house
        self._faults = house.faults
        self._badges = house.badges

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One ASGI scope."""
        if scope["type"] != "http":
            return
        request = _request(scope, await _read(receive))
        where = self._service.where(request)
        facts = self._service.facts(request)
        line = current_line.get()
        token = self._badges.used(request.headers)
        self._house.log.put(
            ARRIVED,
            method=request.method,
            path=request.path,
            where=where.value,
            token=token,
            line=line.number,
            **facts,
        )
        await self._pass(self._house.latency_seconds)
        answer = await self._answer(request, where, line)
        if isinstance(answer, Streaming) and not self._hijacks(where):
            await self._stream(answer, where, line, send)
        elif answer is not None:
            await self._reply(request, answer, where, line, send)

    async def _pass(self, seconds: float) -> None:
        if seconds:
            await trio.sleep(seconds)

    # Before and after the effect.

    async def _answer(self, request: Request, where: Where, line: Line) -> Reply | Streaming | None:
        """The service's answer, or a fault's; None when the connection is gone."""
        reset = self._faults.strikes("reset", where)
        if reset is not None and reset.value == "before":
            await line.reset()
            return None
        refusal = self._refusal(where)
        if refusal is not None:
            return refusal
        answer = await self._service.answer(request)
        if reset is not None:
            await line.reset()
            return None
        error = self._faults.strikes("error-after", where)
        return answer if error is None else self._failure(*error.status)

    def _refusal(self, where: Where) -> Reply | None:
        """The answer of a fault that comes instead of any effect."""
        for name in ("error-before", "quota"):
            fault = self._faults.strikes(name, where)
            if fault is not None:
                return self._failure(*fault.status)
        if self._faults.strikes("unauthorized", where) is not None:
            return self._service.failure(401)
        return None

    def _failure(self, status: int, retry_after: int | None) -> Reply:
        reply = self._service.failure(status)
        if retry_after is None:
            return reply
        return attrs.evolve(reply, headers=(*reply.headers, ("retry-after", str(retry_after))))

    def _hijacks(self, where: Where) -> bool:
        """Whether a hostile body comes where a stream should be."""
        fault = self._faults.state("hostile")
        return fault is not None and where is Where.STREAM and where in fault.where

    # On the way out.

    async def _reply(self, request: Request, answer: Reply | Streaming, where: Where, line: Line, send: Send) -> None:
        reply = answer if isinstance(answer, Reply) else Reply(200, b"", content_type=answer.content_type)
        late = self._faults.strikes("delay", where)
        await self._pass(self._house.latency_seconds + (late.seconds if late is not None else 0))
        reply, endless = self._spoilt(reply, where)
        self._shape(line, where)
        self._house.log.put(
            ANSWERED,
            method=request.method,
            path=request.path,
            where=where.value,
            status=reply.status,
            retry_after=dict(reply.headers).get("retry-after"),
            line=line.number,
        )
        if where is Where.TOKEN and (token := self._badges.granted(reply.body)) is not None:
            self._house.log.put(GRANTED, token=token, line=line.number)
        hang = self._faults.strikes("hang", where)
        refuse = self._faults.strikes("refuse-connects", where)
        if refuse is not None:
            self._house.spawn(self._house.door.shut, refuse.seconds)
        if hang is not None:
            await _send_partly(reply, hang.value, send)
        else:
            await _send(reply, send, endless=endless)
        line.drip(None)

    def _spoilt(self, reply: Reply, where: Where) -> tuple[Reply, bool]:
        fault = self._faults.strikes("body", where)
        if fault is not None:
            return attrs.evolve(reply, status=200, body=wrong(fault.value, reply.body, self._service.accounts)), False
        fault = self._faults.strikes("hostile", where)
        if fault is None:
            return reply, False
        body: Body = hostile(fault.value)
        return attrs.evolve(reply, status=200, body=body.data, headers=(*reply.headers, *body.headers)), body.endless

    def _shape(self, line: Line, where: Where) -> None:
        cut = self._faults.strikes("cut", where)
        if cut is not None:
            line.cut_after(cut.count)
        drip = self._faults.strikes("drip", where)
        if drip is not None:
            line.drip(drip.count)

    # Streams.

    async def _stream(self, answer: Streaming, where: Where, line: Line, send: Send) -> None:
        self._shape(line, where)
        swizzle = self._faults.strikes("swizzle", where)
        if swizzle is not None:
            self._house.spawn(self._house.swizzle, swizzle.seconds)
        await send(_head(200, (), answer.content_type))
        sender = FrameSender(self._faults, line, send, answer.farewell, self._house.latency_seconds)
        await sender.run(answer.run)
        with suppress(trio.BrokenResourceError):
            await send({"type": "http.response.body", "body": b""})


def _request(scope: Message, body: bytes) -> Request:
    return Request(
        method=scope["method"],
        path=scope["path"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )


async def _read(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _head(status: int, headers: tuple[tuple[str, str], ...], content_type: str) -> Message:
    pairs = [(name.encode(), value.encode()) for name, value in (("content-type", content_type), *headers)]
    return {"type": "http.response.start", "status": status, "headers": pairs}


async def _send(reply: Reply, send: Send, *, endless: bool) -> None:
    await send(_head(reply.status, reply.headers, reply.content_type))
    while endless:
        await send({"type": "http.response.body", "body": reply.body, "more_body": True})
        await trio.sleep(_ENDLESS_PAUSE)
    await send({"type": "http.response.body", "body": reply.body})


async def _send_partly(reply: Reply, until: str, send: Send) -> None:
    """Sends nothing, the head alone, or half of the body, and then waits until the client leaves."""
    if until != "head":
        headers = (*reply.headers, ("content-length", str(len(reply.body))))
        await send(_head(reply.status, headers, reply.content_type))
        half = reply.body[: len(reply.body) // 2] if until == "middle" else b""
        await send({"type": "http.response.body", "body": half, "more_body": True})
    await trio.sleep(math.inf)
