"""The faults of the daemon's machine: kill and power cut, wall clock, a freeze, its way to the brokers."""

from typing import Final

from runtime.simulation import ConnectFailure, Link, SimulatedNetwork, uniform
from sessions.control.rehearsal.storm.kinds import Kind, Place, Undo, lasting, one_of, seconds
from sessions.control.rehearsal.storm.schedule import Strike
from sessions.control.rehearsal.storm.stage import Stage

HOST: Final = "localhost"  # where all emulators are; a port tells which
_SECOND_NS: Final = 1_000_000_000


# Ends.


def _kill(stage: Stage, strike: Strike) -> None:
    stage.lives.cut(float(strike.value))


def _power_cut(stage: Stage, strike: Strike) -> None:
    """The process ends, and with it what was written and not synced."""
    stage.lives.cut(float(strike.value))
    stage.world.disk.power_cut()
    stage.world.disk.power_on()


# Time.


def _wall_steps(stage: Stage, strike: Strike) -> Undo:
    off_ns, wall = round(float(strike.value) * _SECOND_NS), stage.ground.wall
    wall.off_ns += off_ns

    def step_back() -> None:
        wall.off_ns -= off_ns

    return step_back


def _freeze(stage: Stage, strike: Strike) -> None:
    stage.world.clock.freeze(float(strike.value))


# The network.


def _refuse(stage: Stage, strike: Strike) -> Undo:
    """Connects to a broker fail; connections that stand go on."""
    network, port = stage.world.network, stage.emulator(strike.at).door.port
    network.fail_connects(HOST, port, how=ConnectFailure(strike.value))
    return lambda: network.allow_connects(HOST, port)


def _partition(stage: Stage, strike: Strike) -> Undo:
    """Nothing passes between the machine and one broker, and nobody is told."""
    network, port = stage.world.network, stage.emulator(strike.at).door.port
    network.fail_connects(HOST, port, how=ConnectFailure.TIMEOUT)
    stalled = network.links_to(HOST, port)
    for link in stalled:
        link.stall()

    def heal() -> None:
        network.allow_connects(HOST, port)
        for link in stalled:
            link.resume()

    return heal


def _reset(stage: Stage, strike: Strike) -> None:
    """All connections to a broker break at once."""
    for link in stage.world.network.links_to(HOST, stage.emulator(strike.at).door.port):
        link.reset()


def _swizzle_clog(stage: Stage, strike: Strike) -> None:
    """The connections to all brokers stop one by one and go on in random order."""
    pause = float(strike.value)
    network = stage.world.network
    links = [link for name in stage.cast.emulators for link in network.links_to(HOST, stage.emulator(name).door.port)]
    stage.nursery.start_soon(_swizzle, network, links, pause)


async def _swizzle(network: SimulatedNetwork, links: list[Link], most: float) -> None:
    await network.swizzle(links, pause=uniform(0.0, most))


MACHINE: Final = (
    Kind(
        name="kill",
        row="F28",
        does="kills the daemon; the next one begins after so many seconds",
        place=Place.MACHINE,
        act=_kill,
        value=seconds(0.2, 60),
        hourly=12,
    ),
    Kind(
        name="power-cut",
        row="F29",
        does="cuts the machine's power; the next daemon begins after so many seconds",
        place=Place.MACHINE,
        act=_power_cut,
        value=seconds(0.5, 60),
        hourly=6,
    ),
    Kind(
        name="wall-step",
        row="F21",
        does="sets the machine's wall clock off by so many seconds, and right again later",
        place=Place.MACHINE,
        act=_wall_steps,
        value=one_of(-3600, -30, -1, 1, 30, 3600),
        lasts=lasting(10, 600),
        hourly=12,
    ),
    Kind(
        name="freeze",
        row="F38",
        does="stops the process for so many seconds, as SIGSTOP or a suspended machine does",
        place=Place.MACHINE,
        act=_freeze,
        value=seconds(1, 120),
        hourly=8,
    ),
    Kind(
        name="refuse",
        row="F05",
        does="lets connects to a broker fail in this way",
        place=Place.BROKER,
        act=_refuse,
        value=one_of(*(how.value for how in ConnectFailure)),
        lasts=lasting(1, 60),
        hourly=30,
    ),
    Kind(
        name="partition",
        row="F40",
        does="separates the machine from one broker while the others work",
        place=Place.BROKER,
        act=_partition,
        lasts=lasting(1, 90),
        hourly=12,
    ),
    Kind(
        name="break-all",
        row="F01",
        does="breaks all connections to a broker at once",
        place=Place.BROKER,
        act=_reset,
        hourly=20,
    ),
    Kind(
        name="swizzle-clog",
        row="F40",
        does="stops the connections to all brokers one by one, and resumes them in random order",
        place=Place.MACHINE,
        act=_swizzle_clog,
        value=seconds(0.2, 5),
        hourly=12,
    ),
)
