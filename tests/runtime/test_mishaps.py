"""Fault points of actors: an exception in each callback, a cancel at any checkpoint, and nothing of it in life."""

import pytest
import trio

from runtime import Actor, Child, Reason, Supervisor, open_runtime
from runtime.errors import ActorGone, CallError, StartFailed
from runtime.messages import MessageTable
from runtime.mishaps import AFTER, BEFORE, CANCEL, START, STOP, Mishap, point_of
from runtime.real import real_world
from runtime.reasons import Failed, Killed
from runtime.simulation import BUGGIFY, FaultPlan, SimulatedWorld, simulate

PATH = "/main/worker"


class Worker(Actor):
    """Counts what it did; counting is never undone by a restart."""

    done: list[str] = []  # noqa: RUF012 - shared on purpose

    async def on_start(self) -> None:
        self.done.append("start")

    def note(self, word: str) -> str:
        self.done.append(word)
        return word

    async def slow(self) -> None:
        for step in range(5):
            self.done.append(f"step {step}")
            await trio.sleep(1)

    async def on_stop(self, reason: Reason) -> None:
        self.done.append("stop")


def played(point: str, hit: int = 1) -> tuple[list[str], type[Reason]]:
    """A worker is told one word, then works slowly, then ends; what it did, and why it ended the first time."""
    Worker.done = []

    async def play(world: SimulatedWorld) -> Reason:
        async with open_runtime(world) as runtime:
            tree = await runtime.start(Supervisor([Child("worker", Worker)]))
            worker = tree.child("worker")
            assert worker is not None
            world.faults.arm(point, hit)
            for method, args in ((Worker.note, ("word",)), (Worker.slow, ())):
                try:
                    await worker.call(method, *args)
                except CallError:
                    break
            if worker.alive:
                await worker.stop()
            return await worker.ended()

    return Worker.done, type(simulate(play, seed=1).unwrap())


STEPS = [f"step {step}" for step in range(5)]


@pytest.mark.parametrize(
    ("point", "hit", "did", "reason"),
    [
        (BEFORE, 1, ["start"], Failed),
        (AFTER, 1, ["start", "word"], Failed),
        (BEFORE, 2, ["start", "word"], Failed),
        (AFTER, 2, ["start", "word", *STEPS], Failed),
        (CANCEL, 3, ["start", "word", *STEPS[:3]], Killed),
    ],
)
def test_f31_f33_an_actor_ends_before_within_or_after_the_handling_of_a_message(
    point: str, hit: int, did: list[str], reason: type[Reason]
) -> None:
    done, ended = played(point_of(point, PATH), hit)
    assert done[: len(did)] == did
    assert done[len(did)] in ("start", "stop")
    assert ended is reason


def test_f31_an_exception_at_the_end_takes_the_place_of_the_clean_up() -> None:
    done, ended = played(point_of(STOP, PATH))
    assert done[:7] == ["start", "word", *STEPS]
    assert "stop" not in done[:8]
    assert ended is Failed


def test_f31_an_exception_at_the_start_is_a_failed_start() -> None:
    async def play(world: SimulatedWorld) -> None:
        async with open_runtime(world) as runtime:
            world.faults.arm(point_of(START, "/worker"))
            with pytest.raises(StartFailed) as failed:
                await runtime.start(Child("worker", Worker))
            assert isinstance(failed.value.reason, Failed)
            assert isinstance(failed.value.reason.error, Mishap)
            await runtime.start(Child("worker", Worker))

    simulate(play, seed=1).unwrap()


def test_a_plan_for_all_other_points_leaves_actors_alone_and_a_disarmed_point_is_silent() -> None:
    async def play(world: SimulatedWorld) -> None:
        async with open_runtime(world) as runtime:
            worker = await runtime.start(Child("worker", Worker))
            point = point_of(BEFORE, "/worker")
            world.faults.arm(point)
            world.faults.disarm(point)
            for _ in range(200):
                assert await worker.call(Worker.note, "word") == "word"
            world.faults.arm(point)
            with pytest.raises(ActorGone):
                await worker.call(Worker.note, "word")

    simulate(play, seed=1, faults=FaultPlan(otherwise=BUGGIFY)).unwrap()


async def test_in_life_an_actor_has_the_plain_table_that_its_class_has_once() -> None:
    async with open_runtime(real_world()) as runtime:
        tables = [(await runtime.start(Child(name, Worker))).cell().table for name in "ab"]  # type: ignore[attr-defined]
        assert tables[0] is tables[1]
        assert type(tables[0]) is MessageTable
