"""Tradovate's REST interface: signed requests, penalties waited out, answers that are typed, or BrokerError."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs

from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.guards.operation import Priority
from brokers.outcome import NoAnswer, NotSent, no_answer
from brokers.tokens.reader import TokenReader
from brokers.tokens.signing import Bearer
from brokers.tokens.token_set import Token
from brokers.tradovate.gate import PATIENCE, Gate, Penalty, penalty_in
from brokers.tradovate.settings import BROKER
from brokers.tradovate.wire import BadPayload, decode
from brokers.tradovate.wire_orders import written
from runtime.wire.http import HttpClient
from runtime.wire.http_messages import HttpFailure, HttpRequest, HttpResponse
from runtime.world import Clock

T = TypeVar("T")

ORDER_SECONDS: Final = 10.0
MOST_IDS: Final = 100
"""How many ids one question names."""
CUT_OFF: Final = frozenset({1024, 2048, 4096, 8192})
"""Lengths at which the broker is known to cut a list off without a word."""
_JSON: Final = ("content-type", "application/json")
_CODES: Final = {
    401: Code.SESSION_EXPIRED,
    403: Code.FORBIDDEN,
    404: Code.ORDER_NOT_FOUND,
    423: Code.RATE_LIMITED,
    429: Code.RATE_LIMITED,
}


@attrs.frozen(eq=False)
class Rest:
    """One login's requests; orders leave by a client of their own, so that no question holds them up."""

    origin: str
    reads: HttpClient
    commands: HttpClient
    credentials: TokenReader
    gate: Gate
    clock: Clock

    # Questions.

    async def get(self, kind: type[T], endpoint: str, **query: object) -> T:
        """The answer to a question; raises BrokerError."""
        return self._decoded(kind, await self._asked("GET", endpoint, query))

    async def post(self, kind: type[T], endpoint: str, **body: object) -> T:
        """The answer to a question that has a body; raises BrokerError."""
        return self._decoded(kind, await self._asked("POST", endpoint, body))

    async def rows(self, kind: type[T], entity: str) -> tuple[T, ...]:
        """All rows of an entity; raises BrokerError, also for a list that looks cut off, for that proves nothing."""
        found = await self.get(tuple[kind, ...], f"{entity}/list")  # type: ignore[valid-type]
        return self._whole(entity, found)

    async def rows_of(self, kind: type[T], question: str, ids: Sequence[int], field: str = "masterids") -> list[T]:
        """The rows that belong to some ids, asked for in several questions where there are many; raises BrokerError."""
        found = list[T]()
        for first in range(0, len(ids), MOST_IDS):
            named = {field: ",".join(map(str, ids[first : first + MOST_IDS]))}
            part = await self.get(tuple[kind, ...], question, **named)  # type: ignore[valid-type]
            found += self._whole(question, part)
        return found

    def _whole(self, what: str, rows: tuple[T, ...]) -> tuple[T, ...]:
        if len(rows) not in CUT_OFF:
            return rows
        text = f"{what}: {len(rows)} rows look cut off, as the broker does; expected another number of them"
        raise broker_error(BROKER, Code.API_ERROR, text, certainty=Certainty.DEFINITE)

    def _decoded(self, kind: type[T], answer: HttpResponse) -> T:
        try:
            return decode(kind, answer.body)
        except BadPayload as bad:
            raise broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE) from bad

    async def _asked(self, method: str, endpoint: str, fields: Mapping[str, object]) -> HttpResponse:
        """The answer, asked for again after a penalty, and once more with the next token if the first was refused."""
        token, renewed = await self.credentials.token(), False
        for _ in range(PATIENCE):
            said = await self._try(method, endpoint, fields, token)
            if isinstance(said, HttpResponse) and said.status == 401 and not renewed:
                token, renewed = await self.credentials.next_token(token), True
            elif isinstance(said, HttpResponse):
                return self._good(said)
        raise broker_error(BROKER, Code.RATE_LIMITED, f"{endpoint}: the broker wants one pause after the other")

    async def _try(
        self, method: str, endpoint: str, fields: Mapping[str, object], token: Token
    ) -> "HttpResponse | Penalty":
        async with self.gate.pass_through(Priority.QUERY) as shown:
            request = self._request(method, endpoint, {**fields, **shown})
            try:
                answer = await self.reads.send(Bearer(token).sign(request, self.clock.wall_ns()))
            except HttpFailure as failure:
                seen = no_answer(failure)
                raise broker_error(BROKER, seen.code, seen.text, certainty=Certainty.DEFINITE) from None
        self.gate.heed(answer)
        penalty = penalty_in(answer.body)
        if penalty is None:
            return answer
        refusal = self.gate.penalise(penalty)
        if penalty.captcha:
            raise refusal
        return penalty

    def _good(self, answer: HttpResponse) -> HttpResponse:
        if answer.status == 200:
            return answer
        code = _CODES.get(answer.status, Code.API_ERROR)
        wait_ns = answer.retry_after_ns(self.clock.wall_ns())
        text = f"HTTP {answer.status}: {answer.body[:200].decode(errors='replace')}"
        raise broker_error(BROKER, code, text, retry_after_ns=wait_ns, certainty=Certainty.DEFINITE)

    # Commands.

    async def command(
        self, endpoint: str, body: Mapping[str, Any], key: str, priority: Priority = Priority.ORDER
    ) -> HttpResponse | NoAnswer | NotSent:
        """Sends an order, a change or a cancel once; a token that was refused is renewed for the next one."""
        try:
            token = await self.credentials.token()
            async with self.gate.pass_through(priority) as shown:
                request = attrs.evolve(
                    self._request("POST", endpoint, {**body, **shown}), timeout=ORDER_SECONDS, intent_key=key
                )
                answer = await self.commands.send(Bearer(token).sign(request, self.clock.wall_ns()))
        except BrokerError as refused:  # of the gate or the token store: nothing was sent
            return NotSent(refused)
        except HttpFailure as failure:
            return no_answer(failure)
        self.gate.heed(answer)
        penalty = penalty_in(answer.body)
        if penalty is not None:
            self.gate.penalise(penalty)
        if answer.status == 401:
            self.credentials.refused(token)
        return answer

    def _request(self, method: str, endpoint: str, fields: Mapping[str, object]) -> HttpRequest:
        url = f"{self.origin}/v1/{endpoint}"
        if method == "GET":
            query = "&".join(f"{name}={value}" for name, value in fields.items())
            return HttpRequest("GET", f"{url}?{query}" if query else url)
        return HttpRequest("POST", url, (_JSON,), written(fields))
