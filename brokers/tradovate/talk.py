"""One open socket, from its `o` to its end: requests with ids, their replies, and the events in between."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, Final

import attrs
import msgspec
import trio

from brokers.errors import Certainty, Code, broker_error
from brokers.guards.operation import Priority
from brokers.tokens.token_set import Token
from brokers.tradovate.gate import PATIENCE, Gate, penalty_in
from brokers.tradovate.settings import BROKER
from brokers.tradovate.wire import BadPayload, Closing, Message, Opened, decode, read_frame, request_text
from brokers.tradovate.wire_entities import Shutdown
from brokers.tradovate.wire_orders import written
from runtime.wire.secret import Secret
from runtime.wire.websocket_ends import WebSocketClosed
from runtime.wire.websocket_session import WebSocketSession

REPLY_SECONDS: Final = 10.0
EVICTED: Final = "ConnectionQuotaReached"
_DENIED: Final = 401
_CODES: Final = {401: Code.SESSION_EXPIRED, 404: Code.SYMBOL_NOT_FOUND, 429: Code.RATE_LIMITED}


class SocketLost(Exception):
    """The socket is of no more use; `denied` tells that its token was refused, `evicted` that another login took it."""

    def __init__(self, text: str, *, denied: bool = False, evicted: bool = False) -> None:
        super().__init__(text)
        self.denied = denied
        self.evicted = evicted


@attrs.define(eq=False)
class _Asked:
    """A request that waits for its reply, or for the pieces of it."""

    whole: Callable[[Sequence[Message]], bool]
    pieces: list[Message] = attrs.field(factory=list)
    came: trio.Event = attrs.field(factory=trio.Event)

    @property
    def done(self) -> bool:
        """Whether nothing more is to come: the answer is whole, or a refusal."""
        return self.pieces[-1].s != 200 or self.whole(self.pieces)


def _one(pieces: Sequence[Message]) -> bool:
    return bool(pieces)


class Talk:
    """The conversation on one socket; one task listens, any number may ask."""

    def __init__(self, session: WebSocketSession, gate: Gate, glance: Callable[[str | bytes], bool]) -> None:
        """`glance` may take a frame of mere events at once; it returns whether it did."""
        self.generation = -1  # of the token that it is authorized with
        self._session = session
        self._gate = gate
        self._glance = glance
        self._numbers = count(1)
        self._asked: dict[int, _Asked] = {}
        self._opened = trio.Event()
        self._lost: SocketLost | None = None

    # Requests.

    async def authorize(self, token: Token, access: Secret) -> None:
        """Shows a token, the first or a fresher one, and what is subscribed goes on; raises SocketLost."""
        with trio.move_on_after(REPLY_SECONDS):
            await self._opened.wait()
        replies = await self._exchange("authorize", access.reveal(), _one) if self._opened.is_set() else []
        if not replies:
            raise SocketLost(f"the socket was not authorized within {REPLY_SECONDS:g} s")
        if replies[0].s != 200 or self._penalised(replies[0]):
            self._gate.turned_away(replies[0].s)
            text = f"expected the token to be taken, got status {replies[0].s}"
            raise SocketLost(text, denied=replies[0].s == _DENIED)
        self.generation = max(self.generation, token.generation)

    async def ask(
        self, endpoint: str, body: dict[str, Any], whole: Callable[[Sequence[Message]], bool] = _one
    ) -> list[msgspec.Raw]:
        """What a request is answered with; raises BrokerError, SocketLost.

        An answer in several pieces counts as complete when `whole` says so, or when no time is left and some have come.
        """
        shown: dict[str, str] = {}
        for _ in range(PATIENCE):
            async with self._gate.pass_through(Priority.QUERY) as ticket:
                shown = shown | ticket
                pieces = await self._exchange(endpoint, written({**body, **shown}).decode(), whole)
            if not pieces:
                raise broker_error(
                    BROKER, Code.TIMEOUT, f"{endpoint}: no reply in {REPLY_SECONDS:g} s", certainty=Certainty.DEFINITE
                )
            if not self._penalised(pieces[0]):
                return [self._good(endpoint, one) for one in pieces]
        raise broker_error(BROKER, Code.RATE_LIMITED, f"{endpoint}: the broker wants one pause after the other")

    def _penalised(self, reply: Message) -> bool:
        """Whether a penalty stands in the place of an answer; then the host is left alone as long as it says."""
        penalty = penalty_in(reply.d) if reply.s == 200 else None
        if penalty is not None:
            self._gate.penalise(penalty)
        return penalty is not None

    def _good(self, endpoint: str, reply: Message) -> msgspec.Raw:
        if reply.s == 200:
            return reply.d
        self._gate.turned_away(reply.s)
        text = f"{endpoint}: status {reply.s}: {bytes(memoryview(reply.d)[:200]).decode(errors='replace')}"
        code = _CODES.get(reply.s, Code.API_ERROR)
        raise broker_error(BROKER, code, text, certainty=Certainty.DEFINITE)

    async def _exchange(self, endpoint: str, body: str, whole: Callable[[Sequence[Message]], bool]) -> list[Message]:
        """The replies that came in time; raises SocketLost."""
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(whole)
        try:
            with trio.move_on_after(REPLY_SECONDS):
                if self._lost is None:
                    await self._session.send(request_text(endpoint, number, body))
                    await asked.came.wait()
        except WebSocketClosed as closed:
            raise SocketLost(str(closed)) from None
        finally:
            del self._asked[number]
        if self._lost is not None and not (asked.pieces and asked.done):
            raise self._lost
        return asked.pieces

    # What comes.

    async def listen(self, take: Callable[[Sequence[Message]], Awaitable[None]]) -> None:
        """Hands on the events of each frame, then its replies to whoever asked; raises SocketLost at the end."""
        try:
            while True:
                text = await self._session.receive()
                if not self._glance(text):
                    await self._heard(text, take)
        except WebSocketClosed as closed:
            self._lost = SocketLost(str(closed))
        except BadPayload as bad:
            self._lost = SocketLost(str(bad))
        except SocketLost as lost:
            self._lost = lost
        finally:
            for asked in self._asked.values():
                asked.came.set()
        raise self._lost

    async def _heard(self, text: str | bytes, take: Callable[[Sequence[Message]], Awaitable[None]]) -> None:
        frame = read_frame(text)
        if isinstance(frame, Opened):
            self._opened.set()
        elif isinstance(frame, Closing):
            raise SocketLost(f"the broker closed the socket: {frame.code} {frame.reason}")
        elif isinstance(frame, tuple):
            await self._deliver(frame, take)

    async def _deliver(
        self, messages: tuple[Message, ...], take: Callable[[Sequence[Message]], Awaitable[None]]
    ) -> None:
        events = [one for one in messages if one.e]
        if events:
            await take(events)
        for one in messages:
            asked = None if one.e else self._asked.get(one.i)
            if asked is not None:
                asked.pieces.append(one)
                if asked.done:
                    asked.came.set()
        for one in events:
            if one.e == "shutdown":
                raise _ended(one)


def _ended(event: Message) -> SocketLost:
    told = decode(Shutdown, event.d)
    return SocketLost(f"{told.reason_code}: {told.reason}", evicted=told.reason_code == EVICTED)
