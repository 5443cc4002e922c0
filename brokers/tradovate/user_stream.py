"""The user socket: a synchronisation at its start, and from then on every change of an order, a position or money."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import attrs
import msgspec

from brokers.account_views import AccountViews
from brokers.errors import BrokerError
from brokers.gateway import AccountNews, DoubtNews, LinkNews
from brokers.tokens.token_set import Token
from brokers.tradovate.auth import user_id
from brokers.tradovate.blotter import Blotter
from brokers.tradovate.directory import Directory
from brokers.tradovate.order_lists import OrderLists
from brokers.tradovate.orders import TradovateOrders
from brokers.tradovate.stream import Parts, Stream
from brokers.tradovate.talk import SocketLost, Talk
from brokers.tradovate.wire import BadPayload, Message, decode
from brokers.tradovate.wire_entities import KINDS, MONEY, Moved, Prop, Row, Synced
from runtime.wire.secret import Secret

T = TypeVar("T")
Whole = Callable[[Sequence[Message]], bool]

SETTLE_SECONDS: Final = 1.0  # changes of positions and money that come together are told together
_COLLECTIONS: Final = {
    "order": "orders",
    "orderVersion": "orderVersions",
    "command": "commands",
    "commandReport": "commandReports",
    "fill": "fills",
    "contract": "contracts",
    "contractMaturity": "contractMaturities",
}
_ROWS: Final = ("order_versions", "commands", "command_reports", "orders", "fills")
_TELLS_MORE: Final = ("executionReport", "fillFee", "position", "cashBalance")


@attrs.frozen(eq=False)
class Records:
    """What the user socket keeps up to date."""

    blotter: Blotter
    directory: Directory
    lists: OrderLists
    orders: TradovateOrders


class UserStream(Stream):
    """Carries what happens to orders and money."""

    what = "the user socket"

    def __init__(self, parts: Parts, records: Records) -> None:
        super().__init__(parts)
        self.records = records
        self.views = AccountViews()
        self.failed_views = 0

    def origin(self) -> str:
        """Where the socket is."""
        return self.parts.settings.user_socket

    def access(self, token: Token) -> Secret:
        """The token for everything."""
        return token.access

    def tell_link(self, news: LinkNews) -> None:
        """All accounts hear of it: after an up they ask for what was missed."""
        self.records.orders.link_up = news.up
        self.parts.hub.orders_link(news)

    # The synchronisation.

    async def greet(self, talk: Talk, token: Token) -> None:
        """Begins the synchronisation; there is one for each socket, and events follow from now on."""
        pieces, blotter = await self._read(talk, *self._wanted(token)), self.records.blotter
        for piece in pieces:
            self.records.directory.take(piece.contracts or (), piece.contract_maturities or ())
        rows = [row for name in _ROWS for piece in pieces for row in getattr(piece, name) or ()]
        if blotter.begun:
            await self._news(rows)
        else:
            await self._begin(rows)

    async def _begin(self, rows: Sequence[Row]) -> None:
        """The state of things before our time is no news."""
        try:
            await self.records.directory.learn(self.records.blotter.contracts_of(rows))
        except BrokerError as error:
            raise SocketLost(f"the contracts of orders could not be asked for: {error}") from error
        self.records.blotter.begin(rows, self.parts.world.clock.wall_ns())

    async def _read(self, talk: Talk, body: dict[str, Any], whole: Whole) -> list[Synced]:
        try:
            return [decode(Synced, piece) for piece in await talk.ask("user/syncrequest", body, whole)]
        except BadPayload as bad:
            raise self._unreadable(bad) from bad

    def _wanted(self, token: Token) -> tuple[dict[str, Any], Whole]:
        """The request, and when its answer is whole."""
        user = user_id(token)
        if self.parts.settings.split_sync or user is None:
            kinds = [*_COLLECTIONS, *_TELLS_MORE]
            accounts = sorted(self.records.blotter.names)
            return {"splitResponses": True, "accounts": accounts, "entityTypes": kinds}, _all_collections
        return {"users": [user]}, bool

    # Events.

    async def take(self, events: Sequence[Message]) -> None:
        """Takes in one frame: what concerns orders together, what concerns money by looking at the account."""
        rows = list[Row]()
        for event in events:
            if event.e == "props":
                rows += self._rows(event)
        if rows:
            await self._news(rows)

    def _rows(self, event: Message) -> Iterable[Row]:
        try:
            prop = decode(Prop, event.d)
            kind = KINDS.get(prop.entity_type)
            if kind is not None and prop.event_type != "Deleted":
                return _entities(kind, prop.entity)
            if prop.entity_type in MONEY:
                self._note(row.account_id for row in _entities(Moved, prop.entity))
        except BadPayload as bad:
            self._doubt(f"event: {bad.what}", str(bad))
        return ()

    async def _news(self, rows: Iterable[Row]) -> None:
        """Tells what is new in rows; what they leave open is asked for, and if that fails everything is read anew."""
        blotter, rows = self.records.blotter, tuple(rows)
        try:
            await self.records.directory.learn(blotter.contracts_of(rows))
            self._tell(rows)
            missing = blotter.undescribed()
            if missing:
                self._tell(await self.records.lists.rows_of(missing))
                self._give_up(blotter.undescribed())
        except BrokerError as error:
            raise SocketLost(f"what an event left open could not be asked for: {error}") from error

    def _tell(self, rows: Iterable[Row]) -> None:
        blotter, hub = self.records.blotter, self.parts.hub
        hub.tell_orders(blotter.take(rows, self.parts.world.clock.wall_ns()))
        for bad in blotter.bad:
            self._doubt(bad.what, str(bad))
        blotter.bad.clear()

    def _doubt(self, what: str, text: str) -> None:
        self.parts.hub.doubt(DoubtNews(what, text, self.parts.world.clock.wall_ns()))

    def _give_up(self, order_ids: Iterable[int]) -> None:
        """Events about orders that the broker itself cannot describe are put aside; the poll compares the rest."""
        for order_id in order_ids:
            self.records.blotter.give_up(order_id)
            self._doubt(f"order {order_id}", "events speak of it, and the broker does not describe it")

    def _unreadable(self, bad: BadPayload) -> SocketLost:
        self.parts.hub.put_aside(bad.what, str(bad))
        return SocketLost(str(bad))

    # Money.

    def _note(self, account_ids: Iterable[int]) -> None:
        names = self.records.blotter.names
        if self.views.note({names[one] for one in account_ids if one in names}):
            self.send_after(SETTLE_SECONDS, UserStream.view)

    def view(self) -> None:
        """Asks for the accounts that moved and tells each as a whole."""
        for account in self.views.due():
            self.spawn(self._view, account)

    async def _view(self, account: str) -> None:
        orders = self.records.orders
        try:
            positions = tuple(await orders.positions(account))
            summary = await orders.summary(account)
        except BrokerError:
            self.failed_views += 1  # the next change, or the next poll of the books, shows it
        else:
            self.parts.hub.tell(account, AccountNews(account, summary, positions, summary.time_ns))
        if self.views.told(account):
            self.send_after(SETTLE_SECONDS, UserStream.view)


def _entities(kind: type[T], data: msgspec.Raw) -> tuple[T, ...]:
    """The row or the rows of an event; raises BadPayload."""
    if bytes(memoryview(data)[:1]) == b"[":
        return decode(tuple[kind, ...], data)  # type: ignore[valid-type]
    return (decode(kind, data),)


def _all_collections(pieces: Sequence[Message]) -> bool:
    """Whether every collection that was asked for has come."""
    names = {name for piece in pieces for name in decode(dict[str, msgspec.Raw], piece.d)}
    return names >= set(_COLLECTIONS.values())
