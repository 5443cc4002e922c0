"""TradeStation's REST interface: signed requests, quotas, and answers that are typed or raise BrokerError."""

from typing import Final, TypeVar

import attrs

from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.guards.pauses import CANCELS, COMMANDS
from brokers.outcome import NoAnswer, NotSent, no_answer
from brokers.tokens.reader import TokenReader
from brokers.tokens.signing import Bearer
from brokers.tokens.token_set import Token
from brokers.tradestation.quota import Tolls, over_quota
from brokers.tradestation.settings import BROKER
from brokers.tradestation.wire import BadPayload, Fault, decode
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpFailure, HttpRequest, HttpResponse
from runtime.world import Clock

T = TypeVar("T")

ORDER_SECONDS: Final = 10.0
_JSON: Final = ("content-type", "application/json")
_CODES: Final = {
    400: Code.API_ERROR,
    401: Code.SESSION_EXPIRED,
    403: Code.FORBIDDEN,
    429: Code.RATE_LIMITED,
}


@attrs.frozen(eq=False)
class Rest:
    """One login's requests; orders leave by a client of their own, so that no question holds them up."""

    origin: str
    reads: HttpClient
    commands: HttpClient
    credentials: TokenReader
    tolls: Tolls
    clock: Clock

    async def get(self, kind: type[T], resource: str, target: str) -> T:
        """The answer to a question, asked again once if the token was refused; raises BrokerError."""
        request = HttpRequest("GET", self.origin + target)
        token = await self.credentials.token()
        answer = await self._asked(resource, request, token)
        if answer.status == 401:
            token = await self.credentials.next_token(token)
            answer = await self._asked(resource, request, token)
        if answer.status != 200:
            raise self.refusal(resource, answer)
        try:
            return decode(kind, answer.body)
        except BadPayload as bad:
            raise broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE) from bad

    async def command(self, method: str, target: str, body: bytes, key: str) -> "HttpResponse | NoAnswer | NotSent":
        """Sends an order, a change or a cancel once; a token that was refused is renewed for the next one."""
        resource = CANCELS if method == "DELETE" else COMMANDS  # a quota on orders must not stop cancels
        try:
            token = await self.credentials.token()
            async with self.tolls.pay(resource) as sent_ns:
                headers = (_JSON,) if body else ()
                request = HttpRequest(method, self.origin + target, headers, body, ORDER_SECONDS, key)
                answer = await self.commands.send(self._signed(request, token))
        except BrokerError as refused:  # of the guard or the token store: nothing was sent
            return NotSent(refused)
        except HttpFailure as failure:
            return no_answer(failure)
        self.tolls.heed(resource, answer, sent_ns)
        if answer.status == 401:
            self.credentials.refused(token)
        return answer

    def refusal(self, resource: str, answer: HttpResponse) -> BrokerError:
        """What a status other than 200 means for a question."""
        missing = Code.ORDER_NOT_FOUND if resource == "orders" else Code.SYMBOL_NOT_FOUND
        known = missing if answer.status == 404 else _CODES.get(answer.status, Code.API_ERROR)
        code = Code.RATE_LIMITED if over_quota(answer) else known
        wait_ns = answer.retry_after_ns(self.clock.wall_ns())
        text = f"HTTP {answer.status}: {fault_in(answer).message}"
        return broker_error(BROKER, code, text, retry_after_ns=wait_ns, certainty=Certainty.DEFINITE)

    async def _asked(self, resource: str, request: HttpRequest, token: Token) -> HttpResponse:
        try:
            async with self.tolls.pay(resource) as sent_ns:
                answer = await self.reads.send(self._signed(request, token))
        except HttpFailure as failure:
            seen = no_answer(failure)
            raise broker_error(BROKER, seen.code, seen.text, certainty=Certainty.DEFINITE) from None
        self.tolls.heed(resource, answer, sent_ns)
        return answer

    def _signed(self, request: HttpRequest, token: Token) -> HttpRequest:
        return Bearer(token).sign(request, self.clock.wall_ns())


def fault_in(answer: HttpResponse) -> Fault:
    """The error object in an answer; an empty one where there is none."""
    try:
        return decode(Fault, answer.body)
    except BadPayload:
        return Fault()
