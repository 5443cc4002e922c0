"""R20 to R26: how soon all is well again once nothing goes wrong any more, each with its bound in simulated time.

Each bound counts from what went wrong, or from the end of the storm where that was later: while strikes go on, one
recovery meets the next fault.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from brokers.emulation import log
from brokers.emulation.log import Entry
from brokers.guards.ladder import Cause
from sessions.control.daemon.news_log import RUNG
from sessions.control.rehearsal.checker.invariant import Invariant, Scene
from sessions.control.rehearsal.lives import Ended
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.journal import Row

SECOND_NS: Final = 1_000_000_000
POLL: Final = 5.0
STREAMS_UP: Final = 30.0
QUIET: Final = 60.0  # seconds after the storm in which what it began may still come to light
WINDOW: Final = 300.0  # seconds for which a quota may be used up when nobody says for how long
TOKEN_LOST_WITHIN: Final = 30.0
HELD_UP: Final = frozenset({"F03", "F38", "F40"})  # rows of strikes that stall connections
TEARS: Final = frozenset({"cut", "hang"})  # faults by which the head of an answer may never arrive
LATEST: Final = 60.0  # seconds that a stalled request may wait
START_WITHIN: Final = 10.0
BROKER_TIME: Final = 20.0  # what the brokers' own answers may add to a start
JOURNAL_WITHIN: Final = 5.0


class AfterTheStorm(Invariant):
    """Knows when the storm ended, which causes keep each session where it stands, and which broker told us to wait.

    What a storm's quota has a broker say holds beyond the storm: a session that does as it is told is not late.
    """

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self.calm_s = math.inf
        self.began_s = -math.inf  # when the present life did
        self.causes: dict[str, str] = {}  # by session, in words
        self._told_until: dict[str, float] = {}  # by broker

    def calm(self) -> None:
        """The storm is over."""
        self.calm_s = self.now

    def entry(self, broker: str, entry: Entry) -> None:
        """Notes how long a broker says that its quota is used up."""
        if entry.kind == log.FAULT and entry.facts["name"] == "quota":
            _, _, named = str(entry.facts["value"]).partition(",")
            until = self.now + (float(named) if named else WINDOW)
            self._told_until[broker] = max(until, self._told_until.get(broker, until))

    def over_s(self, *brokers: str) -> float:
        """When the storm was over for what depends on these brokers."""
        return max([self.calm_s, *(self._told_until.get(broker, self.calm_s) for broker in brokers)])

    def over_for_s(self, session: str) -> float:
        """When it was over for a session."""
        settings = self.scene.settings.sessions[session]
        return self.over_s(settings.broker, settings.data or settings.broker)

    def line(self, line: str) -> None:
        """Follows lives, and where sessions stand."""
        if '"path": "/pitboss", ' in line and '"event": "started"' in line:
            self.began()
        if '"event"' in line and RUNG in line and line.startswith("{"):
            said = msgspec.json.decode(line)
            if said.get("event") == RUNG:
                self.stands(said["session"], said["rung"], said["causes"])

    def began(self) -> None:
        """A daemon has begun to start."""
        self.began_s = self.now

    def stands(self, session: str, rung: str, causes: str) -> None:
        """A session stands there from now on."""
        self.causes[session] = causes

    def life_ended(self, ended: Ended) -> None:
        """Nobody stands anywhere."""
        self.causes.clear()


class StreamsComeBack(AfterTheStorm):
    """Every stream that the storm broke is followed again half a minute after its end, and what was missed is asked."""

    name = "R20"
    _down: Final = (Cause.DATA_STREAM_DOWN.value, Cause.ORDER_STREAM_DOWN.value)

    def stands(self, session: str, rung: str, causes: str) -> None:
        """Looks whether a stream is down that long after the end."""
        before = self.causes.get(session, "")
        self.causes[session] = causes
        for cause in self._down:
            if cause in before and cause not in causes and self._late_s(session) > 0:
                self.broken(f"{session} was without a stream until {self.now - self.calm_s:.0f} s after the storm")

    def _late_s(self, session: str) -> float:
        return self.now - (self.over_for_s(session) + STREAMS_UP + QUIET)

    def at_rest(self) -> None:
        """Looks who still is."""
        for session, causes in self.causes.items():
            if self._late_s(session) > 0 and any(cause in causes for cause in self._down):
                self.broken(f"{session} is still without a stream {self.now - self.calm_s:.0f} s after the storm")


class WaitsAsTold(Invariant):
    """A broker that said when to come again is left alone until then, and asked again soon after."""

    name = "R22"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._until: dict[str, tuple[float, float]] = {}  # by broker: when it said so, until when
        self._torn: dict[str, float] = {}  # by broker: when an answer was last torn off on its way
        self._clouded = -math.inf  # until when what arrives may have left long before

    def struck(self, strike: Strike) -> None:
        """What holds a request up on its way lets it arrive late."""
        if strike.row in HELD_UP:
            self._clouded = max(self._clouded, self.now + strike.lasts_ms / 1000 + LATEST)

    def entry(self, broker: str, entry: Entry) -> None:
        """Looks at what is told and what comes."""
        facts = entry.facts
        if entry.kind == log.FAULT and facts["name"] in TEARS:
            self._torn[broker] = self.now
            if self._until.get(broker, (math.inf,))[0] == self.now:
                del self._until[broker]
        elif entry.kind == log.ANSWERED and facts.get("status") in (418, 429) and facts.get("retry_after") is not None:
            if self._torn.get(broker) != self.now:
                self._until[broker] = (self.now, self.now + float(facts["retry_after"]))
        elif entry.kind == log.ARRIVED and "where" in facts and broker in self._until:
            told, until = self._until[broker]
            on_its_way = self.now < max(told + 0.5, self._clouded)
            if self.now >= until:
                del self._until[broker]
            elif not on_its_way and facts["where"] != "token" and self.now < until - 0.1:
                self.broken(f"{broker} was asked {facts['path']} {until - self.now:.1f} s before the time it named")

    def life_ended(self, ended: Ended) -> None:
        """The next life was told nothing."""
        self._until.clear()


class DoubtEnds(AfterTheStorm):
    """An order in doubt is resolved, or a person is asked, within its broker's D + L and two polls after the storm.

    Where its daemon was gone meanwhile, the time counts from the start of the next one: what it was told is lost.
    """

    name = "R24"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._since: dict[str, float] = {}
        self._brokers: Mapping[str, str] = {stream: broker for (broker, _), stream in scene.streams.items()}
        self._bounds: Mapping[str, float] = {
            stream: _bound(scene, broker) for (broker, _), stream in scene.streams.items()
        }

    def row(self, row: Row) -> None:
        """Follows who is in doubt."""
        for move in self.scene.told.moves:
            key = move.order.key
            if move.after == "unknown" and not move.order.escalated:
                self._since.setdefault(key, self.now)
            else:
                since = self._since.pop(key, None)
                if since is not None:
                    self._judge(key, since)

    def _judge(self, key: str, since: float) -> None:
        order = self.scene.told.orders[key]
        took = self.now - max(since, self.began_s, self.over_s(self._brokers.get(order.stream, "")))
        bound = self._bounds.get(order.stream, math.inf)
        if took > bound:
            self.broken(f"order {key} was in doubt for {took:.0f} s after the storm, {bound:.0f} s are its bound")

    def at_rest(self) -> None:
        """Looks who still is."""
        for key, since in self._since.items():
            self._judge(key, since)


def _bound(scene: Scene, broker: str) -> float:
    orders = scene.capabilities[broker].orders
    if orders is None:
        return math.inf
    return (orders.effect_ns + orders.visibility_ns) / SECOND_NS + 5 + 2 * POLL


class LostLoginShows(AfterTheStorm):
    """Half a minute after a broker refused to renew a login the sessions on it may only cancel."""

    name = "R23"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._refused: dict[str, float] = {}  # by broker: since when it has refused every time

    def entry(self, broker: str, entry: Entry) -> None:
        """Follows what becomes of logins."""
        super().entry(broker, entry)
        facts = entry.facts
        if entry.kind == log.GRANTED:
            self._refused.pop(broker, None)
        elif entry.kind == log.FAULT and facts["name"] == "refresh-revoked":
            self._refused.setdefault(broker, self.now)
        elif entry.kind == log.ARRIVED and broker in self._refused:
            late = self.now - self._refused[broker]
            if late > TOKEN_LOST_WITHIN:
                self._look(broker, late)

    def _look(self, broker: str, late: float) -> None:
        for name, session in self.scene.settings.sessions.items():
            causes = self.causes.get(name)
            if broker in (session.broker, session.data) and causes is not None and not _grounded(causes):
                self.broken(f"{name} trades on {late:.0f} s after {broker} ended its login")
                self._refused[broker] = math.inf

    def life_ended(self, ended: Ended) -> None:
        """The next life finds out for itself."""
        super().life_ended(ended)
        self._refused.clear()


def _grounded(causes: str) -> bool:
    return bool(causes)


class StartsSoon(AfterTheStorm):
    """A daemon that starts when nothing goes wrong has all its sessions reconciled and free within half a minute.

    Where a life before left an order in doubt, the time counts from when that was proved: R24 bounds the proof.
    """

    name = "R25"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._free: set[str] = set()
        self._doubted: dict[str, str] = {}  # orders in doubt, each with its broker
        self._proved: dict[str, float] = {}  # by broker: when an order in doubt was last decided
        self._brokers: Mapping[str, str] = {stream: broker for (broker, _), stream in scene.streams.items()}

    def row(self, row: Row) -> None:
        """Notes when doubts begin and end; a row is written a moment after what it tells has its effect."""
        for move in self.scene.told.moves:
            if move.after == "unknown":
                self._doubted[move.order.key] = self._brokers.get(move.order.stream, "")
            elif move.order.key in self._doubted:
                self._proved[self._doubted.pop(move.order.key)] = self.now

    def _proved_s(self, broker: str) -> float:
        return self.now if broker in self._doubted.values() else self._proved.get(broker, -math.inf)

    def began(self) -> None:
        """Nobody is free yet."""
        super().began()
        self._free = set()

    def stands(self, session: str, rung: str, causes: str) -> None:
        """Notes who is free."""
        super().stands(session, rung, causes)
        if rung == "FULL":
            proved = self._proved_s(self.scene.settings.sessions[session].broker)
            took = self.now - max(self.began_s, self.over_for_s(session), proved)
            if session not in self._free and self.began_s > self.calm_s and took > START_WITHIN + BROKER_TIME:
                self.broken(f"{session} was free {took:.0f} s after its daemon began")
            self._free.add(session)


class JournalComesBack(AfterTheStorm):
    """Five seconds after the disk takes rows again no session is held back by the journal."""

    name = "R26"

    def __init__(self, scene: Scene, report: Callable[[str, str], None]) -> None:
        super().__init__(scene, report)
        self._well = -math.inf

    def over(self, strike: Strike) -> None:
        """A disk that was full or broken is well."""
        if strike.row in ("F24", "F25", "F26", "F27"):
            self._well = self.now

    def struck(self, strike: Strike) -> None:
        """It may be so again."""
        if strike.row in ("F24", "F25", "F26", "F27", "F38"):
            self._well = math.inf

    def stands(self, session: str, rung: str, causes: str) -> None:
        """Looks when the journal ceases to hold a session back."""
        before = self.causes.get(session, "")
        super().stands(session, rung, causes)
        cause = Cause.JOURNAL_WRITE_FAILED.value
        if cause in before and cause not in causes and self.now > self._well + JOURNAL_WITHIN:
            self.broken(f"{session} was held back by the journal {self.now - self._well:.1f} s after the disk was well")


LIVENESS: Final[tuple[Any, ...]] = (
    StreamsComeBack,
    WaitsAsTold,
    LostLoginShows,
    DoubtEnds,
    StartsSoon,
    JournalComesBack,
)
