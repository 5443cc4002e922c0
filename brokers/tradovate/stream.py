"""What both socket actors of a login share: connecting, authorizing, staying authorized, and connecting anew.

A stream joins those who hear of fresh tokens, then reads the store, then connects. A token that is pushed while it is
connecting, or at any time later, is shown on the open socket, the newest one only; a socket that refuses it is dropped,
and the next one is opened with what the store has by then.
"""

import abc
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import trio

from brokers.errors import BrokerError
from brokers.gateway import LinkNews
from brokers.guards.host import Host
from brokers.guards.reconnect import Reconnect
from brokers.tokens.reader import TokenReader
from brokers.tokens.streams import join
from brokers.tokens.token_set import Token
from brokers.tradovate.auth import login_of
from brokers.tradovate.gate import Gate
from brokers.tradovate.hub import Hub
from brokers.tradovate.settings import SOCKET_PATH, TradovateSettings
from brokers.tradovate.talk import SocketLost, Talk
from brokers.tradovate.wire import MAX_FRAME, Message
from runtime import Actor, Reason
from runtime.registry import Registry
from runtime.wire.capture import Recorder
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.secret import Secret
from runtime.wire.websocket import open_websocket
from runtime.wire.websocket_ends import WebSocketRefused
from runtime.wire.websocket_session import Heartbeat, WebSocketSettings
from runtime.world import World

BEAT_SECONDS: Final = 2.5
EVICTED_SECONDS: Final = 60.0
"""How long another login that took our place is left alone, so that two programs do not throw each other out."""
_LIMITS: Final = WebSocketSettings(
    heartbeat=Heartbeat(every=BEAT_SECONDS, patience=2 * BEAT_SECONDS, beat=lambda: "[]"), max_message=MAX_FRAME
)


@attrs.frozen(eq=False)
class Parts:
    """What the streams of one login work with; all of it outlives them."""

    settings: TradovateSettings
    world: World
    credentials: TokenReader
    streams: Registry
    gate: Gate
    host: Host
    hub: Hub
    redactor: Redactor
    recorder: Recorder | None
    chance: random.Random

    def link(self, up: bool, text: str) -> LinkNews:
        """The state of a socket as news."""
        return LinkNews(up, text, self.world.clock.wall_ns())


class Stream(Actor, abc.ABC):
    """One socket, kept open."""

    what = "the socket"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.talk: Talk | None = None
        self.newest: Token | None = None
        self.connects = 0
        self.renewals = 0
        self._fresher = trio.Event()

    async def on_start(self) -> None:
        """Joins before anything is read, so that no token is missed; then keeps a socket open."""
        self.tell_link(self.parts.link(up=False, text=f"{self.what} is not open yet"))
        join(self.parts.streams, login_of(self.parts.settings), self.ref, type(self).on_token)
        self.spawn(self._keep)

    async def on_stop(self, reason: Reason) -> None:
        """The link goes down with its reader."""
        self.tell_link(self.parts.link(up=False, text=f"{self.what} has stopped: {reason}"))

    def on_token(self, token: Token) -> None:
        """Hears of a token; the open socket is authorized with the newest."""
        if self.newest is None or token.generation > self.newest.generation:
            self.newest = token
            self._fresher.set()

    # What each kind of socket does in its way.

    @abc.abstractmethod
    def origin(self) -> str:
        """Where the socket is."""

    @abc.abstractmethod
    def access(self, token: Token) -> Secret:
        """Which of the tokens opens it."""

    @abc.abstractmethod
    def tell_link(self, news: LinkNews) -> None:
        """Tells that it went down or came up."""

    @abc.abstractmethod
    async def greet(self, talk: Talk, token: Token) -> None:
        """What is asked for once the socket is authorized; raises BrokerError, SocketLost."""

    @abc.abstractmethod
    async def take(self, events: Sequence[Message]) -> None:
        """Takes in the events of one frame; raises SocketLost where the state must be read anew."""

    def glance(self, frame: str | bytes) -> bool:
        """Takes a frame in at once, if that can be done without waiting; whether it did."""
        return False

    # Its life.

    async def _keep(self) -> None:
        parts = self.parts
        reconnect = Reconnect(parts.host.pacer, parts.host.timeline, parts.chance)
        while True:
            await reconnect.turn()
            await parts.gate.reopened(self._tell_wait)
            try:
                await self._connect(reconnect)
            except (SocketLost, WebSocketRefused, BrokerError) as error:
                self.tell_link(parts.link(up=False, text=f"{self.what}: {parts.redactor.line(str(error))}"))
                if isinstance(error, SocketLost) and error.evicted:
                    await self._make_way(error)
            finally:
                self.talk = None

    def _tell_wait(self, why: str) -> None:
        self.tell_link(self.parts.link(up=False, text=f"{self.what} waits: {why}"))

    async def _make_way(self, lost: SocketLost) -> None:
        text = f"{lost}: another login has taken our place; run one daemon a login; trying again in a minute"
        self.parts.hub.put_aside("session", text)
        await trio.sleep(EVICTED_SECONDS)

    async def _connect(self, reconnect: Reconnect) -> None:
        """One connection; raises SocketLost, WebSocketRefused or BrokerError at its end."""
        parts, token = self.parts, await self.parts.credentials.token()
        self.on_token(token)
        origin = self.origin()
        opening = open_websocket(
            parts.world.network,
            origin + SOCKET_PATH,
            AllowList(origin),
            parts.redactor,
            settings=_LIMITS,
            recorder=parts.recorder,
        )
        async with opening as session:
            talk = Talk(session, parts.gate, self.glance)
            try:
                await self._converse(talk, token, reconnect)
            except SocketLost as lost:
                if lost.denied:
                    parts.credentials.refused(self.newest or token)
                raise

    async def _converse(self, talk: Talk, token: Token, reconnect: Reconnect) -> None:
        """Runs a conversation to its end, and raises what ended it."""
        ends: list[Exception] = []
        async with trio.open_nursery() as nursery:

            async def part(function: Callable[..., Awaitable[None]], *args: object) -> None:
                try:
                    await function(*args)
                except (SocketLost, BrokerError) as error:
                    ends.append(error)
                    nursery.cancel_scope.cancel()

            nursery.start_soon(part, talk.listen, self.take)
            nursery.start_soon(part, self._speak, talk, token, reconnect)
        raise ends[0]

    async def _speak(self, talk: Talk, token: Token, reconnect: Reconnect) -> None:
        """Authorizes, greets, and shows each fresher token as it comes."""
        await talk.authorize(token, self.access(token))
        await self.greet(talk, token)
        self.talk = talk
        self.connects += 1
        reconnect.connected()
        self.tell_link(self.parts.link(up=True, text=f"{self.what} is up"))
        while True:
            if self.newest is not None and self.newest.generation > talk.generation:
                fresh = self.newest
                await talk.authorize(fresh, self.access(fresh))
                self.renewals += 1
            else:
                self._fresher = trio.Event()
                await self._fresher.wait()
