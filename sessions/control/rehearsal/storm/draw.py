"""A schedule from a seed: each class in it or not, rare or frequent, in bursts and quiet spells."""

import random
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

import attrs

from config.settings import Settings
from sessions.control.rehearsal.cast import HOSTS, parts_of
from sessions.control.rehearsal.storm.catalogue import KINDS
from sessions.control.rehearsal.storm.kinds import Kind, Place
from sessions.control.rehearsal.storm.schedule import Schedule, Strike

HOUR: Final = 3600.0
STRIKES_AN_HOUR: Final = (20.0, 600.0)  # of all classes together, at least and at most
_SPELL: Final = (10.0, 240.0)  # seconds that a burst or a quiet spell lasts
_BURST: Final = (3.0, 10.0)  # how much more happens in a burst


class UnknownFault(ValueError):
    """A class of strikes that there is not."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no fault is named {name!r}; there are {', '.join(KINDS)}; nothing was rehearsed")


@attrs.frozen
class _Spell:
    begins: float
    ends: float
    intensity: float

    @property
    def weight(self) -> float:
        return (self.ends - self.begins) * self.intensity


def draw(seed: int, seconds: float, settings: Settings, allowed: Iterable[str] | None = None) -> Schedule:
    """What goes wrong in a run of so many seconds with these brokers and sessions; `allowed` names classes or rows.

    Raises UnknownFault.
    """
    chance = random.Random(f"{seed}/storm")
    targets = {name: found for name in _named(allowed) if (found := targets_of(KINDS[name], settings))}
    share = chance.choice((0.15, 0.3, 0.5, 0.8))
    chosen = [KINDS[name] for name in targets if chance.random() < share]
    spells = list(_spells(chance, seconds))
    weights = list(accumulate(one.weight for one in spells))
    rates = _rates(chance, chosen)
    strikes = [
        _strike(chance, kind, targets[kind.name], spells, weights)
        for kind in chosen
        for _ in range(_count(chance, rates[kind.name] * seconds / HOUR))
    ]
    return Schedule(tuple(sorted(strikes, key=lambda one: (one.at_ms, one.fault, one.at, one.value))))


def _named(allowed: Iterable[str] | None) -> list[str]:
    """The classes that are meant, in the order of the catalogue."""
    if allowed is None:
        return list(KINDS)
    wanted = tuple(allowed)
    rows = {kind.row for kind in KINDS.values()}
    for word in wanted:
        if word not in KINDS and word not in rows:
            raise UnknownFault(word)
    return [name for name, kind in KINDS.items() if name in wanted or kind.row in wanted]


def targets_of(kind: Kind, settings: Settings) -> tuple[str, ...]:
    """What a class can strike here."""
    match kind.place:
        case Place.MACHINE:
            return ("",)
        case Place.SESSION:
            return tuple(settings.sessions)
        case Place.BROKER:
            emulated = {name: one.kind for name, one in settings.brokers.items() if one.kind in HOSTS}
            return tuple(name for name, of in emulated.items() if kind.part is None or kind.part in parts_of(of))


def _spells(chance: random.Random, seconds: float) -> Iterator[_Spell]:
    """Bursts and quiet spells in turn."""
    now, bursting = 0.0, chance.random() < 0.5
    while now < seconds:
        ends = min(now + chance.uniform(*_SPELL), seconds)
        yield _Spell(now, ends, chance.uniform(*_BURST) if bursting else 1.0)
        now, bursting = ends, not bursting


def _rates(chance: random.Random, kinds: Iterable[Kind]) -> dict[str, float]:
    """Strikes an hour of each class: shares of what this run has in all, none above its own limit."""
    shares = {kind.name: chance.uniform(0.1, 1.0) for kind in kinds}
    low, high = STRIKES_AN_HOUR
    scale = low * (high / low) ** chance.random() / max(sum(shares.values()), 1.0)
    return {name: min(share * scale, KINDS[name].hourly) for name, share in shares.items()}


def _count(chance: random.Random, expected: float) -> int:
    """A whole number with that mean."""
    return int(expected) + (chance.random() < expected % 1)


def _strike(
    chance: random.Random, kind: Kind, targets: tuple[str, ...], spells: list[_Spell], weights: list[float]
) -> Strike:
    spell = chance.choices(spells, cum_weights=weights)[0]
    return Strike(
        at_ms=int(chance.uniform(spell.begins, spell.ends) * 1000),
        fault=kind.name,
        row=kind.row,
        at=chance.choice(targets),
        value=kind.value(chance),
        lasts_ms=0 if kind.lasts is None else int(kind.lasts(chance) * 1000),
    )
