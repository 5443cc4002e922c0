"""Plays a recorded OTP supervisor run against our supervisor and writes down what happens, in the same words.

A record holds the flags and children of a supervisor, what each start call answers (`script`), what the
test did (`acts`) and what was seen (`events`).
"""

from collections import defaultdict, deque
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from runtime import (
    BRUTAL,
    Actor,
    AutoShutdown,
    Child,
    DynamicSupervisor,
    Failed,
    Ignore,
    Killed,
    Normal,
    Reason,
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
    AlreadyPresent,
    AlreadyStarted,
    ChildError,
    InvalidSpec,
    NotAMessage,
    NotFound,
    StartFailed,
    StillRestarting,
    StillRunning,
)
from runtime.events import Event, EventKind
from runtime.inspection import resume, suspend
from tests.runtime.world import plain_world

SETTLE = 0.1
Json = Any


class Died(Exception):
    """The reason of a test child's abnormal end."""


@attrs.frozen
class Own:
    """The detail of a shutdown that a test child chose itself."""

    detail: Json


class Kid(Actor):
    """A child that starts, stops and dies as the record says."""

    def __init__(self, player: "Player", child_id: str, behaviour: dict[str, Json]) -> None:
        self.player = player
        self.id = child_id
        self.number = player.starts[child_id]
        self.behaviour = behaviour
        script = player.script[child_id]
        self.outcome = script.popleft() if script else "ok"
        if self.outcome != "ok" and self.outcome[0] == "crash":
            raise Died(self.outcome[1])

    async def on_start(self) -> None:
        outcome: list[Json] = [self.outcome] if isinstance(self.outcome, str) else self.outcome
        kind, *values = outcome
        if kind in {"slow", "slowerr"}:
            await trio.sleep(values[0] / 1000)
        if kind == "ignore":
            raise Ignore
        if kind in {"error", "initstop"}:
            raise Refuse(values[0])
        if kind == "slowerr":
            raise Refuse("slow")
        suicide = values[0] if kind == "suicide" else self.behaviour.get("suicide") if self.number == 1 else None
        if suicide is not None:
            self.send_after(suicide / 1000, Kid.die, "suicide")

    def die(self, reason: Json) -> None:
        if reason == "normal":
            self.stop(Normal())
        elif reason == "shutdown":
            self.stop(Shutdown())
        elif isinstance(reason, list):
            self.stop(Shutdown(Own(reason[1])))
        else:
            raise Died(reason)

    async def on_stop(self, reason: Reason) -> None:
        if self.behaviour.get("trap", True):
            self.player.log.append(["terminate", self.id, self.number, word(reason)])
        kind, value = self.behaviour.get("on_stop") or ("", 0)
        if kind == "delay":
            await trio.sleep(value / 1000)
        if kind == "exit":
            raise Died(value)


def word(reason: Reason | None) -> Json:
    """A reason in OTP's words."""
    if isinstance(reason, Failed) and isinstance(reason.error, StartFailed):
        error = reason.error
        return ["shutdown", ["failed_to_start_child", error.child, word(error.reason)]]
    if isinstance(reason, Failed):
        return reason.error.args[0]
    if isinstance(reason, Shutdown) and isinstance(reason.detail, Own):
        return ["shutdown", reason.detail.detail]
    return {Normal: "normal", Shutdown: "shutdown", Killed: "killed"}[type(reason)]


def refusal(reason: Reason) -> Json:
    """Why a start failed: a refusal is a Shutdown with the child's own word in it."""
    if isinstance(reason, Failed) and isinstance(reason.error, InvalidSpec):
        return "nonsense"
    if isinstance(reason, Failed) and isinstance(reason.error, StartFailed):
        return ["shutdown", ["failed_to_start_child", reason.error.child, refusal(reason.error.reason)]]
    if isinstance(reason, Failed):
        return ["EXIT", reason.error.args[0]]
    return reason.detail if isinstance(reason, Shutdown) else word(reason)


class Player:
    """One record being played; `life` is what children did, `answers` what the test saw."""

    def __init__(self, record: Json) -> None:
        self.record = record
        self.log: list[Json] = []
        self.starts: dict[str, int] = defaultdict(int)
        self.script: dict[str, deque[Json]] = defaultdict(deque)
        self.dynamic = record["flags"].get("strategy") == "simple_one_for_one"
        self.runtime: Runtime
        self.top: SupervisorRef
        for child, outcomes in record["script"]:
            self.script[child].extend(outcomes)

    async def play(self) -> list[Json]:
        """Runs the record from the start to the end of its acts."""
        async with open_runtime(plain_world()) as self.runtime:
            leave = self.runtime.events.listen(self._hear)
            try:
                self.top = await self.runtime.start(self._supervisor(self.record["flags"], self.record["children"]))
            except (StartFailed, InvalidSpec) as error:
                self.log.append(["start_link_result", ["error", self._start_error(error)]])
                return list(self.log)
            # The recorder let things settle after the supervisor was up.
            await trio.sleep(SETTLE)
            for act in self.record["acts"]:
                await self._act(act)
            leave()
            return list(self.log)

    def _start_error(self, error: StartFailed | InvalidSpec) -> Json:
        if isinstance(error, InvalidSpec):
            return "refused"
        below = error.reason
        assert isinstance(below, Failed)
        return refusal(below)

    def _hear(self, event: Event) -> None:
        if event.path in {"", "/main"}:
            if event.path and event.kind is EventKind.STOPPED:
                self.log.append(["sup_exit", word(event.reason)])
            return
        child = event.path.rpartition("/")[2]
        if event.kind is EventKind.STARTED:
            self.starts[child] += 1
        number = self.starts[child]
        name = {
            EventKind.STARTED: "start",
            EventKind.READY: "up",
            EventKind.IGNORED: "ignored",
            EventKind.START_FAILED: "start_failed",
            EventKind.STOPPED: "down",
        }.get(event.kind)
        if name in {"start", "up", "ignored"}:
            self.log.append([name, child, number])
        elif name == "down":
            self.log.append([name, child, number, word(event.reason)])
        elif name == "start_failed":
            assert event.reason is not None
            self.log.append([name, child, number, refusal(event.reason)])

    # Descriptions.

    def _supervisor(self, flags: Json, children: Json) -> Supervisor | DynamicSupervisor:
        budget: Json = {"max_restarts": flags.get("intensity", 1), "within": flags.get("period", 5)}
        if self.dynamic:
            return DynamicSupervisor(**budget)
        strategy = flags.get("strategy", "one_for_one")
        known = {s.value for s in Strategy}
        return Supervisor(
            [self._child(child) for child in children],
            strategy=Strategy(strategy) if strategy in known else strategy,
            auto_shutdown=AutoShutdown(flags.get("auto_shutdown", "never")),
            **budget,
        )

    def _child(self, spec: Json) -> Child[Any]:
        if spec.get("type") == "supervisor":
            return Child(spec["id"], self._supervisor(spec["flags"], spec["children"]), **self._options(spec))
        child_id, behaviour = spec["id"], spec.get("behaviour") or {}
        return Child(child_id, lambda: self._make(child_id, behaviour), **self._options(spec))

    def _make(self, child_id: str, behaviour: Json) -> Any:
        kid = Kid(self, child_id, behaviour)
        return "nonsense" if kid.outcome[0] == "bad" else kid

    def _options(self, spec: Json) -> Json:
        options: Json = {"restart": Restart(spec.get("restart", "permanent"))}
        if "significant" in spec:
            options["significant"] = spec["significant"]
        if "shutdown" in spec:
            options["shutdown"] = BRUTAL if spec["shutdown"] == "brutal_kill" else spec["shutdown"] / 1000
        return options

    # Acts.

    async def _act(self, act: Json) -> None:
        name, *values = [act] if isinstance(act, str) else act
        await getattr(self, f"_do_{name}")(*values)

    def _ref(self, child: str) -> Any:
        return next(cell.ref for cell in self.runtime.cells() if cell.child_id == child)

    async def _do_die(self, child: str, reason: Json) -> None:
        await self._do_die_nowait(child, reason)
        await trio.sleep(SETTLE)

    async def _do_die_nowait(self, child: str, reason: Json) -> None:
        self.log.append(["act", ["die", child, reason]])
        self._ref(child).cast(Kid.die, reason)
        await wait_all_tasks_blocked()

    async def _do_kill(self, child: str) -> None:
        self.log.append(["act", ["kill", child]])
        self._ref(child).kill()
        await trio.sleep(SETTLE)

    async def _do_wait(self, ms: int) -> None:
        await trio.sleep(ms / 1000)

    async def _do_align(self, ms: int) -> None:
        await trio.sleep(ms / 1000 - trio.current_time() % 1 + 1)

    async def _do_align2(self, ms: int) -> None:
        await trio.sleep(max(ms / 1000 - SETTLE, 0))

    async def _do_script(self, child: str, outcomes: Json) -> None:
        self.script[child].extend(outcomes)

    async def _do_which(self, child: str | None = None) -> None:
        rows = await self._in_turn(child, lambda ref: ref.which_children())
        states = {State.UP: "pid", State.RESTARTING: "restarting", State.DOWN: "undefined"}
        shown = [["undefined" if self.dynamic else row.id, states[row.state]] for row in reversed(rows)]
        self.log.append(["which", shown] if child is None else ["which", child, shown])

    async def _do_count(self) -> None:
        counts = await self._in_turn(None, lambda ref: ref.count_children())
        specs = 1 if self.dynamic else counts.specs
        pairs = [["specs", specs], ["active", counts.active], ["supervisors", counts.supervisors]]
        self.log.append(["count", [*pairs, ["workers", counts.workers]]])

    async def _in_turn(self, child: str | None, query: Any) -> Any:
        """OTP answers queries between other work; ours does at once, so the query is queued like a command."""
        ref = self.top if child is None else self._ref(child)

        async def work() -> Any:
            return query(ref)

        cell: Any = ref.cell()
        return await cell.command("query", "", work)

    async def _do_alive(self) -> None:
        await trio.sleep(SETTLE)
        self.log.append(["sup_alive", self.top.alive])

    async def _do_act_noop(self) -> None:
        try:
            self.top.cast(Kid.die, "x")
        except NotAMessage:
            self.log.append(["sup_alive", self.top.alive])

    async def _do_suspend_sup(self) -> None:
        suspend(self.top)

    async def _do_resume_sup(self) -> None:
        resume(self.top)
        await trio.sleep(SETTLE)

    async def _do_stop_sup(self) -> None:
        self.log.append(["act", "stop_sup"])
        began = trio.current_time()
        reason = await self.top.stop(Shutdown())
        took = round((trio.current_time() - began) * 1000)
        self.log.append(["sup_stopped", word(reason), ["took_about_ms", took]])

    async def _do_exit_sup(self, reason: str) -> None:
        self.log.append(["act", ["exit_sup", reason]])
        await self.top.stop(Normal() if reason == "normal" else Shutdown(reason))
        if reason != "normal":
            self.log[-1] = ["sup_exit", reason]

    async def _do_send(self, child: str, message: str) -> None:
        assert message == "unlink_parent", (child, message)  # has no counterpart: a nursery can not be left

    async def _do_termlater(self, child: str) -> None:
        async def terminate() -> None:
            await self.top.terminate_child(child)
            self.log.append(["api_async", "terminate_child", child, "ok"])

        # The runtime's own nursery is as good a place as any for a task that ends within the record.
        assert self.runtime.root.nursery is not None
        self.runtime.root.nursery.start_soon(terminate)

    async def _do_supon(self, child: str, call: str, args: Json) -> None:
        answer = await self._admin(self._ref(child), call, args)
        self.log.append(["api", child, call, [["spec", args[0]["id"], {}]], answer])

    async def _do_sup(self, call: str, args: Json) -> None:
        self.log.append(["api", call, args, await self._admin(self.top, call, args)])

    async def _do_suppid(self, call: str, child: str) -> None:
        self.log.append(["api", call, ["pid_of", child], await self._admin(self.top, call, [child])])

    async def _admin(self, ref: SupervisorRef, call: str, args: Json) -> Json:
        try:
            if call == "get_childspec":
                spec = ref.child_spec(args[0])
                return ["ok", {"id": spec.id, "restart": spec.restart.value, "shutdown": spec.limit * 1000,
                               "significant": spec.significant}]  # fmt: skip
            if call == "start_child":
                new = args[0] if isinstance(args[0], dict) else {**self.record["children"][0], "id": args[0][0]}
                started = await ref.start_child(self._child(new))
                return ["ok", "pid" if started is not None else "undefined"]
            answer = await getattr(ref, call)(args[0])
        except StartFailed as error:
            return ["error", refusal(error.reason)]
        except ChildError as error:
            words = {
                AlreadyStarted: ["already_started", "pid"], AlreadyPresent: "already_present", NotFound: "not_found",
                StillRunning: "running", StillRestarting: "restarting",
            }  # fmt: skip
            return ["error", words[type(error)]]
        return "ok" if answer is None else ["ok", "pid"]
