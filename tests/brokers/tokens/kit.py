"""A shelf in memory, an OAuth server, streams, and one house in which they meet a token store."""

import base64
import json
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qs

import attrs
import trio

from brokers.errors import CredentialError
from brokers.tokens.credentials import Credential, LoginId, NoCredential, VersionConflict
from brokers.tokens.decisions import Policy
from brokers.tokens.flow import Flow, FlowRequest, FlowResponse
from brokers.tokens.news import News
from brokers.tokens.oauth2 import ClientProof, OAuth2
from brokers.tokens.streams import join
from brokers.tokens.token_set import Kept, Token, TokenSet, kept_in, with_kept
from brokers.tokens.token_store import TokenStore, TokenStoreParts
from runtime import Actor, Child, Name, Runtime, Supervisor, SupervisorRef, open_runtime
from runtime.errors import CallError
from runtime.registry import Keys, Registry
from runtime.server import ActorCell
from runtime.simulation import SimulatedWorld
from runtime.wire.capture import Exchange, Recorder
from runtime.wire.host import Message, Receive, Send, serve
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpResponse
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
LOGIN = LoginId("tradestation", "main", "live")
ORIGIN = "http://127.0.0.1:7001"
CANARY = "cAnArY+/=client~Secret"
OAUTH = OAuth2(
    broker="tradestation",
    authorize_url=f"{ORIGIN}/authorize",
    token_url=f"{ORIGIN}/oauth/token",
    redirect_uri="http://127.0.0.1:7002/back",
)
FIELDS = {"client_id": Secret("client-one"), "client_secret": Secret(CANARY)}


class Died(BaseException):
    """The process ends here, as by kill -9: nothing of ours runs afterwards."""


def reply(status: int, fields: object, wall_ns: int = 0, headers: Mapping[str, str] | None = None) -> FlowResponse:
    return FlowResponse(HttpResponse(status, tuple((headers or {}).items()), json.dumps(fields).encode()), wall_ns)


def tokens_of(flow: Flow, answer: Any) -> TokenSet:
    """What a flow returns after its last answer."""
    try:
        step = flow.send(answer)
    except StopIteration as end:
        tokens: TokenSet = end.value
        return tokens
    raise AssertionError(f"the flow goes on with {step}")


def body_of(request: object) -> dict[str, Any]:
    assert isinstance(request, FlowRequest)
    body = request.encoded().body.decode()
    parsed: dict[str, Any] = (
        json.loads(body) if body.startswith("{") else {name: values[0] for name, values in parse_qs(body).items()}
    )
    return parsed


class MemoryShelf:
    """Credentials that outlive the process; `slow` seconds a put, `failing` puts fail, `at` may end the process."""

    def __init__(self, fields: Mapping[str, Secret] | None = None, *, slow: float = 0.01) -> None:
        self.credentials: dict[LoginId, Credential] = {}
        if fields is not None:
            self.credentials[LOGIN] = Credential(LOGIN, fields, 1)
        self.slow = slow
        self.failing = 0
        self.dies_at: str | None = None
        self.puts = 0

    async def get(self, login: LoginId) -> Credential:
        await trio.lowlevel.checkpoint()
        if login not in self.credentials:
            raise NoCredential(login)
        return self.credentials[login]

    async def put(self, credential: Credential) -> None:
        self.die_if("before the save")
        await trio.sleep(self.slow)
        if self.failing:
            self.failing -= 1
            raise OSError(28, f"no space left for {CANARY}")
        found = self.credentials.get(credential.id, Credential(credential.id)).version
        if found != credential.version:
            raise VersionConflict(credential.id, credential.version, found)
        self.credentials[credential.id] = attrs.evolve(credential, version=found + 1)
        self.puts += 1
        self.die_if("after the save")

    def die_if(self, step: str) -> None:
        if self.dies_at == step:
            raise Died(step)

    @property
    def kept(self) -> Kept:
        return kept_in(self.credentials[LOGIN])


class OAuthServer:
    """The token end of a broker: rotates refresh tokens, and may keep the one before until its successor is used."""

    def __init__(self, *, lenient: bool = False, life: int = 1200, rotates: bool = True) -> None:
        self.lenient = lenient
        self.life = life
        self.rotates = rotates
        self.count = 0
        self.good_refresh: list[str] = []
        self.access = ""
        self.refreshes: list[float] = []
        self.running = 0
        self.most_running = 0
        self.failing: list[tuple[int, dict[str, str]]] = []
        self.down = False
        self.locked_out = 0
        self.delay = 0.05
        self.dies_at: str | None = None

    def log_in(self, wall_ns: int) -> TokenSet:
        """What a person's login yields; it ends the logins before."""
        self.count += 1
        self.good_refresh = [f"rt-{self.count}-Canary+/~"]
        self.access = f"at-{self.count}-Canary+/~"
        return TokenSet(Secret(self.access), Secret(self.good_refresh[0]), wall_ns, wall_ns + self.life * SECOND_NS)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        form = {name: values[0] for name, values in parse_qs((body + message["body"]).decode()).items()}
        basic = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")[2]
        client_secret = form.get("client_secret") or base64.b64decode(basic).decode().partition(":")[2]
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        self.refreshes.append(trio.current_time())
        try:
            await trio.sleep(self.delay)
        finally:
            self.running -= 1
        status, fields = self._answer(form.get("refresh_token", ""), client_secret)
        if self.dies_at == "before the answer":
            raise Died(self.dies_at)
        data = json.dumps(fields).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    def _answer(self, used: str, client_secret: str) -> tuple[int, dict[str, Any]]:
        if self.down:
            return 503, {"error": "unavailable"}
        if self.failing:
            return self.failing.pop(0)
        if used not in self.good_refresh or client_secret != CANARY:
            self.locked_out += 1
            return 403, {"error": "invalid_grant", "error_description": f"Unknown or invalid refresh token {used}."}
        self.count += 1
        self.access = f"at-{self.count}-Canary+/~"
        fields = {"access_token": self.access, "expires_in": self.life, "token_type": "Bearer"}
        if self.rotates:
            fresh = f"rt-{self.count}-Canary+/~"
            self.good_refresh = [used, fresh] if self.lenient else [fresh]
            fields["refresh_token"] = fresh
        return 200, fields


class Stream(Actor):
    """A live stream: joins, reads the store, and re-authenticates when it is told of a later token."""

    def __init__(self, parts: TokenStoreParts, connect_seconds: float = 0.2) -> None:
        self.parts = parts
        self.connect_seconds = connect_seconds
        self.using: Token | None = None

    async def on_start(self) -> None:
        join(self.parts.streams, self.parts.login, self.ref, Stream.on_token)
        self.continue_with(Stream.connect)

    async def connect(self) -> None:
        store: Name[TokenStore] = self.runtime.name(self.parts.login.store_key)
        with trio.move_on_after(30):
            try:
                self.using = await store.call(TokenStore.token)
            except (CallError, CredentialError):
                self.using = None
            else:
                await trio.sleep(self.connect_seconds)
                return
        self.send_after(1.0, Stream.connect)

    async def on_token(self, token: Token) -> None:
        if self.using is not None and token.generation > self.using.generation:
            self.using = token

    def generation(self) -> int | None:
        return None if self.using is None else self.using.generation


@attrs.define
class House:
    """A token store and its surroundings, running."""

    world: SimulatedWorld
    runtime: Runtime
    parts: TokenStoreParts
    shelf: MemoryShelf
    server: OAuthServer
    news: list[News]
    audit: list[Exchange]
    top: SupervisorRef

    @property
    def store(self) -> Name[TokenStore]:
        return self.runtime.name(LOGIN.store_key)

    def streams(self) -> list[Stream]:
        found = self.parts.streams.lookup(LOGIN.stream_key)
        return [cast("Stream", cast("ActorCell", ref.cell()).actor) for ref, _ in found]


@asynccontextmanager
async def house(
    world: SimulatedWorld,
    shelf: MemoryShelf,
    server: OAuthServer,
    *,
    streams: int = 0,
    policy: Policy | None = None,
    redactor: Redactor | None = None,
    max_restarts: int = 1000,
    proof: ClientProof = ClientProof.FORM,
) -> AsyncIterator[House]:
    redactor = redactor or Redactor()
    audit: list[Exchange] = []
    news: list[News] = []
    recorder = Recorder("login", world.clock, redactor, audit.append)
    async with trio.open_nursery() as nursery:
        listeners = await world.network.listen("127.0.0.1", 7001)
        await nursery.start(partial(serve, server, listeners))
        client = HttpClient(world.network, AllowList(ORIGIN), redactor, recorder=recorder)
        async with client, open_runtime(world) as runtime:
            parts = TokenStoreParts(
                login=LOGIN,
                way=attrs.evolve(OAUTH, proof=proof),
                shelf=shelf,
                sender=client,
                streams=Registry(Keys.DUPLICATE),
                redactor=redactor,
                tell=news.append,
                policy=policy or Policy(),
            )
            children: list[Child[Any]] = [parts.child()]
            children += [Child(f"stream-{number}", partial(Stream, parts)) for number in range(streams)]
            top = await runtime.start(Supervisor(children, max_restarts=max_restarts))
            yield House(world, runtime, parts, shelf, server, news, audit, top)
        nursery.cancel_scope.cancel()


def logged_in_shelf(server: OAuthServer, wall_ns: int, **options: Any) -> MemoryShelf:
    """A shelf that holds the outcome of a person's login at this moment."""
    shelf = MemoryShelf(FIELDS, **options)
    shelf.credentials[LOGIN] = with_kept(shelf.credentials[LOGIN], Kept(server.log_in(wall_ns), 1))
    return shelf


def seeded(seed: int) -> random.Random:
    return random.Random(seed)
