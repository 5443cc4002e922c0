import pytest

from brokers.guards.errors import StaleData
from brokers.guards.staleness import Freshness
from brokers.guards.timeline import SECOND_NS

NOW = 1_767_625_200 * SECOND_NS


def test_b23_a_quote_of_five_seconds_serves_an_older_one_does_not() -> None:
    guard = Freshness("acme")
    guard.check("ES", NOW - 5 * SECOND_NS, NOW)
    with pytest.raises(StaleData, match=r"ES.*5\.000.*6\.000") as caught:
        guard.check("ES", NOW - 6 * SECOND_NS, NOW)
    assert (caught.value.symbol, caught.value.age_ns, caught.value.limit_ns) == ("ES", 6 * SECOND_NS, 5 * SECOND_NS)


def test_b23_each_instrument_may_have_its_own_limit() -> None:
    guard = Freshness("acme", per_symbol={"ZC": 60 * SECOND_NS, "BTC-USD": SECOND_NS})
    guard.check("ZC", NOW - 59 * SECOND_NS, NOW)
    with pytest.raises(StaleData):
        guard.check("BTC-USD", NOW - 2 * SECOND_NS, NOW)


@pytest.mark.parametrize("quoted_ns", [None, NOW + 6 * SECOND_NS])
def test_b23_no_quote_and_a_quote_from_the_future_are_refused_too(quoted_ns: int | None) -> None:
    with pytest.raises(StaleData):
        Freshness("acme").check("ES", quoted_ns, NOW)
