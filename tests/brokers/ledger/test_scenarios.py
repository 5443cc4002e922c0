"""The accounting among the scenarios of reconciliation, each under its id."""

from decimal import Decimal

import pytest

from brokers.ledger import FlowKind
from tests.brokers.ledger.makers import BUY, SELL, D, bought, fill, flow, holds, new_ledger, of


def test_b13_a_commission_with_its_execution_or_two_seconds_later_is_one_fill_and_one_net_result() -> None:
    """A commission that comes by itself is a fee outside the fill, as brokers tell it that know it late."""
    together, apart = new_ledger(), new_ledger()
    together.apply(fill(1, BUY, 1, 4500, "ESZ26", fee="4.20"))
    apart.apply(fill(1, BUY, 1, 4500, "ESZ26"))
    apart.post(flow("commission/1", FlowKind.FEE, "-4.20", symbol="ESZ26", time_ns=2_000_000_000))
    assert apart.apply(fill(1, BUY, 1, 4500, "ESZ26", fee="4.20")) is None, (
        "the fill, told again with its fee, is known"
    )
    for ledger in (together, apart):
        assert ledger.summary().cash == Decimal("-4.20")
        assert ledger.position("ESZ26").quantity == 1
        assert holds(ledger)


Step = tuple[object, int, int, int, int | None, int]  # side, size, price; then quantity, average and realised in all


@pytest.mark.parametrize(
    "steps",
    [
        # Rule 1: adding averages by size. Rule 2: reducing keeps the average. Rule 3: closed has no average.
        [(BUY, 10, 100, 10, 100, 0), (BUY, 10, 110, 20, 105, 0), (SELL, 5, 115, 15, 105, 50), (SELL, 15, 95, 0, None, -100)],
        # The same short.
        [(SELL, 4, 50, -4, 50, 0), (SELL, 4, 60, -8, 55, 0), (BUY, 6, 45, -2, 55, 60), (BUY, 2, 65, 0, None, 40)],
        # Rule 4: a flip closes what was held and opens the rest at its own price, both ways.
        [(BUY, 2, 100, 2, 100, 0), (SELL, 5, 90, -3, 90, -20), (BUY, 4, 80, 1, 80, 10), (SELL, 1, 85, 0, None, 15)],
    ],
    ids=["long", "short", "flips"],
)  # fmt: skip
def test_g1_quantity_average_and_realised_follow_the_exact_rules_after_every_fill(steps: list[Step]) -> None:
    """Numbers worked by hand from the rules; a random oracle of fractions stands beside this."""
    ledger = new_ledger()
    for number, (side, size, price, quantity, average, realised) in enumerate(steps, 1):
        ledger.apply(fill(number, side, size, price))  # type: ignore[arg-type]  # a side
        position = ledger.position("ONE")
        assert of(position.quantity, position.average_price, position.realised) == (quantity, average, realised)
        assert holds(ledger)


def test_g3_a_flip_realises_the_close_and_shares_its_commission_by_size() -> None:
    """+2 at 4500, then 5 sold at 4490 for a commission of 10: 4 of it belong to the close, 6 to what is opened."""
    ledger = new_ledger()
    bought(ledger, (BUY, 2, 4500), symbol="ESZ26")
    ledger.apply(fill(2, SELL, 5, 4490, "ESZ26", fee=10))
    position = ledger.position("ESZ26")
    assert of(position.quantity, position.average_price, position.realised) == (-3, 4490, -1000)
    assert position.realised - ledger.summary().fees == -1010
    assert ledger.statistics("ESZ26").lost == -1004, "the closed trade bears its 4"
    ledger.apply(fill(3, BUY, 3, 4490, "ESZ26"))
    assert ledger.statistics("ESZ26").lost == D(-1004) - 6
    assert holds(ledger)
