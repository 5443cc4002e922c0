"""Tradovate's interface: what can be called, over HTTP or on a socket, who may call it, and how often."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import attrs

from brokers.emulation.catalogue import Where
from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.log import LINE
from brokers.emulation.web import Reply, Request
from brokers.emulation.windows import FixedWindows, Quota
from brokers.tradovate.emulator.book import OrderBook
from brokers.tradovate.emulator.counter import Counter
from brokers.tradovate.emulator.frames import goodbye
from brokers.tradovate.emulator.habits import Habits, OnExpiry
from brokers.tradovate.emulator.holdings import Holdings
from brokers.tradovate.emulator.logins import Grant, Logins, Session
from brokers.tradovate.emulator.market import MarketData
from brokers.tradovate.emulator.names import Names
from brokers.tradovate.emulator.penalties import Penalties
from brokers.tradovate.emulator.pipe import Pipe
from brokers.tradovate.emulator.socket import Ask, Socket, current_ask
from brokers.tradovate.emulator.store import KINDS, Entity, Store
from brokers.tradovate.emulator.sync import Synchronisation
from brokers.tradovate.emulator.words import (
    DENIED,
    SECOND_NS,
    AnsweredError,
    Fields,
    RefusedError,
    failure,
    read_object,
    reply,
    whole,
    wholes,
    word,
)

LIMITS: Final = (Quota(1_000, 1), Quota(5_000, 60), Quota(5_000, 3_600))
SOCKETS: Final = 50
_QUOTA_REACHED: Final = goodbye("ConnectionQuotaReached", "Connection quota is reached")
_SOCKET: Final = "SOCKET"


@attrs.frozen
class Call:
    """One request as its handler sees it."""

    fields: Fields
    token: str
    ask: Ask | None

    @property
    def socket(self) -> Socket:
        """The socket that it came on; raises RefusedError (404) when it came by HTTP."""
        if self.ask is None:
            raise RefusedError(404, "Not found: available on a socket only")
        return self.ask.socket


@attrs.frozen
class Operation:
    """What can be called."""

    method: str
    where: Where
    handler: Callable[[Call], Any]
    market: bool = False  # whether a token for market data will do
    free: bool = False  # whether no token is needed


class Tradovate:
    """The service behind both interfaces."""

    def __init__(
        self,
        house: House,
        desk: Desk,
        store: Store,
        names: Names,
        habits: Habits,
        logins: Logins,
        penalties: Penalties,
    ) -> None:
        self.accounts = desk.exchange.accounts
        self._house = house
        self._desk = desk
        self._store = store
        self._names = names
        self._habits = habits
        self._logins = logins
        self._penalties = penalties
        self._windows = FixedWindows()
        self._sockets: dict[Socket, None] = {}
        self._holdings = Holdings(desk, store, names, house.wall_ns)
        book = OrderBook(house, desk, store, names, self._holdings, fee_seconds=habits.fee_seconds)
        self._counter = Counter(house, desk, store, names, book, Pipe(house, habits.exchange_seconds))
        self._sync = Synchronisation(store, book, house.faults, logins.user.id)
        self._market = MarketData(house, desk, names)
        logins.on_end = self._close_sockets
        self._operations: dict[str, Operation] = {}
        for path, one in {**self._of_users(), **self._of_orders(), **self._of_market(), **self._of_entities()}.items():
            self._operations[path.lower()] = one

    def _of_users(self) -> Mapping[str, Operation]:
        token, query = Where.TOKEN, Where.QUERY
        return {
            "authorize": Operation(_SOCKET, token, self._authorize, free=True),
            "auth/accessTokenRequest": Operation("POST", token, self._log_in, free=True),
            "auth/renewAccessToken": Operation("GET", token, self._renew, free=True),
            "auth/me": Operation("GET", query, self._me),
            "user/syncRequest": Operation(_SOCKET, Where.STREAM, self._synchronise),
            "cashBalance/getCashBalanceSnapshot": Operation("POST", query, self._money),
            "contract/rollContract": Operation("POST", query, self._roll, market=True),
        }

    def _of_orders(self) -> Mapping[str, Operation]:
        counter = self._counter
        doings = {
            "placeOrder": counter.place,
            "placeOCO": counter.place_oco,
            "placeOSO": counter.place_oso,
            "modifyOrder": counter.modify,
            "cancelOrder": counter.cancel,
            "liquidatePosition": counter.liquidate,
        }
        return {f"order/{name}": Operation("POST", Where.COMMAND, _by_fields(act)) for name, act in doings.items()}

    def _of_market(self) -> Mapping[str, Operation]:
        market = self._market
        doings = {
            "subscribeQuote": market.subscribe_quote,
            "unsubscribeQuote": market.unsubscribe_quote,
            "subscribeDOM": market.subscribe_book,
            "unsubscribeDOM": market.unsubscribe_book,
            "getChart": market.chart,
            "cancelChart": market.cancel_chart,
        }

        def made(act: Callable[[Socket, Fields], Any]) -> Operation:
            return Operation(_SOCKET, Where.STREAM, partial(self._ask_market, act), market=True)

        return {f"md/{name}": made(act) for name, act in doings.items()}

    def _of_entities(self) -> Mapping[str, Operation]:
        doings = {
            "list": self._list,
            "item": self._item,
            "items": self._items,
            "find": self._find,
            "deps": self._dependants,
            "ldeps": self._all_dependants,
            "suggest": self._suggest,
        }
        open_to_market = {"contract", "contractMaturity", "product", "exchange", "currency"}
        return {
            f"{kind}/{name}": Operation("GET", Where.QUERY, partial(act, kind), market=kind in open_to_market)
            for kind in KINDS
            for name, act in doings.items()
        }

    # The service as the application sees it.

    def where(self, request: Request) -> Where:
        """The class of a request."""
        found = self._operations.get(_endpoint(request))
        return Where.QUERY if found is None else found.where

    def facts(self, request: Request) -> Mapping[str, object]:
        """The client's own id of a command, if it came with one; of new orders all of them."""
        if self.where(request) is not Where.COMMAND:
            return {}
        try:
            fields = read_object(request.body)
        except RefusedError:
            return {}
        parts = [fields, *(fields.get(name) for name in ("other", "bracket1", "bracket2"))]
        keys = [str(part["clOrdId"])[:64] for part in parts if isinstance(part, dict) and part.get("clOrdId")]
        if not keys or not _endpoint(request).startswith("order/place"):
            return {"cl_ord_id": keys[0]} if keys else {}
        return {"cl_ord_id": keys[0], "keys": keys}

    def failure(self, status: int) -> Reply:
        """An HTTP error in Tradovate's words."""
        return failure(status)

    async def answer(self, request: Request) -> Reply:
        """Checks the token and the limits, and does what is asked."""
        try:
            value = self._answer(request)
        except RefusedError as refused:
            return failure(refused.status, refused.text)
        except AnsweredError as answered:
            value = answered.body
        return Reply(200, b"") if value is None else reply(value)

    def _answer(self, request: Request) -> Any:
        endpoint, ask = _endpoint(request), current_ask.get()
        found = self._operations.get(endpoint)
        if found is None or request.method not in {found.method, _SOCKET}:
            raise RefusedError(404, f"Not found: {endpoint[:60]}")
        if endpoint == "authorize":
            return found.handler(Call({}, _shown_token(request.body), ask))
        call = Call({**request.query, **read_object(request.body)}, _bearer(request), ask)
        if not found.free:
            self._check_grant(call, found)
            waits = self._limit(call.fields)
            if waits is not None:
                return waits
        return found.handler(call)

    def _check_grant(self, call: Call, asked: Operation) -> None:
        if call.ask is None:
            grant = self._logins.grant(call.token, self._house.now_ns())
        else:
            grant = self._grant_of(call.ask.socket)
        if grant.market_only and not asked.market:
            raise RefusedError(401, DENIED)
        if asked.where is Where.COMMAND and self._habits.live and not self._is_known(grant.session):
            raise RefusedError(401, DENIED)

    def _grant_of(self, socket: Socket) -> Grant:
        grant = socket.grant
        if grant is None or not grant.session.alive:
            raise RefusedError(401, DENIED)
        if self._habits.on_expiry is OnExpiry.STRICT and self._house.now_ns() >= grant.expires_ns:
            raise RefusedError(401, DENIED)
        return grant

    def _is_known(self, session: Session) -> bool:
        return session.device_id == self._logins.user.device_id

    def _limit(self, fields: Fields) -> dict[str, Any] | None:
        """What a call is told that comes too soon; None lets it pass."""
        now = self._house.now_ns()
        waits = self._penalties.check("calls", fields.get("p-ticket"), now)
        if waits is not None:
            return waits
        verdicts = [self._windows.take(f"calls/{quota.period_seconds}", "", quota, now) for quota in LIMITS]
        waits_for = [verdict.reset_seconds for verdict in verdicts if not verdict.passes]
        if not waits_for:
            return None
        self._house.log.put(LINE, what="too many calls")
        return self._penalties.impose("calls", max(waits_for), now)

    # Users.

    def _log_in(self, call: Call) -> Any:
        return self._logins.log_in(call.fields, self._house.now_ns(), self._house.wall_ns())

    def _renew(self, call: Call) -> Any:
        token = call.token or str(call.fields.get("accessToken", ""))
        return self._logins.renew(token, self._house.now_ns(), self._house.wall_ns())

    def _me(self, _: Call) -> Any:
        user = self._logins.user
        mail = f"{user.name}@example.com"
        known = {"userId": user.id, "name": user.name, "fullName": "Pit User", "email": mail}
        return known | {"emailVerified": True, "isTrial": False}

    def _authorize(self, call: Call) -> None:
        """Lets a socket in, or lets it stay with a newer token; what it follows goes on."""
        socket, now = call.socket, self._house.now_ns()
        grant = socket.grant = self._logins.grant(call.token, now)
        if socket not in self._sockets:
            self._sockets[socket] = None
            socket.at_end(partial(self._sockets.pop, socket, None))
        if self._habits.on_expiry is OnExpiry.HOSTILE:
            self._house.later((grant.expires_ns - now) / SECOND_NS, partial(_expire, socket, grant))
        if len(self._sockets) > SOCKETS:
            oldest = next(iter(self._sockets)).grant
            if oldest is not None:
                self._logins.end(oldest.session)

    def _close_sockets(self, session: Session) -> None:
        for socket in list(self._sockets):
            if socket.grant is not None and socket.grant.session is session:
                socket.leave(_QUOTA_REACHED)

    def _synchronise(self, call: Call) -> Any:
        if call.ask is None:
            raise RefusedError(404, "Not found: available on a socket only")
        return self._sync.begin(call.ask, call.fields)

    def _money(self, call: Call) -> Any:
        account = str(whole(call.fields, "accountId"))
        if not self._desk.exchange.has(account):
            raise AnsweredError({"errorText": "Account is not found"})
        return self._holdings.snapshot(account)

    # Market.

    def _ask_market(self, act: Callable[[Socket, Fields], Any], call: Call) -> Any:
        if not self._habits.market_data:
            raise AnsweredError({"errorText": "Market data subscription is required", "errorCode": "NotEntitled"})
        return act(call.socket, call.fields)

    def _roll(self, call: Call) -> Any:
        fields = call.fields
        row = self._names.roll(
            word(fields, "name"),
            forward=fields.get("forward") is not False,
            if_expired=fields.get("ifExpired") is True,
            is_over=partial(self._desk.source.is_over, time_ns=self._house.now_ns()),
        )
        return {"contract": row}

    # Entities.

    def _list(self, kind: str, _: Call) -> Any:
        return self._store.rows(kind)

    def _item(self, kind: str, call: Call) -> Entity:
        return _found(kind, self._store.get(kind, whole(call.fields, "id")))

    def _items(self, kind: str, call: Call) -> Any:
        rows = [self._store.get(kind, one) for one in wholes(call.fields, "ids")]
        return [row for row in rows if row is not None]

    def _find(self, kind: str, call: Call) -> Entity:
        return _found(kind, self._store.named(kind, word(call.fields, "name")))

    def _dependants(self, kind: str, call: Call) -> Any:
        return self._store.of(kind, [whole(call.fields, "masterid")])

    def _all_dependants(self, kind: str, call: Call) -> Any:
        return self._store.of(kind, wholes(call.fields, "masterids"))

    def _suggest(self, kind: str, call: Call) -> Any:
        most = whole(call.fields, "l") if "l" in call.fields else 10
        return self._store.suggested(kind, word(call.fields, "t"), most)


def _by_fields(act: Callable[[Fields], Any]) -> Callable[[Call], Any]:
    return lambda call: act(call.fields)


def _expire(socket: Socket, grant: Grant) -> None:
    """Closes a socket that has not got a newer token meanwhile."""
    if socket.grant is grant:
        socket.leave()


def _found(kind: str, row: Entity | None) -> Entity:
    if row is None:
        raise RefusedError(404, f"Not found: {kind}")
    return row


def _shown_token(body: bytes) -> str:
    """The token that a socket shows, bare or as JSON text: clients that others wrote send either."""
    text = body.decode(errors="replace").strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _endpoint(request: Request) -> str:
    """Names are the same in small and capital letters."""
    return request.path.removeprefix("/v1").strip("/").lower()


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else ""
