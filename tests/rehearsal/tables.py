"""The page of faults, rules and broken builds, written by them: python -m tests.rehearsal.tables > docs/faults.md."""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from sessions.control.rehearsal.checker.catalogue import ELSEWHERE, IN_PART, RULES
from sessions.control.rehearsal.checker.invariant import Invariant
from sessions.control.rehearsal.storm import KINDS
from sessions.control.rehearsal.storm.kinds import Kind
from tests.rehearsal.mutants import MUTANTS, SEEDS

_HEAD: Final = """\
# Faults and rules

What a [rehearsal](rehearsal.md) does to a daemon, and what it holds it to. This page is written by
`python -m tests.rehearsal.tables`.

## Faults

`--faults` takes names and rows. A fault at a broker strikes one of the emulators, one at a session one of the sessions,
and one at the machine whatever runs on it.

"""
_RULES: Final = """
## Rules

Safety rules, I01 to I25, are held after everything that an emulator sees or does; liveness rules, R20 to R27, are bounds
in simulated time.

"""


_ELSEWHERE: Final = """
A heartbeat and a breaker's probe are seen neither by a broker nor in the journal: R21 and R27 have tests of their own.
Some rules see a thing from outside only, and tests look inside:

"""
_MUTANTS: Final = """
## Broken builds

A rule that nothing breaks proves nothing. Each of these is a daemon with one mistake in it; the first rule named is the
one that it was made for, and the seed is the first of the run that catches it.

"""


def page() -> str:
    """The whole page."""
    faults = ((kind.row, f"`{kind.name}`", kind.place.value, kind.does) for kind in _by_row())
    parts = [_HEAD, *_table(("row", "fault", "at", "what happens"), faults), _RULES]
    rules = (*_table(("rule", "what holds"), _rules()), _ELSEWHERE, *_table(("row", "test"), _elsewhere()))
    broken = (_MUTANTS, *_table(("broken build", "caught by", "seed"), _mutants()))
    return "".join((*parts, *rules, *broken))


def _by_row() -> list[Kind]:
    return sorted(KINDS.values(), key=lambda kind: (kind.row, kind.name))


def _rules() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        assert isinstance(rule, type)
        assert issubclass(rule, Invariant)
        yield rule.name, " ".join((rule.__doc__ or "").strip().split("\n\n")[0].split())


def _elsewhere() -> Iterator[tuple[str, str]]:
    yield from ((row, f"`{test}`") for row, test in (*ELSEWHERE.items(), *IN_PART.items()))


def _mutants() -> Iterator[tuple[str, str, str]]:
    yield from ((one.name, ", ".join(one.trips), str(SEEDS[one.name])) for one in MUTANTS)


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(titles)
    yield _row("---" for _ in titles)
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
