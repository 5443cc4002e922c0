"""The paper exchange: one cascade a step, exact money, margins that bite, and accounts that never mix."""

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.instruments import Kind
from brokers.market import Bar, Depth, Interval, Level, Trade
from brokers.matching import Code, Latency, VenueRules
from brokers.matching.events import Accepted, Rejected
from brokers.model import Change, Liquidity, OrderState
from brokers.paper import Fee, PaperAccount
from brokers.paper.exchange import Cascade
from brokers.sides import Side
from tests.brokers.paper.floor import AAPL, CATALOGUE, ES, INVERSE, PERP, SECOND, SPOT, A, B, D, Floor


def refusal(cascade: Cascade) -> Code:
    (event,) = cascade.events
    assert isinstance(event, Rejected)
    return event.refusal.code


def test_a_cascade_holds_execution_order_equity_and_position_that_agree() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    cascade = floor.buy(2)
    (fill,), (order,), (position,) = cascade.executions, cascade.orders, cascade.positions
    assert (fill.quantity, fill.price, fill.fee) == (D(2), D("6800.25"), D("4.5"))
    assert (order.state, order.filled, order.average_price) == (OrderState.FILLED, D(2), D("6800.25"))
    assert (position.symbol, position.quantity, position.unrealised) == (ES, D(2), D("-25"))
    assert cascade.equity.equity == D(100_000) - D("4.5") - D(25)
    fields = [field.name for field in attrs.fields(Cascade)]
    assert [name for name in fields if name in {"executions", "orders", "equity", "positions"}] == [
        "executions",
        "orders",
        "equity",
        "positions",
    ]


def test_what_an_exchange_answers_is_never_behind_the_cascade_it_returned() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    cascade = floor.buy(2)
    assert floor.exchange.summary(A) == cascade.equity
    assert floor.exchange.positions(A) == cascade.positions
    assert floor.exchange.fills_since(A, 0) == cascade.executions
    assert floor.exchange.orders_since(A, 0) == cascade.orders


def test_a_position_that_was_closed_is_told_once_with_quantity_zero() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(2)
    (position,) = floor.sell(2).positions
    assert (position.quantity, position.average_price, position.unrealised) == (D(0), None, D(0))
    assert floor.exchange.positions(A) == ()
    assert floor.quote(6900, 6900.25) == (), "an account that holds nothing hears nothing of the market"


def test_the_equity_follows_the_market_without_a_trade() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(1)
    (cascade,) = floor.quote(6810, 6810.25)
    assert (cascade.executions, cascade.orders) == ((), ())
    assert cascade.equity.unrealised == D("9.75") * 50
    (position,) = cascade.positions
    assert position.unrealised == D("9.75") * 50


def test_accounts_do_not_mix_even_with_the_same_order_keys() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.send(A, floor.order(Side.BUY, 2, key="same"))
    floor.send(B, floor.order(Side.SELL, 1, key="same"))
    assert (floor.held(A), floor.held(B)) == (D(2), D(-1))
    assert {fill.account for fill in floor.exchange.fills_since(A, 0)} == {A}
    assert {report.account for report in floor.exchange.orders_since(B, 0)} == {B}
    told = floor.quote(6801, 6801.25)
    assert [cascade.account for cascade in told] == [A, B]


def test_one_event_that_fills_two_accounts_gives_each_its_own_cascade() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(1, A, limit_price=6790)
    floor.buy(1, B, limit_price=6790)
    filled = [cascade for cascade in floor.quote(6780, 6780.25) if cascade.executions]
    assert sorted(cascade.account for cascade in filled) == [A, B]
    assert all({fill.account for fill in cascade.executions} == {cascade.account} for cascade in filled)


ACTS = st.one_of(
    st.tuples(
        st.just("order"),
        st.sampled_from([A, B]),
        st.sampled_from(list(Side)),
        st.integers(1, 5),
        st.one_of(st.none(), st.integers(-8, 8)),
        st.sampled_from([ES, AAPL, SPOT]),
    ),
    st.tuples(st.just("quote"), st.sampled_from([ES, AAPL, SPOT]), st.integers(-40, 40), st.integers(1, 9)),
    st.tuples(st.just("cancel"), st.sampled_from([A, B]), st.integers(1, 30)),
)
MIDDLE = {ES: 6800, AAPL: 250, SPOT: 9000}


@given(st.lists(ACTS, max_size=30))
def test_P03_money_is_conserved_after_every_cascade_whatever_happens(acts: list[tuple[object, ...]]) -> None:
    fees = {SPOT: Fee(taker_share=D("0.001"), maker_share=D("-0.0003"))}
    floor = Floor(fees=fees)
    for symbol, middle in MIDDLE.items():
        floor.quote(middle, middle + 1, symbol=symbol)
    for act in acts:
        cascades: tuple[Cascade, ...]
        match act:
            case ("order", str(account), Side() as side, int(quantity), away, str(symbol)):
                terms = {} if away is None else {"limit_price": MIDDLE[symbol] + int(str(away))}
                cascades = (floor.send(account, floor.order(side, quantity, symbol=symbol, **terms)),)
            case ("quote", str(symbol), int(away), int(size)):
                bid = MIDDLE[symbol] + away
                cascades = floor.quote(bid, bid + 1, size, symbol)
            case ("cancel", str(account), int(number)):
                cascades = floor.exchange.cancel(account, f"k{number}", floor.now)
            case _:
                raise AssertionError(act)
        assert floor.holds()
        for cascade in cascades:
            held = {position.symbol: position.quantity for position in floor.exchange.positions(cascade.account)}
            for symbol in {fill.symbol for fill in cascade.executions}:
                venue = floor.exchange.engine.position(cascade.account, symbol)
                assert held.get(symbol, 0) == venue, "books and venue agree"


# Fees.


@pytest.mark.parametrize(
    ("fee", "symbol", "liquidity", "expected"),
    [
        (Fee(per_contract=D("2.25")), ES, Liquidity.TAKER, "6.75"),
        (Fee(taker_share=D("0.001"), maker_share=D("0.0008")), SPOT, Liquidity.TAKER, "0.3"),
        (Fee(taker_share=D("0.001"), maker_share=D("0.0008")), SPOT, Liquidity.MAKER, "0.24"),
        (Fee(taker_share=D("0.001"), maker_share=D("0.0008")), SPOT, Liquidity.UNKNOWN, "0.3"),
        (Fee(maker_share=D("-0.0001")), INVERSE, Liquidity.MAKER, "-0.000003"),
        (Fee(per_contract=D(1), taker_share=D("0.0001")), ES, Liquidity.TAKER, "4.5"),
    ],
)
def test_a_fee_is_so_much_a_contract_and_a_share_of_the_value(
    fee: Fee, symbol: str, liquidity: Liquidity, expected: str
) -> None:
    assert fee.of(CATALOGUE.instrument(symbol), D(3), D(100), liquidity) == D(expected)


def test_a_resting_order_pays_the_makers_fee_and_a_taking_one_the_takers() -> None:
    floor = Floor(fees={"BTC-USD": Fee(taker_share=D("0.001"), maker_share=D("-0.0001"))})
    floor.quote(9000, 9001, symbol=SPOT)
    (taken,) = floor.buy(1, symbol=SPOT).executions
    assert (taken.liquidity, taken.fee) == (Liquidity.TAKER, D("9.001"))
    floor.buy(1, symbol=SPOT, limit_price=8900)
    (cascade,) = [cascade for cascade in floor.quote(8890, 8891, symbol=SPOT) if cascade.executions]
    assert [(fill.liquidity, fill.fee) for fill in cascade.executions] == [(Liquidity.MAKER, D("-0.89"))]
    assert cascade.equity.fees == D("9.001") - D("0.89")


def test_a_fee_by_symbol_or_root_comes_before_one_by_kind() -> None:
    floor = Floor(fees={"ES": Fee(per_contract=D(1))}, fees_by_kind={Kind.FUTURE: Fee(per_contract=D(9))})
    floor.quote(6800, 6800.25)
    assert floor.buy(1).executions[0].fee == 1
    assert Floor(fees_by_kind={}).settings.fee(CATALOGUE.instrument(ES)) == Fee()


# Margin.


def test_an_order_that_the_account_cannot_carry_is_refused_and_says_what_is_missing() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    cascade = floor.buy(5)
    assert refusal(cascade) is Code.MARGIN
    (report,) = cascade.orders
    assert report.state is OrderState.REJECTED
    assert report.reason == "the order needs 121011.25 USD more, 100000 is free"
    assert floor.buy(4).executions, "four are carried"
    assert refusal(floor.buy(1)) is Code.MARGIN, "what is tied up cannot be used twice"


def test_open_orders_count_towards_the_margin() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(4, limit_price=6700)
    assert refusal(floor.buy(1, limit_price=6700)) is Code.MARGIN
    assert refusal(floor.buy(1)) is Code.MARGIN
    floor.exchange.cancel(A, "k1", floor.now)
    assert floor.buy(1).executions


def test_a_larger_change_needs_its_margin_and_what_is_filled_counts_once() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25, size=2)
    floor.buy(4, limit_price=6800.25, key="big")
    assert floor.held() == 2
    (refused,) = floor.exchange.change(A, Change("big", quantity=D(5)), floor.now)
    assert "needs" in str(refused.events[0])
    (moved,) = floor.exchange.change(A, Change("big", limit_price=D(6790)), floor.now)
    assert moved.orders[0].order.limit_price == 6790


def test_an_order_that_only_reduces_needs_no_margin_but_several_that_turn_the_position_do() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(4)
    assert isinstance(floor.sell(4, limit_price=6900).events[0], Accepted)
    assert isinstance(floor.sell(4, limit_price=6900).events[0], Accepted), "short four is as much as long four"
    assert refusal(floor.sell(4, limit_price=6900)) is Code.MARGIN
    assert isinstance(floor.sell(4, limit_price=6900, reduce_only=True).events[0], Accepted)


def test_a_losing_account_may_still_close() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(4)
    floor.now -= 2 * SECOND - 1_000_000
    floor.quote(6750, 6750.25)
    assert floor.exchange.summary(A).buying_power < 0
    assert floor.sell(4).executions
    assert floor.held() == 0


def test_stock_is_bought_with_half_its_price_and_no_more_than_the_account_has() -> None:
    floor = Floor()
    floor.quote(250, 250, size=10_000, symbol=AAPL)
    assert refusal(floor.buy(800, symbol=AAPL)) is Code.MARGIN, "with its fee it is a little too much"
    floor.buy(799, symbol=AAPL)
    assert floor.held(A, AAPL) == 799
    assert refusal(floor.buy(10, symbol=AAPL)) is Code.MARGIN


def test_spot_bought_with_all_the_money_is_not_liquidated_for_its_fee() -> None:
    floor = Floor()
    floor.quote(10_000, 10_000, symbol=SPOT)
    assert refusal(floor.buy(10, symbol=SPOT)) is Code.MARGIN
    floor.buy("9.99", symbol=SPOT)
    floor.quote(9_000, 9_000, symbol=SPOT)
    assert floor.held(A, SPOT) == D("9.99")


def test_a_market_order_without_any_price_is_refused_for_its_margin_cannot_be_told() -> None:
    assert refusal(Floor().buy(1)) is Code.NO_PRICE


def test_a_symbol_that_is_never_quoted_is_valued_at_its_trades_and_bars() -> None:
    floor = Floor()
    for event in (
        Trade(ES, D(6800), D(10), floor.now),
        Bar(ES, Interval.parse("1m"), D(6800), D(6812), D(6799), D(6810), D(50), floor.now + 60 * SECOND),
    ):
        floor.exchange.market(event, event.time_ns)
        assert floor.exchange.last_price(ES) == (event.price if isinstance(event, Trade) else event.close)
    assert refusal(floor.buy(5)) is Code.MARGIN


def test_a_book_that_is_shown_values_as_a_quote_does() -> None:
    floor = Floor()
    floor.exchange.market(
        Depth(ES, (Level(D(6800), D(5)), Level(D(6799), D(5))), (Level(D(6801), D(5)),), floor.now), floor.now
    )
    assert floor.exchange.last_price(ES) == D("6800.5")
    floor.exchange.market(Trade(ES, D(6700), D(1), floor.now), floor.now)
    assert floor.exchange.last_price(ES) == D("6800.5"), "a trade does not value what is shown"


def test_a_sale_below_the_market_is_margined_at_the_market() -> None:
    floor = Floor()
    floor.quote(250, 250, size=10_000, symbol=AAPL)
    assert refusal(floor.sell(10_000, symbol=AAPL, limit_price=1)) is Code.MARGIN


def test_what_pays_in_another_currency_is_refused_and_the_account_stays_sound() -> None:
    floor = Floor(
        symbols=(PERP, INVERSE), accounts=(PaperAccount(A), PaperAccount("t", "USDT"), PaperAccount("b", "BTC", D(2)))
    )
    floor.quote(90_000, 90_001, symbol=PERP)
    floor.quote(90_000, 90_001, symbol=INVERSE, size=1_000_000)
    refused = floor.buy(1, symbol=PERP)
    assert refusal(refused) is Code.RISK
    assert "pays in USDT and the account is in USD" in refused.orders[0].reason
    assert floor.exchange.summary(A).equity == 100_000
    assert floor.buy(1, "t", symbol=PERP).executions
    (fill,) = floor.buy(90_001, "b", symbol=INVERSE).executions
    assert fill.fee == D("0.0005")
    floor.quote(80_000, 80_001, symbol=INVERSE)
    assert floor.exchange.summary("b").unrealised < 0
    assert floor.holds()


def test_a_breach_of_the_maintenance_margin_cancels_and_liquidates() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(4)
    floor.sell(4, limit_price=6900, key="target")
    calm = floor.quote(6745, 6745.25)
    assert not any(cascade.executions for cascade in calm), "89,000 still carry four at 22,000"
    told = floor.quote(6739, 6739.25)
    assert floor.held() == 0
    states = {report.order.key: report.state for cascade in told for report in cascade.orders}
    assert states == {"target": OrderState.CANCELED, "liquidation-1": OrderState.FILLED}
    assert floor.holds()


def test_a_liquidation_goes_on_until_the_position_is_closed() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(4)
    floor.quote(6739, 6739.25, size=1)
    assert floor.held() == 3
    floor.quote(6738, 6738.25, size=1)
    floor.quote(6730, 6730.25, size=10)
    assert floor.held() == 0
    assert floor.exchange.engine.open_orders(A) == ()


# The end of a contract, and memory.


def test_at_expiry_positions_are_closed_at_the_last_price_and_orders_end() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(2, A)
    floor.sell(1, B)
    floor.buy(1, A, limit_price=6700, key="left")
    price = floor.exchange.last_price(ES)
    assert price == D("6800.125")
    cascades = {cascade.account: cascade for cascade in floor.exchange.settle(ES, price, floor.now)}
    assert [(fill.side, fill.quantity, fill.price) for fill in cascades[A].executions] == [(Side.SELL, D(2), price)]
    assert [(fill.side, fill.quantity, fill.price) for fill in cascades[B].executions] == [(Side.BUY, D(1), price)]
    assert [position.quantity for position in cascades[A].positions] == [0]
    assert [report.state for report in cascades[A].orders] == [OrderState.EXPIRED]
    assert floor.holds()
    assert refusal(floor.buy(1)) is Code.SETTLED


def test_what_may_be_asked_for_later_is_bounded_and_the_newest_stays() -> None:
    floor = Floor(keep=5)
    floor.quote(6800, 6800.25)
    for _ in range(10):
        floor.buy(1)
        floor.sell(1)
    fills, orders = floor.exchange.fills_since(A, 0), floor.exchange.orders_since(A, 0)
    assert (len(fills), len(orders)) == (5, 5)
    assert fills[-1].order_key == orders[-1].order.key == "k20"
    assert floor.exchange.summary(A).fees == D("45"), "the books forget nothing"


def test_only_what_was_touched_since_then_is_told_and_open_orders_always() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(1, limit_price=6700, key="open")
    floor.buy(1, key="old")
    floor.now += SECOND
    since = floor.now
    floor.buy(1, key="new")
    assert {report.order.key for report in floor.exchange.orders_since(A, since)} == {"open", "new"}
    assert [fill.order_key for fill in floor.exchange.fills_since(A, since)] == ["new"]


def test_an_account_that_does_not_exist_is_an_error_not_a_new_account() -> None:
    floor = Floor()
    assert not floor.exchange.has("nobody")
    for ask in (floor.exchange.summary, floor.exchange.positions, floor.exchange.ledger):
        with pytest.raises(KeyError):
            ask("nobody")


def test_a_fill_of_the_same_instant_counts_before_the_next_order_is_let_in() -> None:
    floor = Floor(rules=VenueRules(standing_ns=None, order_latency=_half_a_second()))
    floor.quote(6800, 6800.25)
    for _ in range(3):
        floor.exchange.submit(A, floor.order(Side.BUY, 2), floor.now)
    (cascade,) = floor.exchange.advance(floor.now + SECOND)
    assert [report.state for report in cascade.orders] == [
        OrderState.FILLED,
        OrderState.FILLED,
        OrderState.REJECTED,
    ]
    assert floor.held() == Decimal(4)


def _half_a_second() -> Latency:
    return Latency((SECOND // 2,))


def test_p11_funding_moves_cash_from_long_to_short_and_the_identity_holds() -> None:
    floor = Floor(symbols=(PERP,), accounts=(PaperAccount(A, "USDT"), PaperAccount(B, "USDT")))
    floor.quote(60_000, 60_000, symbol=PERP)
    floor.send(A, floor.order(Side.BUY, 1, symbol=PERP))
    floor.send(B, floor.order(Side.SELL, 1, symbol=PERP))
    before = {account: floor.exchange.summary(account).cash for account in (A, B)}
    long, short = floor.exchange.fund(PERP, D("0.0001"), floor.now)
    assert [(cascade.account, cascade.flows[0].amount) for cascade in (long, short)] == [(A, D(-6)), (B, D(6))]
    assert floor.exchange.summary(A).cash == before[A] - 6 == long.equity.cash
    assert floor.exchange.summary(B).cash == before[B] + 6
    for account in (A, B):
        assert all(identity.holds for identity in floor.exchange.ledger(account).identity())


def test_p11_a_dividend_is_paid_for_each_share_held_and_charged_to_who_is_short() -> None:
    floor = Floor(symbols=(AAPL,))
    floor.quote(200, 200, symbol=AAPL, size=1000)
    floor.send(A, floor.order(Side.BUY, 100, symbol=AAPL))
    paid = floor.exchange.pay_dividend(AAPL, D("0.25"), floor.now)
    assert [(cascade.account, flow.amount) for cascade in paid for flow in cascade.flows] == [(A, D(25))]
    assert floor.exchange.pay_dividend(AAPL, D("0.25"), floor.now + 1)[0].equity.cash == paid[0].equity.cash + 25


def test_nobody_is_paid_for_what_nobody_holds() -> None:
    floor = Floor(symbols=(PERP,))
    floor.quote(60_000, 60_000, symbol=PERP)
    assert floor.exchange.fund(PERP, D("0.0001"), floor.now) == ()
    assert floor.exchange.pay_dividend(PERP, D(1), floor.now) == ()
