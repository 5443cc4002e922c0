"""What rehearsals have found, each as the shortest schedule that showed it: it stays right."""

import attrs
import pytest

from sessions.control.rehearsal.cast import usual_source
from sessions.control.rehearsal.checker import Invariant
from sessions.control.rehearsal.checker.catalogue import RULES
from sessions.control.rehearsal.run import Plan, rehearse
from sessions.control.rehearsal.storm import Schedule, Strike


@attrs.frozen
class Found:
    """A storm that once was survived badly, and what was wrong; `never` must not be logged."""

    what: str
    brokers: tuple[str, ...]
    strikes: tuple[Strike, ...]
    seed: int = 1
    seconds: float = 60.0
    never: str = ""


FOUND = (
    Found(
        "a broker that goes on saying filled of a busted order kept the books from ever agreeing",
        ("tradovate",),
        (Strike(1_000, "bust", "F18", "tradovate", "=0.3*9"),),
    ),
    Found(
        "fills told under one id and listed under another were booked again by the next life of the daemon",
        ("tradovate",),
        (
            Strike(1_000, "fill-two-ids", "F14", "tradovate", "*9"),
            Strike(25_000, "kill", "F28", "", "2"),
        ),
        seconds=40.0,
    ),
    Found(
        "executions beyond what was ordered were booked until the position was corrected",
        ("tradovate",),
        (Strike(1_000, "lie", "F39", "tradovate", "=overfill*9"),),
    ),
    Found(
        "a fill told of the wrong side was told again by every list, and the books never agreed",
        ("tradestation",),
        (Strike(1_000, "lie", "F39", "tradestation", "=wrong-side*9"),),
    ),
    Found(
        "an order of ours that was filled before its reply, soon after the start, had no execution to correct",
        ("tradestation",),
        (Strike(1_839, "correction", "F18", "tradestation", "=4.14*1"),),
    ),
    Found(
        "whoever registers a pool could not start again, and took all sessions down with it",
        ("thinkorswim",),
        (Strike(1_000, "raise", "F31", "", "helper /sessions/signpost"),),
        seconds=5.0,
        never="NameTaken",
    ),
    Found(
        "a broker that answered an order with 418 and a time to wait was asked again before that time",
        ("tradestation",),
        (Strike(1_000, "quota", "F10", "tradestation", "=418,30/command*2"),),
    ),
    Found(
        "a price that was corrected while the daemon was down stayed as it was, for only the order's average tells of it",
        ("tradestation",),
        (
            Strike(1_000, "correction", "F18", "tradestation", "=2*1"),
            Strike(11_000, "kill", "F28", "", "5"),
        ),
        seconds=20.0,
    ),
    Found(
        "whoever holds a login's HTTP clients closed them for good when it fell, and its broker was never reached again",
        ("tradestation",),
        (Strike(1_000, "raise", "F31", "", "helper /tradestation-main-paper-login/wire"),),
        seconds=20.0,
    ),
    Found(
        "a stranger's order that was filled soon after the start was corrected by position, and never named",
        ("tradestation",),
        (Strike(1_000, "external-order", "F19", "tradestation", "*2"),),
        seconds=40.0,
    ),
    Found(
        "a time to wait in an answer that was torn off in its head was taken for told",
        ("tradestation",),
        (
            Strike(5_000, "quota", "F10", "tradestation", "=429,20/query*1"),
            Strike(5_000, "cut", "F02", "tradestation", "=71/query"),
        ),
        seconds=30.0,
    ),
    Found(
        "a time to wait that a socket was told was nobody's pause",
        ("tradovate",),
        (
            Strike(5_000, "quota", "F10", "tradovate", "=429,20/token*1"),
            Strike(5_100, "break-all", "F01", "tradovate"),
        ),
        seconds=30.0,
    ),
    Found(
        "records that a kill took with it were missed when the journal took its time to die",
        ("tradovate",),
        (Strike(10_255, "kill", "F28", "", "0.752"),),
        seconds=14.0,
    ),
)


@pytest.mark.parametrize("found", FOUND, ids=lambda one: one.what)
def test_it_is_whole_again_when_the_storm_is_over(found: Found) -> None:
    source = usual_source(found.brokers, "ES", found.seed)
    schedule, lines = Schedule(found.strikes), list[str]()

    class Listener(Invariant):
        def line(self, line: str) -> None:
            lines.append(line)

    outcome = rehearse(
        Plan(seed=found.seed, sources=(source,), seconds=found.seconds, schedule=schedule, rules=(*RULES, Listener))
    )
    assert (outcome.error, outcome.violations) == ("", ())
    assert outcome.converged_s < 240
    assert not found.never or not [line for line in lines if found.never in line]
