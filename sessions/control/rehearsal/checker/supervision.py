"""I09, I10, I11 and I18: what starts ends; and by the runtime's events in the log nothing waits, overflows or loops."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio

from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.lives import Ended
from sessions.control.rehearsal.storm.schedule import Strike

MOST_RESTARTS: Final = 60  # of one child within a minute: no budget is that large
STILL: Final = frozenset({"F27", "F38"})  # strikes in which the process stands still
LONGEST: Final = 130.0  # seconds that one message may take: the longest deadline that a caller has, and a bit


class _Lines(Invariant):
    """Hears the runtime's events of the life that is."""

    wanted: frozenset[str] = frozenset()

    def line(self, line: str) -> None:
        """Reads a line that may be an event."""
        if not line.startswith("{"):
            return
        said = msgspec.json.decode(line)
        if said.get("event") in self.wanted and "path" in said:
            self.happened(said["event"], said["path"], said["instance"], said)

    def happened(self, event: str, path: str, instance: int, said: dict[str, Any]) -> None:
        """One of the wanted events."""


class NothingLeftRunning(Invariant):
    """When a life of the daemon is over no task is left that was not there before the first one."""

    name = "I09"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._before = _outside()

    def life_ended(self, ended: Ended) -> None:
        """Looks who is left: what stands below the daemon's own nursery cannot be, what stands outside can."""
        for name in _outside() - self._before:
            self.broken(f"a task was left behind: {name}")


def _outside() -> Counter[str]:
    """The tasks beside the program's own, by their names."""
    root = trio.lowlevel.current_root_task()
    nurseries = [] if root is None else root.child_nurseries
    return Counter(task.name for nursery in nurseries for task in nursery.child_tasks)


class NoMessageForEver(_Lines):
    """No message is handled for longer than the longest deadline of a caller."""

    name = "I10"
    wanted = frozenset({"call_slow"})

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._stood_still: list[float] = []  # when the process was stopped: nothing can be handled then

    def struck(self, strike: Strike) -> None:
        """Notes when time passes without the daemon."""
        if strike.row in STILL:
            self._stood_still.append(self.now)

    def happened(self, event: str, path: str, instance: int, said: dict[str, Any]) -> None:
        """Reads how long it took."""
        seconds = float(said["detail"].rpartition(" took ")[2].removesuffix(" s"))
        if seconds > LONGEST and not any(at > self.now - seconds for at in self._stood_still):
            self.broken(f"{path}: {said['detail']}")


class MailboxesHold(_Lines):
    """No mailbox on the way of orders and fills overflows; what may be dropped elsewhere is a price."""

    name = "I11"
    wanted = frozenset({"mailbox_full"})

    def happened(self, event: str, path: str, instance: int, said: dict[str, Any]) -> None:
        """Every one counts: nothing that a rehearsal does is more than a mailbox holds."""
        self.broken(f"{path}: {said.get('detail', '')}")


class BudgetsHold(_Lines):
    """A supervisor that gives up does so once, and brings nobody back afterwards."""

    name = "I18"
    wanted = frozenset({"gave_up", "restarting", "started"})

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._gone: dict[str, int] = {}  # who gave up, and in which instance
        self._restarts: dict[str, deque[float]] = {}

    def happened(self, event: str, path: str, instance: int, said: dict[str, Any]) -> None:
        """Follows who gave up."""
        above = path.rpartition("/")[0]
        if event == "gave_up":
            if self._gone.get(path) == instance:
                self.broken(f"{path}#{instance} gave up twice")
            self._gone[path] = instance
        elif event == "restarting":
            self._restarted(path)
            if above in self._gone:
                self.broken(f"{path} is brought back, and {above}#{self._gone[above]} had given up")
        elif event == "started":
            self._gone.pop(path, None)

    def _restarted(self, path: str) -> None:
        times = self._restarts.setdefault(path, deque(maxlen=MOST_RESTARTS))
        if len(times) == MOST_RESTARTS and self.now - times[0] < 60:
            self.broken(f"{path} was brought back {MOST_RESTARTS} times within a minute, and nobody gave up")
            times.clear()
        times.append(self.now)

    def life_ended(self, ended: Ended) -> None:
        """The next life has its own tree."""
        self._gone.clear()
