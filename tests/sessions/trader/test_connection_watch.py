"""B22: what the guards tell of a connection takes its sessions down, and up again when it is over."""

from typing import Any

import pytest
import trio

from brokers.guards.breaker import Phase, Transition
from brokers.guards.events import BreakerMoved, BudgetSpent, PauseBegan
from brokers.guards.health import HealthMoved, State
from brokers.guards.ladder import Cause, Cleared, Raised, Rung
from brokers.guards.operation import Kind
from brokers.guards.skew import ClockMoved, Skew
from runtime import Supervisor
from sessions.connection_watch import ConnectionWatch, connection_watch, tell_watch, watch_name
from sessions.trader.causes import cause_topic
from tests.sessions.trader.kit import Stage, played

SECOND_NS = 1_000_000_000


def pause(seconds: int, category: str = "") -> PauseBegan:
    return PauseBegan("acme", category, 5, 5 + seconds * SECOND_NS, seconds * SECOND_NS, "429")


def breaker(after: Phase, seconds: int = 15, kind: Kind = Kind.SUBMIT) -> BreakerMoved:
    return BreakerMoved("acme-1", kind, Transition(Phase.CLOSED, after, 5, 5 + seconds * SECOND_NS, 1))


def health(before: State, after: State) -> HealthMoved:
    return HealthMoved("acme-1", before, after, 0)


async def watched(stage: Stage) -> None:
    await stage.runtime.start(Supervisor([connection_watch("paper")]), "watch")
    await stage.begin(stage.script(lambda _, __: None))


async def rung_after(stage: Stage, news: object, seconds: float = 0.1) -> Rung:
    tell_watch(stage.runtime, "paper")(news)
    await trio.sleep(seconds)
    return stage.gate.rung("s1")


def causes(stage: Stage) -> set[Cause]:
    return {cause for cause, _ in stage.gate.ladder("s1").causes}


@pytest.mark.parametrize("category", ["", "commands", "cancels"])
def test_B22_a_pause_of_the_host_or_of_what_trades_takes_no_new_risk_until_it_is_over(category: str) -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        assert await rung_after(stage, pause(60, category)) is Rung.NO_NEW_RISK
        assert causes(stage) == {Cause.PAUSED}
        assert any("is left alone for 60 s: 429" in alert.text for alert in stage.alerts)
        await trio.sleep(59.8)
        assert stage.gate.rung("s1") is Rung.NO_NEW_RISK
        await trio.sleep(15)
        assert stage.gate.rung("s1") is Rung.FULL, "up again, after a reconciliation"

    played(play)


def test_B22_B15_a_quota_of_quotes_that_is_used_up_stops_nobody_from_trading() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        assert await rung_after(stage, pause(60, "quote-streams")) is Rung.FULL
        assert any("acme: quote-streams is left alone" in alert.text for alert in stage.alerts)

    played(play)


def test_B22_a_longer_pause_replaces_a_shorter_one_and_never_the_other_way_round() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        await rung_after(stage, pause(60))
        await rung_after(stage, pause(10))
        assert await rung_after(stage, pause(100), 99) is Rung.NO_NEW_RISK
        await trio.sleep(15)
        assert stage.gate.rung("s1") is Rung.FULL

    played(play)


def test_B22_an_open_submit_breaker_takes_no_new_risk_until_it_closes() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        assert await rung_after(stage, breaker(Phase.OPEN)) is Rung.NO_NEW_RISK
        assert causes(stage) == {Cause.SUBMIT_BREAKER_OPEN}
        assert await rung_after(stage, breaker(Phase.CLOSED), 10) is Rung.FULL

    played(play)


def test_B22_when_an_open_breaker_lets_a_probe_through_sessions_may_make_it() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        assert await rung_after(stage, breaker(Phase.OPEN), 14.9) is Rung.NO_NEW_RISK
        await trio.sleep(10)
        assert stage.gate.rung("s1") is Rung.FULL, "nobody else would ever try"

    played(play)


@pytest.mark.parametrize("kind", [Kind.READ, Kind.CANCEL, Kind.SESSION])
def test_B09_the_breakers_of_other_operations_are_told_to_a_person_only(kind: Kind) -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        assert await rung_after(stage, breaker(Phase.OPEN, kind=kind)) is Rung.FULL
        assert any(f"{kind.value} keeps failing" in alert.text for alert in stage.alerts)

    played(play)


def test_B19_B22_a_missed_check_takes_no_new_risk_and_a_dead_connection_only_cancels() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        assert await rung_after(stage, health(State.UP, State.DEGRADED)) is Rung.NO_NEW_RISK
        assert causes(stage) == {Cause.CONNECTION_DEGRADED}
        assert await rung_after(stage, health(State.DEGRADED, State.DOWN)) is Rung.CANCEL_ONLY
        assert causes(stage) == {Cause.CONNECTION_DOWN}
        assert await rung_after(stage, health(State.DOWN, State.UP), 10) is Rung.FULL
        assert not causes(stage)

    played(play)


def test_S60_B22_a_clock_that_is_off_takes_no_new_risk_until_it_is_right_again() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        assert await rung_after(stage, ClockMoved("acme", Skew.NOTICED, -3 * SECOND_NS)) is Rung.NO_NEW_RISK
        assert causes(stage) == {Cause.CLOCK_SKEW}
        assert any("clock is at least 3.0 s behind that of acme" in alert.text for alert in stage.alerts)
        assert await rung_after(stage, ClockMoved("acme", Skew.NONE, 0), 10) is Rung.FULL

    played(play)


def test_what_a_watch_knew_it_knows_after_a_crash_and_ends_it_in_time() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        await rung_after(stage, pause(60))
        name = stage.runtime.name(watch_name("paper"), ConnectionWatch)
        before = name.resolve()
        assert before is not None
        before.kill("test")
        await trio.sleep(1)
        assert name.resolve() not in (None, before)
        assert stage.gate.rung("s1") is Rung.NO_NEW_RISK
        await trio.sleep(70)
        assert stage.gate.rung("s1") is Rung.FULL

    played(play)


def test_a_cause_that_went_while_its_session_did_not_listen_is_gone_when_it_starts_again() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        await rung_after(stage, pause(60))
        stage.gate.tell("s1", Raised(Cause.CONNECTION_DOWN, "acme-1"), 0)  # the end of it went unheard
        stage.gate.tell("s1", Raised(Cause.KILL_SWITCH), 0)
        stage.actor().ref.kill("test")
        await trio.sleep(10)
        assert causes(stage) == {Cause.PAUSED, Cause.KILL_SWITCH}

    played(play)


def test_a_spent_budget_of_repeats_is_a_word_to_a_person() -> None:
    async def play(stage: Stage) -> None:
        await watched(stage)
        heard: list[Any] = []
        leave = stage.runtime.topics.attach(cause_topic("paper"), heard.append)
        assert await rung_after(stage, BudgetSpent("acme", "read", 0)) is Rung.FULL
        assert not heard
        tell_watch(stage.runtime, "paper")(Cleared(Cause.CLOCK_SKEW, "acme"))
        await trio.sleep(0.1)
        assert heard == [Cleared(Cause.CLOCK_SKEW, "acme")]
        leave()

    played(play)
