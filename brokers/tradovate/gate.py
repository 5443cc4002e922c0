"""The gate before every request of a login: its rate limit, and the penalties by which the broker asks for a pause.

A penalty comes as a body of success with a ticket: after its time the next request must show the ticket. One that asks
for a captcha cannot be solved by a program; the vendor's advice is to stay away for an hour.
"""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final

import attrs
import msgspec

from brokers.errors import BrokerError, Code, broker_error
from brokers.guards.bulkhead import Pool
from brokers.guards.host import Host
from brokers.guards.operation import Charge, Kind, Operation, Pause, Priority
from brokers.guards.pauses import HOST, Held
from brokers.guards.timeline import SECOND_NS
from brokers.news_hub import Quarantined
from brokers.tokens.drive import Sender
from brokers.tradovate.settings import BROKER
from brokers.tradovate.wire import BadPayload, Payload, decode
from runtime.wire.delivery import Phase, Sent
from runtime.wire.http_messages import Fault, HttpFailure, HttpRequest, HttpResponse, without_query

HOUR_NS: Final = 3_600 * SECOND_NS
MOST_AT_ONCE: Final = 8
LONGEST_WAIT_NS: Final = 60 * SECOND_NS
PATIENCE: Final = 3
"""How often one question is sent at the most, penalties in between."""
_LONGEST_PENALTY: Final = 86_400
_BLOCKS: Final = frozenset({418, 423, 429})
_LOCKED_NS: Final = 60 * SECOND_NS
_KINDS: Final = {Priority.REDUCE: Kind.CANCEL, Priority.ORDER: Kind.SUBMIT, Priority.QUERY: Kind.READ}
_MARK: Final = b'"p-ticket"'
_LOOK: Final = 1_000  # a penalty is short, a list of rows is not


class Penalty(Payload, frozen=True):
    """The broker asks for a pause; the next request shows the ticket."""

    ticket: str = msgspec.field(name="p-ticket")
    seconds: Decimal = msgspec.field(default=Decimal(60), name="p-time")
    captcha: bool = msgspec.field(default=False, name="p-captcha")

    @property
    def for_ns(self) -> int:
        """How long to stay away."""
        if self.captcha:
            return HOUR_NS
        readable = self.seconds.is_finite() and 0 <= self.seconds <= _LONGEST_PENALTY
        return max(1, math.ceil(self.seconds)) * SECOND_NS if readable else _LOCKED_NS


def penalty_in(body: bytes | msgspec.Raw) -> Penalty | None:
    """The penalty that stands in the place of an answer; None where there is none."""
    start = bytes(memoryview(body)[:_LOOK])
    if _MARK not in start or not start.lstrip().startswith(b"{"):
        return None
    try:
        return decode(Penalty, body, _LOOK)
    except BadPayload:
        return None


class Gate:
    """Lets requests through one after the other as the broker's limits and penalties allow."""

    def __init__(self, host: Host, tell: Callable[[object], None]) -> None:
        self._host = host
        self._tell = tell
        self._pool = Pool("requests", MOST_AT_ONCE)
        self._ticket: str | None = None
        self._operations = {
            priority: Operation("a request", kind, (Charge("requests"),), pool="requests", priority=priority)
            for priority, kind in _KINDS.items()
        }

    @asynccontextmanager
    async def pass_through(self, priority: Priority) -> AsyncIterator[dict[str, str]]:
        """Waits for room and gives what the request has to show beside its own fields; raises a GuardRefused."""
        limiter, operation = self._host.limiter, self._operations[priority]
        charges = limiter.charges(operation, self._pool, "")
        if not limiter.take_now(operation, priority, charges, self._host.timeline.now_ns()):
            await limiter.wait(operation, priority, charges, self._pool, longest_ns=LONGEST_WAIT_NS)
        ticket, self._ticket = self._ticket, None
        try:
            yield {} if ticket is None else {"p-ticket": ticket}
        finally:
            limiter.leave(self._pool)

    def penalise(self, penalty: Penalty) -> BrokerError:
        """Stays away as asked; the error for whoever cannot wait."""
        self._ticket = penalty.ticket
        if penalty.captcha:
            text = "the broker wants to see a person; nothing is sent for an hour: log in at its own page meanwhile"
            self._tell(Quarantined(BROKER, "captcha", text))
        else:
            text = "the broker wants a pause"
        self._pause(penalty.for_ns, text)
        return broker_error(BROKER, Code.RATE_LIMITED, text, retry_after_ns=penalty.for_ns)

    def heed(self, answer: HttpResponse) -> None:
        """Stays away from a broker that blocks or is about to, as long as it says."""
        self.turned_away(answer.status, answer.retry_after_ns(self._host.timeline.now_ns()))

    def turned_away(self, status: int, asked_ns: int | None = None) -> None:
        """Stays away for long, unless a time was told, where a status says that the broker blocks or is about to."""
        if status in _BLOCKS:
            otherwise = HOUR_NS if status == 429 else _LOCKED_NS
            self._pause(otherwise if asked_ns is None else asked_ns, f"the broker blocks requests ({status})")

    def held(self) -> Held | None:
        """What keeps every request to the host back now."""
        return self._host.limiter.pauses.over(HOST, self._host.timeline.now_ns())

    async def reopened(self, tell: Callable[[str], None]) -> None:
        """Waits until nothing keeps the whole host back, and tells why it has to."""
        while (held := self.held()) is not None:
            tell(held.reason)
            await self._host.timeline.reach(held.until_ns)

    def _pause(self, for_ns: int, why: str) -> None:
        self._host.pause(Pause(for_ns, why), self._host.timeline.now_ns())


@attrs.frozen
class SignIn:
    """Sends what signs in, which has waits of its own, and lets nothing pass that its answers forbid the whole host."""

    sender: Sender
    gate: Gate

    async def send(self, request: HttpRequest, /) -> HttpResponse:
        """The complete answer; raises HttpFailure, also without sending while the whole host is left alone."""
        held = self.gate.held()
        if held is not None:
            name = f"{request.method} {without_query(request.url)}"
            raise HttpFailure(Fault.UNREACHABLE, Phase.CHECK, Sent.NOTHING, name, f"nothing may be sent: {held.reason}")
        answer = await self.sender.send(request)
        self.gate.heed(answer)
        return answer
