"""The routes of the control interface, for the daemon's own user alone.

What can be asked and done is JSON below `/v1`; `/metrics` is a page in the format that scrapers read.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from brokers import codec
from brokers.strict_json import Fault, InvalidJson
from sessions.control.api.deeds import DEEDS, URGENT, Deed, Hands
from sessions.control.api.errors import is_internal, problem_of
from sessions.control.api.metrics import metrics
from sessions.control.api.once import Answer, Begun, Once
from sessions.control.api.reads import READS
from sessions.control.api.records import Problem, command_of, decode, encode
from sessions.control.api.socket import is_owner
from sessions.control.api.streams import FOLLOWED, Answered, Follow
from sessions.control.daemon.house import House

ROOT: Final = "/v1"
PAGE: Final = "/metrics"
QUESTIONS: Final = {**READS, "metrics": metrics}
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; version=0.0.4"
_FINE: Final = 200
_LONGEST_ID: Final = 200

NewId = Callable[[], str]
Failed = Callable[[str, Exception], None]  # told of what nobody expected, with its id


class OwnerOnly:
    """Refuses everybody but one user, by the kernel's word."""

    def __init__(self, app: ASGIApp, owner: int) -> None:
        self.app = app
        self.owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the owner through."""
        if scope["type"] == "lifespan" or is_owner(scope, self.owner):
            await self.app(scope, receive, send)
            return
        problem = Problem("", "forbidden", "this socket is for the user who runs the daemon", "run it as that user")
        await Response(encode(problem), 403, media_type=_JSON)(scope, receive, send)


def control_app(hands: Hands, once: Once, owner: int, new_id: NewId, failed: Failed) -> ASGIApp:
    """The application; `owner` is the user who may use it."""
    answered = partial(_answered, new_id, failed)
    routes = [
        *(Route(f"{ROOT}/{name}", _read(hands.house, name, answered), methods=["GET"]) for name in QUESTIONS),
        Route(PAGE, _page(hands.house, answered), methods=["GET"]),
        *(
            Route(f"{ROOT}/{command_of(kind)}", _deed(hands, once, kind, deed, answered), methods=["POST"])
            for kind, deed in DEEDS.items()
        ),
    ]
    missing = {404: _no_such_route, 405: _no_such_route}
    return OwnerOnly(Starlette(routes=routes, exception_handlers=missing), owner)


Endpoint = Callable[[Request], Awaitable[Any]]


def _read(house: House, name: str, answered: Answered) -> Endpoint:
    async def endpoint(request: Request) -> Any:
        query: Mapping[str, str] = request.query_params
        if name in FOLLOWED and query.get("follow") == "1":
            return Follow(house, name, query, answered)
        return _response(await answered(lambda: QUESTIONS[name](house, query)))

    return endpoint


def _page(house: House, answered: Answered) -> Endpoint:
    async def written() -> Answer:
        rows = codec.unstructure(await metrics(house, {}))
        return Answer(_FINE, await house.world.threads.run(partial(_metrics_page, rows)))

    async def endpoint(_: Request) -> Response:
        answer = await answered(written)
        kind = _TEXT if answer.status == _FINE else _JSON
        return Response(answer.body, answer.status, media_type=kind)

    return endpoint


def _metrics_page(rows: Any) -> str:
    from sessions.control.view.metrics import metrics_page  # noqa: PLC0415 - loaded when the first page is asked for

    return metrics_page(rows)


def _deed(hands: Hands, once: Once, kind: type[Any], deed: Deed, answered: Answered) -> Endpoint:
    name = command_of(kind)

    async def endpoint(request: Request) -> Response:
        body = await request.body()

        async def perform() -> object:
            command = decode(body, kind)
            _check_id(command.id)
            asked = Begun(name, encode(command).decode())
            return await once.perform(
                command.id, asked, lambda: answered(lambda: deed(hands, command)), urgent=kind in URGENT
            )

        return _response(await answered(perform))

    return endpoint


def _check_id(command_id: str) -> None:
    if not 0 < len(command_id) <= _LONGEST_ID or not command_id.isprintable():
        raise InvalidJson(Fault("$.id", f"expected 1 to {_LONGEST_ID} printable characters"))


async def _answered(new_id: NewId, failed: Failed, work: Callable[[], Awaitable[object]]) -> Answer:
    """What work came to, whatever that is; an error becomes its record."""
    try:
        result = await work()
        return result if isinstance(result, Answer) else Answer(_FINE, encode(result).decode())
    except Exception as error:  # noqa: BLE001 - told as a problem with an id, and logged when nobody expected it
        error_id = new_id()
        if is_internal(error):
            failed(error_id, error)
        status, problem = problem_of(error, error_id)
        return Answer(status, encode(problem).decode())


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type=_JSON)


async def _no_such_route(request: Request, _: Exception) -> Response:
    known = ", ".join((*QUESTIONS, *map(command_of, DEEDS)))
    problem = Problem("", "no_such_route", f"{request.method} {request.url.path} is not known here", f"use {known}")
    return Response(encode(problem), 404, media_type=_JSON)
