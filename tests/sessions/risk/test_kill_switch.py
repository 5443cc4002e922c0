"""The kill switch and the desk: every way to pull it, under every fault, in a simulated world."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio
import trio.lowlevel

from brokers.guards.ladder import Cause, Rung
from runtime import Child, Ref, Runtime, Supervisor, open_runtime
from runtime.simulation import FaultPlan, SimulatedDisk, SimulatedWorld, chance, fixed, simulate
from sessions.risk.case import Cancel
from sessions.risk.desk import POLL_SECONDS, RISK_TOPIC, RiskDesk, SessionStatus, SwitchStatus
from sessions.risk.events import DayBegan, LossLifted, Positioned, Valued
from sessions.risk.gate import Origin, RiskGate
from sessions.risk.kill_switch import HALT_FILE, PERMIT_FILE, KillSwitch, Mark, Mode, ResumeRefused
from tests.sessions.risk.kit import FACTS, SELL, allowed, calendars, order, wide, wide_portfolio

STATE = Path("/state")
SOCKET = Path("/state/control")
PULLED_AT = 0.2037
FREEZE = 0.3
TENTH = 0.1
MIDNIGHT_NS = 20_000 * 86_400 * 1_000_000_000


def permitted_disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.write(STATE / PERMIT_FILE, b"{}")
    return disk


@attrs.define
class Daemon:
    """The part of a daemon that the switch needs, and one session that trades."""

    world: SimulatedWorld
    runtime: Runtime
    gate: RiskGate
    switch: KillSwitch
    desk: Ref[RiskDesk]
    sent: list[float] = attrs.field(factory=list)

    @property
    def now(self) -> float:
        return self.world.clock.monotonic_ns() / 1e9

    def asks(self, *, operator: bool = False) -> bool:
        """Whether an order of one, or in cancel-only a cancel, may go now."""
        now = self.world.clock.wall_ns()
        facts = attrs.evolve(FACTS, now_ns=now, quoted_ns=now)
        origin = Origin.OPERATOR if operator else Origin.STRATEGY
        requests = order("A"), Cancel("A")
        return any(allowed(self.gate.judge("es", request, facts, origin)) for request in requests)

    async def trade(self) -> None:
        while True:
            if self.asks():
                self.sent.append(self.now)
            await trio.sleep(0.004)

    async def reconcile(self) -> Rung:
        return await self.desk.call(RiskDesk.reconciled, "es", self.world.clock.wall_ns())


@asynccontextmanager
async def a_daemon(world: SimulatedWorld) -> AsyncIterator[Daemon]:
    switch = KillSwitch(world.disk, world.clock, STATE)
    gate = RiskGate(wide_portfolio(), switch, calendars())
    gate.enrol("es", wide())
    gate.record(Valued("es", Decimal(0), Decimal(0)), world.clock.wall_ns())
    async with open_runtime(world) as runtime:
        top = await runtime.start(Supervisor([Child("risk", partial(RiskDesk, gate, switch), name="risk")]))
        desk = top.child("risk")
        assert isinstance(desk, Ref)
        daemon = Daemon(world, runtime, gate, switch, desk)
        await daemon.reconcile()
        yield daemon


# Four ways to pull it.


async def by_call(daemon: Daemon) -> None:
    await daemon.desk.call(RiskDesk.halt, "ann", "a drill")


async def by_socket(daemon: Daemon) -> None:
    stream = await daemon.world.network.connect_unix(SOCKET)
    await stream.send_all(b"ann")


async def by_file(daemon: Daemon) -> None:
    daemon.world.disk.write(STATE / HALT_FILE, b"")  # touch: it takes no space


async def by_signal(daemon: Daemon) -> None:
    daemon.switch.on_signal(10)


async def serve(daemon: Daemon) -> None:
    listener = await daemon.world.network.listen_unix(SOCKET)
    while True:
        stream = await listener.accept()
        await daemon.desk.call(RiskDesk.halt, (await stream.receive_some(100)).decode())


# What is broken meanwhile.


def nothing(daemon: Daemon) -> None:
    pass


def disk_full(daemon: Daemon) -> None:
    daemon.world.disk.capacity = daemon.world.disk.used()


def broker_dead(daemon: Daemon) -> None:
    daemon.desk.cast(RiskDesk.raised, "es", Cause.CONNECTION_DOWN)


def journal_failed(daemon: Daemon) -> None:
    daemon.desk.cast(RiskDesk.raised, "es", Cause.JOURNAL_WRITE_FAILED)


def loop_busy(daemon: Daemon) -> None:
    """The loop is blocked right after the switch was pulled."""


def disk_slow(daemon: Daemon) -> None:
    daemon.world.disk.latency = fixed(2.0)


SOURCES = [by_call, by_socket, by_file, by_signal]
FAULTS = [nothing, disk_full, broker_dead, journal_failed, loop_busy, disk_slow]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", SOURCES)
def test_s45_i17_nothing_is_submitted_100_ms_after_a_halt_nor_after_a_restart(
    source: Callable[[Daemon], Awaitable[object]], fault: Callable[[Daemon], None]
) -> None:
    async def run(world: SimulatedWorld) -> tuple[list[float], float, bool]:
        async with a_daemon(world) as daemon, trio.open_nursery() as nursery:
            nursery.start_soon(daemon.trade)
            nursery.start_soon(serve, daemon)
            await trio.sleep(0.1)
            fault(daemon)
            await trio.sleep_until(trio.current_time() + PULLED_AT - 0.1)
            pulled = daemon.now
            nursery.start_soon(source, daemon)
            await trio.lowlevel.checkpoint()
            if fault is loop_busy:
                await trio.lowlevel.checkpoint()
                world.clock.freeze(FREEZE)
            await trio.sleep(5 if fault is disk_slow else 0.5)
            nursery.cancel_scope.cancel()
        return daemon.sent, pulled, daemon.asks(operator=True)

    disk = permitted_disk()
    sent, pulled, operator = simulate(run, seed=7, disk=disk).unwrap()
    busy = FREEZE if fault is loop_busy and source in (by_call, by_socket) else 0.0
    assert any(time < pulled for time in sent), "it did trade before"
    assert max(sent) <= pulled + TENTH + busy
    assert operator, "an operator may still cancel"

    async def again(world: SimulatedWorld) -> bool:
        async with a_daemon(world) as daemon:
            await trio.sleep(1)
            return daemon.asks()

    assert simulate(again, seed=8, disk=disk).unwrap() is False
    disk.close()


def test_s45_a_judgement_looks_itself_when_nobody_polls() -> None:
    async def run(world: SimulatedWorld) -> tuple[bool, bool, bool]:
        switch = KillSwitch(world.disk, world.clock, STATE)
        switch.open()
        before = switch.rung() is Rung.FULL
        world.disk.write(STATE / HALT_FILE, b"")
        at_once = switch.rung() is Rung.FULL
        await trio.sleep(TENTH)
        return before, at_once, switch.rung() is Rung.HALTED

    with permitted_disk() as disk:
        assert simulate(run, seed=1, disk=disk).unwrap() == (True, True, True)


def test_s45_a_disk_that_fails_is_told_and_tried_until_it_keeps_the_halt() -> None:
    async def run(world: SimulatedWorld) -> None:
        async with a_daemon(world) as daemon:
            daemon.switch._disk = _Broken(world.disk)  # type: ignore[assignment]
            status = await daemon.desk.call(RiskDesk.halt, "ann")
            assert not status.switch.survives
            assert "could not be" in status.switch.problem
            assert not daemon.asks()
            with pytest.raises(ResumeRefused, match="the disk did not keep it"):
                await daemon.desk.call(RiskDesk.resume, "ann")
            assert not daemon.asks()
            daemon.switch._disk = world.disk
            await trio.sleep(2 * POLL_SECONDS)
            assert (await daemon.desk.call(RiskDesk.status)).switch.survives
            assert HALT_FILE in world.disk.names(STATE)
            assert PERMIT_FILE not in world.disk.names(STATE)

    with permitted_disk() as disk:
        simulate(run, seed=2, disk=disk).unwrap()


class _Broken:
    """A disk of which nothing can be changed."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.read = disk.read

    def write(self, path: Path, data: bytes) -> None:
        raise OSError(5, "Input/output error", str(path))

    def remove(self, path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))


def test_s45_a_full_disk_loses_the_details_of_a_halt_but_not_the_halt() -> None:
    async def run(world: SimulatedWorld) -> None:
        async with a_daemon(world) as daemon:
            disk_full(daemon)
            status = await daemon.desk.call(RiskDesk.halt, "ann")
            assert status.switch.survives
            assert "the halt file could not be written" in status.switch.problem
            world.disk.capacity = None
            await trio.sleep(2 * POLL_SECONDS)
            assert b'"by":"ann"' in world.disk.read(STATE / HALT_FILE)

    with permitted_disk() as disk:
        simulate(run, seed=2, disk=disk).unwrap()


def test_s45_b22_a_resume_needs_a_name_and_every_session_a_reconciliation() -> None:
    async def run(world: SimulatedWorld) -> None:
        async with a_daemon(world) as daemon:
            await daemon.desk.call(RiskDesk.halt, "ann", "a drill")
            assert await daemon.reconcile() is Rung.HALTED, "a reconciliation lifts no halt"
            with pytest.raises(ResumeRefused, match="expected the operator's name"):
                await daemon.desk.call(RiskDesk.resume, " ")
            assert not daemon.asks()
            status = await daemon.desk.call(RiskDesk.resume, "bob")
            assert (status.switch, status.sessions[0].rung) == (SwitchStatus(None, survives=True), Rung.HALTED)
            assert not daemon.asks()
            assert await daemon.reconcile() is Rung.FULL
            assert daemon.asks()
            assert world.disk.names(STATE) == [PERMIT_FILE]
            assert b'"by":"bob"' in world.disk.read(STATE / PERMIT_FILE)

    async def again(world: SimulatedWorld) -> bool:
        async with a_daemon(world) as daemon:
            return daemon.asks()

    with permitted_disk() as disk:
        simulate(run, seed=3, disk=disk).unwrap()
        assert simulate(again, seed=4, disk=disk).unwrap() is True


def test_a_pull_during_a_resume_wins() -> None:
    async def run(world: SimulatedWorld) -> None:
        async with a_daemon(world) as daemon:
            await daemon.desk.call(RiskDesk.cancel_only, "ann")
            world.disk.latency = fixed(1.0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(daemon.desk.call, RiskDesk.resume, "bob")
                await trio.sleep(0.5)
                daemon.switch.on_signal(10)
            await trio.sleep(5)
            await daemon.reconcile()
            assert daemon.switch.rung() is Rung.HALTED
            assert world.disk.names(STATE) == [HALT_FILE]

    with permitted_disk() as disk:
        simulate(run, seed=5, disk=disk).unwrap()


def test_flatten_lets_only_an_operator_cancel_and_reduce_and_a_halt_after_it_keeps_the_wish() -> None:
    async def run(world: SimulatedWorld) -> None:
        async with a_daemon(world) as daemon:
            now = world.clock.wall_ns()
            facts = attrs.evolve(FACTS, now_ns=now, quoted_ns=now)
            daemon.gate.record(Positioned("es", "ESZ26", Decimal(2)), now)
            status = await daemon.desk.call(RiskDesk.flatten, "ann", "the end")
            assert status.switch.mark == Mark(Mode.CANCEL_ONLY, "ann", "the end", now, flatten=True)
            closing = order("A", SELL, 2)
            assert not allowed(daemon.gate.judge("es", closing, facts))
            assert not allowed(daemon.gate.judge("es", Cancel("B"), facts))
            assert allowed(daemon.gate.judge("es", Cancel("B"), facts, Origin.OPERATOR))
            assert allowed(daemon.gate.judge("es", closing, facts, Origin.OPERATOR))
            await daemon.desk.call(RiskDesk.halt, "bob")
            mark = daemon.switch.pull(Mode.CANCEL_ONLY, "eve")
            assert (mark.mode, mark.by, mark.flatten) == (Mode.HALT, "bob", True)

    async def again(world: SimulatedWorld) -> Mark | None:
        async with a_daemon(world) as daemon:
            return daemon.switch.mark

    with permitted_disk() as disk:
        simulate(run, seed=6, disk=disk).unwrap()
        mark = simulate(again, seed=7, disk=disk).unwrap()
    assert mark is not None
    assert (mark.mode, mark.by, mark.flatten) == (Mode.HALT, "bob", True)


@pytest.mark.parametrize("content", [b"", b"stop!", b"{}", b"\xff\x00", b'{"mode":"cancel_only"}'])
def test_a_halt_file_of_any_content_halts(content: bytes) -> None:
    async def run(world: SimulatedWorld) -> Mark | None:
        world.disk.write(STATE / HALT_FILE, content)
        return KillSwitch(world.disk, world.clock, STATE).open()

    with permitted_disk() as disk:
        mark = simulate(run, seed=1, disk=disk).unwrap()
    assert mark is not None
    assert mark.mode is Mode.HALT


def test_without_a_permit_a_start_is_halted_until_somebody_resumes() -> None:
    async def run(world: SimulatedWorld) -> None:
        async with a_daemon(world) as daemon:
            assert not daemon.asks()
            assert daemon.switch.mark is not None
            assert daemon.switch.mark.reason == "no permit on disk; resume in your name"
            await daemon.desk.call(RiskDesk.resume, "ann")
            await daemon.reconcile()
            assert daemon.asks()

    simulate(run, seed=1).unwrap()


def test_s45_a_switch_that_is_not_open_yet_stops_everything_and_keeps_an_early_pull() -> None:
    async def run(world: SimulatedWorld) -> None:
        switch = KillSwitch(world.disk, world.clock, STATE)
        assert switch.rung() is Rung.HALTED
        switch.on_signal(10)
        switch.open()
        assert switch.rung() is Rung.HALTED

    with permitted_disk() as disk:
        simulate(run, seed=1, disk=disk).unwrap()


@pytest.mark.parametrize("seed", range(12))
def test_s45_a_power_cut_at_any_sync_of_a_halt_leaves_a_disk_that_halts_once_it_was_answered(seed: int) -> None:
    async def run(world: SimulatedWorld) -> None:
        async with a_daemon(world) as daemon:
            await daemon.desk.call(RiskDesk.halt, "ann")
            answered.append(True)

    async def again(world: SimulatedWorld) -> bool:
        async with a_daemon(world) as daemon:
            return daemon.asks()

    answered: list[bool] = []
    with permitted_disk() as disk:
        simulate(run, seed=seed, disk=disk, faults=FaultPlan({"disk.power_cut": chance(0.3)}))
        disk.power_on()
        assert simulate(again, seed=seed, disk=disk).unwrap() is False or not answered


def test_the_desk_tells_each_change_once() -> None:
    async def run(world: SimulatedWorld) -> list[object]:
        async with a_daemon(world) as daemon:
            with daemon.runtime.topics.subscribe(RISK_TOPIC) as news:
                await daemon.desk.call(RiskDesk.raised, "es", Cause.STALE_DATA, "ESZ26")
                await daemon.desk.call(RiskDesk.cleared, "es", Cause.STALE_DATA, "ESZ26")
                await daemon.reconcile()
                await daemon.desk.call(RiskDesk.lift_loss, "es", "ann")
                await trio.sleep(1)
                with pytest.raises(LookupError, match="no session 'nq' is seated"):
                    await daemon.desk.call(RiskDesk.lift_loss, "nq", "ann")
                return news.take()

    with permitted_disk() as disk:
        told = simulate(run, seed=1, disk=disk).unwrap()
    assert told == [
        SessionStatus("es", Rung.NO_NEW_RISK, ("market data is stale (ESZ26)",)),
        SessionStatus("es", Rung.NO_NEW_RISK, ()),
        SessionStatus("es", Rung.FULL, ()),
        LossLifted("es", "ann"),
    ]


def test_the_desk_begins_the_day_that_comes_at_midnight() -> None:
    async def run(world: SimulatedWorld) -> list[object]:
        async with a_daemon(world) as daemon:
            with daemon.runtime.topics.subscribe(RISK_TOPIC) as news:
                await trio.sleep(20)
                return news.take()

    with permitted_disk() as disk:
        told = simulate(run, seed=1, disk=disk, epoch_ns=MIDNIGHT_NS - 10_000_000_000).unwrap()
    assert [(one.session) for one in told or () if isinstance(one, DayBegan)] == [None, "es"]
