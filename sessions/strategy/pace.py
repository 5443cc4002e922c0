"""How long a strategy may think: the pure rule over measured times.

What is measured is the time on the monotonic clock from the call of `decide` to its return, by whoever calls it; all
sessions of the daemon wait meanwhile. The rule judges afterwards: it ends a session whose strategy is too slow, but
an endless loop returns never and can only be ended from another thread.
"""

from typing import Final

import attrs

from sessions.strategy.errors import StrategyTooSlow

_MS: Final = 1_000_000


@attrs.frozen
class PaceRule:
    """At most `limit_ns` once, and not more than `allowed` times over `slow_ns` within `window_ns`."""

    slow_ns: int = 20 * _MS
    allowed: int = 10
    window_ns: int = 60_000 * _MS
    limit_ns: int = 1_000 * _MS

    def __str__(self) -> str:
        return (
            f"{self.limit_ns / _MS:g} ms at most, and over {self.slow_ns / _MS:g} ms "
            f"at most {self.allowed} times in {self.window_ns / _MS / 1000:g} s"
        )


@attrs.frozen
class Pace:
    """How a strategy did so far: its slowest decision, and when it was slow lately."""

    slowest_ns: int = 0
    slow_at_ns: tuple[int, ...] = ()


def paced(pace: Pace, rule: PaceRule, strategy: str, event: object, took_ns: int, now_ns: int) -> Pace:
    """The pace after one more decision; raises StrategyTooSlow when the rule is broken."""
    if took_ns <= rule.slow_ns:
        return pace if took_ns <= pace.slowest_ns else attrs.evolve(pace, slowest_ns=took_ns)
    slow = (*(at for at in pace.slow_at_ns if now_ns - at < rule.window_ns), now_ns)
    if took_ns > rule.limit_ns or len(slow) > rule.allowed:
        raise StrategyTooSlow(strategy, event, took_ns, str(rule))
    return Pace(max(pace.slowest_ns, took_ns), slow)
