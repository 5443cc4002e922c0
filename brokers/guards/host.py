"""What all connections to one broker host share: its limits, pauses, retry budget and turns to reconnect."""

from collections.abc import Iterable

from brokers.guards.backoff import Backoff
from brokers.guards.events import PauseBegan, Tell
from brokers.guards.lessons import Fate, Lesson
from brokers.guards.limiter import Limiter
from brokers.guards.limits import Limit
from brokers.guards.memory import BLANK, GuardMemory
from brokers.guards.operation import Pause
from brokers.guards.pauses import HOST, Held
from brokers.guards.reconnect import Pacer
from brokers.guards.retry import RetryBudget
from brokers.guards.timeline import SECOND_NS, Timeline
from runtime.world import Clock

LONGEST_PAUSE_NS = 3 * 24 * 3600 * SECOND_NS  # the longest ban a broker is known to impose

_UNTIMED = Backoff(base_ns=SECOND_NS, cap_ns=60 * SECOND_NS)


class Host:
    """One broker host as our process sees it."""

    def __init__(
        self,
        name: str,
        limits: Iterable[Limit],
        *,
        clock: Clock,
        tell: Tell,
        longest_pause_ns: int = LONGEST_PAUSE_NS,
        pacer: Pacer | None = None,
        memory: GuardMemory = BLANK,
    ) -> None:
        """`memory` is what an earlier process left: its pauses go on."""
        self.name = name
        self.timeline = Timeline(clock)
        self.limiter = Limiter(name, limits, self.timeline)
        self.budget = RetryBudget()
        self.pacer = pacer or Pacer()
        self.tell = tell
        self._longest_pause_ns = longest_pause_ns
        self._turned_away = 0
        self.memory = memory
        for left in memory.pauses(name, self.timeline.now_ns()):
            self.limiter.pauses.hold(Held(left.category, left.until_ns, left.reason))

    def pause(self, pause: Pause, now_ns: int) -> None:
        """Leaves the host or a category alone as the broker asks; the first of equal pauses is told."""
        until_ns = now_ns + min(pause.for_ns, self._longest_pause_ns)
        if self.limiter.pauses.hold(Held(pause.category, until_ns, pause.reason)):
            self.tell(PauseBegan(self.name, pause.category, now_ns, until_ns, pause.for_ns, pause.reason))

    def heed(self, lesson: Lesson, now_ns: int) -> None:
        """Leaves the host alone as long as an answer demands, or ever longer if it says too fast and names no time."""
        if lesson.wait_ns is not None and lesson.fate is not Fate.SETTLED:
            self.pause(Pause(lesson.wait_ns, "the broker's answer asked to wait"), now_ns)
        elif lesson.limited and self.limiter.pauses.over(HOST, now_ns) is None:
            pause_ns = _UNTIMED.ceiling_ns(self._turned_away)
            self._turned_away += 1
            self.pause(Pause(pause_ns, "a rate limit without a stated time"), now_ns)

    def welcome(self) -> None:
        """Forgets earlier rate-limit answers, since the host serves us again."""
        self._turned_away = 0
