"""Fixed quota windows: so many requests of a resource by one caller in each stretch of time."""

import attrs

SECOND_NS = 1_000_000_000


@attrs.frozen
class Quota:
    """So many requests in so many seconds."""

    limit: int
    period_seconds: int


@attrs.frozen
class Verdict:
    """Whether a request may pass, what is left of its window, and when that ends."""

    passes: bool
    limit: int
    remaining: int
    reset_seconds: int
    period_seconds: int


class FixedWindows:
    """Counts requests in windows that begin at multiples of their period, whoever asks."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, resource: str, caller: str, quota: Quota, now_ns: int) -> Verdict:
        """Uses one request of the caller's window if there is one left."""
        period_ns = quota.period_seconds * SECOND_NS
        window, into_ns = divmod(now_ns, period_ns)
        before, used = self._used.get((resource, caller), (window, 0))
        if before != window:
            used = 0
        passes = used < quota.limit
        used += passes
        self._used[resource, caller] = window, used
        reset = -(-(period_ns - into_ns) // SECOND_NS)
        return Verdict(passes, quota.limit, quota.limit - used, reset, quota.period_seconds)
