"""The demo: desks of actors under supervision, crashed from a seed while you watch, and back within a moment."""

import random
from collections.abc import Callable
from typing import Any

import attrs
import trio

from runtime import (
    Actor,
    Child,
    DynamicSupervisor,
    Ref,
    Runtime,
    Shutdown,
    Strategy,
    Supervisor,
    open_runtime,
)
from runtime.events import Event, EventKind
from runtime.inspection import TreeNode, tree
from runtime.real import real_world

DESKS = ("north", "east", "south")
PRICE_TOPIC = "prices"


class Prices(Actor):
    """Publishes a random walk, a hundred steps a second."""

    def __init__(self) -> None:
        self.price = 5000.0

    async def on_start(self) -> None:
        """Begins to tick."""
        self.every(0.01, Prices.step)

    def step(self) -> None:
        """One step of the walk."""
        self.price += self.world.chance.choice((-0.25, 0.25))
        self.runtime.topics.publish(PRICE_TOPIC, self.price)


class Book(Actor):
    """Holds the last price of its desk and how many it has seen."""

    safe = frozenset({"seen"})

    def __init__(self) -> None:
        self.seen = 0
        self.last = 0.0

    async def on_start(self) -> None:
        """Subscribes in a helper task, which ends with this actor."""
        self.spawn(self.listen)

    async def listen(self) -> None:
        """Takes each price as it comes."""
        with self.runtime.topics.subscribe(PRICE_TOPIC, capacity=100) as prices:
            async for price in prices:
                assert isinstance(price, float)  # noqa: S101 - Prices publishes floats only
                self.last = price
                self.seen += 1

    def latest(self) -> float:
        """The last price."""
        return self.last

    def fail(self) -> None:
        """Crashes on purpose."""
        raise RuntimeError("crashed by the demo")


class Clerk(Actor):
    """Asks its desk's book for the price twenty times a second."""

    def __init__(self, desk: str) -> None:
        self.desk = desk
        self.asked = 0

    async def on_start(self) -> None:
        """Begins to ask."""
        self.every(0.05, Clerk.ask)

    async def ask(self) -> None:
        """One question; a book that is gone takes this clerk along, as one-for-all wants."""
        await self.runtime.name(f"book:{self.desk}", Book).call(Book.latest)
        self.asked += 1


def desk(name: str) -> Child[Any]:
    """One desk: book and clerk live and die together."""
    return Child(
        name,
        Supervisor(
            [Child("book", Book, name=f"book:{name}"), Child("clerk", lambda: Clerk(name))],
            strategy=Strategy.ONE_FOR_ALL,
            max_restarts=1_000,
            within=3_600,
        ),
    )


@attrs.define
class Chaos:
    """Crashes something at random and measures how long it takes until the desk answers again."""

    runtime: Runtime
    chance: random.Random
    crashes: list[dict[str, Any]] = attrs.field(factory=list)

    async def run(self) -> None:
        """Goes on until cancelled."""
        while True:
            await trio.sleep(0.5 + self.chance.random())
            await self.crash_one()

    async def crash_one(self) -> None:
        """Crashes a book or kills a whole desk's clerk, and waits for a new, answering book."""
        name = self.chance.choice(DESKS)
        how = self.chance.choice(("crash", "kill"))
        key = f"book:{name}"
        book: Ref[Book] = await self.runtime.registry.wait_for(key)
        began = trio.current_time()
        crash: dict[str, Any] = {"desk": name, "how": how, "back_after_ms": None}
        self.crashes.append(crash)
        if how == "crash":
            book.cast(Book.fail)
        else:
            book.kill("killed by the demo")
        await book.ended()
        await self.runtime.registry.wait_for(key)
        await self.runtime.name(key, Book).call(Book.latest)
        crash["back_after_ms"] = round((trio.current_time() - began) * 1000, 3)


Watch = Callable[[TreeNode, list[Event], float], None]


async def play(duration: float, seed: int, watch: Watch | None) -> dict[str, Any]:
    """Runs the demo for so many seconds, showing it to `watch` ten times a second, and returns the summary."""
    async with open_runtime(real_world(random.Random(seed))) as runtime:
        top = await runtime.start(
            Supervisor([Child("prices", Prices), Child("desks", DynamicSupervisor(max_children=len(DESKS)))])
        )
        desks = top.supervisor("desks")
        for name in DESKS:
            await desks.start_child(desk(name))
        began = trio.current_time()
        chaos = Chaos(runtime, random.Random(seed))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chaos.run)
            while (passed := trio.current_time() - began) < duration:
                if watch is not None:
                    watch(tree(runtime), runtime.events.recent(), duration - passed)
                await trio.sleep(min(0.1, duration - passed))
            nursery.cancel_scope.cancel(reason="the demo is over")
        counts = runtime.events.statistics().counts
        whole = all(desks.supervisor(name).count_children().active == 2 for name in DESKS)
        await top.stop(Shutdown("the demo is over"))
    finished = [crash for crash in chaos.crashes if crash["back_after_ms"] is not None]
    return {
        "seconds": duration,
        "seed": seed,
        "crashes": len(chaos.crashes),
        "came_back": len(finished),
        "restarts": counts.get(EventKind.RESTARTING.value, 0),
        "slowest_ms": max((crash["back_after_ms"] for crash in finished), default=0.0),
        "details": chaos.crashes,
        "ok": whole and len(finished) >= len(chaos.crashes) - 1,
    }
