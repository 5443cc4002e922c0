"""The brokerage side of the interface: accounts, balances, positions and orders, asked for or streamed."""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from brokers.emulation.catalogue import Where
from brokers.emulation.desk import Desk
from brokers.emulation.frames import Emit
from brokers.emulation.house import House
from brokers.emulation.web import Request, Streaming
from brokers.tradestation.emulator.book import OrderBook
from brokers.tradestation.emulator.records import Record, account_record, balance_record
from brokers.tradestation.emulator.routes import Answer, Route, route
from brokers.tradestation.emulator.streams import GO_AWAY, Streams
from brokers.tradestation.emulator.words import SECOND_NS, RefusedError, frame, moment, read_time, reply

BROKERAGE_STREAM: Final = "application/vnd.tradestation.streams.v3+json"
_SCOPE: Final = "ReadAccount"
_MOST_ACCOUNTS: Final = 25
_MOST_ORDERS: Final = 50
_PAGE: Final = 600
_PAGE_NS: Final = 3600 * SECOND_NS
_HISTORY_NS: Final = 90 * 86_400 * SECOND_NS


class Brokerage:
    """Answers questions about accounts."""

    def __init__(self, house: House, desk: Desk, book: OrderBook, streams: Streams, kinds: Mapping[str, str]) -> None:
        self._house = house
        self._desk = desk
        self._book = book
        self._streams = streams
        self._kinds = kinds

    def routes(self) -> tuple[Route, ...]:
        """The endpoints."""

        def query(path: str, resource: str, handler: Callable[[Request, list[str]], Answer]) -> Route:
            return route("GET", f"/v3/brokerage/accounts{path}", Where.QUERY, _SCOPE, resource, handler)

        def stream(path: str, resource: str, handler: Callable[[Request, list[str]], Answer]) -> Route:
            return route("GET", f"/v3/brokerage/stream/accounts{path}", Where.STREAM, _SCOPE, resource, handler)

        return (
            query("", "accounts", self._accounts),
            query("/{}/balances", "balances", self._balances),
            query("/{}/bodbalances", "balances", self._bod_balances),
            query("/{}/positions", "positions", self._positions),
            query("/{}/orders", "orders", self._orders),
            query("/{}/orders/{}", "orders", self._orders),
            query("/{}/historicalorders", "orders", self._historical),
            query("/{}/historicalorders/{}", "orders", self._historical),
            stream("/{}/orders", "order-streams", self._order_stream),
            stream("/{}/orders/{}", "order-streams", self._order_stream),
            stream("/{}/positions", "position-streams", self._position_stream),
        )

    # Accounts.

    def _split(self, text: str) -> tuple[list[str], list[dict[str, str]]]:
        """The accounts of a path that are the user's, and an error for each other one."""
        wanted = text.split(",")
        if len(wanted) > _MOST_ACCOUNTS:
            raise RefusedError(400, f"At most {_MOST_ACCOUNTS} accounts are allowed.")
        known = [account for account in dict.fromkeys(wanted) if account in self._kinds]
        strange = [account for account in dict.fromkeys(wanted) if account not in self._kinds]
        return known, [
            {"AccountID": account, "Error": "Forbidden", "Message": "Invalid Account ID."} for account in strange
        ]

    def _accounts(self, _: Request, __: list[str]) -> Answer:
        return reply({"Accounts": [account_record(account, kind) for account, kind in self._kinds.items()]})

    def _balances(self, _: Request, parts: list[str]) -> Answer:
        known, errors = self._split(parts[0])
        return reply({"Balances": [self._balance(account) for account in known], "Errors": errors})

    def _bod_balances(self, _: Request, parts: list[str]) -> Answer:
        known, errors = self._split(parts[0])
        return reply({"BODBalances": [self._balance(account) for account in known], "Errors": errors})

    def _balance(self, account: str) -> dict[str, Any]:
        exchange = self._desk.exchange
        worth = [
            one.quantity * (one.mark or one.average_price or 0) * exchange.instruments[one.symbol].multiplier
            for one in exchange.positions(account)
        ]
        return balance_record(exchange.summary(account), self._kinds[account], sum(worth, Decimal(0)))

    def _positions(self, request: Request, parts: list[str]) -> Answer:
        known, errors = self._split(parts[0])
        patterns = [one.upper() for one in request.query.get("symbol", "*").split(",")]
        found = [
            record
            for account in known
            for record in self._streams.position_records(account)
            if any(_matches(record["Symbol"], pattern) for pattern in patterns)
        ]
        return reply({"Positions": found, "Errors": errors})

    # Orders that are asked for.

    def _orders(self, request: Request, parts: list[str]) -> Answer:
        known, errors = self._split(parts[0])
        today = moment(self._house.now_ns()).date()

        def shown(record: Record) -> bool:
            return record.open or record.closed_ns is None or moment(record.closed_ns).date() == today

        return self._listed(request, parts, [one for one in self._book.of(known) if shown(one)], errors)

    def _historical(self, request: Request, parts: list[str]) -> Answer:
        known, errors = self._split(parts[0])
        if "since" not in request.query:
            raise RefusedError(400, "Missing required parameter: since")
        since = read_time(request.query["since"])
        if since < self._house.now_ns() - _HISTORY_NS:
            raise RefusedError(400, "Invalid parameter: since is more than 90 days ago")
        old = [one for one in self._book.of(known) if not one.open and (one.closed_ns or 0) >= since]
        return self._listed(request, parts, old, errors)

    def _listed(
        self, request: Request, parts: list[str], records: list[Record], errors: list[dict[str, str]]
    ) -> Answer:
        if len(parts) > 1:
            wanted = parts[1].split(",")
            if len(wanted) > _MOST_ORDERS:
                raise RefusedError(400, f"At most {_MOST_ORDERS} orders are allowed.")
            records = [record for record in records if record.order_id in wanted]
            missing = set(wanted) - {record.order_id for record in records}
            errors += [{"OrderID": one, "Error": "NotFound", "Message": "Order not found."} for one in sorted(missing)]
        page, token = self._page(request, records)
        answer = {"Orders": [self._book.write(record) for record in page], "Errors": errors}
        return reply(answer if token is None else answer | {"NextToken": token})

    def _page(self, request: Request, records: list[Record]) -> tuple[list[Record], str | None]:
        """A page from the newest on; a token names the last order that was shown, and is good for an hour."""
        if "pageSize" not in request.query:
            return records[:_PAGE], None
        text = request.query["pageSize"]
        if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= _PAGE):
            raise RefusedError(400, "Invalid parameter: pageSize")
        token = request.query.get("nextToken")
        if token:
            after = self._read_token(token)
            records = [record for record in records if int(record.order_id) < after]
        page = records[: int(text)]
        if len(page) == len(records):
            return page, None
        made = {"after": page[-1].order_id, "until": self._house.now_ns() + _PAGE_NS}
        return page, base64.urlsafe_b64encode(json.dumps(made).encode()).decode()

    def _read_token(self, token: str) -> int:
        try:
            made = json.loads(base64.urlsafe_b64decode(token))
            after, until = int(made["after"]), int(made["until"])
        except (ValueError, KeyError, TypeError):
            raise RefusedError(400, "Invalid parameter: nextToken") from None
        if self._house.now_ns() > until:
            raise RefusedError(400, "Invalid parameter: nextToken has expired")
        return after

    # Streams.

    def _order_stream(self, _: Request, parts: list[str]) -> Answer:
        ids = frozenset(parts[1].split(",")) if len(parts) > 1 else None
        return self._account_stream(parts[0], lambda known, emit: self._streams.orders(known, ids, emit))

    def _position_stream(self, request: Request, parts: list[str]) -> Answer:
        changes = request.query.get("changes", "false").lower() == "true"
        return self._account_stream(
            parts[0], lambda known, emit: self._streams.positions(known, changes=changes, emit=emit)
        )

    def _account_stream(self, accounts: str, run: Callable[[list[str], Emit], Awaitable[None]]) -> Streaming:
        """A strange account is an error object inside the stream, which ends if no other is left."""
        known, errors = self._split(accounts)

        async def begin(emit: Emit) -> None:
            for error in errors:
                told = {name: error[name] for name in ("Error", "Message", "AccountID")}
                await emit(frame(told))
            if known:
                await run(known, emit)

        return Streaming(begin, BROKERAGE_STREAM, GO_AWAY)


def _matches(symbol: str, pattern: str) -> bool:
    return symbol.startswith(pattern[:-1]) if pattern.endswith("*") else symbol == pattern
