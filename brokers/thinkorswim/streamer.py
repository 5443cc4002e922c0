"""The one streamer connection of a login, shared by all its sessions: opened when somebody wants data, kept up, closed.

What is wanted stands in the Audience, which outlives this actor; every new connection asks for all of it again.
"""

from collections.abc import Iterator
from typing import Final

import attrs
import trio

from brokers.errors import BrokerError, Code, broker_error
from brokers.gateway import LinkNews
from brokers.guards.guard import Guard
from brokers.guards.operation import Charge, Kind, Operation
from brokers.guards.reconnect import Reconnect
from brokers.guards.timeline import SECOND_NS
from brokers.instruments import Kind as InstrumentKind
from brokers.symbols import SymbolMap
from brokers.thinkorswim.audience import Audience, Flow, Wish
from brokers.thinkorswim.board import Board, BoardStatistics
from brokers.thinkorswim.codes import Reaction
from brokers.thinkorswim.conversation import Key, Wanted
from brokers.thinkorswim.events import Event, Evicted, Quarantined, Tell
from brokers.thinkorswim.fields import ACTIVITY_KEY, ASKED, Service, numbers
from brokers.thinkorswim.line import Ears, Line, Parting
from brokers.thinkorswim.rest import Rest
from brokers.thinkorswim.settings import BROKER, ThinkorswimSettings
from brokers.thinkorswim.wire import LONGEST
from brokers.tokens.reader import TokenReader
from runtime import Actor, Backoff, Child, Reason
from runtime.calls import Reply
from runtime.wire.capture import Recorder
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.websocket import open_websocket
from runtime.wire.websocket_ends import WebSocketClosed, WebSocketRefused
from runtime.wire.websocket_session import Heartbeat, WebSocketSettings

REQUESTS: Final = "requests"  # the limit that every question to the HTTP interface counts on
OPEN: Final = Operation("open the streamer", Kind.SESSION, (Charge(REQUESTS),))
_SOCKET: Final = WebSocketSettings(heartbeat=Heartbeat(every=10.0), max_message=LONGEST)
_SERVICES: Final = {  # by what is wanted, and whether it is of a future
    (Flow.PRICES, True): Service.LEVELONE_FUTURES,
    (Flow.MINUTES, True): Service.CHART_FUTURES,
    (Flow.PRICES, False): Service.LEVELONE_EQUITIES,
    (Flow.MINUTES, False): Service.CHART_EQUITY,
}
_LONGEST_AWAY: Final = 3600.0
_FORGIVEN: Final = 3600.0  # seconds of a connection after which earlier evictions no longer count


@attrs.frozen(kw_only=True, eq=False)
class StreamerParts:
    """What the streamer's actor works with."""

    settings: ThinkorswimSettings
    names: SymbolMap
    roots: frozenset[str]
    audience: Audience
    rest: Rest
    credentials: TokenReader
    guard: Guard
    allowed: AllowList
    redactor: Redactor
    tell: Tell
    recorder: Recorder | None = None

    @property
    def actor_key(self) -> tuple[str, str, str]:
        """The unique name of the actor."""
        return ("streamer", BROKER, self.settings.login)

    def child(self) -> Child["StreamerActor"]:
        """The actor as a permanent child of its connection."""
        return Child("streamer", lambda: StreamerActor(self), name=self.actor_key, backoff=Backoff(first=0.5, most=15))

    def key_of(self, wish: Wish) -> Key:
        """The subscription behind a wish."""
        symbol, flow = wish
        name = self.names.to_broker_symbol(symbol)
        return _SERVICES[flow, name.startswith("/")], name

    def wanted(self) -> dict[Service, Wanted]:
        """All that the sessions need; which contract is active is asked where a continuous future is among it."""
        names: dict[Service, set[str]] = {}
        extra: set[Service] = set()
        for wish in self.audience.wanted:
            service, name = self.key_of(wish)
            names.setdefault(service, set()).add(name)
            if service is Service.LEVELONE_FUTURES and wish[0] in self.roots:
                extra.add(service)
        if names and self.settings.activity:
            names[Service.ACCT_ACTIVITY] = {ACTIVITY_KEY}
        return {
            service: Wanted(
                frozenset(found), numbers(service, (*ASKED[service], *(("active_symbol",) if service in extra else ())))
            )
            for service, found in names.items()
        }


@attrs.frozen
class StreamerStatistics:
    """How the connection does; `up` is None while nobody needs one.

    why         why it is down, in a sentence
    generation  of the token that the present connection logged in with
    fronts      the contract that is active now, by the root of a continuous future
    """

    up: bool | None
    why: str
    symbols: int
    connections: int
    evictions: int
    generation: int
    fronts: dict[str, str]
    board: BoardStatistics


class StreamerActor(Actor):
    """Keeps the connection; `subscribed` answers when what was wanted is confirmed."""

    expects = (BrokerError,)
    safe = frozenset({"up", "connections", "evictions"})

    def __init__(self, parts: StreamerParts) -> None:
        self._parts = parts
        settings = parts.settings
        self._board = Board(lot_shares=settings.lot_shares, delayed_data=settings.delayed_data)
        self._watched: set[str] = set()
        self._line: Line | None = None
        self._waiting: list[tuple[Key, Reply]] = []
        self._generation = 0
        self.up: bool | None = None
        self._refusal: BrokerError | None = None  # what new subscribers are told while the connection is down
        self.connections = 0
        self.evictions = 0

    async def on_start(self) -> None:
        """Begins to keep the connection."""
        self._adjust_board()
        self.spawn(self._keep)

    async def on_stop(self, reason: Reason) -> None:
        """The connection ends with the actor, and all who listen hear of it."""
        if self.up:
            self._tell_link(up=False, text=f"the streamer's actor ended: {self._parts.redactor.line(str(reason))}")

    # Messages.

    def subscribed(self, wish: Wish) -> None:
        """Answers when the streamer has confirmed a wish; raises BrokerError when it will not come now."""
        if self._refusal is not None:
            raise self._refusal
        self._waiting.append((self._parts.key_of(wish), reply := self.defer()))
        self.adjust()
        self._settle()
        later: None = reply.later
        return later

    def adjust(self) -> None:
        """Takes up what the audience wants now."""
        self._adjust_board()
        if self._line is not None:
            self._line.want(self._parts.wanted())

    def statistics(self) -> StreamerStatistics:
        """How the connection does."""
        return StreamerStatistics(
            self.up,
            "" if self._refusal is None else str(self._refusal),
            len(self._watched),
            self.connections,
            self.evictions,
            self._generation,
            dict(self._fronts()),
            self._board.statistics(),
        )

    def _fronts(self) -> Iterator[tuple[str, str]]:
        for name, active in self._board.fronts.items():
            yield self._parts.names.to_root_symbol(name), active.removeprefix("/")

    def _adjust_board(self) -> None:
        wanted = {symbol for symbol, _ in self._parts.audience.wanted}
        for symbol in self._watched - wanted:
            self._board.leave(self._parts.names.to_broker_symbol(symbol))
        for symbol in wanted - self._watched:
            name = self._parts.names.to_broker_symbol(symbol)
            self._board.watch(name, symbol, InstrumentKind.FUTURE if name.startswith("/") else InstrumentKind.STOCK)
        self._watched = wanted

    # The connection.

    async def _keep(self) -> None:
        """Connects while anybody wants anything, in turns, and does what each end asks for."""
        host = self._parts.guard.host
        turns = Reconnect(host.pacer, host.timeline, self.world.chance)
        while True:
            if not self._parts.audience.wanted:
                self._refusal = None  # whoever comes next waits for a new attempt
            await self._parts.audience.somebody()
            await turns.turn()
            began = trio.current_time()
            parting = await self._connected(turns)
            self._line = None
            if trio.current_time() - began >= _FORGIVEN:
                self.evictions = 0
            self._part(parting)
            if parting.reaction is Reaction.STAY_AWAY:
                await trio.sleep(self._away())

    async def _connected(self, turns: Reconnect) -> Parting:
        """One connection from its opening to its end."""
        parts = self._parts
        try:
            streamer = await parts.guard.run(OPEN, lambda _: parts.rest.streamer())
            token = await parts.credentials.token()
            async with open_websocket(
                self.world.network,
                streamer.url,
                parts.allowed,
                parts.redactor,
                settings=_SOCKET,
                recorder=parts.recorder,
            ) as session:
                turns.connected()
                self.connections += 1
                self._generation = token.generation
                self._board.forget_prices()
                line = self._line = Line(
                    session,
                    streamer,
                    token.access,
                    parts.settings,
                    parts.wanted(),
                    self._board,
                    Ears(parts.audience.tell, self._settle, self._settled, self._told),
                    self.world.clock,
                )
                parting = await line.run()
            if parting.reaction is Reaction.RENEW:
                await parts.credentials.next_token(token)
        except BrokerError as error:
            return Parting(Reaction.RECONNECT, str(error), error)
        except (WebSocketRefused, WebSocketClosed) as error:
            return Parting(Reaction.RECONNECT, str(error))
        return parting

    def _away(self) -> float:
        """How long to leave the connection to the other program, told to people."""
        self.evictions += 1
        doublings = min(self.evictions - 1, 20)
        away = min(self._parts.settings.away * (1 << doublings), _LONGEST_AWAY)
        self._parts.tell(Evicted(str(self._parts.settings.login_id), int(away * SECOND_NS)))
        return away

    # What is heard.

    def _settled(self) -> None:
        """All that was wanted is confirmed or refused: the stream is up."""
        self._refusal = None
        if self.up is not True:
            self.up = True
            self._tell_link(up=True, text="the streamer is connected")

    def _part(self, parting: Parting) -> None:
        if parting.reaction is Reaction.GO_ON:
            self.up = None
            return
        parting = attrs.evolve(parting, text=self._parts.redactor.line(parting.text))
        self._refusal = parting.refusal
        for _, reply in self._waiting:
            reply.fail(self._refusal)
        self._waiting.clear()
        if self.up is not False:
            self.up = False
            self._tell_link(up=False, text=parting.text)

    def _tell_link(self, *, up: bool, text: str) -> None:
        self._parts.audience.tell((LinkNews(up, text, self.world.clock.wall_ns()),))

    def _told(self, event: Event) -> None:
        if isinstance(event, Quarantined):
            event = attrs.evolve(event, value=self._parts.redactor.line(event.value))
        self._parts.tell(event)

    def _settle(self) -> None:
        """Answers those whose symbol is confirmed or refused."""
        talk = self._line.conversation if self._line is not None else None
        if talk is None:
            return
        waiting, self._waiting = self._waiting, []
        for key, reply in waiting:
            code = talk.refused.get(key)
            if code is not None:
                text = f"{key[1]}: the streamer answered {code.number} ({code.name})"
                reply.fail(broker_error(BROKER, code.means or Code.UNKNOWN, text))
            elif talk.holds(key):
                reply.send(None)
            elif not reply.abandoned:
                self._waiting.append((key, reply))
