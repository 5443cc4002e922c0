"""I12: one refresh of a login at a time, and no use of a token when a newer one is there."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from brokers.emulation import log
from brokers.emulation.log import Entry
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.lives import Ended
from sessions.control.rehearsal.storm.schedule import Strike

LATE_NS: Final = 10_000_000_000  # after that nobody may use the token before
TOKEN: Final = "token"  # noqa: S105 - the word for what a request is about


class FreshTokens(Invariant):
    """While a login asks for a token it asks only once, and ten seconds after it used a newer one it uses no older."""

    name = "I12"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._asking: dict[str, dict[int, str]] = {}  # by broker: the lines on which a token is asked for
        self._first_ns: dict[tuple[str, int], int] = {}  # when each token was used first
        self._newest: dict[str, int] = {}
        self._granted: dict[str, tuple[int, int]] = {}  # by broker: the latest token that was handed out, and when

    def entry(self, broker: str, entry: Entry) -> None:
        """Looks at requests and what became of them."""
        facts, asking = entry.facts, self._asking.setdefault(broker, {})
        match entry.kind:
            case log.ARRIVED if _asks(facts):
                self._granted.pop(broker, None)
                if asking:
                    self.broken(f"{broker} was asked for a token while another request for one was under way")
                asking[facts["line"]] = facts["path"]
            case log.ANSWERED if _asks(facts):
                asking.pop(facts["line"], None)
            case log.LINE if facts.get("what") == "closed":
                asking.pop(facts["line"], None)
            case log.GRANTED:
                self._granted[broker] = (facts["token"], entry.time_ns)
            case log.FAULT:
                self._granted.pop(broker, None)
                asking.clear()  # what is cut off, or never answered, has no end that the broker could see
            case log.ARRIVED if facts.get("token") is not None:
                self._used(broker, facts["token"], entry.time_ns, facts["path"])

    def _used(self, broker: str, token: int, time_ns: int, path: str) -> None:
        granted, at_ns = self._granted.get(broker, (0, 0))
        if token < granted and time_ns - at_ns > LATE_NS:
            self.broken(
                f"{broker} got token {token} at {path}, {(time_ns - at_ns) / 1e9:.1f} s after it gave {granted}"
            )
        newest = max(self._newest.get(broker, 0), token)
        self._newest[broker] = newest
        self._first_ns.setdefault((broker, token), time_ns)
        late_ns = time_ns - self._first_ns[broker, newest]
        if token < newest and late_ns > LATE_NS:
            self.broken(
                f"{broker} got token {token} at {path}, {late_ns / 1e9:.1f} s after token {newest} was used first"
            )

    def life_ended(self, ended: Ended) -> None:
        """What a life asked for ends with it."""
        self._asking.clear()
        self._granted.clear()

    def struck(self, strike: Strike) -> None:
        """What was handed out may not have arrived."""
        self._granted.clear()


def _asks(facts: Mapping[str, Any]) -> bool:
    """Whether it is about a token that is asked for; over a socket one is only shown."""
    return facts.get("where") == TOKEN and facts["method"] != "SOCKET"
