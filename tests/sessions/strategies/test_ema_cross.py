"""Claims about the EMA cross."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from brokers.catalogue import Catalogue
from brokers.guards.ladder import Rung
from brokers.market import Bar, Interval
from brokers.model import OrderGroup
from brokers.sides import Side
from sessions.strategies.ema_cross import EmaCross, EmaParameters, EmaState
from sessions.strategy import Flatten, ParameterError, Rolled, Started, Submit, Wants, from_words
from tests.sessions.strategies.stage import Stage
from tests.sessions.strategy.desk import ES, ONE_MINUTE, T0, position, quote

MINUTE = ONE_MINUTE.nanoseconds
PARAMETERS = EmaParameters("ES", ONE_MINUTE, fast=2, slow=4, stop_ticks=8, target_ticks=16)


def bars(closes: Iterable[float | str], start: int = 1, symbol: str = "ESZ26") -> list[Bar]:
    return [bar(Decimal(str(close)), start + number, symbol) for number, close in enumerate(closes)]


def bar(price: Decimal, number: int, symbol: str = "ESZ26") -> Bar:
    return Bar(symbol, ONE_MINUTE, price, price, price, price, Decimal(1), T0 + number * MINUTE, 1)


FALL = [100, 99, 98, 97, 96, 95]
RISE = [98, 101]


def stage(**changes: Any) -> Stage:
    return Stage(EmaCross(attrs.evolve(PARAMETERS, **changes)), "ES", ES, T0)


def memory(stage: Stage) -> EmaState:
    state = stage.picture.state
    assert isinstance(state, EmaState)
    return state


def submitted(stage: Stage) -> list[Submit]:
    return [act for act in stage.acts if isinstance(act, Submit)]


def test_a_cross_upward_buys_with_a_stop_below_and_a_target_above() -> None:
    told = stage().start().run(bars([*FALL, *RISE]))
    entry, stop, target = submitted(told)[0].orders
    assert (entry.side, stop.side, target.side) == (Side.BUY, Side.SELL, Side.SELL)
    cross = told.fills[0].price
    assert (stop.stop_price, target.limit_price) == (cross - 2, cross + 4)
    assert told.view.held("ES") == 1


def test_a_cross_downward_sells() -> None:
    told = stage().start().run(bars([200 - close for close in (*FALL, *RISE)]))
    assert told.view.held("ES") == -1
    entry, stop, target = submitted(told)[0].orders
    assert stop.stop_price is not None
    assert target.limit_price is not None
    assert stop.stop_price > told.fills[0].price > target.limit_price
    assert entry.side is Side.SELL


def test_nothing_is_traded_before_the_slow_average_has_settled() -> None:
    assert stage().start().run(bars([100, 99, 105, 90])).acts == []


def test_history_settles_the_averages_without_a_trade() -> None:
    told = stage().start(bars(FALL))
    assert told.acts == []
    assert told.run(bars(RISE, start=7)).view.held("ES") == 1


def test_a_cross_in_the_history_is_not_traded_afterwards() -> None:
    told = stage().start(bars([*FALL, *RISE]))
    assert told.run(bars([102, 103], start=9)).acts == []


def test_an_opposite_cross_leaves_first_and_turns_when_flat() -> None:
    told = stage(stop_ticks=4000, target_ticks=4000).start().run(bars([*FALL, *RISE, 90, 80]))
    assert [type(act) for act in told.acts] == [Submit, Flatten, Submit]
    assert told.view.held("ES") == -1
    assert [fill.side for fill in told.fills] == [Side.BUY, Side.SELL, Side.SELL]
    assert memory(told).turn is None


def test_a_turn_that_is_not_flat_by_the_next_bar_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told = stage(stop_ticks=4000, target_ticks=4000).start().run(bars([*FALL, *RISE]))
    monkeypatch.setattr(told, "_carry_out", lambda _: None)  # a broker that answers nothing
    told.run(bars([90], start=9))
    assert memory(told).turn is Side.SELL
    told.run(bars([80], start=10))
    assert memory(told).turn is None


def test_a_stop_that_was_hit_is_not_entered_again_without_a_new_cross() -> None:
    told = stage().start().run(bars([*FALL, *RISE]))
    told.tell(quote("90", "90.25", told.view.now_ns + 1))
    assert told.view.held("ES") == 0
    told.run(bars([101, 102], start=9))
    assert told.view.held("ES") == 0
    assert len(submitted(told)) == 1


def test_no_new_risk_means_no_entry() -> None:
    told = stage().start()
    told.picture.rung = Rung.NO_NEW_RISK
    assert told.run(bars([*FALL, *RISE])).acts == []


def test_a_position_without_exits_gets_them_again() -> None:
    told = stage().start(bars(FALL))
    told.picture.positions["ESZ26"] = position(2, Decimal(95))
    told.run(bars([95], start=7))
    request = submitted(told)[0].request
    assert isinstance(request, OrderGroup)
    assert [one.stop_price or one.limit_price for one in request.orders] == [Decimal(93), Decimal(99)]
    assert {one.quantity for one in request.orders} == {Decimal(2)}
    assert told.run(bars([95], start=8)).acts == [submitted(told)[0]]  # once


def test_after_a_roll_the_averages_are_those_of_the_new_contract() -> None:
    told = stage().start(bars(FALL))
    new = Catalogue.shipped().instrument("ESH27")
    told.picture.follow("ES", new, told.wants)
    for one in bars([200, 200, 200], symbol="ESH27"):
        told.picture.add_bar(one)
    told.tell(Rolled("ES", "ESZ26", "ESH27"))
    state = memory(told)
    assert [state.fast, state.slow, state.bars] == [200, 200, 3]
    assert told.acts == []


def test_bars_missed_while_stopped_are_averaged_once() -> None:
    whole = stage().start().run(bars([*FALL, 96, 97]))
    half = stage().start().run(bars(FALL))
    half.restart()
    for one in bars([96, 97], start=7):
        half.picture.add_bar(one)
    half.tell(Started(restored=True))
    half.tell(Started(restored=True))
    assert memory(half) == memory(whole)


def test_averages_begin_again_when_the_gap_is_longer_than_the_history() -> None:
    told = stage().start(bars(FALL))
    told.picture.bars[("ESZ26", ONE_MINUTE)].clear()
    for one in bars([300, 300], start=1000):
        told.picture.add_bar(one)
    told.tell(Started(restored=True))
    state = memory(told)
    assert [state.fast, state.bars] == [300, 2]


def test_an_average_is_the_exponential_one() -> None:
    told = stage().start(bars([10, 13]))
    assert memory(told) == EmaState(Decimal(12), Decimal("11.2"), 2, T0 + 2 * MINUTE)


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ParameterError, match="'fast' must be less than 'slow': 30 >= 26"):
        from_words(EmaCross, ["symbol=ES", "fast=30"])


def test_it_asks_for_enough_history() -> None:
    wants = EmaCross(EmaParameters("ES")).wants()
    assert isinstance(wants, Wants)
    assert (wants.bars[0].interval, wants.bars[0].history) == (Interval.parse("5m"), 260)
