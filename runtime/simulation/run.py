"""Runs an async function in a simulated world: virtual time, a seeded scheduler, one seed for all chance."""

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, NoReturn, TypeVar, TypeVarTuple

import attrs
import trio

from runtime.simulation.clock import EPOCH_NS, SimulatedClock
from runtime.simulation.disk import SimulatedDisk
from runtime.simulation.faults import CALM, FaultCount, FaultPlan, SimulatedFaults
from runtime.simulation.network import SimulatedNetwork
from runtime.simulation.process import collector_held, seeded_module
from runtime.simulation.scheduler import seeded_scheduler
from runtime.simulation.threads import InlineThreads
from runtime.simulation.trace import Trace, TraceEvent
from runtime.simulation.watchdog import StuckError, Watchdog
from runtime.simulation.world import SimulatedWorld

T = TypeVar("T")
Args = TypeVarTuple("Args")

WEEK_SECONDS = 7 * 86400.0


@attrs.frozen
class SimulationResult(Generic[T]):
    """How a simulated run ended: its value or its error, and the hash that stands for all that happened."""

    seed: int
    value: T | None
    error: BaseException | None
    virtual_seconds: float
    wall_seconds: float
    trace_hash: str
    events: int
    tail: tuple[TraceEvent, ...]
    faults: Mapping[str, FaultCount]

    def unwrap(self) -> T:
        """The value, or raises the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # without an error there is a value


class RealNetworkError(RuntimeError):
    """Code in a simulated run asked trio for a real socket or name; it must use the world's network."""


def simulate(
    async_fn: Callable[[SimulatedWorld, *Args], Awaitable[T]],
    *args: *Args,
    seed: int,
    epoch_ns: int = EPOCH_NS,
    faults: FaultPlan = CALM,
    disk: SimulatedDisk | None = None,
    limit_seconds: float = WEEK_SECONDS,
    passes_per_second: int = 250_000,
    tail: int = 0,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> SimulationResult[T]:
    """Runs async_fn(world, *args) to its end and tells how it ended; of its errors only KeyboardInterrupt is raised.

    Starts a trio run of its own: call it from plain code, not from a task.

    The same seed gives the same run, wherever it runs: scheduler, network, disk, threads, faults and user chance
    draw from generators of their own that derive from it. A run in which all wait for ever ends with
    DeadlockError, one beyond limit_seconds of virtual time with TimeLimitError, one that makes
    passes_per_second scheduler passes within a virtual second with LivelockError. A disk that is passed in keeps
    its content for the next run; `tail` is how many of the newest trace events to keep. The stopwatch measures
    the wall time, which the run itself never sees.
    """
    started = stopwatch()
    watchdog = Watchdog(limit_seconds, passes_per_second)
    used_disk = SimulatedDisk() if disk is None else disk
    world = _world(watchdog, seed, epoch_ns, faults, used_disk, tail)
    with (
        seeded_scheduler(f"{seed}/scheduler"),
        seeded_module(f"{seed}/module"),
        collector_held(),
        watchdog.clock.light_sleep(),
    ):
        try:
            value, error = _run(watchdog, world, async_fn, args)
            return SimulationResult(
                seed=seed,
                value=value,
                error=error,
                virtual_seconds=world.clock.monotonic_ns() / 1e9,
                wall_seconds=stopwatch() - started,
                trace_hash=world.trace.hash,
                events=world.trace.count,
                tail=world.trace.tail,
                faults=world.faults.counts(),
            )
        finally:
            if disk is None:
                used_disk.close()


def _run(
    watchdog: Watchdog,
    world: SimulatedWorld,
    async_fn: Callable[[SimulatedWorld, *Args], Awaitable[T]],
    args: tuple[*Args],
) -> tuple[T | None, BaseException | None]:
    """The value or the error."""
    error: BaseException | None = None
    try:
        value = trio.run(_main, watchdog, world, async_fn, args, clock=watchdog.clock.for_trio, instruments=[watchdog])
    except BaseException as raised:
        if _interrupted(raised):
            raise
        error = raised
    else:
        if watchdog.error is None:
            return value, None
    return None, error if watchdog.error is None else _because(watchdog.error, error)


async def _main(
    watchdog: Watchdog,
    world: SimulatedWorld,
    async_fn: Callable[[SimulatedWorld, *Args], Awaitable[T]],
    args: tuple[*Args],
) -> T | None:
    trio.socket.set_custom_socket_factory(_NoSockets())
    trio.socket.set_custom_hostname_resolver(_NoNames())
    watchdog.watch(trio.lowlevel.current_task())
    with watchdog.scope:
        return await async_fn(world, *args)
    return None


def _world(
    watchdog: Watchdog, seed: int, epoch_ns: int, plan: FaultPlan, disk: SimulatedDisk, tail: int
) -> SimulatedWorld:
    clock = SimulatedClock(epoch_ns, now=watchdog.clock.current_time, jump=watchdog.clock.jump)
    trace = Trace(clock.monotonic_ns, tail)
    faults = SimulatedFaults(plan, f"{seed}/faults", trace)
    threads = InlineThreads(random.Random(f"{seed}/threads"), clock.freeze)
    disk.attach(random.Random(f"{seed}/disk"), faults, trace, threads.pass_time)
    return SimulatedWorld(
        clock=clock,
        chance=random.Random(f"{seed}/user"),
        network=SimulatedNetwork(
            random.Random(f"{seed}/network"), faults=faults, trace=trace, alarm=watchdog.clock.alarm
        ),
        disk=disk,
        threads=threads,
        faults=faults,
        trace=trace,
        seed=seed,
    )


def _interrupted(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)


def _because(stuck: StuckError, error: BaseException | None) -> StuckError:
    """The reason why the run was ended; what else went wrong while it unwound is its cause."""
    if error is not None and error.__cause__ is not stuck:
        stuck.__cause__ = error
    return stuck


class _NoSockets(trio.abc.SocketFactory):
    def socket(self, family: int = 0, type: int = 0, proto: int = 0) -> NoReturn:  # noqa: A002 - trio's names
        raise RealNetworkError("a simulated run has no real sockets: take streams from world.network")


class _NoNames(trio.abc.HostnameResolver):
    async def getaddrinfo(self, host: object, *args: object, **kwargs: object) -> NoReturn:
        raise RealNetworkError(f"a simulated run resolves no real names, such as {host!r}: use world.network")

    async def getnameinfo(self, sockaddr: object, flags: int) -> NoReturn:
        raise RealNetworkError(f"a simulated run resolves no real addresses, such as {sockaddr!r}")
