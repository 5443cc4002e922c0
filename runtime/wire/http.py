"""The HTTP client of a login: each request leaves at most once, and a failure tells whether it may have arrived."""

import http.cookiejar
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final, Protocol, Self

import attrs
import httpcore
import httpx

from runtime.wire.capture import Recorder
from runtime.wire.delivery import Delivery, Phase
from runtime.wire.http_attempt import Attempt
from runtime.wire.http_body import ACCEPTED_ENCODINGS
from runtime.wire.http_messages import Fault, HttpRequest, HttpResponse, HttpSettings
from runtime.wire.http_stream import HttpStream, Pieces
from runtime.wire.http_transport import NetworkTransport
from runtime.wire.origins import AllowList
from runtime.wire.redaction import Redactor
from runtime.wire.tls import shared_tls, verifying
from runtime.world import Network

_DEFAULTS: Final = HttpSettings()


class Dates(Protocol):
    """Hears the Date of each answer that was made for its request; neither waits nor raises."""

    def sending(self) -> int:
        """A request leaves; the number comes back with its answer."""
        ...

    def answered(self, sent_ns: int, date: str) -> None:
        """The head of an answer is here."""
        ...


@attrs.frozen
class HttpStatistics:
    """What a client did so far and what it holds."""

    requests: int
    failures: int
    in_progress: int
    connections: int


class HttpClient:
    """One per login and purpose (orders and reads get one each, so that neither waits for the other).

    It follows no redirect, keeps no cookie, reads no environment variable and repeats nothing. What it cannot
    answer raises HttpFailure. A caller that is cancelled learns from the Delivery it handed in whether bytes left.
    """

    def __init__(
        self,
        network: Network,
        allowed: AllowList,
        redactor: Redactor,
        *,
        settings: HttpSettings = _DEFAULTS,
        tls: ssl.SSLContext | None = None,
        recorder: Recorder | None = None,
        dates: Dates | None = None,
    ) -> None:
        self._allowed = allowed
        self._dates = dates
        self._redactor = redactor
        self._settings = settings
        self._recorder = recorder
        self._new_transport = partial(NetworkTransport, network, allowed, verifying(tls or shared_tls()), settings)
        self._transport = self._new_transport()
        self._client = _client_over(self._transport)
        self._urls = {origin: httpx.URL(f"{origin.scheme}://{origin.authority}") for origin in allowed.origins}
        self._defaults = (("user-agent", settings.user_agent), ("accept-encoding", ACCEPTED_ENCODINGS))
        self._attempts: set[Attempt] = set()
        self._requests = self._failures = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def send(self, request: HttpRequest, delivery: Delivery | None = None) -> HttpResponse:
        """Sends a request and returns its complete answer, whatever the status; raises HttpFailure."""
        with self._attempt(request, delivery) as attempt:
            return await attempt.within(self._time_for(request), Fault.TIMEOUT, partial(self._exchange, attempt))

    @asynccontextmanager
    async def stream(
        self, request: HttpRequest, *, gap: float, delivery: Delivery | None = None
    ) -> AsyncIterator[HttpStream]:
        """Sends a request and gives its answer as it arrives, cut off at the end of the block.

        `gap` is the longest pause in seconds between its bytes; raises HttpFailure.
        """
        with self._attempt(request, delivery) as attempt:
            response = await attempt.within(self._time_for(request), Fault.TIMEOUT, partial(self._open, attempt))
            pieces = Pieces(response)
            try:
                head = _head(response)
                attempt.answered(head.status, head.headers)
                yield HttpStream(attempt, head, pieces, gap, self._settings)
            finally:
                await pieces.cut()
                attempt.finished()

    def statistics(self) -> HttpStatistics:
        """What this client did so far and what it holds."""
        return HttpStatistics(self._requests, self._failures, len(self._attempts), self._transport.connections)

    async def aclose(self) -> None:
        """Closes the client; exchanges in progress, and later ones, end with HttpFailure (CLOSED)."""
        self._closed = True
        for attempt in self._attempts:
            attempt.close()
        await self._client.aclose()

    def reopen(self) -> None:
        """Makes a client that was closed as good as new; one that is open stays as it is."""
        if self._closed:
            self._transport = self._new_transport()
            self._client = _client_over(self._transport)
            self._closed = False

    @contextmanager
    def _attempt(self, request: HttpRequest, delivery: Delivery | None) -> Iterator[Attempt]:
        attempt = Attempt(request, delivery, self._redactor, self._recorder)
        self._requests += 1
        self._attempts.add(attempt)
        if self._closed:
            attempt.close()
        try:
            yield attempt
        finally:
            self._attempts.discard(attempt)
            self._failures += attempt.failed

    async def _exchange(self, attempt: Attempt) -> HttpResponse:
        response = await self._open(attempt)
        pieces = Pieces(response)
        try:
            body = await pieces.whole(self._settings.max_body)
        finally:
            await pieces.cut()
        answer = attrs.evolve(_head(response), body=body)
        attempt.delivery.reach(Phase.DONE)
        attempt.answered(answer.status, answer.headers, body)
        return answer

    async def _open(self, attempt: Attempt) -> httpx.Response:
        request = attempt.request
        origin, target = self._allowed.split(request.url)
        if "#" in target:
            raise httpcore.LocalProtocolError  # a fragment is for browsers
        message = httpx.Request(
            request.method,
            self._urls[origin],
            headers=self._headers(request),
            content=request.body,
            extensions={"origin": origin, "target": target.encode("ascii"), "delivery": attempt.delivery},
        )
        attempt.delivery.reach(Phase.QUEUE)
        sent_ns = 0 if self._dates is None else self._dates.sending()
        response = await self._client.send(message, stream=True)
        attempt.delivery.reach(Phase.BODY)
        if self._dates is not None and "date" in response.headers and "age" not in response.headers:
            self._dates.answered(sent_ns, response.headers["date"])
        return response

    def _headers(self, request: HttpRequest) -> list[tuple[str, str]]:
        given = {name.lower() for name, _ in request.headers}
        return [*(pair for pair in self._defaults if pair[0] not in given), *request.headers]

    def _time_for(self, request: HttpRequest) -> float:
        return self._settings.total_seconds if request.timeout is None else request.timeout


def _head(response: httpx.Response) -> HttpResponse:
    headers = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers.raw)
    return HttpResponse(response.status_code, tuple(headers))


def _client_over(transport: NetworkTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport,
        timeout=None,  # noqa: S113 - every exchange has one deadline instead, see Attempt
        trust_env=False,
        follow_redirects=False,
        cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=())),
    )
