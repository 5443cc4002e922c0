"""TradeStation's quotas: fixed windows a resource; a quota that is used up stops its resource and nothing else.

The guard around a question knows nothing of the resources behind it, so each HTTP request pays its own toll here.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from brokers.guards.bulkhead import Pool
from brokers.guards.host import Host
from brokers.guards.operation import Charge, Kind, Operation, Pause, Usage
from brokers.guards.pauses import CANCELS, COMMANDS
from brokers.guards.timeline import SECOND_NS
from runtime.wire.http_messages import HttpResponse

MOST_AT_ONCE: Final = 8
LONGEST_WAIT_NS: Final = 60 * SECOND_NS
WINDOW_NS: Final = 300 * SECOND_NS
_LONGEST_RESET: Final = 3600  # seconds; a longer one is no time left but something else
_KINDS: Final = {COMMANDS: Kind.SUBMIT, CANCELS: Kind.CANCEL}
_QUOTA: Final = b"quota"


class Tolls:
    """The gate before each request of a login; raises a GuardRefused where there is no room in time."""

    def __init__(self, host: Host, resources: Iterable[str]) -> None:
        """`resources` are those with a limit of their name at the host; others pass and can be paused."""
        self._host = host
        self._limited = frozenset(resources)
        self._pool = Pool("requests", MOST_AT_ONCE)
        self._operations: dict[str, Operation] = {}

    @asynccontextmanager
    async def pay(self, resource: str) -> AsyncIterator[int]:
        """Waits for room and gives the moment of entry; frees the place at the end of the block."""
        limiter, operation = self._host.limiter, self._operation(resource)
        charges = limiter.charges(operation, self._pool, "")
        if not limiter.take_now(operation, operation.priority, charges, self._host.timeline.now_ns()):
            await limiter.wait(operation, operation.priority, charges, self._pool, longest_ns=LONGEST_WAIT_NS)
        try:
            yield self._host.timeline.now_ns()
        finally:
            limiter.leave(self._pool)

    def heed(self, resource: str, answer: HttpResponse, sent_ns: int) -> None:
        """Takes in what an answer tells of its quota; one that is used up stops the resource until its window ends."""
        now_ns = self._host.timeline.now_ns()
        resets = _header(answer, "x-ratelimit-reset", _LONGEST_RESET)
        spent = over_quota(answer)
        asked_ns = answer.retry_after_ns(now_ns) if spent else None
        resets_ns = asked_ns if resets is None else resets * SECOND_NS
        remaining = 0 if spent else _header(answer, "x-ratelimit-remaining", 1 << 30)
        if remaining is not None:
            usage = Usage(resource, remaining=remaining, resets_in_ns=resets_ns)
            self._host.limiter.correct(usage, "", sent_ns, now_ns)
        if spent:
            wait_ns = asked_ns if asked_ns is not None else WINDOW_NS if resets_ns is None else resets_ns
            self._host.pause(Pause(wait_ns, "the quota is used up", resource), now_ns)

    def _operation(self, resource: str) -> Operation:
        if resource not in self._operations:
            charges = (Charge(resource),) if resource in self._limited else ()
            kind = _KINDS.get(resource, Kind.READ)
            self._operations[resource] = Operation(resource, kind, charges, resource, pool=self._pool.name)
        return self._operations[resource]


def over_quota(answer: HttpResponse) -> bool:
    """Whether an answer says that a quota is used up: 429, or 403 in words that speak of the quota."""
    return answer.status == 429 or (answer.status == 403 and _QUOTA in answer.body[:2_000].lower())


def _header(answer: HttpResponse, name: str, most: int) -> int | None:
    text = (answer.header(name) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most else None
