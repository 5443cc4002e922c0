"""The set of sessions: what should run is durable, and what an operator does to one harms no other."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from brokers.guards.ladder import Rung
from brokers.market import Quote
from brokers.paper import PaperAccount
from runtime import Child, Name, Runtime, Supervisor, open_runtime
from runtime.errors import StartFailed
from runtime.simulation import SimulatedDisk, SimulatedWorld, simulate
from sessions.journal import Journal, JournalSettings
from sessions.journal.chain import Chain
from sessions.session import SessionPlan
from sessions.sessions import (
    SESSIONS,
    Condition,
    JournalDesired,
    MoveRefused,
    NotRunning,
    Sessions,
    SessionStatus,
    UnknownSession,
)
from sessions.strategies.two_sided import QuotingParameters, TwoSided
from sessions.strategy import Event, View, buy
from sessions.trader.log import JournalSessionLog
from tests.sessions.trader.kit import CALM_PAPER, ES, A, Stage, orders_of, played

B = "paper-2"
TWO_ACCOUNTS = attrs.evolve(CALM_PAPER, accounts=(PaperAccount(A), PaperAccount(B)))


def long(event: Event, view: View[Any]) -> Any:
    """Holds one."""
    return buy(ES, 1) if isinstance(event, Quote) and not view.held(ES) and not view.orders else None


class Remembered:
    """What is wanted, kept for as long as the test."""

    def __init__(self) -> None:
        self.wanted: dict[str, bool] = {}

    async def load(self) -> Mapping[str, bool]:
        return dict(self.wanted)

    async def keep(self, session: str, *, wanted: bool) -> None:
        self.wanted[session] = wanted


@attrs.define(eq=False)
class House:
    """A stage with the actor over its sessions."""

    stage: Stage
    keeper: Name[Sessions]
    plans: dict[str, SessionPlan]
    desired: Remembered
    told: list[SessionStatus] = attrs.field(factory=list)

    async def status(self, session: str) -> SessionStatus:
        statuses = {one.session: one for one in await self.keeper.call(Sessions.statuses)}
        return statuses[session]

    async def spend_restarts(self, session: str) -> None:
        """Kills the session's trader until nobody starts it any more."""
        for _ in range(20):
            trader = self.stage.trader(session).resolve()
            if trader is not None:
                trader.kill("test")
            await trio.sleep(2)

    async def start(self, session: str) -> SessionStatus:
        with trio.fail_after(60):
            status = await self.keeper.call(Sessions.start, session)
        await self.stage.settled(session)
        return status


def in_house(
    play: Callable[[House], Awaitable[None]], *, configured: dict[str, bool], desired: Remembered | None = None
) -> None:
    """Plays with sessions that hold one contract each."""
    kept = desired or Remembered()

    async def scene(stage: Stage) -> None:
        plans = {session: stage.script(long, session) for session in configured}
        keeper = Child(
            "keeper", lambda: Sessions(stage.sessions, configured, plans.__getitem__, stage.gate, kept), name="keeper"
        )
        await stage.runtime.start(Supervisor([keeper]), "house")
        house = House(stage, stage.runtime.name("keeper", Sessions), plans, kept)
        leave = stage.runtime.topics.attach(SESSIONS, house.told.append)  # type: ignore[arg-type]  # statuses only
        try:
            await play(house)
        finally:
            leave()

    played(scene, TWO_ACCOUNTS)


def test_what_is_started_and_stopped_by_hand_is_wanted_so_by_the_next_daemon() -> None:
    desired = Remembered()

    async def first(house: House) -> None:
        assert (await house.status("a")).condition is Condition.STOPPED
        assert await house.start("a") == SessionStatus("a", wanted=True, condition=Condition.RUNNING)
        await house.stage.settled("b")
        assert (await house.keeper.call(Sessions.halt, "b")).condition is Condition.STOPPED

    async def second(house: House) -> None:
        await house.stage.settled("a")
        assert (await house.status("a")).condition is Condition.RUNNING
        assert (await house.status("b")) == SessionStatus("b", wanted=False, condition=Condition.STOPPED)

    in_house(first, configured={"a": False, "b": True}, desired=desired)
    assert desired.wanted == {"a": True, "b": False}
    in_house(second, configured={"a": False, "b": True}, desired=desired)


def test_i18_a_session_whose_restarts_are_spent_is_told_of_once_and_waits_for_a_person() -> None:
    async def play(house: House) -> None:
        await house.start("a")
        await house.start("good")
        good = house.stage.sessions.supervisor("good").child("trader")
        await house.spend_restarts("a")
        await trio.sleep(60)
        failed = [one for one in house.told if one.condition is Condition.FAILED]
        assert [one.session for one in failed] == ["a"]
        assert failed[0].why
        assert house.stage.gate.rung("a") is Rung.HALTED
        assert house.stage.sessions.supervisor("good").child("trader") is good
        await house.start("a")
        await trio.sleep(3)
        assert house.stage.gate.rung("a") is Rung.FULL

    in_house(play, configured={"a": False, "good": False})


def test_a_session_that_cannot_start_says_why_and_can_be_started_when_it_is_mended() -> None:
    async def play(house: House) -> None:
        whole = house.plans["a"]
        house.plans["a"] = attrs.evolve(whole, trading=attrs.evolve(whole.trading, account="nowhere"))
        with pytest.raises((StartFailed, trio.TooSlowError)):
            with trio.fail_after(400):
                await house.keeper.call(Sessions.start, "a")
        status = await house.status("a")
        assert (status.condition, status.wanted) == (Condition.FAILED, True)
        house.plans["a"] = whole
        assert (await house.start("a")).condition is Condition.RUNNING

    in_house(play, configured={"a": False})


def test_resumed_answers_once_each_session_that_should_run_was_tried() -> None:
    async def play(house: House) -> None:
        with trio.fail_after(60):
            await house.keeper.call(Sessions.resumed)
        conditions = {one.session: one.condition for one in await house.keeper.call(Sessions.statuses)}
        assert conditions == {"a": Condition.RUNNING, "b": Condition.STOPPED}

    in_house(play, configured={"a": True, "b": False})


def test_restart_and_reload_touch_one_session() -> None:
    async def play(house: House) -> None:
        house.plans["a"] = house.stage.plan(TwoSided, QuotingParameters("ES"), "a")
        await house.start("a")
        await house.start("b")
        trader_b = house.stage.sessions.supervisor("b").child("trader")
        trader_a = house.stage.sessions.supervisor("a").child("trader")
        wider = QuotingParameters("ES", skew_ticks=Decimal(1))
        assert await house.keeper.call(Sessions.reload, "a", TwoSided, wider) == ("skew_ticks",)
        assert house.stage.sessions.supervisor("a").child("trader") is trader_a
        with trio.fail_after(60):
            await house.keeper.call(Sessions.restart, "a")
        assert house.stage.sessions.supervisor("a").child("trader") is not trader_a
        assert house.stage.sessions.supervisor("b").child("trader") is trader_b

    in_house(play, configured={"a": False, "b": False})


def test_a_session_moves_when_it_is_flat_is_refused_when_it_is_not_and_flattened_when_asked() -> None:
    async def play(house: House) -> None:
        stage = house.stage
        await house.start("a")
        stage.shows()
        await trio.sleep(1)
        assert stage.held(account=A) == 1
        plan = house.plans["a"]
        house.plans["a"] = attrs.evolve(plan, trading=attrs.evolve(plan.trading, account=B))
        with pytest.raises(MoveRefused) as refused:
            await house.keeper.call(Sessions.move, "a")
        assert refused.value.held == {ES: "1"}
        assert (await house.status("a")).condition is Condition.RUNNING
        with trio.fail_after(120):
            status = await house.keeper.call(Sessions.move, "a", flatten=True)
        assert status.condition is Condition.RUNNING
        await stage.settled("a")
        await trio.sleep(3)
        stage.shows()
        await trio.sleep(1)
        assert (stage.held(account=A), stage.held(account=B)) == (Decimal(0), Decimal(1))

    in_house(play, configured={"a": False})


def test_requests_that_make_no_sense_are_refused_by_name() -> None:
    async def play(house: House) -> None:
        with pytest.raises(UnknownSession) as unknown:
            await house.keeper.call(Sessions.start, "nobody")
        assert unknown.value.known == ("a",)
        with pytest.raises(NotRunning):
            await house.keeper.call(Sessions.move, "a")

    in_house(play, configured={"a": False})


def test_the_end_of_the_keeper_ends_no_session_and_the_next_one_takes_them_up() -> None:
    async def play(house: House) -> None:
        await house.start("a")
        trader = house.stage.sessions.supervisor("a").child("trader")
        house.keeper.resolve().kill("test")  # type: ignore[union-attr]  # it runs
        await trio.sleep(1)
        assert (await house.status("a")).condition is Condition.RUNNING
        assert house.stage.sessions.supervisor("a").child("trader") is trader
        await house.spend_restarts("a")
        assert (await house.status("a")).condition is Condition.FAILED

    in_house(play, configured={"a": False})


def test_desired_states_and_a_sessions_own_log_survive_in_the_journal() -> None:
    settings = JournalSettings(Path("/journal"), Path("/elsewhere/head"))

    def life(disk: SimulatedDisk, play: Callable[[Runtime, Name[Journal]], Awaitable[Any]]) -> Any:
        async def main(world: SimulatedWorld) -> Any:
            async with open_runtime(world) as runtime:
                journal = Child("journal", lambda: Journal(settings, Chain(b"k" * 32)), name="journal")
                await runtime.start(Supervisor([journal]))
                return await play(runtime, runtime.name("journal", Journal))

        return simulate(main, seed=1, disk=disk).unwrap()

    async def first(runtime: Runtime, journal: Name[Journal]) -> None:
        desired = JournalDesired(journal, runtime.world)
        for session, wanted in (("a", True), ("b", True), ("b", False)):
            await desired.keep(session, wanted=wanted)
        log = JournalSessionLog(journal, "a", runtime.world)
        assert (await log.load()).state is None
        log.keep_state('{"n":1}')
        log.keep_state('{"n":2}')
        log.keep_book("{}")
        log.keep_tags({"key1": "entry", "key2": "entry.stop"})
        JournalSessionLog(journal, "b", runtime.world).keep_state("lost: it was not loaded")

    async def second(runtime: Runtime, journal: Name[Journal]) -> None:
        assert await JournalDesired(journal, runtime.world).load() == {"a": True, "b": False}
        log = JournalSessionLog(journal, "a", runtime.world)
        kept = await log.load()
        assert (kept.state, kept.book) == ('{"n":2}', "{}")
        assert await log.tags(["key2", "unknown"]) == {"key2": "entry.stop"}

    with SimulatedDisk() as disk:
        life(disk, first)
        life(disk, second)


def test_orders_of_a_session_that_is_stopped_stay_at_the_broker() -> None:
    async def play(house: House) -> None:
        def rest(event: Event, view: View[Any]) -> Any:
            wanted = isinstance(event, Quote) and not view.orders
            return buy(ES, 1, limit=Decimal(6700)) if wanted else None

        house.plans["a"] = house.stage.script(rest, "a")
        await house.start("a")
        house.stage.shows()
        await trio.sleep(1)
        await house.keeper.call(Sessions.halt, "a")
        (order,) = orders_of(house.stage.exchange)
        assert not order.state.final
        await house.start("a")
        assert len(house.stage.actor("a").view.orders) == 1

    in_house(play, configured={"a": False})
