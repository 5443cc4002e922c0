"""A process that keeps a journal and says what was acknowledged, for tests that kill it or break its disk."""

import os
import random
import signal
import sys
from pathlib import Path

import trio

from runtime.real import real_world
from sessions.journal.errors import JournalError
from sessions.journal.schema import MIGRATIONS
from sessions.journal.store import Store
from sessions.journal.writer import JournalUp, State, Writer
from tests.sessions.journal.desk import CHAIN, entry, real_store, settings

CALLERS = 8


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def one_by_one(folder: Path, count: int) -> None:
    """Opens, commits so many entries, checkpoints half-way, closes."""
    store = real_store(folder)
    store.open()
    for number in range(1, count + 1):
        store.append([entry(number)])
        say(f"ack {number}")
        if number == count // 2:
            store.checkpoint()
    store.close()
    say("closed")


def migrate(folder: Path) -> None:
    """Opens a journal with a version that knows one more step."""

    @MIGRATIONS()
    def one_more(db: object) -> None:
        db.execute("ALTER TABLE owners ADD COLUMN host TEXT")  # type: ignore[attr-defined]
        db.execute("CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT")  # type: ignore[attr-defined]

    real_store(folder).open()
    say("open")


def kills(folder: Path, count: int) -> None:
    """Forks a process that commits for ever, kills it after a random number of lines, and tells what it said."""
    chance = random.Random(1)
    for number in range(count):
        output, ours = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(ours, sys.stdout.fileno())
            trio.run(until_killed, folder / str(number))
        os.close(ours)
        with os.fdopen(output) as lines:
            said = [lines.readline() for _ in range(chance.randint(1, 60))]
            os.kill(pid, signal.SIGKILL)
            said.append(lines.read())
        os.waitpid(pid, 0)
        say(f"{number} {' '.join(''.join(said).split())}")


async def until_killed(folder: Path) -> None:
    """Many callers commit for ever."""
    async with trio.open_nursery() as nursery:
        writer = await begin(nursery, folder)

        async def caller(first: int) -> None:
            number = first
            while True:
                await writer.commit([entry(number)])
                say(f"ack {number}")
                number += CALLERS

        for first in range(1, CALLERS + 1):
            nursery.start_soon(caller, first)


async def through_failures(folder: Path, count: int) -> None:
    """One caller commits; what fails is told and not repeated, and the next goes when the journal is up again."""
    ups, up = trio.open_memory_channel[None](10)
    async with trio.open_nursery() as nursery:
        writer = await begin(nursery, folder, lambda news: isinstance(news, JournalUp) and ups.send_nowait(None))
        for number in range(1, count + 1):
            try:
                await writer.commit([entry(number)])
                say(f"ack {number}")
            except JournalError as error:
                say(f"failed {number} {error}")
                await up.receive()
        assert writer.state is State.READY
        await writer.close()
    say("closed")


async def begin(nursery: trio.Nursery, folder: Path, tell: object = lambda _: None) -> Writer:
    store = Store(settings(folder), CHAIN, real_world(random.Random(0)))
    await trio.to_thread.run_sync(store.open)
    say("open")
    writer = Writer(store, tell)  # type: ignore[arg-type]
    nursery.start_soon(writer.run)
    return writer


def main(mode: str, folder: Path, *arguments: str) -> None:
    match mode:
        case "one_by_one":
            one_by_one(folder, int(arguments[0]))
        case "migrate":
            migrate(folder)
        case "kills":
            kills(folder, int(arguments[0]))
        case "through_failures":
            trio.run(through_failures, folder, int(arguments[0]))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
    except JournalError as refused:
        say(f"refused {type(refused).__name__} {refused}")
        sys.exit(3)
