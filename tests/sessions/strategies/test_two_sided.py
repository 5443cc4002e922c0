"""Claims about two-sided quoting."""

import datetime as dt
import itertools
import os
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.calendar import SECOND_NS
from brokers.guards.ladder import Rung
from brokers.market import Quote
from brokers.model import OrderState
from brokers.sides import Side
from brokers.synthetic import SyntheticMarket
from sessions.strategies.two_sided import QuotingParameters, TwoSided
from sessions.strategy import Cancel, Flatten, Modify, Submit
from tests.sessions.strategies.stage import Stage
from tests.sessions.strategy.desk import CATALOGUE, ES, T0, position, quote

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
TICK = ES.tick


def stage(**terms: Any) -> Stage:
    return Stage(TwoSided(QuotingParameters("ES", **terms)), "ES", ES, T0)


def prices(stage: Stage) -> dict[str, Decimal | None]:
    return {tag: report.order.limit_price for tag, report in stage.view.orders.items()}


def test_a_bid_and_an_offer_rest_around_the_middle_on_the_grid() -> None:
    told = stage().run([quote("4500", "4500.25")])
    assert prices(told) == {"bid": Decimal("4499.50"), "offer": Decimal("4500.75")}
    assert all(report.order.post_only for report in told.view.orders.values())


def test_what_is_held_skews_both_quotes_against_it() -> None:
    long = stage()
    long.picture.positions["ESZ26"] = position(4, Decimal(4500))
    long.run([quote("4500", "4500.25")])
    assert prices(long) == {"bid": Decimal("4499.00"), "offer": Decimal("4500.25")}


@pytest.mark.parametrize(("held", "tag", "price"), [(1, "offer", "4500.25"), (-1, "bid", "4500.00")])
def test_skew_never_crosses_the_market(held: int, tag: str, price: str) -> None:
    told = stage(skew_ticks=Decimal(100))
    told.picture.positions["ESZ26"] = position(held, Decimal(4500))
    told.run([quote("4500", "4500.25")])
    assert prices(told)[tag] == Decimal(price)


def test_quotes_follow_the_market_by_modification() -> None:
    told = stage().run([quote("4500", "4500.25"), quote("4500.25", "4500.50")])
    assert [type(act) for act in told.acts] == [Submit, Submit, Modify, Modify]
    assert prices(told) == {"bid": Decimal("4499.75"), "offer": Decimal("4501.00")}


def test_a_small_move_keeps_the_place_in_the_queue() -> None:
    told = stage(requote_ticks=2).run([quote("4500", "4500.25"), quote("4500.25", "4500.50")])
    assert [type(act) for act in told.acts] == [Submit, Submit]


@pytest.mark.parametrize("state", [OrderState.PENDING_NEW, OrderState.PENDING_REPLACE, OrderState.UNKNOWN])
def test_an_order_with_a_request_under_way_is_left_alone(state: OrderState) -> None:
    told = stage().run([quote("4500", "4500.25")])
    for tag, report in told.picture.orders.items():
        told.picture.orders[tag] = attrs.evolve(report, state=state)
    assert told.run([quote("4510", "4510.25")]).acts[2:] == []


def test_the_side_that_would_pass_the_limit_is_not_quoted() -> None:
    told = stage(max_position=Decimal(2))
    told.picture.positions["ESZ26"] = position(2, Decimal(4500))
    assert set(prices(told.run([quote()]))) == {"offer"}


def test_no_new_risk_leaves_only_the_side_that_reduces_and_no_more_than_is_held() -> None:
    told = stage(quantity=Decimal(3)).run([quote()])
    told.picture.rung = Rung.NO_NEW_RISK
    told.picture.positions["ESZ26"] = position(1, Decimal(4500))
    del told.picture.orders["offer"]
    told.run([quote()])
    assert {tag: report.order.quantity for tag, report in told.view.orders.items()} == {"offer": Decimal(1)}


def test_a_fill_is_replaced_at_once_and_further_away() -> None:
    told = stage().run([quote("4500", "4500.25"), quote("4499.25", "4499.50")])
    assert [fill.side for fill in told.fills] == [Side.BUY]
    assert told.view.held("ES") == 1
    assert set(prices(told)) == {"bid", "offer"}


def test_a_market_without_two_sides_is_not_quoted() -> None:
    told = stage().run([quote(), attrs.evolve(quote(), bid=None)])
    assert told.acts[2:] == [Cancel("bid"), Cancel("offer")]


def test_before_the_close_all_is_cancelled_and_closed_and_nothing_is_quoted_after() -> None:
    close = int(dt.datetime(2026, 11, 19, 22, 0, tzinfo=dt.UTC).timestamp()) * SECOND_NS
    told = stage().run([quote(), quote("4490", "4490.25")])
    told.run([quote("4490", "4490.25", time_ns=close - 60 * SECOND_NS)])
    assert isinstance(told.acts[-1], Flatten)
    assert [told.view.held("ES"), len(told.view.orders)] == [0, 0]


def test_on_any_market_the_position_stays_within_its_limit_and_quotes_on_their_sides() -> None:
    fills = []

    @settings(deadline=None, max_examples=4 * NIGHTLY)
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        market = SyntheticMarket(seed, [ES], T0, CATALOGUE.calendars)
        quotes = (event for event in market.events() if isinstance(event, Quote))
        told = stage(max_position=Decimal(2), half_spread_ticks=Decimal(1))
        for event in itertools.islice(quotes, 400):
            told.tell(event)
            assert abs(told.view.held("ES")) <= 2
            bid, offer = (prices(told).get(tag) for tag in ("bid", "offer"))
            assert bid is None or (event.ask is not None and bid < event.ask)
            assert offer is None or (event.bid is not None and offer > event.bid)
        fills.extend(told.fills)

    check()
    assert len(fills) > 10
