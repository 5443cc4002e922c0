"""One rehearsal: a whole daemon at the brokers' emulators, first with faults, then without, and what came of it."""

import math
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from brokers.catalogue import Catalogue
from brokers.emulation.log import ACCEPTED, FILLED
from brokers.listing import broker_plan
from brokers.market import MarketEvent
from config.settings import Settings, Source, load
from runtime.simulation import EPOCH_NS, FaultPlan, SimulatedDisk, SimulatedWorld, SimulationResult, simulate
from sessions.control.daemon.configuration import Configuration
from sessions.control.rehearsal.agreement import agreed, difference
from sessions.control.rehearsal.cast import HOSTS, Cast
from sessions.control.rehearsal.checker.catalogue import RULES
from sessions.control.rehearsal.checker.checker import Checker, Rule
from sessions.control.rehearsal.checker.invariant import Scene, Violation
from sessions.control.rehearsal.chronicle import Chronicle, Story, Watch
from sessions.control.rehearsal.lives import STATE, Ended, Lives
from sessions.control.rehearsal.machine import Ground
from sessions.control.rehearsal.storm import Schedule, Storm
from sessions.order_journal import order_stream

HOUR: Final = 3600.0
SETTLE: Final = 30.0  # seconds in which a calm run begins
PATIENCE: Final = 450.0  # seconds that all may need to agree: a used-up quota takes five minutes, a doubt after it 1.5
NEVER_WHOLE: Final = "never whole again"


@attrs.frozen(kw_only=True)
class Plan:
    """What to rehearse.

    sources   the settings, as a daemon would read them
    files     the configuration files they come from, if any; strategies are found beside them
    schedule  what goes wrong
    rules     what must hold
    recording a recorded market in place of the synthetic one; the run begins with its first event
    """

    seed: int
    sources: tuple[Source, ...]
    seconds: float = HOUR
    config: Path = STATE
    schedule: Schedule = Schedule()  # noqa: RUF009 - frozen
    rules: Sequence[Rule] = RULES
    recording: Sequence[MarketEvent] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a rehearsal."""

    seed: int
    trace_hash: str
    simulated_s: float
    wall_s: float
    events: int
    orders: int
    fills: int
    faults: Mapping[str, int]
    restarts: tuple[Ended, ...]
    converged_s: float  # from the last fault until all agreed; infinite when they never did
    violations: tuple[Violation, ...]
    error: str = ""
    apart: str = ""  # what never agreed
    cells: Mapping[tuple[str, str], int] = attrs.field(factory=dict)  # fault row and state of orders: how often
    story: Story = Story()  # noqa: RUF009 - frozen

    @property
    def sound(self) -> bool:
        """Whether nothing was broken, and all was whole again."""
        return not self.failure

    @property
    def failure(self) -> str:
        """What kind of thing broke first: the name of an invariant or of an error; empty when nothing did."""
        if self.error:
            return self.error.partition(":")[0]
        if self.violations:
            return self.violations[0].invariant
        return "" if math.isfinite(self.converged_s) else NEVER_WHOLE

    @property
    def complaints(self) -> tuple[str, ...]:
        """Everything that broke, in sentences."""
        found = [self.error, *map(str, self.violations)]
        if not self.error and not math.isfinite(self.converged_s):
            found.append(f"{NEVER_WHOLE}: {PATIENCE:g} s after the last fault {self.apart or 'no answer came'}")
        return tuple(filter(None, found))


@attrs.define(eq=False)
class Score:
    """What a run counts while it goes on; it is there even if the run breaks down."""

    events: int = 0
    orders: int = 0
    fills: int = 0
    faults: Mapping[str, int] = attrs.field(factory=dict)
    cells: Mapping[tuple[str, str], int] = attrs.field(factory=dict)
    restarts: tuple[Ended, ...] = ()
    converged_s: float = math.inf
    apart: str = ""
    checker: Checker | None = None
    chronicle: Chronicle = attrs.field(factory=Chronicle)
    story: Story = attrs.field(factory=Story)


def rehearse(plan: Plan, watch: Watch = lambda _: None) -> Outcome:
    """Runs one rehearsal to its end; `watch` is told now and then how many seconds have been simulated."""
    score = Score(chronicle=Chronicle(watch))
    with SimulatedDisk() as disk:
        epoch = plan.recording[0].time_ns if plan.recording else EPOCH_NS
        result = simulate(_play, plan, score, seed=plan.seed, epoch_ns=epoch, disk=disk, faults=FaultPlan())
        return _outcome(result, score)


async def _play(world: SimulatedWorld, plan: Plan, score: Score) -> None:
    settings = load(plan.sources, {}).settings
    async with trio.open_nursery() as nursery:
        cast = await Cast.enter(world, nursery, settings, Catalogue.shipped(), plan.recording)
        ground = Ground.of(world, plan.recording)
        lives = _lives(plan, ground, cast)
        checker = score.checker = Checker(_scene(ground, lives.settings, cast), plan.rules)
        checker.attend(cast.emulators)
        ground.hear, lives.on_end = checker.line, checker.life_ended
        score.chronicle.attend(cast.emulators)
        await cast.credit(ground.life().world, STATE)
        nursery.start_soon(lives.run)
        storm = Storm(world, ground, cast, lives, plan.schedule, on_strike=checker.struck, on_over=checker.over)
        nursery.start_soon(storm.operator.run)
        try:
            await trio.sleep(SETTLE)
            with trio.move_on_after(plan.seconds):
                await storm.rage()
                await trio.sleep_forever()
            storm.calm()
            checker.calm()
            await _converge(score, cast, lives)
            await checker.at_rest()
        finally:
            _count(score, cast, storm, lives)
        lives.finish()
        with trio.move_on_after(60):
            await lives.done.wait()
        checker.close()
        nursery.cancel_scope.cancel()


async def _converge(score: Score, cast: Cast, lives: Lives) -> None:
    """Measures how long it takes until all agrees, or notes what does not."""
    calm = trio.current_time()
    with trio.move_on_after(PATIENCE):
        await agreed(cast, lives)
        score.converged_s = trio.current_time() - calm
    if not math.isfinite(score.converged_s):
        with trio.move_on_after(10):
            score.apart = await difference(cast, lives)


def _lives(plan: Plan, ground: Ground, cast: Cast) -> Lives:
    configuration = Configuration((), {}, (*plan.sources, cast.source()))
    lives = Lives(ground, configuration, Settings(), plan.config)
    lives.settings = configuration.whole(lives.place, ground.world.disk).settings
    return lives


def _scene(ground: Ground, settings: Settings, cast: Cast) -> Scene:
    capabilities = {name: broker_plan(one.kind).capability for name, one in settings.brokers.items()}
    streams = {
        (name, there): order_stream(settings.brokers[name].kind, shown)
        for name, emulator in cast.emulators.items()
        for shown, there in zip(emulator.accounts, emulator.desk.exchange.accounts, strict=True)
    }
    return Scene(ground.world, settings, capabilities, streams, cast.secrets, ground.reached, STATE, STATE / "journal")


def _count(score: Score, cast: Cast, storm: Storm, lives: Lives) -> None:
    score.events = storm.world.network.statistics().messages_sent
    for emulator in cast.emulators.values():
        kinds = [entry.kind for entry in emulator.log.entries]
        score.orders += kinds.count(ACCEPTED)
        score.fills += kinds.count(FILLED)
    _count_embedded(score, lives.settings)
    score.faults, score.cells = dict(storm.struck), dict(storm.cells)
    score.restarts = tuple(lives.ended)
    score.story = score.chronicle.story()


def _count_embedded(score: Score, settings: Settings) -> None:
    """Orders and fills at brokers without a wire, which only the journal tells."""
    if score.checker is None:
        return
    brokers = [one for one in settings.brokers.values() if one.kind not in HOSTS]
    streams = {order_stream(one.kind, account) for one in brokers for account in one.accounts}
    orders = [one for one in score.checker.scene.told.orders.values() if one.stream in streams and one.attempts]
    score.orders += len(orders)
    score.fills += sum(len(one.executions) for one in orders)


def _outcome(result: SimulationResult[None], score: Score) -> Outcome:
    return Outcome(
        seed=result.seed,
        trace_hash=result.trace_hash,
        simulated_s=result.virtual_seconds,
        wall_s=result.wall_seconds,
        events=score.events,
        orders=score.orders,
        fills=score.fills,
        faults=score.faults,
        cells=score.cells,
        restarts=score.restarts,
        converged_s=score.converged_s,
        violations=tuple(score.checker.violations) if score.checker else (),
        error="" if result.error is None else _words(result.error),
        apart=score.apart,
        story=score.story,
    )


def _words(error: BaseException) -> str:
    """What broke the run down, and where."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno}, {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
