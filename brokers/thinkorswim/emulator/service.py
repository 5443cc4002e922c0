"""Schwab's interface: which request goes where, who may ask it, and how often."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

from brokers.emulation.catalogue import Where
from brokers.emulation.house import House
from brokers.emulation.web import Reply, Request
from brokers.emulation.windows import FixedWindows, Quota
from brokers.thinkorswim.emulator import market
from brokers.thinkorswim.emulator.oauth import SignIn
from brokers.thinkorswim.emulator.routes import Route, route
from brokers.thinkorswim.emulator.words import RefusedError, gateway_error, market_error, trader_error

REQUESTS: Final = Quota(120, 60)  # of an application
ORDERS_A_MINUTE: Final = Quota(120, 60)  # of an account; what its owner chose
ORDERS_A_DAY: Final = Quota(4000, 86_400)


class Schwab:
    """The service behind the HTTP interface."""

    def __init__(self, house: House, sign_in: SignIn, accounts: tuple[str, ...], routes: tuple[Route, ...]) -> None:
        self.accounts = accounts
        self._house = house
        self._sign_in = sign_in
        self._windows = FixedWindows()
        self._open = (
            route("GET", "/v1/oauth/authorize", Where.TOKEN, self._authorize),
            route("POST", "/v1/oauth/token", Where.TOKEN, self._token),
        )
        self._routes = (*self._open, *routes)

    # The service as the application sees it.

    def where(self, request: Request) -> Where:
        """The class of a request."""
        found = self._find(request)
        return Where.QUERY if found is None else found[0].where

    def facts(self, request: Request) -> Mapping[str, object]:
        """Nothing: orders have no key of the client's own here."""
        return {}

    def failure(self, status: int) -> Reply:
        """An HTTP error that is none of the service's doing."""
        if status == 401:
            return trader_error(RefusedError(401, "Invalid bearer token"))
        return gateway_error(status)

    async def answer(self, request: Request) -> Reply:
        """Checks the bearer and the quotas, and does what is asked."""
        try:
            return self._answer(request)
        except RefusedError as refused:
            if request.path.startswith(market.ROOT):
                return market_error(refused, self._house.chance)
            return trader_error(refused)

    def _answer(self, request: Request) -> Reply:
        found = self._find(request)
        if found is None:
            return gateway_error(404)
        one, parts = found
        if one not in self._open:
            self._check_bearer(request)
            if not self._may_ask(one, parts):
                return gateway_error(429)
        return one.handler(request, parts)

    def _find(self, request: Request) -> tuple[Route, list[str]] | None:
        path = request.raw_path.partition("?")[0]
        for one in self._routes:
            match = one.path.fullmatch(path)
            if match is not None and one.method == request.method:
                return one, [unquote(part) for part in match.groups()]
        return None

    def _check_bearer(self, request: Request) -> None:
        if self._sign_in.check_bearer(request.headers.get("authorization", ""), self._house.now_ns()):
            return
        if request.path.startswith(market.ROOT):
            raise RefusedError(401, "Client not authorized", header="Authorization")
        raise RefusedError(401, "Invalid bearer token")

    def _may_ask(self, one: Route, parts: list[str]) -> bool:
        """Uses one of every quota that the request counts for."""
        now, windows = self._house.now_ns(), self._windows
        if not windows.take("requests", self._sign_in.app.key, REQUESTS, now).passes:
            return False
        if one.where is not Where.COMMAND:
            return True
        by_minute = windows.take("orders a minute", parts[0], ORDERS_A_MINUTE, now).passes
        return by_minute and windows.take("orders a day", parts[0], ORDERS_A_DAY, now).passes

    # Sign-in.

    def _authorize(self, request: Request, _: list[str]) -> Reply:
        return self._sign_in.authorize(request.query, self._house.now_ns())

    def _token(self, request: Request, _: list[str]) -> Reply:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise RefusedError(400, "Content-Type must be application/x-www-form-urlencoded")
        form = dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
        return self._sign_in.token(request.headers.get("authorization", ""), form, self._house.now_ns())
