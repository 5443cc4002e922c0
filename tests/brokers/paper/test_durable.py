"""A paper exchange that begins again from its file is where it was, and goes on as a broker does."""

import os
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from brokers.instruments import Kind
from brokers.market import MarketStatus, Quote
from brokers.matching import VenueRules
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderState, OrderType, TimeInForce
from brokers.paper import PaperAccount
from brokers.paper.exchange import Cascade
from brokers.sides import Side
from runtime.simulation import SimulatedDisk
from tests.brokers.paper.floor import ES, SECOND, SPOT, A, B
from tests.brokers.paper.lives import Life, next_life, settings

D = Decimal
NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
HOUR = 3600 * SECOND


class Trader:
    """Short words for what is done in a life."""

    def __init__(self, life: Life, number: int = 0) -> None:
        self.life = life
        self.number = number

    def order(self, side: Side = Side.BUY, quantity: Any = 1, **terms: Any) -> Order:
        self.number += 1
        for name in {"limit_price", "stop_price", "trail_offset"} & terms.keys():
            terms[name] = D(str(terms[name]))
        if "type" not in terms:
            terms["type"] = OrderType.LIMIT if "limit_price" in terms else OrderType.MARKET
        key, symbol = terms.pop("key", f"k{self.number}"), terms.pop("symbol", ES)
        return Order(key, symbol, side, quantity=D(str(quantity)), **terms)

    def send(self, order: Order | OrderGroup, account: str = A) -> tuple[Cascade, ...]:
        self.life.now += 1_000_000
        return self.life.note(self.life.exchange.submit(account, order, self.life.now))

    def cancel(self, key: str, account: str = A) -> tuple[Cascade, ...]:
        self.life.now += 1_000_000
        return self.life.note(self.life.exchange.cancel(account, key, self.life.now))

    def change(self, change: Change, account: str = A) -> tuple[Cascade, ...]:
        self.life.now += 1_000_000
        return self.life.note(self.life.exchange.change(account, change, self.life.now))

    def quote(self, bid: Any, ask: Any = None, size: int = 100, symbol: str = ES) -> tuple[Cascade, ...]:
        self.life.now += 2 * SECOND
        shown = D(str(bid)), D(str(bid if ask is None else ask))
        quote = Quote(symbol, *shown, D(size), D(size), self.life.now)
        return self.life.note(self.life.exchange.market(quote, self.life.now))

    def bracket(self, price: Any, quantity: Any = 2, *, reduce_size: bool = True) -> OrderGroup:
        entry = self.order(Side.BUY, quantity, limit_price=price)
        stop = self.order(
            Side.SELL, quantity, type=OrderType.STOP, stop_price=D(str(price)) - 20, time_in_force=TimeInForce.GTC
        )
        target = self.order(Side.SELL, quantity, limit_price=D(str(price)) + 20, time_in_force=TimeInForce.GTC)
        return OrderGroup(f"g{self.number}", GroupKind.BRACKET, entry, (stop, target), reduce_size=reduce_size)

    def restart(self, disk: SimulatedDisk, after_ns: int = 0) -> "Trader":
        self.life.sync()
        return Trader(next_life(disk, self.life, after_ns), self.number)


def begin(disk: SimulatedDisk, **changes: Any) -> Trader:
    life = Life(disk, given=settings(**changes))
    life.open_markets()
    trader = Trader(life)
    trader.quote(6800, 6800.25)
    return trader


def state(trader: Trader, key: str, account: str = A) -> OrderState:
    report = trader.life.exchange.engine.order(account, key)
    assert report is not None
    return report.state


PRICES = st.integers(-40, 40).map(lambda ticks: D(6800) + ticks * D("0.25"))
SIDES = st.sampled_from(Side)
SIZES = st.integers(1, 3)
ACTIONS = st.one_of(
    st.tuples(st.just("market"), SIDES, SIZES),
    st.tuples(st.just("limit"), SIDES, SIZES, PRICES),
    st.tuples(st.just("stop"), SIDES, SIZES, PRICES),
    st.tuples(st.just("trail"), SIDES, SIZES, st.integers(1, 8)),
    st.tuples(st.just("bracket"), PRICES, SIZES, st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("resize"), st.integers(0, 30), SIZES),
    st.tuples(st.just("quote"), PRICES, st.integers(1, 4)),
    st.tuples(st.just("other"), SIDES, SIZES),
    st.tuples(st.just("restart")),
)


def act(trader: Trader, action: tuple[Any, ...]) -> None:
    match action:
        case ("market", side, size):
            trader.send(trader.order(side, size))
        case ("limit", side, size, price):
            trader.send(trader.order(side, size, limit_price=price))
        case ("stop", side, size, price):
            trader.send(trader.order(side, size, type=OrderType.STOP, stop_price=price))
        case ("trail", side, size, offset):
            trader.send(trader.order(side, size, type=OrderType.TRAILING_STOP, trail_offset=offset))
        case ("bracket", price, size, reduce_size):
            trader.send(trader.bracket(price, size, reduce_size=reduce_size))
        case ("cancel", number):
            trader.cancel(f"k{number}")
        case ("resize", number, size):
            trader.change(Change(f"k{number}", quantity=D(size)))
        case ("quote", price, size):
            trader.quote(price, price + D("0.25"), size)
        case ("other", side, size):
            trader.send(trader.order(side, size), B)


@hypothesis_settings(max_examples=60 * NIGHTLY, deadline=None)
@given(
    st.lists(ACTIONS, min_size=1, max_size=30),
    st.sampled_from([{}, {"rules": VenueRules(standing_ns=None, keep_finished=2)}]),
)
def test_what_can_be_asked_is_the_same_after_every_restart(
    actions: list[tuple[Any, ...]], changes: dict[str, Any]
) -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk, **changes)
        for action in [*actions, ("restart",)]:
            if action != ("restart",):
                act(trader, action)
                continue
            trader.life.sync()
            before = trader.life.view()
            trader = trader.restart(disk)
            after = trader.life.view()
            assert after == before
            assert all(all(found["identity"]) for found in after.values())


def test_numbers_and_keys_go_on_and_none_is_given_twice() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        trader.send(trader.order(key="once"))
        trader = trader.restart(disk)
        trader.quote(6800, 6800.25)
        (again,) = trader.send(trader.order(key="once"))
        assert "in use" in str(again.news[0].event)
        trader.send(trader.order(key="twice"))
        fills = trader.life.exchange.fills_since(A, 0)
        assert [fill.order_key for fill in fills] == ["once", "twice"]
        assert len({fill.id for fill in fills}) == len({fill.broker_order_id for fill in fills}) == 2


def test_what_is_said_of_a_finished_order_afterwards_takes_no_room() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        order = trader.order()
        trader.send(order)
        for _ in range(3):
            trader.cancel(order.key)
        trader.life.sync()
        assert [kept.order.key for kept in trader.life.store.memory.accounts[A].finished] == [order.key]


def test_a_part_filled_limit_order_rests_on_and_fills_at_its_own_price() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        trader.quote(6800, 6800.25, size=1)
        order = trader.order(Side.BUY, 3, limit_price="6800.25")
        trader.send(order)
        trader = trader.restart(disk)
        report = trader.life.exchange.engine.order(A, order.key)
        assert report is not None
        assert (report.state, report.filled, report.remaining) == (OrderState.PARTIALLY_FILLED, D(1), D(2))
        trader.quote(6790, 6790.25)
        assert [fill.price for fill in trader.life.exchange.fills_since(A, 0)] == [D("6800.25")] * 2
        assert state(trader, order.key) is OrderState.FILLED


def test_a_stop_triggers_where_it_stood_and_a_trailing_stop_where_it_had_trailed_to() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        trader.send(trader.order(Side.BUY, 2))
        stop = trader.order(Side.SELL, 1, type=OrderType.STOP, stop_price=6780)
        trail = trader.order(Side.SELL, 1, type=OrderType.TRAILING_STOP, trail_offset=10)
        trader.send(stop)
        trader.send(trail)
        trader.quote(6830, 6830.25)
        trader = trader.restart(disk)
        shown = trader.life.exchange.engine.order(A, trail.key)
        assert shown is not None
        assert shown.order.stop_price == 6820
        trader.quote(6821, 6821.25)
        assert state(trader, trail.key) is OrderState.WORKING
        trader.quote(6819, 6819.25)
        assert (state(trader, trail.key), state(trader, stop.key)) == (OrderState.FILLED, OrderState.WORKING)
        trader.quote(6779, 6779.25)
        assert state(trader, stop.key) is OrderState.FILLED


def test_the_legs_of_a_group_hang_together_in_the_next_life() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        group = trader.bracket(6790)
        trader.send(group)
        trader = trader.restart(disk)
        stop, target = group.children
        assert state(trader, stop.key) is OrderState.HELD
        trader.quote(6780, 6780.25)
        assert state(trader, stop.key) is OrderState.WORKING
        trader = trader.restart(disk)
        trader.quote(6820, 6820.25)
        assert (state(trader, target.key), state(trader, stop.key)) == (OrderState.FILLED, OrderState.CANCELED)
        assert trader.life.exchange.positions(A) == ()


def test_a_group_outlives_the_memory_of_its_finished_members() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk, rules=VenueRules(standing_ns=None, keep_finished=0), keep=1)
        group = trader.bracket(6790)
        trader.send(group)
        trader.quote(6780, 6780.25)
        assert trader.life.exchange.engine.order(A, group.orders[0].key) is None
        trader = trader.restart(disk)
        trader.quote(6820, 6820.25)
        assert trader.life.exchange.engine.open_orders(A) == ()
        trader = trader.restart(disk)
        assert trader.life.exchange.engine.open_orders(A) == ()
        assert not trader.life.store.memory.ties


def test_orders_whose_time_passed_while_the_broker_was_away_are_expired() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        day = trader.order(limit_price=6700)
        kept = trader.order(limit_price=6700, time_in_force=TimeInForce.GTC)
        dated = trader.order(
            limit_price=6700, time_in_force=TimeInForce.GTD, expires_ns=trader.life.now + HOUR, symbol=ES
        )
        for order in (day, kept, dated):
            trader.send(order)
        soon = trader.restart(disk)
        assert [state(soon, order.key) for order in (day, kept, dated)] == [OrderState.WORKING] * 3
        late = soon.restart(disk, after_ns=24 * HOUR)
        late.life.note(late.life.exchange.advance(late.life.now))
        expired, working = OrderState.EXPIRED, OrderState.WORKING
        assert [state(late, order.key) for order in (day, kept, dated)] == [expired, working, expired]
        last = late.restart(disk)
        assert [state(last, order.key) for order in (day, kept, dated)] == [expired, working, expired]


def test_a_settled_contract_stays_settled() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        trader.send(trader.order(Side.BUY, 2))
        trader.life.note(trader.life.exchange.settle(ES, D(6810), trader.life.now))
        trader.life.keeper.note_market(ES)
        before = trader.life.view()
        trader = trader.restart(disk)
        assert trader.life.view() == before
        assert trader.life.exchange.engine.status(ES) is MarketStatus.CLOSED
        trader.life.exchange.set_status(ES, MarketStatus.OPEN, trader.life.now)
        (cascade,) = trader.send(trader.order())
        assert "settled" in str(cascade.news[0].event)


def test_cash_that_moved_without_a_trade_is_not_lost() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk)
        trader.quote(50_000, symbol=SPOT)
        trader.send(trader.order(Side.BUY, 1, symbol=SPOT))
        assert trader.life.source.instruments[1].kind is Kind.SPOT
        (paid,) = trader.life.note(trader.life.exchange.pay_dividend(SPOT, D(3), trader.life.now))
        trader = trader.restart(disk)
        assert trader.life.exchange.summary(A).cash == paid.equity.cash


def test_a_new_account_is_opened_beside_the_old_and_a_deposit_is_paid_once() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk, accounts=(PaperAccount(A),))
        trader.send(trader.order())
        trader.life.sync()
        both = settings(accounts=(PaperAccount(A, deposit=D(5)), PaperAccount(B, deposit=D(7))))
        life = Life(disk, trader.life.now, both)
        cash = {account: life.exchange.summary(account).cash for account in (A, B)}
        assert cash[A] > 90_000
        assert cash[B] == 7
        again = Life(disk, trader.life.now, both)
        assert {account: again.exchange.summary(account).cash for account in (A, B)} == cash


def test_an_account_that_is_liquidated_again_uses_new_keys() -> None:
    with SimulatedDisk() as disk:
        trader = begin(disk, accounts=(PaperAccount(A, deposit=D(60_000)), PaperAccount(B)))
        for price in (6800, 5000):
            trader.quote(price, price + 0.25)
            trader.send(trader.order(Side.BUY, 1))
            trader.quote(price - 1_000, price - 999.75)
            trader = trader.restart(disk)
        keys = [fill.order_key for fill in trader.life.exchange.fills_since(A, 0)]
        assert len(keys) == len(set(keys))
        assert attrs.evolve(trader.life.exchange.summary(A), time_ns=0).cash < 60_000
