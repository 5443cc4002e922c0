"""A question that nobody waits for: its outcome is handed to a function of the asker, once, whatever becomes of it."""

from typing import Any

import outcome
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from runtime import Actor, Child, Failed, Name, Ref, Restart, Runtime, Supervisor, message, open_runtime
from runtime.calls import Reply
from runtime.errors import ActorGone, BadMessage, NoSuchActor
from runtime.inspection import resume, suspend
from tests.runtime.world import plain_world


class Declared(Exception):
    pass


class Oracle(Actor):
    expects = (Declared,)

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.replies: list[Reply] = []

    def echo(self, value: object) -> object:
        self.heard.append(value)
        return value

    async def slowly(self, value: object) -> object:
        await trio.sleep(1)
        return value

    @message(control=True)
    def urgent(self, value: object) -> object:
        return self.echo(value)

    def refuse(self) -> None:
        raise Declared("no")

    def crash(self) -> None:
        raise ValueError("broken")

    def later(self) -> str:
        self.replies.append(self.defer())
        later: str = self.replies[-1].later
        return later

    def end(self) -> str:
        self.stop()
        return "bye"


class Asker(Actor):
    def __init__(self) -> None:
        self.told: list[outcome.Outcome[Any]] = []

    def put(self, target: Ref[Oracle] | Name[Oracle], method: Any, *args: Any) -> int:
        """Returns how many outcomes were known when the question had been asked."""
        self.request(target, self.told.append, method, *args)
        return len(self.told)

    def put_badly(self, target: Ref[Oracle]) -> None:
        self.request(target, _choke, Oracle.echo, 1)


def _choke(_: object) -> None:
    raise RuntimeError("cannot hear it")


async def pair(rt: Runtime) -> tuple[Ref[Asker], Asker, Ref[Oracle], Oracle]:
    asker, oracle = Asker(), Oracle()
    children: list[Child[Any]] = [
        Child("asker", lambda: asker, restart=Restart.TEMPORARY),
        Child("oracle", lambda: oracle, restart=Restart.TEMPORARY),
    ]
    top = await rt.start(Supervisor(children))
    ref, oracle_ref = top.child("asker"), top.child("oracle")
    assert ref is not None
    assert oracle_ref is not None
    await oracle_ref.call(Oracle.echo, 0)  # the first message of a life always waits for its turn
    oracle.heard.clear()
    return ref, asker, oracle_ref, oracle


def values(asker: Asker) -> list[object]:
    return [one.unwrap() for one in asker.told]


async def test_an_idle_actor_answers_before_the_asker_goes_on(rt: Runtime, autojump_clock: Any) -> None:
    ref, asker, oracle, _ = await pair(rt)
    assert await ref.call(Asker.put, oracle, Oracle.echo, 7) == 1
    assert await ref.call(Asker.put, oracle, Oracle.urgent, 8) == 2
    assert values(asker) == [7, 8]


async def test_what_has_to_wait_is_answered_in_its_turn_behind_what_was_sent_before(
    rt: Runtime, autojump_clock: Any
) -> None:
    ref, asker, oracle, seen = await pair(rt)
    suspend(oracle)
    oracle.cast(Oracle.echo, 1)
    assert await ref.call(Asker.put, oracle, Oracle.echo, 2) == 0
    assert await ref.call(Asker.put, oracle, Oracle.slowly, 3) == 0
    resume(oracle)
    await trio.sleep(2)
    assert values(asker) == [2, 3]
    assert seen.heard == [1, 2]


async def test_a_deferred_answer_is_told_when_it_is_given_and_only_once(rt: Runtime, autojump_clock: Any) -> None:
    ref, asker, oracle, seen = await pair(rt)
    assert await ref.call(Asker.put, oracle, Oracle.later) == 0
    seen.replies[0].send("now")
    seen.replies[0].send("again")
    assert values(asker) == ["now"]


async def test_errors_and_ends_are_outcomes_too(rt: Runtime, autojump_clock: Any) -> None:
    ref, asker, oracle, _ = await pair(rt)
    await ref.call(Asker.put, oracle, Oracle.refuse)
    await ref.call(Asker.put, oracle, Oracle.echo)
    await ref.call(Asker.put, oracle, Oracle.later)
    await ref.call(Asker.put, oracle, Oracle.crash)
    await trio.sleep(1)
    await ref.call(Asker.put, oracle, Oracle.echo, 1)
    await ref.call(Asker.put, rt.name("nobody", Oracle), Oracle.echo, 1)
    kinds = [type(one.error) for one in asker.told if isinstance(one, outcome.Error)]
    assert kinds == [Declared, BadMessage, ActorGone, ActorGone, ActorGone, NoSuchActor]
    assert len(asker.told) == 6
    assert ref.alive


async def test_an_actor_that_stops_itself_answers_after_its_clean_up(rt: Runtime, autojump_clock: Any) -> None:
    ref, asker, oracle, _ = await pair(rt)
    assert await ref.call(Asker.put, oracle, Oracle.end) == 0
    await oracle.ended()
    assert values(asker) == ["bye"]


async def test_what_raises_while_it_is_told_ends_the_asker_and_nobody_else(rt: Runtime, autojump_clock: Any) -> None:
    ref, _, oracle, _ = await pair(rt)
    ref.cast(Asker.put_badly, oracle)
    reason = await ref.ended()
    assert isinstance(reason, Failed)
    assert isinstance(reason.error, RuntimeError)
    assert await oracle.call(Oracle.echo, 2) == 2


async def test_an_asker_that_has_ended_is_told_nothing(rt: Runtime, autojump_clock: Any) -> None:
    ref, asker, oracle, seen = await pair(rt)
    await ref.call(Asker.put, oracle, Oracle.later)
    await ref.stop()
    seen.replies[0].send("too late")
    assert asker.told == []
    assert oracle.alive


async def test_a_receiver_is_its_actors_affair_wherever_it_is_called(rt: Runtime, autojump_clock: Any) -> None:
    ref, asker, _, _ = await pair(rt)
    tell = asker.receiver(asker.told.append)
    tell(outcome.Value(1))
    assert values(asker) == [1]
    asker.receiver(_choke)("raises nothing here")
    assert isinstance(await ref.ended(), Failed)
    tell(outcome.Value(2))
    assert len(asker.told) == 1, "it has ended, and is told nothing more"


@pytest.mark.parametrize("ends", [False, True])
@given(steps=st.lists(st.sampled_from(["echo", "slowly", "later", "urgent", "refuse", "pass"]), max_size=30))
def test_every_question_has_exactly_one_outcome(ends: bool, steps: list[str]) -> None:
    async def main() -> tuple[int, int]:
        async with open_runtime(plain_world()) as rt:
            ref, asker, oracle, seen = await pair(rt)
            asked = 0
            for step in steps:
                if step == "pass":
                    await trio.sleep(0.3)
                    continue
                asked += 1
                args = () if step in {"later", "refuse"} else (asked,)
                ref.cast(Asker.put, oracle, getattr(Oracle, step), *args)
            await trio.sleep(0.5)
            if ends:
                await oracle.stop()
            else:
                await trio.sleep(len(steps) + 1)
                for reply in seen.replies:
                    reply.send("given")
            await trio.testing.wait_all_tasks_blocked()
            return asked, len(asker.told)

    asked, told = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert told == asked
