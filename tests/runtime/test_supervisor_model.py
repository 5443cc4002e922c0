"""Random supervisors, deaths, failed starts and administration, against a model of the rules written apart."""

import os
from collections import defaultdict, deque
from typing import Any

import attrs
import pytest
import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from trio.testing import wait_all_tasks_blocked

from runtime import (
    Actor,
    AutoShutdown,
    Child,
    DynamicSupervisor,
    Ignore,
    Normal,
    Refuse,
    Restart,
    Runtime,
    Shutdown,
    Strategy,
    Supervisor,
    SupervisorRef,
    open_runtime,
)
from runtime.decisions import State
from runtime.errors import (
    ActorError,
    AlreadyPresent,
    AlreadyStarted,
    NotFound,
    StartFailed,
    StillRunning,
    TooManyChildren,
)
from runtime.events import Event, EventKind
from tests.runtime.frozen_run import FrozenRun
from tests.runtime.world import plain_world

IDS = ["a", "b", "c", "d", "e"]
OUTCOMES = st.lists(st.sampled_from(["ok", "fail", "ignore"]), max_size=3)


@attrs.define
class ModelChild:
    restart: Restart
    significant: bool = False
    up: bool = False


class Model:
    """The rules in the plainest words; `script` says what the next starts of each child will do."""

    def __init__(
        self,
        strategy: str,
        most: int,
        within: float,
        auto: str,
        script: dict[str, deque[str]],
        room: int | None,
        *,
        dynamic: bool,
    ) -> None:
        self.strategy, self.most, self.within, self.auto = strategy, most, within, auto
        self.script, self.room, self.dynamic = script, room, dynamic
        self.children: dict[str, ModelChild] = {}
        self.times: list[float] = []
        self.log: list[tuple[str, str]] = []
        self.over = False

    def boot(self, children: list[tuple[str, ModelChild]]) -> bool:
        self.children = dict(children)
        for name in list(self.children):
            if self.start(name) == "fail":
                self.stop_all()
                return False
        return True

    def start(self, name: str) -> str:
        outcome = self.script[name].popleft() if self.script[name] else "ok"
        if outcome == "ok":
            self.children[name].up = True
            self.log.append(("up", name))
        else:
            self.log.append((outcome, name))
            if outcome == "ignore":
                self.forget_if_gone(name)
        return outcome

    def forget_if_gone(self, name: str) -> None:
        if self.dynamic or self.children[name].restart is Restart.TEMPORARY:
            del self.children[name]

    def stop(self, name: str) -> None:
        self.children[name].up = False
        self.log.append(("down", name))
        self.forget_if_gone(name)

    def stop_all(self) -> None:
        running = [name for name in reversed(self.children) if self.children[name].up]
        if self.dynamic:
            # All at once: their order is chance, so the log of the test sorts such a batch too.
            running.sort()
        for name in running:
            self.stop(name)
        self.over = True

    def die(self, name: str, normal: bool, now: float) -> None:
        child = self.children[name]
        child.up = False
        self.log.append(("down", name))
        if child.restart is Restart.PERMANENT or (child.restart is Restart.TRANSIENT and not normal):
            self.bring_back(name, now)
            return
        self.forget_if_gone(name)
        if not child.significant or self.auto == "never":
            return
        others = [c for c in self.children.values() if c.significant and c.up]
        if self.auto == "any_significant" or not others:
            self.stop_all()

    def bring_back(self, name: str, now: float) -> None:
        while True:
            self.times = [t for t in self.times if now - t <= self.within] + [now]
            if len(self.times) > self.most:
                self.stop_all()
                return
            names = list(self.children)
            if self.strategy == "one_for_one":
                names = [name]
            elif self.strategy == "rest_for_one":
                names = names[names.index(name) :]
            for victim in [n for n in reversed(names) if self.children[n].up]:
                self.stop(victim)
            failed = next((n for n in names if n in self.children and self.start(n) == "fail"), None)
            if failed is None:
                return
            name = failed

    # Administration: what it answers.

    def start_child(self, name: str, restart: Restart) -> str:
        if name in self.children:
            return "already_started" if self.children[name].up else "already_present"
        if self.room is not None and len(self.children) >= self.room:
            return "too_many"
        self.children[name] = ModelChild(restart)
        outcome = self.start(name)
        if outcome == "fail":
            del self.children[name]
        return outcome

    def terminate(self, name: str) -> str:
        if name not in self.children:
            return "not_found"
        if self.children[name].up:
            self.stop(name)
        else:
            self.forget_if_gone(name)
        return "ok"

    def restart_child(self, name: str) -> str:
        if name not in self.children:
            return "not_found"
        return "running" if self.children[name].up else self.start(name)

    def delete(self, name: str) -> str:
        if name not in self.children:
            return "not_found"
        if self.children[name].up:
            return "running"
        del self.children[name]
        return "ok"


class Kid(Actor):
    def __init__(self, outcome: str) -> None:
        self.outcome = outcome

    async def on_start(self) -> None:
        if self.outcome == "fail":
            raise Refuse("fail")
        if self.outcome == "ignore":
            raise Ignore

    def die(self, normal: bool) -> None:
        if normal:
            self.stop(Normal())
        else:
            raise ValueError("boom")


class SupervisorMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.run = FrozenRun(lambda: open_runtime(plain_world()))
        self.runtime: Runtime = self.run.value
        self.model: Model | None = None
        self.script: dict[str, deque[str]] = defaultdict(deque)
        self.log: list[tuple[str, str]] = []
        self.top: SupervisorRef | None = None

    @initialize(
        strategy=st.sampled_from(list(Strategy)),
        most=st.integers(0, 4),
        within=st.sampled_from([1.0, 5.0, 60.0]),
        auto=st.sampled_from(list(AutoShutdown)),
        restarts=st.lists(st.sampled_from(list(Restart)), max_size=4),
        significant=st.lists(st.booleans(), min_size=4, max_size=4),
        fails_at_boot=st.integers(-20, 4),
        room=st.one_of(st.none(), st.integers(0, 4)),
        dynamic=st.booleans(),
    )
    def boot(
        self,
        strategy: Strategy,
        most: int,
        within: float,
        auto: AutoShutdown,
        restarts: list[Restart],
        significant: list[bool],
        fails_at_boot: int,
        room: int | None,
        dynamic: bool,
    ) -> None:
        strategy = Strategy.ONE_FOR_ONE if dynamic else strategy
        auto = AutoShutdown.NEVER if dynamic else auto
        names = [] if dynamic else IDS[: len(restarts)]
        may_be = auto is not AutoShutdown.NEVER
        kids = [
            (name, ModelChild(restart, bool(marked and may_be and restart is not Restart.PERMANENT)))
            for name, restart, marked in zip(names, restarts, significant, strict=False)
        ]
        if 0 <= fails_at_boot < len(kids):
            self.plan(kids[fails_at_boot][0], ["fail"])
        script = {name: deque(outcomes) for name, outcomes in self.script.items()}
        room = room if dynamic else None
        self.model = Model(strategy.value, most, within, auto.value, defaultdict(deque, script), room, dynamic=dynamic)
        self.runtime.events.listen(self.hear)
        spec: Supervisor | DynamicSupervisor = DynamicSupervisor(room, most, within)
        if not dynamic:
            spec = Supervisor([self.child(n, k.restart, k.significant) for n, k in kids], strategy, most, within, auto)
        booted = self.model.boot(kids)
        try:
            self.top = self.run.do(self.runtime.start, spec)
        except StartFailed:
            assert not booted
        else:
            assert booted

    def child(self, name: str, restart: Restart, significant: bool = False) -> Child[Kid]:
        def make() -> Kid:
            return Kid(self.script[name].popleft() if self.script[name] else "ok")

        return Child(name, make, restart, significant=significant)

    def hear(self, event: Event) -> None:
        words = {
            EventKind.READY: "up",
            EventKind.STOPPED: "down",
            EventKind.IGNORED: "ignore",
            EventKind.START_FAILED: "fail",
        }
        if event.kind in words and event.path.count("/") == 2:
            self.log.append((words[event.kind], event.path.rpartition("/")[2]))

    @property
    def running(self) -> bool:
        return self.top is not None and self.model is not None and not self.model.over

    def plan(self, name: str, outcomes: list[str]) -> None:
        self.script[name].extend(outcomes)
        if self.model is not None:
            self.model.script[name].extend(outcomes)

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(IDS), outcomes=OUTCOMES, normal=st.booleans())
    def die(self, name: str, outcomes: list[str], normal: bool) -> None:
        assert self.top is not None
        assert self.model is not None
        ref = self.top.child(name)
        if ref is None:
            return
        self.plan(name, outcomes)
        self.model.die(name, normal, self.run.do(self.now))
        self.run.do(self.cast_and_settle, ref, normal)

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(IDS), outcomes=OUTCOMES)
    def prepare_failures(self, name: str, outcomes: list[str]) -> None:
        self.plan(name, outcomes)

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(IDS), restart=st.sampled_from(list(Restart)))
    def start_child(self, name: str, restart: Restart) -> None:
        assert self.model is not None
        assert self.top is not None
        expected = self.model.start_child(name, restart)
        assert self.answer(self.top.start_child, self.child(name, restart)) == expected

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(IDS))
    def terminate_child(self, name: str) -> None:
        assert self.model is not None
        assert self.top is not None
        assert self.answer(self.top.terminate_child, name, done="ok") == self.model.terminate(name)

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(IDS))
    def restart_child(self, name: str) -> None:
        assert self.model is not None
        assert self.top is not None
        expected = self.model.restart_child(name)
        assert self.answer(self.top.restart_child, name) == expected

    @precondition(lambda self: self.running)
    @rule(name=st.sampled_from(IDS))
    def delete_child(self, name: str) -> None:
        assert self.model is not None
        assert self.top is not None
        assert self.answer(self.top.delete_child, name, done="ok") == self.model.delete(name)

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.001, 5.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        self.run.advance(seconds)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        if data.draw(st.integers(0, 9)):
            return
        assert self.model is not None
        assert self.top is not None
        self.model.stop_all()
        self.run.do(self.top.stop, Shutdown())

    def answer(self, call: Any, argument: Any, done: str | None = None) -> str:
        words: dict[type[ActorError], str] = {
            AlreadyStarted: "already_started",
            AlreadyPresent: "already_present",
            NotFound: "not_found",
            StillRunning: "running",
            StartFailed: "fail",
            TooManyChildren: "too_many",
        }
        try:
            result = self.run.do(call, argument)
        except ActorError as error:
            return words[type(error)]
        return done or ("ok" if result is not None else "ignore")

    async def now(self) -> float:
        return trio.current_time()

    async def cast_and_settle(self, ref: Any, normal: bool) -> None:
        ref.cast(Kid.die, normal)
        await wait_all_tasks_blocked()

    @invariant()
    def agrees_with_the_model(self) -> None:
        model = self.model
        if model is None:
            return
        if model.dynamic and model.over:
            tail = len(self.log) - next(
                (i for i, (word, _) in enumerate(reversed(self.log)) if word != "down"), len(self.log)
            )
            assert self.log[:tail] + sorted(self.log[tail:]) == model.log[:tail] + sorted(model.log[tail:])
        else:
            assert self.log == model.log
        if self.top is not None:
            assert self.top.alive != model.over
        if self.running:
            assert self.top is not None
            shown = [(row.id, row.state is State.UP) for row in self.top.which_children()]
            assert shown == [(name, child.up) for name, child in model.children.items()]
            assert self.top.count_children().active == sum(child.up for child in model.children.values())

    def teardown(self) -> None:
        self.run.close()


@pytest.mark.parametrize("times", [int(os.environ.get("PITBOSS_NIGHTLY", "1"))])
def test_any_life_of_a_supervisor_follows_the_rules(times: int) -> None:
    run_state_machine_as_test(
        SupervisorMachine,
        settings=settings(
            max_examples=150 * times,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
