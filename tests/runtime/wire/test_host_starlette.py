"""Starlette on the host: routes, streams, WebSockets, lifespan, background tasks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from runtime.wire.host import RequestAbandoned, RequestFailed
from tests.runtime.wire.host_kit import HEAD, hosting, request
from tests.runtime.wire.test_host_websocket import TEXT, UPGRADE, closing, frame, open_websocket


class Journal:
    """What the application did, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def app(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
            self.lines.append("up")
            yield {"greeting": "hello"}
            self.lines.append("down")

        return Starlette(
            lifespan=lifespan,
            routes=[
                Route("/hello/{name}", self.hello),
                Route("/order", self.order, methods=["POST"]),
                Route("/ticks", self.ticks),
                Route("/later", self.later),
                Route("/fail", self.fail),
                WebSocketRoute("/ws", self.websocket),
            ],
        )

    async def hello(self, request: Request) -> Response:
        return PlainTextResponse(f"{request.state.greeting} {request.path_params['name']}")

    async def order(self, request: Request) -> Response:
        return JSONResponse({"got": await request.json()}, status_code=201)

    async def ticks(self, request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            for number in range(int(request.query_params["count"])):
                self.lines.append(f"tick {number}")
                yield f"data: {number}\n\n"
                await trio.sleep(1)

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def later(self, request: Request) -> Response:
        async def work() -> None:
            await trio.sleep(20)
            self.lines.append("background done")

        return PlainTextResponse("soon", background=BackgroundTask(work))

    async def fail(self, request: Request) -> Response:
        raise ValueError("secret")

    async def websocket(self, websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="v1")
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())
        self.lines.append("websocket over")


async def test_routes_json_and_lifespan_state_work(autojump_clock: trio.testing.MockClock) -> None:
    journal = Journal()
    async with hosting(journal.app()) as hosted:
        client = hosted.connect()
        assert (await client.ask(request("/hello/caf%C3%A9"))).body.decode() == "hello café"
        answer = await client.ask(request("/order", method="POST", body=b'{"a":1}'), b"POST")
        assert (answer.status, answer.body) == (201, b'{"got":{"a":1}}')
        assert (await client.ask(request("/hello/x", method="HEAD"), b"HEAD")).body == b""
        assert (await client.ask(HEAD)).status == 404
        assert (await client.ask(request("/order"))).status == 405
        assert journal.lines == ["up"]
    assert journal.lines == ["up", "down"]


async def test_a_stream_ends_by_itself_or_when_its_client_leaves(autojump_clock: trio.testing.MockClock) -> None:
    journal = Journal()
    async with hosting(journal.app()) as hosted:
        client = hosted.connect()
        answer = await client.ask(request("/ticks?count=3"))
        assert answer.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
        del journal.lines[:]
        await client.send(request("/ticks?count=1000000"))
        await trio.sleep(2.5)
        await client.leave()
        await trio.sleep(60)
        assert journal.lines == ["tick 0", "tick 1", "tick 2", "tick 3"]
        assert len(hosted.told(RequestAbandoned)) == 1
        assert not hosted.told(RequestFailed)


async def test_background_tasks_run_to_their_end_and_hold_nobody_up(autojump_clock: trio.testing.MockClock) -> None:
    journal = Journal()
    async with hosting(journal.app()) as hosted:
        client = hosted.connect()
        begun = trio.current_time()
        assert (await client.ask(request("/later"))).body == b"soon"
        assert (await client.ask(request("/hello/x"))).status == 200
        assert trio.current_time() - begun < 1
        await client.leave()
        await trio.sleep(21)
        assert journal.lines == ["up", "background done"]


async def test_s46_a_failing_route_shows_no_detail(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(Journal().app()) as hosted:
        answer = await hosted.connect().ask(request("/fail"))
        assert answer.status == 500
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body
        assert [str(event.error) for event in hosted.told(RequestFailed)] == ["secret"]


async def test_a_websocket_route_talks_and_notices_the_end(autojump_clock: trio.testing.MockClock) -> None:
    journal = Journal()
    async with hosting(journal.app()) as hosted:
        websocket = await open_websocket(hosted, "Sec-WebSocket-Protocol: v1, v2")
        await websocket.send(frame(TEXT, b"hello"))
        assert await websocket.text() == "HELLO"
        await websocket.send(closing(1000))
        assert await websocket.closed() == 1000
        await trio.sleep(1)
        assert journal.lines == ["up", "websocket over"]
        assert hosted.events == []


@pytest.mark.parametrize("path", ["/nowhere", "/hello/x"])
async def test_a_websocket_without_a_route_is_refused(autojump_clock: trio.testing.MockClock, path: str) -> None:
    async with hosting(Journal().app()) as hosted:
        assert (await hosted.connect().ask(request(path, *UPGRADE))).status in {403, 404}
