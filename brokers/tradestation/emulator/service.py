"""TradeStation's interface: which request goes where, who may ask it, and how often."""

import json
from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

import attrs

from brokers.emulation.catalogue import Where
from brokers.emulation.desk import Desk
from brokers.emulation.frames import Emit
from brokers.emulation.house import House
from brokers.emulation.log import LINE
from brokers.emulation.web import Reply, Request, Streaming
from brokers.emulation.windows import FixedWindows, Quota, Verdict
from brokers.tradestation.emulator.book import OrderBook
from brokers.tradestation.emulator.brokerage import Brokerage
from brokers.tradestation.emulator.counter import Counter
from brokers.tradestation.emulator.market import MarketData
from brokers.tradestation.emulator.names import Names
from brokers.tradestation.emulator.oauth import SignIn
from brokers.tradestation.emulator.prices import QuoteBoard
from brokers.tradestation.emulator.routes import Answer, Route, route
from brokers.tradestation.emulator.streams import Streams
from brokers.tradestation.emulator.tickets import read_amendment, read_group, read_json, read_ticket
from brokers.tradestation.emulator.words import RefusedError, failure, reply

QUOTAS: Final[Mapping[str, Quota]] = {
    "accounts": Quota(320, 300),
    "orders": Quota(320, 300),
    "balances": Quota(320, 300),
    "positions": Quota(320, 300),
    "quotes": Quota(500, 300),
    "quote-streams": Quota(500, 300),
    "barcharts": Quota(500, 300),
}
CONCURRENT: Final[Mapping[str, int]] = {"order-streams": 40, "position-streams": 40}


class TradeStation:
    """The service behind the HTTP interface."""

    def __init__(
        self,
        house: House,
        desk: Desk,
        names: Names,
        sign_in: SignIn,
        kinds: Mapping[str, str],
    ) -> None:
        self.accounts = tuple(kinds)
        self._house = house
        self._sign_in = sign_in
        self._windows = FixedWindows()
        self._streaming: Tally[str] = Tally()
        book, board = OrderBook(house, desk), QuoteBoard(desk)
        self._counter = Counter(house, desk, names, book, kinds)
        streams = Streams(house, desk, names, book, board)
        self._routes = (
            *self._own_routes(),
            *Brokerage(house, desk, book, streams, kinds).routes(),
            *MarketData(house, names, board, streams).routes(),
        )

    def _own_routes(self) -> tuple[Route, ...]:
        query, command, token, of = Where.QUERY, Where.COMMAND, Where.TOKEN, "/v3/orderexecution"
        return (
            route("GET", "/authorize", token, "", "", self._authorize),
            route("POST", "/oauth/token", token, "", "", self._token),
            route("POST", "/oauth/revoke", token, "", "", self._revoke),
            route("POST", f"{of}/orders", command, "Trade", "", self._place),
            route("POST", f"{of}/ordergroups", command, "Trade", "", self._place_group),
            route("POST", f"{of}/orderconfirm", query, "Trade", "", self._confirm),
            route("POST", f"{of}/ordergroupconfirm", query, "Trade", "", self._confirm_group),
            route("PUT", f"{of}/orders/{{}}", command, "Trade", "", self._replace),
            route("DELETE", f"{of}/orders/{{}}", command, "Trade", "", self._cancel),
            route("GET", f"{of}/routes", query, "Trade", "", self._all_ways),
            route("GET", f"{of}/activationtriggers", query, "Trade", "", self._triggers),
        )

    # The service as the application sees it.

    def where(self, request: Request) -> Where:
        """The class of a request."""
        found = self._find(request)
        return Where.QUERY if found is None else found[0].where

    def facts(self, request: Request) -> Mapping[str, object]:
        """The duplicate guards that came with orders, that of the first one also by its own name."""
        if request.method != "POST" or not request.path.startswith("/v3/orderexecution/"):
            return {}
        try:
            keys = list(_confirm_ids(json.loads(request.body)))
        except (ValueError, RecursionError):
            return {}
        return {"confirm_id": keys[0], "keys": keys} if keys else {}

    def failure(self, status: int) -> Reply:
        """An HTTP error in TradeStation's words; a used-up quota is told as 403 too."""
        return failure(status, "Quota Exceeded" if status == 403 else "")

    async def answer(self, request: Request) -> Answer:
        """Checks the bearer and the quota, and does what is asked."""
        try:
            found = self._find(request)
            if found is None:
                return failure(404)
            one, parts = found
            if not one.scope:
                return one.handler(request, parts)
            self._check_bearer(request, one)
            verdict = self._spend(one)
            if verdict is not None and not verdict.passes:
                self._house.log.put(LINE, what="too many calls")
                return _headed(failure(403, "Quota Exceeded"), one.resource, verdict)
            answer = one.handler(request, parts)
        except RefusedError as refused:
            return refused.reply
        if isinstance(answer, Streaming):
            return self._counted(answer, one.resource)
        return answer if verdict is None else _headed(answer, one.resource, verdict)

    def _find(self, request: Request) -> tuple[Route, list[str]] | None:
        path = request.raw_path.partition("?")[0]
        for one in self._routes:
            match = one.path.fullmatch(path)
            if match is not None and one.method == request.method:
                return one, [unquote(part) for part in match.groups()]
        return None

    def _check_bearer(self, request: Request, asked: Route) -> None:
        scopes = self._sign_in.scopes(request.headers.get("authorization", ""), self._house.now_ns())
        if asked.scope not in scopes:
            raise RefusedError(403)

    def _spend(self, asked: Route) -> Verdict | None:
        if self._streaming[asked.resource] >= CONCURRENT.get(asked.resource, 1 << 30):
            raise RefusedError(429)
        quota = QUOTAS.get(asked.resource)
        if quota is None:
            return None
        return self._windows.take(asked.resource, self._sign_in.key.client_id, quota, self._house.now_ns())

    def _counted(self, answer: Streaming, resource: str) -> Streaming:
        async def run(emit: Emit) -> None:
            self._streaming[resource] += 1
            try:
                await answer.run(emit)
            finally:
                self._streaming[resource] -= 1

        return attrs.evolve(answer, run=run)

    # Sign-in.

    def _authorize(self, request: Request, _: list[str]) -> Answer:
        return self._sign_in.authorize(request.query, self._house.now_ns())

    def _token(self, request: Request, _: list[str]) -> Answer:
        return self._sign_in.token(_form(request), self._house.now_ns())

    def _revoke(self, request: Request, _: list[str]) -> Answer:
        return self._sign_in.revoke(_form(request))

    # Orders that are sent.

    def _place(self, request: Request, _: list[str]) -> Answer:
        return reply(self._counter.place(read_ticket(read_json(request.body))).written())

    def _place_group(self, request: Request, _: list[str]) -> Answer:
        return reply(self._counter.place_group(read_group(read_json(request.body))).written())

    def _replace(self, request: Request, parts: list[str]) -> Answer:
        return reply(self._counter.replace(parts[0], read_amendment(read_json(request.body))))

    def _cancel(self, _: Request, parts: list[str]) -> Answer:
        return reply(self._counter.cancel(parts[0]))

    def _confirm(self, request: Request, _: list[str]) -> Answer:
        return reply({"Confirmations": [self._counter.estimate(read_ticket(read_json(request.body)))]})

    def _confirm_group(self, request: Request, _: list[str]) -> Answer:
        group = read_group(read_json(request.body))
        return reply({"Confirmations": [self._counter.estimate(ticket) for ticket in group.tickets]})

    def _all_ways(self, _: Request, __: list[str]) -> Answer:
        return reply({"Routes": [{"Id": "Intelligent", "AssetTypes": ["STOCK", "FUTURE"], "Name": "Intelligent"}]})

    def _triggers(self, _: Request, __: list[str]) -> Answer:
        return reply(
            {"ActivationTriggers": [{"Key": "STT", "Name": "Single Trade Tick", "Description": "One trade tick."}]}
        )


def _confirm_ids(body: object) -> Iterator[str]:
    """Those of an order, of what it sends, and of the members of a group."""
    match body:
        case dict():
            if "OrderConfirmID" in body:
                yield str(body["OrderConfirmID"])
            for inside in (body.get("Orders"), body.get("OSOs")):
                yield from _confirm_ids(inside)
        case list():
            for one in body:
                yield from _confirm_ids(one)


def _headed(answer: Reply, resource: str, verdict: Verdict) -> Reply:
    headers = (
        ("x-ratelimit-limit", str(verdict.limit)),
        ("x-ratelimit-remaining", str(verdict.remaining)),
        ("x-ratelimit-reset", str(verdict.reset_seconds)),
        ("x-ratelimit-period", str(verdict.period_seconds)),
        ("x-ratelimit-resource", resource),
    )
    return attrs.evolve(answer, headers=(*answer.headers, *headers))


def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RefusedError(400, "Expected application/x-www-form-urlencoded")
    return dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
