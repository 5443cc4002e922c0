"""The page of faults, rules and broken builds, written by them: python -m tests.rehearsal.tables > docs/faults.md."""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from sessions.control.rehearsal.checker.catalogue import RULES
from sessions.control.rehearsal.checker.invariant import Invariant
from sessions.control.rehearsal.storm import KINDS
from sessions.control.rehearsal.storm.kinds import Kind

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


def page() -> str:
    """The whole page."""
    faults = ((kind.row, f"`{kind.name}`", kind.place.value, kind.does) for kind in _by_row())
    parts = [_HEAD, *_table(("row", "fault", "at", "what happens"), faults), _RULES]
    return "".join((*parts, *_table(("rule", "what holds"), _rules())))


def _by_row() -> list[Kind]:
    return sorted(KINDS.values(), key=lambda kind: (kind.row, kind.name))


def _rules() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        assert isinstance(rule, type)
        assert issubclass(rule, Invariant)
        yield rule.name, " ".join((rule.__doc__ or "").strip().split("\n\n")[0].split())


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(titles)
    yield _row("---" for _ in titles)
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
