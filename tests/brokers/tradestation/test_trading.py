"""Trading over the emulator: orders from placing to their end, in the books as at the broker."""

from decimal import Decimal

import attrs
import pytest
import trio

from brokers.account_books import AccountBooks
from brokers.account_manager import AccountManager
from brokers.errors import BrokerError, Code
from brokers.gateway import OrderNews
from brokers.model import Change, GroupKind, OrderGroup, OrderState, OrderType
from brokers.order_events import Filled, ReplaceConfirmed
from brokers.outcome import Accepted, NotSent, Rejected, Unknown
from brokers.sides import Side
from tests.brokers.tradestation.kit import ES, FUTURES, STOCKS, Desk, played, reported, until


def test_a_market_order_fills_once_and_the_books_agree_with_the_broker() -> None:
    async def play(desk: Desk) -> None:
        manager = await desk.manager()
        order = desk.order(quantity=2)
        await manager.call(AccountManager.submit, order)
        report = await reported(manager, order.key, OrderState.FILLED)
        assert report.filled == 2
        await trio.sleep(30)
        fills = desk.happened(Filled)
        assert sum(one.fill.quantity for one in fills) == 2
        (position,) = await manager.call(AccountManager.positions)
        (theirs,) = await desk.orders.positions(FUTURES)
        assert position.quantity == theirs.quantity == 2
        statistics = await desk.books().call(AccountBooks.statistics)
        assert (statistics.reconciled, statistics.problems, statistics.external_orders) == (True, 0, 0)

    played(play)


def test_a_resting_order_is_replaced_in_place_and_cancelled() -> None:
    async def play(desk: Desk) -> None:
        manager = await desk.manager()
        quote = await desk.quote()
        assert quote.bid is not None
        order = desk.order(limit_price=quote.bid - 100)
        (report,) = await manager.call(AccountManager.submit, order)
        await reported(manager, order.key, OrderState.WORKING)
        (order_id,) = (await manager.call(AccountManager.order, order.key)).broker_order_ids
        lower = quote.bid - 120
        await manager.call(AccountManager.modify, Change(order.key, limit_price=lower))
        await until(lambda: desk.happened(ReplaceConfirmed))
        report = await reported(manager, order.key, OrderState.WORKING)
        assert (report.order.limit_price, report.broker_order_ids) == (lower, (order_id,))
        await manager.call(AccountManager.cancel, order.key)
        await reported(manager, order.key, OrderState.CANCELED)

    played(play)


def test_an_order_refused_inside_a_200_is_a_definite_no() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(symbol="AAPL", side=Side.BUY, quantity=10_000_000)
        outcome = await desk.orders.place(STOCKS, order)
        assert isinstance(outcome, Rejected), outcome
        assert outcome.error.code is Code.ORDER_REJECTED

    played(play)


def test_a_bracket_names_its_legs_in_the_order_of_its_members() -> None:
    async def play(desk: Desk) -> None:
        quote = await desk.quote()
        assert quote.bid is not None
        parent = desk.order(limit_price=quote.bid - 50)
        target = desk.order(Side.SELL, limit_price=quote.bid + 100)
        stop = desk.order(Side.SELL, type=OrderType.STOP, stop_price=quote.bid - 100)
        group = OrderGroup("g", GroupKind.BRACKET, parent, (target, stop), reduce_size=True)
        group = attrs.evolve(group, key=parent.key)
        outcome = await desk.orders.place(FUTURES, group)
        assert isinstance(outcome, Accepted), outcome
        for member, order_id in zip(group.orders, (outcome.broker_order_id, *outcome.legs), strict=True):
            found = await desk.orders.order(FUTURES, member.key, order_id)
            assert found is not None
            assert (found.order.key, found.order.side, found.order.type) == (member.key, member.side, member.type)
        assert isinstance(await desk.orders.cancel(FUTURES, parent.key, outcome.broker_order_id), Accepted)

    played(play)


def test_stocks_are_sold_short_and_covered_by_the_broker_s_own_words() -> None:
    async def play(desk: Desk) -> None:
        short = desk.order(Side.SELL, 3, "AAPL")
        assert isinstance(await desk.orders.place(STOCKS, short), Accepted)
        await trio.sleep(2)
        (position,) = await desk.orders.positions(STOCKS)
        assert position.quantity == -3
        crossing = await desk.orders.place(STOCKS, desk.order(Side.BUY, 5, "AAPL"))
        assert isinstance(crossing, NotSent)
        assert crossing.error.code is Code.POSITION_SIZE_EXCEEDED
        assert isinstance(await desk.orders.place(STOCKS, desk.order(Side.BUY, 3, "AAPL")), Accepted)
        await trio.sleep(2)
        assert await desk.orders.positions(STOCKS) == ()

    played(play)


def test_f08_an_answer_lost_after_acceptance_is_unknown_and_found_by_the_books() -> None:
    async def play(desk: Desk) -> None:
        manager = await desk.manager()
        desk.emulator.faults.on("error-after=504/command")
        order = desk.order(limit_price=Decimal(3000))
        (report,) = await manager.call(AccountManager.submit, order)
        assert report.state in (OrderState.UNKNOWN, OrderState.WORKING)
        report = await reported(manager, order.key, OrderState.WORKING, 200)
        assert len(report.broker_order_ids) == 1
        assert len(await desk.orders.open_orders(FUTURES)) == 1

    played(play)


def test_a_lost_fill_frame_is_found_by_the_poll_and_booked_once() -> None:
    async def play(desk: Desk) -> None:
        manager = await desk.manager()
        await until(lambda: desk.links()[-1:] == [True])
        desk.emulator.faults.on("lose-fill*always")
        order = desk.order(quantity=2)
        await manager.call(AccountManager.submit, order)
        report = await reported(manager, order.key, OrderState.FILLED, 30)
        assert report.filled == 2
        await trio.sleep(30)
        assert desk.emulator.faults.struck["lose-fill"] == 1
        assert sum(one.fill.quantity for one in desk.happened(Filled)) == 2
        (position,) = await manager.call(AccountManager.positions)
        assert position.quantity == 2

    played(play)


def test_fills_of_before_a_restart_are_not_counted_again() -> None:
    async def play(desk: Desk) -> None:
        manager = await desk.manager()
        order = desk.order(quantity=1)
        await manager.call(AccountManager.submit, order)
        await reported(manager, order.key, OrderState.FILLED)
        await trio.sleep(6)
        (report,) = [one for one in await desk.orders.orders_since(FUTURES, 0) if one.filled]
        assert report.order.key == order.key
        (fill,) = await desk.orders.fills_since(FUTURES, 0)
        assert (fill.order_key, str(fill.quantity)) == (order.key, "1")

    played(play)


def test_an_external_order_is_told_under_the_broker_s_id() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: desk.links() and desk.links()[-1])
        desk.emulator.faults.on("external-order")
        outcome = await desk.orders.place(FUTURES, desk.order())
        assert isinstance(outcome, Accepted)
        await until(lambda: any(isinstance(one, OrderNews) and one.key is None for one in desk.news))

    played(play)


def test_a_change_of_an_order_that_is_not_open_is_refused_for_certain() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order()
        outcome = await desk.orders.place(FUTURES, order)
        assert isinstance(outcome, Accepted)
        await trio.sleep(2)
        again = await desk.orders.cancel(FUTURES, order.key, outcome.broker_order_id)
        assert isinstance(again, Rejected)
        assert again.error.code is Code.ORDER_NOT_OPEN
        strange = await desk.orders.cancel(FUTURES, "k", "999999999999")
        assert isinstance(strange, Rejected)
        assert strange.error.code is Code.ORDER_NOT_FOUND
        with pytest.raises(BrokerError) as caught:
            await desk.orders.order(FUTURES, "never-placed", None)
        assert caught.value.code is Code.UNSUPPORTED

    played(play)


def test_f04_a_line_cut_after_the_order_was_written_is_unknown() -> None:
    async def play(desk: Desk) -> None:
        desk.emulator.faults.on("cut=20/command")
        outcome = await desk.orders.place(FUTURES, desk.order(limit_price=Decimal(3000)))
        assert isinstance(outcome, Unknown), outcome

    played(play)


def test_a_money_view_follows_a_fill() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: desk.links() and desk.links()[-1])
        await desk.orders.place(FUTURES, desk.order())
        await until(desk.views)
        view = desk.views()[-1]
        assert [(one.symbol, str(one.quantity)) for one in view.positions] == [(ES, "1")]
        assert view.summary.fees > 0

    played(play)
