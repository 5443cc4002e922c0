"""The blotter: what a decision becomes before it leaves."""

import attrs
from hypothesis import given

from brokers.calendar import Calendars
from brokers.model import Order
from sessions.strategy import Picture, Submit
from sessions.trader.blotter import Blotter
from tests.brokers.model_strategies import anything

_ALWAYS = Calendars.shipped()["always"]


@given(anything(Order))
def test_an_order_keeps_every_term_but_its_tag(order: Order) -> None:
    picture = Picture(lambda _: _ALWAYS)
    blotter = Blotter(picture, "paper-1")
    made = blotter.enter(Submit(order), lambda: "a-key", 5)
    assert made == attrs.evolve(order, key="a-key")
    assert blotter.tag_of("a-key") == order.key
    assert picture.orders[order.key].order is made
