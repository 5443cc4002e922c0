"""Actor calls, casts, starts and restarts, measured against two bare trio tasks (R) in the same rounds."""

import gc
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import trio

from runtime import Actor, Child, MailboxPolicy, Name, Ref, Strategy, Supervisor, message, open_runtime
from runtime.real import real_world
from sessions.control.bench.host import measure_host, measure_stuck_client
from sessions.control.bench.report import Measurements

CALLS = 20_000
CASTS = 100_000
BACKLOG = 10_000
BURST = 1_000
SLICES = 5
IDLE = 10_000
CRASHES = 100


class Echo(Actor):
    """Answers, counts, and dies when asked to."""

    mailbox = MailboxPolicy(capacity=2 * BACKLOG)

    def __init__(self) -> None:
        self.count = 0
        self.cancelled_at = 0.0

    async def echo(self, value: int) -> int:
        """Answers with the next number."""
        return value + 1

    def note(self, value: int) -> None:
        """Counts one message."""
        self.count += value

    @message(control=True)
    def cancel(self) -> None:
        """Notes when it was handled."""
        self.cancelled_at = perf_counter()

    def crash(self) -> None:
        """Fails."""
        raise ValueError("crashed on purpose")


class Idle(Actor):
    """Does nothing."""


def run(rounds: int, tell: Callable[[str], None]) -> Measurements:
    """Measures everything in each round, so that floor and figure meet the same machine."""
    results = Measurements("runtime")
    for number in range(1, rounds + 1):
        tell(f"round {number} of {rounds}")
        trio.run(_round, results)
        results.add("idle_actor", _idle_memory(), "KiB")
        measure_host(results)
        results.add("stop_with_stuck_client", trio.run(measure_stuck_client), "ms")
    results.at_most("call_1_caller", 0.9)
    results.at_most("call_100_callers", 0.4)
    results.at_least("cast_over_bare_channel", 5)
    results.at_most("control_behind_backlog", 2)
    results.at_most("idle_actor", 6)
    results.at_most("start_10000_actors", 0.5)
    results.at_most("restart_one", 12)
    results.at_most("restart_one_for_all_of_3", 25)
    results.at_least("http_over_hypercorn", 2)
    results.at_most("stop_with_stuck_client", 100)
    return results


async def _round(results: Measurements) -> None:
    async with open_runtime(real_world()) as runtime:
        ref = await runtime.start(Child("echo", Echo, name="echo"))
        name = runtime.name("echo", Echo)
        pingpong, one = await _beside(_pingpong, lambda: _calls(name, 1))
        results.add("R", pingpong / CALLS * 1e6, "us")
        results.add("call_1_caller", one / pingpong, "R")
        pingpong, hundred = await _beside(_pingpong, lambda: _calls(name, 100))
        results.add("call_100_callers", hundred / pingpong, "R")
        channel, cast = await _beside(_one_way, lambda: _casts(ref))
        results.add("bare_channel", CASTS / channel, "per s")
        results.add("cast", CASTS / cast, "per s")
        results.add("cast_over_bare_channel", channel / cast, "x")
        results.add("control_behind_backlog", await _control(ref) * 1e3, "ms")
    results.add("start_10000_actors", await _start_many(), "s")
    exchange = pingpong / CALLS
    results.add("restart_one", await _restart(Strategy.ONE_FOR_ONE, 1) / exchange, "R")
    results.add("restart_one_for_all_of_3", await _restart(Strategy.ONE_FOR_ALL, 3) / exchange, "R")


async def _beside(floor: Callable[[], Awaitable[float]], figure: Callable[[], Awaitable[float]]) -> tuple[float, float]:
    """Seconds of both, in slices turn by turn, so that both meet the same machine however its speed drifts."""
    floor_seconds = figure_seconds = 0.0
    for _ in range(SLICES):
        floor_seconds += await floor()
        figure_seconds += await figure()
    return floor_seconds, figure_seconds


async def _pingpong() -> float:
    """Seconds of a slice of exchanges of two bare tasks over two channels of capacity 1: R is one of them."""
    to_echo, from_caller = trio.open_memory_channel[int](1)
    to_caller, from_echo = trio.open_memory_channel[int](1)

    async def echo() -> None:
        async for value in from_caller:
            await to_caller.send(value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo)
        began = perf_counter()
        for value in range(CALLS // SLICES):
            await to_echo.send(value)
            await from_echo.receive()
        took = perf_counter() - began
        to_echo.close()
    return took


async def _one_way() -> float:
    """Seconds of a slice of casts through a bare bounded channel, read one message a time."""
    send, receive = trio.open_memory_channel[int](100)

    async def reader() -> None:
        async for _ in receive:
            pass

    began = perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        async with send:
            for value in range(CASTS // SLICES):
                await send.send(value)
    return perf_counter() - began


async def _calls(name: Name[Echo], callers: int) -> float:
    async def caller() -> None:
        for value in range(CALLS // SLICES // callers):
            await name.call(Echo.echo, value)

    return await _timed(caller, callers)


async def _timed(work: Callable[[], Awaitable[None]], tasks: int) -> float:
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(work)
    return perf_counter() - began


async def _casts(ref: Ref[Echo]) -> float:
    """Seconds until a slice of casts is handled, sent in bursts that the mailbox holds."""
    began = perf_counter()
    for _ in range(CASTS // SLICES // BURST):
        for _ in range(BURST):
            ref.cast(Echo.note, 1)
        await ref.call(Echo.echo, 0)
    return perf_counter() - began


async def _control(ref: Ref[Echo]) -> float:
    """Seconds from sending a control message behind a full backlog until it was handled."""
    for _ in range(BACKLOG):
        ref.cast(Echo.note, 1)
    sent = perf_counter()
    await ref.call(Echo.cancel)
    handled = perf_counter()
    await ref.call(Echo.echo, 0)
    return handled - sent


async def _start_many() -> float:
    async with open_runtime(real_world()) as runtime:
        children = [Child(f"idle-{number}", Idle) for number in range(IDLE)]
        gc.collect()
        began = perf_counter()
        await runtime.start(Supervisor(children))
        return perf_counter() - began


async def _restart(strategy: Strategy, children: int) -> float:
    """Seconds from the message that crashes the first child until the last one answers again, at the median."""
    samples = []
    async with open_runtime(real_world()) as runtime:
        specs = [Child(f"echo-{number}", Echo, name=f"echo-{number}") for number in range(children)]
        await runtime.start(Supervisor(specs, strategy=strategy, max_restarts=CRASHES, within=3600))
        first, last = runtime.name("echo-0", Echo), runtime.name(f"echo-{children - 1}", Echo)
        for _ in range(CRASHES):
            instance = await runtime.registry.wait_for(last.key)
            began = perf_counter()
            first.cast(Echo.crash)
            await instance.ended()
            await runtime.registry.wait_for(last.key)
            await last.call(Echo.echo, 0)
            samples.append(perf_counter() - began)
    return sorted(samples)[CRASHES // 2]


def _idle_memory() -> float:
    """KiB that one idle supervised actor takes, by the growth of a fresh process."""
    out = subprocess.run(  # noqa: S603 - this module, run by this interpreter
        [sys.executable, "-m", __spec__.name], check=True, capture_output=True, text=True, env=dict(os.environ)
    )
    return float(out.stdout)


async def _grow() -> float:
    async with open_runtime(real_world()) as runtime:
        children = [Child(f"idle-{number}", Idle) for number in range(IDLE)]
        gc.collect()
        before = _resident_kib()
        await runtime.start(Supervisor(children))
        return (_resident_kib() - before) / IDLE


def _resident_kib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


if __name__ == "__main__":
    print(trio.run(_grow))  # noqa: T201 - the parent reads this figure
