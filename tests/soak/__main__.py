"""Runs a soak and says what came of it: `python -m tests.soak --minutes 20`."""

import json
import math
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import click
import trio

from runtime.real import real_world
from sessions.control.demo.scene import is_whole
from sessions.control.demo.verdict import Verdict, judge
from tests.soak.ground import Ground
from tests.soak.person import NAME, Person
from tests.soak.vitals import Vitals, complaints, growth_a_day, look
from tests.soak.weather import Weather

LOOK_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 360.0  # after the last fault: a quota used up lasts five minutes
FLAT_SECONDS: Final = 120.0
BACK_SECONDS: Final = 30.0  # within which a process that was killed is back with its sessions; R14 is about the rest
MOST_IDLE: Final = 0.0005  # of the time without any session that is well
_SHORT_ROOM: Final = "/tmp"


@attrs.define(eq=False)
class Soak:
    """One soak; `lives` are the samples of each process of the daemon."""

    ground: Ground
    person: Person
    weather: Weather
    lives: list[list[Vitals]] = attrs.field(factory=list)
    looks: int = 0
    idle: int = 0  # looks at which no session was well
    killed_at: float = -math.inf
    broken: list[str] = attrs.field(factory=list)

    async def watch(self) -> None:
        """Looks at the daemon until cancelled."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            status = await self.person.ask("status")
            if trio.current_time() - self.killed_at > BACK_SECONDS:
                rows = () if status is None else status["sessions"]
                self.looks += 1
                self.idle += not any(row["condition"] == "running" and row["rung"] == "full" for row in rows)
            process = self.ground.stage.process
            actors = await self.person.ask("tree")
            if process is not None and self.ground.stage.runs and actors is not None and self.lives:
                self.lives[-1].append(look(process.pid, trio.current_time(), len(actors)))

    async def start(self) -> None:
        """A new process of the daemon."""
        await self.ground.stage.start()
        self.lives.append([])

    async def kill(self) -> None:
        """A power cut, and the next process."""
        self.killed_at = trio.current_time()
        await self.ground.stage.kill()
        await self.start()

    async def until(self, holds: Any, seconds: float, what: str) -> None:
        """Waits, and notes what did not come about."""
        with trio.move_on_after(seconds):
            while not await holds():  # noqa: ASYNC110 - the daemon is another process
                await trio.sleep(1)
            return
        status = await self.person.ask("status")
        against = ["the daemon does not answer"] if status is None else status["reasons"]
        self.broken.append(f"{what} within {seconds:g} s: {'; '.join(map(str, against)) or 'no reason is told'}")

    async def whole(self) -> bool:
        """Whether every session trades and every account agrees."""
        status = await self.person.ask("status")
        return status is not None and is_whole(status, len(self.ground.seats))

    async def flat(self) -> bool:
        """Whether no broker holds anything of ours."""
        return not any(text for broker, _ in self.ground.sides.values() for text in broker.holdings())


@click.command()
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=72 * 60.0, show_default=True)
@click.option("--sessions", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--kills", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Of all strikes.")
@click.option("--json", "as_json", is_flag=True, help="One object on stdout.")
def main(minutes: float, sessions: int, seed: int, kills: float, *, as_json: bool) -> None:
    """Soaks a daemon in faults; exit code 1 when something was broken.

    Example: python -m tests.soak --minutes 20
    """
    record = trio.run(soak, minutes * 60, sessions, seed, kills)
    click.echo(json.dumps(record) if as_json else "\n".join(f"{name:16} {value}" for name, value in record.items()))
    sys.exit(1 if record["broken"] else 0)


async def soak(seconds: float, sessions: int, seed: int, kills: float) -> Mapping[str, Any]:
    """What came of it, as a record."""
    world = real_world(random.Random(seed))
    with tempfile.TemporaryDirectory(prefix="soak-", dir=_SHORT_ROOM) as folder:
        async with trio.open_nursery() as nursery:
            ground = await Ground.prepare(world, nursery, Path(folder), seed, sessions)
            person = Person(ground)
            chance = random.Random(f"{seed}/weather")
            weather = Weather(ground, chance, person.restart, lambda: run.kill(), kills)  # noqa: PLW0108 - made below
            run = Soak(ground, person, weather)
            try:
                await _play(run, seconds)
                await ground.stage.end()
                record = _record(run, seconds)
            finally:
                await ground.stage.end()
            nursery.cancel_scope.cancel(reason="the soak is over")
    return record


async def _play(run: Soak, seconds: float) -> None:
    await run.start()
    await run.until(run.whole, WHOLE_SECONDS, "expected every session to trade at the start")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.watch)
        nursery.start_soon(run.person.tend)
        with trio.move_on_after(seconds):
            await run.weather.rage()
        run.weather.calm()
        await run.until(run.whole, WHOLE_SECONDS, "expected all to be whole after the last fault")
        nursery.cancel_scope.cancel(reason="it is calm")
    await run.person.tell("flatten", by=NAME, reason="the soak is over")
    await run.until(run.flat, FLAT_SECONDS, "expected everything to be closed")
    await trio.sleep(LOOK_SECONDS)


def _record(run: Soak, seconds: float) -> Mapping[str, Any]:
    verdicts = {kind: _judged(run, kind) for kind in run.ground.sides}
    broken = [*run.broken, *(f"{kind}: {text}" for kind, one in verdicts.items() for text in one.broken())]
    broken += [text for life in run.lives for text in complaints(life)]
    share = run.idle / max(run.looks, 1)
    if share > MOST_IDLE and run.idle > 1:
        broken.append(f"no session was well in {share:.2%} of the time")
    return {
        "minutes": round(seconds / 60, 1),
        "sessions": len(run.ground.seats),
        "orders": sum(one.orders for one in verdicts.values()),
        "fills": sum(one.fills for one in verdicts.values()),
        "strikes": dict(run.weather.struck.most_common()),
        "started": run.person.started,
        "lifted": run.person.lifted,
        "answered": run.person.answered,
        "refusals": run.person.refusals[-5:],
        "idle": share,
        "processes": [_told(life) for life in run.lives],
        "broken": broken,
    }


def _judged(run: Soak, kind: str) -> Verdict:
    broker, journal = run.ground.sides[kind]
    journal.read()
    return judge(broker, journal)


def _told(life: Sequence[Vitals]) -> Mapping[str, Any]:
    if not life:
        return {}
    first, last = life[len(life) // 3], life[-1]
    return {
        "seconds": round(last.at_s - life[0].at_s),
        "rss_kib": [first.rss_kib, last.rss_kib],
        "growth_a_day": growth_a_day(life),
        "descriptors": [first.descriptors, last.descriptors],
        "threads": [first.threads, last.threads],
        "actors": [first.actors, last.actors],
    }


if __name__ == "__main__":
    main()
