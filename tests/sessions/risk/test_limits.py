"""Limits: defaults that are small, and nothing that makes no sense."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from config.reading import UnfitValue
from sessions.risk.limits import Limits, Window

D = Decimal


def test_b23_the_default_age_of_a_quote_is_five_seconds() -> None:
    assert Limits().stale_ms == 5_000


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Limits(order_quantity=D(-1)), "order_quantity: expected a decimal of at least 0"),
        (lambda: Limits(exposure=D("NaN")), "exposure: expected a decimal of at least 0"),
        (lambda: Limits(open_orders=-1), "open_orders: expected a whole number of at least 0"),
        (lambda: Limits(positions={"ES": D(-4)}), "positions.ES: expected a decimal of at least 0"),
        (lambda: Limits(stale_ms_of={"ES": -4}), "stale_ms_of.ES: expected a whole number of at least 0"),
        (lambda: Window("Mars", "08:30", "09:00"), "expected a time zone such as"),
        (lambda: Window("UTC", "8:30", "09:00"), "expected a time such as 09:30"),
        (lambda: Window("UTC", "09:30", "09:00"), "expected a time after the start at 09:30"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(make: Callable[[], Any], complaint: str) -> None:
    with pytest.raises(UnfitValue) as refused:
        make()
    assert complaint in str(refused.value)
