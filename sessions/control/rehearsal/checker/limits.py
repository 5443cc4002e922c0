"""I15: no broker has to say that it is asked too often, but where a fault made it say so."""

from collections.abc import Callable
from typing import Final

from brokers.emulation import log
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.invariant import Invariant, Scene

TOO_OFTEN: Final = frozenset({418, 429})
FAULTS: Final = ("quota", "error-before", "error-after")


class LimitsKept(Invariant):
    """A broker answers 429 no more often than a fault had it do so, and imposes no wait by itself."""

    name = "I15"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._excused: dict[str, int] = {}

    def entry(self, broker: str, entry: Entry) -> None:
        """Looks at what is answered."""
        facts = entry.facts
        if (
            entry.kind == log.FAULT
            and facts["name"] in FAULTS
            and str(facts["value"]).partition(",")[0] in {"418", "429"}
        ):
            self._excused[broker] = self._excused.get(broker, 0) + 1
        elif entry.kind == log.ANSWERED and facts.get("status") in TOO_OFTEN:
            self._excused[broker] = self._excused.get(broker, 0) - 1
            if self._excused[broker] < 0:
                self._excused[broker] = 0
                self.broken(f"{broker} was asked too often and said so at {facts['path']}")
        elif entry.kind == log.LINE and facts.get("what") == "too many calls":
            self.broken(f"{broker} was asked too often and imposed a wait")
