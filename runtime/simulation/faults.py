"""Named fault points that fire by plan and by seed: each run breaks other things, and can be repeated."""

import random
from collections.abc import Mapping

import attrs

from runtime.simulation.trace import Trace

_SEAMS = ("network.", "disk.", "actor.")
_share = attrs.validators.and_(attrs.validators.ge(0.0), attrs.validators.le(1.0))


@attrs.frozen
class Odds:
    """How often a fault point fires.

    enabled  the share of runs in which the point can fire at all; the seed decides
    firing   how often it then fires
    hits     the hits, counted from 1, at which it always fires
    """

    enabled: float = attrs.field(default=1.0, validator=_share)
    firing: float = attrs.field(default=0.0, validator=_share)
    hits: frozenset[int] = frozenset()


NEVER = Odds()
BUGGIFY = Odds(enabled=0.25, firing=0.25)


def on_hits(*hits: int) -> Odds:
    """Fires exactly at these hits, counted from 1."""
    return Odds(hits=frozenset(hits))


def chance(firing: float) -> Odds:
    """Fires with this probability in every run."""
    return Odds(firing=firing)


@attrs.frozen
class FaultPlan:
    """Which fault points fire how often.

    `otherwise` holds for the points in the code under rehearsal that are not named here. The points of the
    simulated network and disk, `network.*` and `disk.*`, and those of every actor, `actor.*`, are too rough for that:
    they fire only when named.
    """

    points: Mapping[str, Odds] = attrs.field(factory=dict)
    otherwise: Odds = NEVER

    def odds(self, point: str) -> Odds:
        """How often that point fires."""
        return self.points.get(point, NEVER if point.startswith(_SEAMS) else self.otherwise)


CALM = FaultPlan()


@attrs.frozen
class FaultCount:
    """How often a fault point was reached and how often it fired."""

    hits: int
    fired: int


class SimulatedFaults:
    """Decides at each fault point; each has a generator of its own, so points do not disturb each other."""

    idle = False

    def __init__(self, plan: FaultPlan = CALM, seed: int | str = 0, trace: Trace | None = None) -> None:
        self._plan = plan
        self._seed = seed
        self._trace = trace
        self._points: dict[str, _Point] = {}

    def fires(self, point: str) -> bool:
        """Whether the named fault point goes wrong this time."""
        state = self._points.get(point) or self._state(point)
        fired = state.hit()
        if fired and self._trace is not None:
            self._trace.record("fault", point=point, hit=state.hits)
        return fired

    def counts(self) -> dict[str, FaultCount]:
        """Hits and firings of every point reached so far, by name."""
        return {name: FaultCount(x.hits, x.fired) for name, x in sorted(self._points.items())}

    def arm(self, point: str, hit: int = 1) -> None:
        """Makes the point fire at the next hit, or at the n-th hit from now."""
        self._state(point).arm(hit)

    def disarm(self, point: str) -> None:
        """Takes back what `arm` did to the point."""
        self._state(point).disarm()

    def silence(self) -> None:
        """Stops all points from firing again, the armed ones too: the calm after the storm."""
        self._plan = CALM
        for state in self._points.values():
            state.silence()

    def _state(self, point: str) -> "_Point":
        state = self._points.get(point)
        if state is None:
            chance = random.Random(f"{self._seed}/{point}")
            state = self._points[point] = _Point(self._plan.odds(point), chance)
        return state


class _Point:
    def __init__(self, odds: Odds, chance: random.Random) -> None:
        self.hits = 0
        self.fired = 0
        self._chance = chance
        self._firing = odds.firing if chance.random() < odds.enabled else 0.0
        self._sure_hits = set(odds.hits)

    def hit(self) -> bool:
        self.hits += 1
        if not self._sure_hits and not self._firing:
            return False
        fires = self.hits in self._sure_hits or (self._firing > 0.0 and self._chance.random() < self._firing)
        self.fired += fires
        return fires

    def arm(self, hit: int) -> None:
        self._sure_hits.add(self.hits + hit)

    def disarm(self) -> None:
        self._sure_hits.clear()

    def silence(self) -> None:
        self._firing = 0.0
        self._sure_hits.clear()
