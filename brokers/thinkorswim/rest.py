"""Schwab's HTTP interface: signed questions, answers that are read or raise BrokerError; nothing is ever ordered."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import attrs

from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.outcome import no_answer
from brokers.thinkorswim.settings import BROKER
from brokers.thinkorswim.wire import Malformed, Streamer
from brokers.thinkorswim.wire_rest import Facts, History, decode_facts, decode_history, decode_preferences, words_of
from brokers.tokens.reader import TokenReader
from brokers.tokens.signing import Bearer
from brokers.tokens.token_set import Token
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpFailure, HttpRequest, HttpResponse
from runtime.wire.redaction import Redactor
from runtime.world import Clock

T = TypeVar("T")

_CODES: Final = {
    401: Code.SESSION_EXPIRED,
    403: Code.FORBIDDEN,
    404: Code.SYMBOL_NOT_FOUND,
    429: Code.RATE_LIMITED,
}


@attrs.frozen(eq=False)
class Rest:
    """One login's questions."""

    origin: str
    http: HttpClient
    credentials: TokenReader
    redactor: Redactor
    clock: Clock

    async def streamer(self) -> Streamer:
        """Where and how to reach the streamer; raises BrokerError."""
        return await self._get("/trader/v1/userPreference", {}, decode_preferences)

    async def history(self, query: Mapping[str, str]) -> History:
        """A price history; raises BrokerError."""
        return await self._get("/marketdata/v1/pricehistory", query, decode_history)

    async def facts(self, names: tuple[str, ...]) -> tuple[dict[str, Facts], dict[str, Malformed]]:
        """What is said of these instruments, and what of it cannot be read; raises BrokerError."""
        query = {"symbols": ",".join(names), "fields": "quote,reference", "indicative": "false"}
        return await self._get("/marketdata/v1/quotes", query, decode_facts)

    async def _get(self, path: str, query: Mapping[str, str], read: Callable[[bytes], T]) -> T:
        """The answer to a question, asked again once with a fresh token if the token was refused."""
        encoded = urlencode(query, quote_via=quote, safe=",")
        request = HttpRequest("GET", f"{self.origin}{path}?{encoded}" if encoded else f"{self.origin}{path}")
        token = await self.credentials.token()
        answer = await self._sent(request, token)
        if answer.status == 401:
            answer = await self._sent(request, await self.credentials.next_token(token))
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            return read(answer.body)
        except Malformed as error:
            text = self.redactor.line(f"{path}: {error}")
            raise broker_error(BROKER, Code.API_ERROR, text, certainty=Certainty.DEFINITE) from None

    async def _sent(self, request: HttpRequest, token: Token) -> HttpResponse:
        try:
            return await self.http.send(Bearer(token).sign(request, self.clock.wall_ns()))
        except HttpFailure as failure:
            seen = no_answer(failure)
            raise broker_error(BROKER, seen.code, seen.text, certainty=Certainty.DEFINITE) from None

    def _refusal(self, answer: HttpResponse) -> BrokerError:
        return broker_error(
            BROKER,
            _CODES.get(answer.status, Code.API_ERROR),
            self.redactor.line(f"HTTP {answer.status}: {words_of(answer.body)}"),
            retry_after_ns=answer.retry_after_ns(self.clock.wall_ns()),
            certainty=Certainty.DEFINITE,
        )
