"""Runs scenarios for a broker and tells how each went: passed, failed, or why it does not apply.

results = conform(candidate)
print(shown(results))
"""

from collections import Counter
from collections.abc import Iterable

import attrs

from runtime.simulation import SimulatedWorld, simulate
from tests.conformance.candidate import Candidate
from tests.conformance.floor import Stage
from tests.conformance.scenario import NO_SUCH_FAULT, Scenario
from tests.conformance.table import TABLE

LIMIT = 6 * 3600.0  # virtual seconds


def run(candidate: Candidate, scenario: Scenario, seed: int = 1) -> None:
    """Plays one scenario in a world of its own; raises what fails. Its end is checked against the broker's books."""

    async def main(world: SimulatedWorld) -> None:
        async with candidate.side(world, candidate.symbols) as side:
            stage = Stage(world, candidate, side)
            if scenario.lives:
                await scenario.play(stage)
                return
            async with stage.opened(still=scenario.still) as floor:
                await scenario.play(floor)
                if floor.manager is not None:
                    await floor.agree()
                    floor.sent_once()

    simulate(main, seed=seed, limit_seconds=LIMIT).unwrap()


@attrs.frozen
class Result:
    """How one scenario went for one broker; `why` is the reason where it did not apply, or the failure."""

    broker: str
    id: str
    word: str  # passed, failed, or not applicable
    why: str = ""


def conform(candidate: Candidate, scenarios: Iterable[Scenario] = TABLE.values()) -> tuple[Result, ...]:
    """Runs every scenario that applies; nothing is left out without a word."""
    return tuple(_tried(candidate, one) for one in scenarios)


def _tried(candidate: Candidate, scenario: Scenario) -> Result:
    why = scenario.excluded(candidate)
    if why:
        return Result(candidate.name, scenario.id, "not applicable", why)
    try:
        run(candidate, scenario)
    except Exception as error:  # noqa: BLE001 - whatever fails is the result
        return Result(candidate.name, scenario.id, "failed", _reason(error))
    return Result(candidate.name, scenario.id, "passed")


def _reason(error: BaseException) -> str:
    """What really failed, out of the groups of nurseries."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def shown(results: Iterable[Result]) -> str:
    """One line a result, and a count of each word at the end."""
    results = tuple(results)
    lines = [f"{one.broker:<14} {one.word:<15} {one.id:<38} {one.why}".rstrip() for one in results]
    words = ("passed", "failed", "not applicable")
    counts = [f"{sum(one.word == word for one in results)} {word}" for word in words]
    return "\n".join([*lines, ", ".join(counts)])


def summary(results: Iterable[Result]) -> str:
    """One line a broker: how often each word, and why scenarios do not apply."""
    by_broker: dict[str, list[Result]] = {}
    for one in results:
        by_broker.setdefault(one.broker, []).append(one)
    return "\n".join(f"{name:<14} {_words(rows)}" for name, rows in by_broker.items())


def _words(rows: list[Result]) -> str:
    words = Counter(one.word for one in rows)
    wire = sum(one.why.startswith(NO_SUCH_FAULT) for one in rows)
    told = ", ".join(f"{count} {word}" for word, count in words.items())
    return f"{told} ({wire} for faults that its wire cannot have, the others by its record)"
