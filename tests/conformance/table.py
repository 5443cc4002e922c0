"""The one table of scenarios: what the scenario modules hold, by id."""

from collections.abc import Iterator, Mapping
from types import ModuleType

from tests.conformance.scenario import Scenario
from tests.conformance.scenarios import (
    books,
    changing,
    doubt,
    groups,
    links,
    market,
    names,
    placing,
    refusals,
    strange,
    tokens,
)

MODULES = (names, market, placing, groups, changing, refusals, doubt, strange, links, tokens, books)


def _found(module: ModuleType) -> Iterator[Scenario]:
    for value in vars(module).values():
        if isinstance(value, Scenario):
            yield value
        elif isinstance(value, tuple):
            yield from (one for one in value if isinstance(one, Scenario))


def _table() -> Mapping[str, Scenario]:
    found: dict[str, Scenario] = {}
    for module in MODULES:
        for one in _found(module):
            assert found.setdefault(one.id, one) is one, f"two scenarios are called {one.id}"
    return found


TABLE = _table()
