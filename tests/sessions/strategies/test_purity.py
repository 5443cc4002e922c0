"""A claim about all examples: an answer depends on event, view and state alone, across any restart."""

import os
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.calendar import SECOND_NS
from brokers.market import Bar, Quote, Trade
from brokers.synthetic import SyntheticMarket
from sessions.bars import BarBuilder
from sessions.strategies.ema_cross import EmaCross, EmaParameters
from sessions.strategies.opening_range import OpeningRange, RangeParameters
from sessions.strategies.two_sided import QuotingParameters, TwoSided
from sessions.strategy import Event, Strategy
from tests.sessions.strategies.stage import Stage
from tests.sessions.strategy.desk import CATALOGUE, ES, ONE_MINUTE, T0

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))

EXAMPLES: dict[str, Strategy[Any, Any]] = {
    "ema_cross": EmaCross(EmaParameters("ES", ONE_MINUTE, 2, 5, stop_ticks=6, target_ticks=9)),
    "opening_range": OpeningRange(RangeParameters("ES", minutes=5, delay_minutes=960)),  # from 9:00 in Chicago
    "two_sided": TwoSided(QuotingParameters("ES", half_spread_ticks=Decimal(1))),
}


def events(seed: int, minutes: int, *, quotes: bool) -> list[Event]:
    """An hour of a market: its bars made from its trades, and its quotes if wanted."""
    market = SyntheticMarket(seed, [ES], T0, CATALOGUE.calendars)
    builder = BarBuilder("ESZ26", ONE_MINUTE, CATALOGUE.calendar("ES"))
    found: list[Event] = []
    for event in market.events(T0, T0 + minutes * 60 * SECOND_NS):
        bar = builder.trade(event, event.time_ns) if isinstance(event, Trade) else builder.advance(event.time_ns)
        if isinstance(bar, Bar):
            found.append(bar)
        if quotes and isinstance(event, Quote):
            found.append(event)
    return found


def lived(name: str, told: list[Event], restarts: set[int]) -> Stage:
    stage = Stage(EXAMPLES[name], "ES", ES, T0).start()
    for number, event in enumerate(told):
        if number in restarts:
            stage.restart()
        stage.tell(event)
    return stage


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_run_with_restarts_decides_what_the_run_without_decides(name: str) -> None:
    traded = []

    @settings(deadline=None, max_examples=3 * NIGHTLY)
    @given(st.integers(0, 2**32), st.sets(st.integers(0, 200), max_size=6))
    def check(seed: int, restarts: set[int]) -> None:
        quotes = name == "two_sided"
        told = events(seed, 5 if quotes else 60, quotes=quotes)
        once, again = lived(name, told, set()), lived(name, told, restarts)
        assert once.decided == again.decided
        assert once.fills == again.fills
        traded.append(len(once.fills))

    check()
    assert sum(traded) > 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_parameters_of_an_example_are_frozen(name: str) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        EXAMPLES[name].parameters.symbol = "NQ"
