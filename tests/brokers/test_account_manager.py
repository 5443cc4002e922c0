"""The account manager, written once: against the paper broker, and against a gateway that answers what a test wants."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from brokers.account_books import AccountBooks, Agreement
from brokers.account_manager import AccountManager
from brokers.capability import Replace
from brokers.errors import (
    BrokerError,
    Certainty,
    Code,
    DuplicateKey,
    InvalidOrder,
    NotRecorded,
    OrderRefused,
    broker_error,
)
from brokers.gateway import AccountNews, LinkNews, OrderNews
from brokers.lifecycle import IllegalMove
from brokers.matching import Latency, VenueRules
from brokers.model import Change, Fill, GroupKind, Order, OrderGroup, OrderReport, OrderState, OrderType
from brokers.order_events import Event, Filled, Snapshot
from brokers.order_log import MemoryLog
from brokers.outcome import Accepted, NotSent, Outcome, Rejected, Unknown
from brokers.paper.orders import PaperOrders
from brokers.reconciliation import Concern
from brokers.sides import Side
from runtime.errors import ActorGone
from tests.brokers.desk import CALM, ES, Desk, at_the_desk


def place_by(desk: Desk, answer: Callable[[Order], Any]) -> list[Order]:
    """Puts another answer before the venue's; returns the list of orders that were sent."""
    sent: list[Order] = []
    venue = desk.broker.orders

    class Answering(PaperOrders):
        def begin_place(self, *_: object) -> bool:
            return False  # it takes its time, as a broker over the network does

        async def place(self, account: str, order: Order | OrderGroup) -> Outcome:
            assert isinstance(order, Order)
            sent.append(order)
            outcome: Outcome = await answer(order)
            return outcome

    assert isinstance(venue, PaperOrders)
    venue.__class__ = Answering
    return sent


def unknown(text: str = "no answer") -> Unknown:
    return Unknown(broker_error("paper", Code.TIMEOUT, text, certainty=Certainty.UNKNOWN))


def test_an_order_is_placed_filled_booked_and_told_once() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(Side.BUY, 2)
        await desk.submit(order)
        await trio.sleep(0.1)
        report = await desk.report(order)
        assert (report.state, report.filled, report.average_price) == (
            OrderState.FILLED,
            Decimal(2),
            Decimal("6800.25"),
        )
        (position,) = await desk.broker.account_positions(desk.account)
        assert (position.symbol, position.quantity) == (ES, Decimal(2))
        told = desk.heard.take()
        assert [r.state for r in told if isinstance(r, OrderReport)] == [OrderState.WORKING, OrderState.FILLED]
        assert [(f.quantity, f.session) for f in told if isinstance(f, Fill)] == [(Decimal(2), "s1")]

    at_the_desk(play)


def test_the_same_order_again_answers_what_is_known_and_sends_nothing() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order()
        first = await desk.submit(order)
        sent = place_by(desk, lambda _: pytest.fail("was sent again"))
        again = await desk.submit(order)
        assert again.broker_order_ids == first.broker_order_ids
        assert sent == []
        with pytest.raises(DuplicateKey, match="another order has the key"):
            await desk.submit(desk.order(Side.SELL, 5, key=order.key))

    at_the_desk(play)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "1.5"}, "quantity"),
        ({"limit_price": "6800.10"}, "limit_price"),
        ({"limit_price": "NaN"}, "limit_price"),
        ({"type": OrderType.STOP}, "stop_price"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent_with_what_is_allowed(terms: dict[str, Any], field: str) -> None:
    async def play(desk: Desk) -> None:
        sent = place_by(desk, lambda _: pytest.fail("was sent"))
        with pytest.raises(InvalidOrder) as caught:
            await desk.submit(desk.order(**terms))
        assert field in {problem.field for problem in caught.value.problems}
        assert all(problem.expected for problem in caught.value.problems)
        assert sent == []
        assert await desk.broker.account_orders(desk.account) == ()

    at_the_desk(play)


def test_an_unknown_symbol_is_refused_before_anything_is_sent() -> None:
    async def play(desk: Desk) -> None:
        with pytest.raises(OrderRefused, match="symbol_not_found"):
            await desk.submit(desk.order(symbol="NOSUCH"))

    at_the_desk(play)


def test_a_definite_no_is_raised_and_the_order_is_rejected() -> None:
    async def play(desk: Desk) -> None:
        async def refuse(_: Order) -> Outcome:
            return Rejected(broker_error("paper", Code.INSUFFICIENT_FUNDS, "no money"))

        place_by(desk, refuse)
        order = desk.order()
        with pytest.raises(OrderRefused, match="insufficient_funds"):
            await desk.submit(order)
        report = await desk.report(order)
        assert (report.state, report.reason) == (OrderState.REJECTED, "insufficient_funds: no money")

    at_the_desk(play)


def test_what_was_not_sent_may_be_sent_again_under_its_key() -> None:
    async def play(desk: Desk) -> None:
        lines_up = False

        async def answer(_: Order) -> Outcome:
            refused = NotSent(broker_error("paper", Code.CONNECTION_FAILED, "refused"))
            return Accepted("77") if lines_up else refused

        sent = place_by(desk, answer)
        order = desk.order()
        with pytest.raises(BrokerError, match="connection_failed"):
            await desk.submit(order)
        tries = len(sent)
        assert tries > 1, "the guard tries again what was not sent"
        with pytest.raises(OrderRefused, match="order_not_found"):
            await desk.report(order)
        lines_up = True
        assert (await desk.submit(order)).broker_order_ids == ("77",)
        assert len(sent) == tries + 1

    at_the_desk(play)


@pytest.mark.parametrize("attempts", [0, 1])
def test_I16_an_order_to_which_there_is_an_objection_by_its_turn_is_not_sent_and_its_key_stays_free(
    attempts: int,
) -> None:
    async def play(desk: Desk) -> None:
        async def no_line(_: Order) -> Outcome:
            return NotSent(broker_error("paper", Code.CONNECTION_FAILED, "connection refused"))

        sent, order = place_by(desk, no_line), desk.order()

        def objection() -> str:
            return "the session stands on CANCEL_ONLY" if len(sent) >= attempts else ""

        with pytest.raises(OrderRefused, match="not sent after all: the session stands on CANCEL_ONLY"):
            await desk.account.call(AccountManager.submit, order, objection)
        assert len(sent) == attempts
        assert order.key not in desk.manager.desk.entries
        assert {breaker.value for breaker in desk.broker.guard.statistics().breakers.values()} == {"closed"}

    at_the_desk(play)


def test_doubt_is_reported_not_raised_and_ends_when_the_broker_shows_the_order() -> None:
    async def play(desk: Desk) -> None:
        venue = PaperOrders.place

        async def lose_the_answer(order: Order) -> Outcome:
            assert isinstance(desk.broker.orders, PaperOrders)
            await venue(desk.broker.orders, "paper-1", order)
            return unknown()

        desk.hub.up = False  # no news either
        desk.venue.hub.up = True
        sent = place_by(desk, lose_the_answer)
        order = desk.order(limit_price="6700")
        desk.manager.gateway.listen = lambda *_: lambda: None  # type: ignore[method-assign]
        report = await desk.submit(order)
        assert report.state in {OrderState.UNKNOWN, OrderState.WORKING}
        await trio.sleep(11)
        report = await desk.report(order)
        assert report.state is OrderState.WORKING
        assert len(sent) == 1, "an order in doubt is never sent again"

    at_the_desk(play)


def test_R24_doubt_ends_by_proof_of_absence_and_not_before_the_quiet_time() -> None:
    async def play(desk: Desk) -> None:
        async def vanish(_: Order) -> Outcome:
            return unknown()

        orders = desk.broker.capability.orders
        assert orders is not None
        quiet = orders.quiet_ns / 1e9
        sent = place_by(desk, vanish)
        order = desk.order()
        assert (await desk.submit(order)).state is OrderState.UNKNOWN
        assert (await desk.account.call(AccountManager.statistics)).unknown_orders == 1
        await trio.sleep(quiet - 0.1)
        assert (await desk.report(order)).state is OrderState.UNKNOWN
        await trio.sleep(10.2)
        assert (await desk.report(order)).state is OrderState.REJECTED
        assert order.key in desk.manager.desk.watched, "it is looked out for"
        assert len(sent) == 1

    at_the_desk(play)


def test_an_equal_order_is_refused_while_the_first_is_in_doubt() -> None:
    async def play(desk: Desk) -> None:
        async def vanish(_: Order) -> Outcome:
            return unknown()

        sent = place_by(desk, vanish)
        await desk.submit(desk.order())
        with pytest.raises(OrderRefused, match="an equal order is in doubt"):
            await desk.submit(desk.order())
        await desk.submit(desk.order(Side.SELL))
        assert len(sent) == 2

    at_the_desk(play)


def test_a13_a_cancel_before_the_answer_is_sent_once_after_it() -> None:
    async def play(desk: Desk) -> None:
        venue = PaperOrders.place
        cancels: list[str] = []

        async def slow(order: Order) -> Outcome:
            await trio.sleep(3)
            assert isinstance(desk.broker.orders, PaperOrders)
            return await venue(desk.broker.orders, "paper-1", order)

        place_by(desk, slow)
        cancel = desk.broker.orders.cancel  # type: ignore[union-attr]  # a paper desk takes orders

        async def counted(account: str, key: str, broker_order_id: str | None) -> Outcome:
            cancels.append(key)
            return await cancel(account, key, broker_order_id)

        desk.broker.orders.cancel = counted  # type: ignore[method-assign,union-attr]  # to count what is sent
        order = desk.order(limit_price="6700")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.submit, order)
            await trio.sleep(1)
            for _ in range(2):
                assert (await desk.broker.cancel_order(desk.account, order.key)).state is OrderState.PENDING_NEW
            assert cancels == []
        await trio.sleep(0.1)
        assert cancels == [order.key]
        assert (await desk.report(order)).state is OrderState.CANCELED

    at_the_desk(play)


def test_e15_two_cancels_within_ten_milliseconds_are_one_request() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(limit_price="6700")
        await desk.submit(order)
        before = (await desk.account.call(AccountManager.statistics)).requests
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.broker.cancel_order, desk.account, order.key)
            nursery.start_soon(desk.broker.cancel_order, desk.account, order.key)
        assert (await desk.account.call(AccountManager.statistics)).requests == before
        await trio.sleep(0.1)
        assert (await desk.report(order)).state is OrderState.CANCELED

    at_the_desk(play)


def test_other_orders_and_cancels_go_on_while_one_request_hangs() -> None:
    async def play(desk: Desk) -> None:
        resting = desk.order(limit_price="6700")
        await desk.submit(resting)

        async def hang(_: Order) -> Outcome:
            await trio.sleep(60)
            return unknown()

        place_by(desk, hang)
        async with trio.open_nursery() as nursery:

            async def hanging() -> None:
                with trio.fail_after(120):
                    assert (await desk.submit(desk.order())).state is OrderState.UNKNOWN

            nursery.start_soon(hanging)
            await trio.sleep(1)
            began = trio.current_time()
            await desk.broker.cancel_order(desk.account, resting.key)
            await trio.sleep(0.01)
            assert (await desk.report(resting)).state is OrderState.CANCELED
            assert trio.current_time() - began < 0.1

    at_the_desk(play)


def test_I05_a_fill_that_is_told_twice_is_booked_once() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(Side.BUY, 3)
        await desk.submit(order)
        await trio.sleep(0.1)
        (fill,) = desk.exchange.fills_since("paper-1", 0)
        for _ in range(3):
            desk.books.cast(AccountBooks.hear, OrderNews("paper-1", order.key, "1", Filled(fill), fill.time_ns))
        (position,) = await desk.broker.account_positions(desk.account)
        assert position.quantity == 3
        assert (await desk.books.call(AccountBooks.statistics)).fills == 1

    at_the_desk(play)


def beyond(fill: Fill, order: Order) -> Event:
    return Filled(attrs.evolve(fill, id="more", quantity=order.quantity))


def other_side(fill: Fill, _: Order) -> Event:
    return Filled(attrs.evolve(fill, id="turned", side=Side.SELL))


def counted_beyond(fill: Fill, order: Order) -> Event:
    return Snapshot(OrderState.WORKING, order.quantity + 1, fill.price)


@pytest.mark.parametrize("lie", [beyond, other_side, counted_beyond], ids=lambda one: one.__name__)
def test_f39_what_cannot_be_of_an_order_is_put_aside_and_nothing_adds_risk_until_the_lists_are_compared(
    lie: Callable[[Fill, Order], Event],
) -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(Side.BUY, 2)
        await desk.submit(order)
        await trio.sleep(0.1)
        (fill,) = desk.exchange.fills_since("paper-1", 0)
        desk.heard.take()
        for _ in range(20):
            desk.books.cast(AccountBooks.hear, OrderNews("paper-1", order.key, None, lie(fill, order), fill.time_ns))
        await trio.sleep(3)
        told = [news for news in desk.heard.take() if isinstance(news, Agreement)]
        assert [news.agreed for news in told] == [False, True]
        assert [alert.concern for alert in told[0].alerts] == [Concern.QUARANTINED]
        (position,) = await desk.books.call(AccountBooks.positions)
        report = await desk.report(order)
        assert (position.quantity, report.filled) == (Decimal(2), Decimal(2))
        statistics = await desk.books.call(AccountBooks.statistics)
        assert (statistics.fills, statistics.cycles < 6) == (1, True)

    at_the_desk(play)


def test_fills_lost_while_the_line_was_down_are_found_when_it_comes_up() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(Side.BUY, 1, limit_price="6799")
        await desk.submit(order)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.venue.break_line, 2_000_000_000)
            await trio.sleep(1)
            desk.quote("6797", "6797.25")
            await trio.sleep(0.1)
            assert (await desk.report(order)).state is OrderState.WORKING, "the news was lost"
        await trio.sleep(1)
        report = await desk.report(order)
        assert (report.state, report.filled) == (OrderState.FILLED, Decimal(1))
        assert desk.hub.lost_news > 0
        (position,) = await desk.broker.account_positions(desk.account)
        assert position.quantity == 1
        ups = [news.up for news in desk.heard.take() if isinstance(news, LinkNews)]
        assert ups == [False, True]

    at_the_desk(play)


def test_an_order_is_changed_in_place_and_a_refused_change_leaves_it_as_it_was() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(Side.BUY, 2, limit_price="6700")
        await desk.submit(order)
        await desk.broker.modify_order(desk.account, Change(order.key, limit_price=Decimal(6710)))
        await trio.sleep(0.1)
        report = await desk.report(order)
        assert (report.state, report.order.limit_price) == (OrderState.WORKING, Decimal(6710))
        with pytest.raises(InvalidOrder):
            await desk.broker.modify_order(desk.account, Change(order.key, limit_price=Decimal("6710.10")))
        with pytest.raises(OrderRefused):
            await desk.broker.modify_order(desk.account, Change(order.key, quantity=Decimal(100_000)))
        report = await desk.report(order)
        assert (report.state, report.order.quantity) == (OrderState.WORKING, Decimal(2))

    at_the_desk(play)


def test_a_finished_order_cannot_be_cancelled_and_the_error_names_both_states() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order()
        await desk.submit(order)
        await trio.sleep(0.1)
        with pytest.raises(IllegalMove, match="filled -> pending_cancel is not a move"):
            await desk.broker.cancel_order(desk.account, order.key)
        with pytest.raises(OrderRefused, match="order_not_found"):
            await desk.broker.cancel_order(desk.account, "nobody")

    at_the_desk(play)


def test_flatten_cancels_what_is_open_and_closes_what_is_held() -> None:
    async def play(desk: Desk) -> None:
        await desk.submit(desk.order(Side.BUY, 3))
        resting = desk.order(Side.BUY, 1, limit_price="6700")
        await desk.submit(resting)
        await trio.sleep(0.1)
        (closing,) = await desk.broker.flatten(desk.account)
        assert (closing.order.side, closing.order.quantity) == (Side.SELL, Decimal(3))
        await trio.sleep(0.1)
        assert (await desk.report(resting)).state is OrderState.CANCELED
        (position,) = await desk.broker.account_positions(desk.account)
        assert (position.quantity, position.average_price) == (Decimal(0), None)
        assert desk.exchange.positions("paper-1") == ()

    at_the_desk(play)


def test_flatten_ends_flat_when_an_order_on_its_way_fills_after_all() -> None:
    late = attrs.evolve(CALM, rules=VenueRules(standing_ns=None, ack_latency=Latency((200_000_000,))))

    async def play(desk: Desk) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.submit, desk.order(Side.BUY, 2))
            await trio.sleep(0.1)
            await desk.broker.flatten(desk.account)
        await trio.sleep(1)
        assert [fill.side for fill in desk.exchange.fills_since("paper-1", 0)] == [Side.BUY, Side.SELL]
        assert desk.exchange.positions("paper-1") == ()

    at_the_desk(play, late)


async def _filled_without_its_execution(desk: Desk) -> Order:
    """An order that is told as filled, while the news of its execution is lost."""
    order = desk.order(Side.BUY, 3, limit_price="6799")
    await desk.submit(order)
    await trio.sleep(0.1)
    tell = desk.hub.tell
    desk.hub.tell = lambda account, news: None  # type: ignore[method-assign]  # noqa: ARG005 - the line is cut
    desk.quote("6797", "6797.25")
    await trio.sleep(0.1)
    desk.hub.tell = tell  # type: ignore[method-assign]  # and mended
    filled = Snapshot(OrderState.FILLED, Decimal(3), Decimal(6799))
    news = OrderNews("paper-1", order.key, None, filled, desk.world.clock.wall_ns())
    await desk.books.call(AccountBooks.hear, news)
    return order


def test_flatten_waits_for_the_executions_of_an_order_that_is_told_as_filled() -> None:
    async def play(desk: Desk) -> None:
        order = await _filled_without_its_execution(desk)
        assert (await desk.report(order)).state is OrderState.FILLED
        assert await desk.broker.account_positions(desk.account) == (), "no execution is in the books"
        began_ns = desk.world.clock.monotonic_ns()
        (closing,) = await desk.broker.flatten(desk.account)
        assert (closing.order.side, closing.order.quantity) == (Side.SELL, Decimal(3))
        assert desk.world.clock.monotonic_ns() - began_ns < 10**9
        await trio.sleep(0.1)
        assert desk.exchange.positions("paper-1") == ()

    at_the_desk(play)


def test_flatten_goes_on_without_executions_that_never_come() -> None:
    async def play(desk: Desk) -> None:
        held, resting = desk.order(Side.BUY, 1), desk.order(Side.BUY, 2, limit_price="6700")
        await desk.submit(held)
        await desk.submit(resting)
        await trio.sleep(0.1)
        lie = Snapshot(OrderState.PARTIALLY_FILLED, Decimal(1))
        desk.books.cast(AccountBooks.hear, OrderNews("paper-1", resting.key, None, lie, desk.world.clock.wall_ns()))
        await trio.sleep(0.01)
        with trio.fail_after(60):
            closing = await desk.broker.flatten(desk.account)
        assert {one.order.side for one in closing} == {Side.SELL}
        await trio.sleep(0.1)
        assert desk.exchange.positions("paper-1") == ()

    at_the_desk(play)


def test_b5_an_execution_that_comes_by_the_stream_takes_the_place_of_what_was_made_up_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_fills(*_: object) -> list[Fill]:
        await trio.lowlevel.checkpoint()
        return []

    async def play(desk: Desk) -> None:
        order, venue = await _filled_without_its_execution(desk), desk.broker.need_orders()
        (fill,) = await venue.fills_since("paper-1", 0)
        monkeypatch.setattr(venue, "fills_since", no_fills)
        await trio.sleep(20)
        assert [one.quantity for one in desk.manager.desk.inferred.values()] == [3]
        for _ in range(2):
            desk.books.cast(AccountBooks.hear, OrderNews("paper-1", order.key, None, Filled(fill), fill.time_ns))
        await trio.sleep(0.01)
        (position,) = await desk.broker.account_positions(desk.account)
        assert (position.quantity, position.average_price) == (Decimal(3), fill.price)
        await trio.sleep(20)
        assert (await desk.books.call(AccountBooks.agreed)).agreed

    at_the_desk(play)


def test_a_bracket_is_one_object_and_its_exits_never_both_fill() -> None:
    async def play(desk: Desk) -> None:
        entry = desk.order(Side.BUY, 2)
        target = desk.order(Side.SELL, 2, limit_price="6810", reduce_only=True)
        stop = desk.order(Side.SELL, 2, stop_price="6790", type=OrderType.STOP, reduce_only=True)
        group = OrderGroup("bracket-1", GroupKind.BRACKET, entry, (target, stop))
        reports = await desk.broker.submit_order(desk.account, group)
        assert [report.order.key for report in reports] == [entry.key, target.key, stop.key]
        await trio.sleep(0.1)
        assert (await desk.report(entry)).state is OrderState.FILLED
        assert (await desk.report(target)).state is OrderState.WORKING
        desk.quote("6811", "6811.25")
        await trio.sleep(0.1)
        assert (await desk.report(target)).state is OrderState.FILLED
        assert (await desk.report(stop)).state is OrderState.CANCELED
        (position,) = await desk.broker.account_positions(desk.account)
        assert position.quantity == 0

    at_the_desk(play)


def test_e13_where_nothing_can_be_replaced_no_new_order_goes_out_before_the_cancel_is_confirmed() -> None:
    """The change itself is refused: whoever wants other terms has to cancel, and to see that confirmed."""

    async def play(desk: Desk) -> None:
        resting = desk.order(Side.BUY, 1, limit_price="6700")
        await desk.submit(resting)
        manager = desk.manager
        assert manager.connection.capability.orders is not None
        orders = attrs.evolve(manager.connection.capability.orders, replace=Replace.NONE)
        manager.connection = attrs.evolve(
            manager.connection, capability=attrs.evolve(manager.connection.capability, orders=orders)
        )
        with pytest.raises(InvalidOrder, match="a cancel and, once confirmed, a new order"):
            await desk.broker.modify_order(desk.account, Change(resting.key, limit_price=Decimal(6710)))
        assert [one.order for one in desk.exchange.engine.open_orders("paper-1")] == [resting]

    at_the_desk(play)


@pytest.mark.parametrize(("shown", "held"), [((), 1), ((2,), 3)])
def test_e19_the_exits_of_a_bracket_are_good_for_what_its_entry_has_filled_and_for_no_more(
    shown: tuple[int, ...], held: int
) -> None:
    async def play(desk: Desk) -> None:
        desk.quote("6800.00", "6800.25", size=1)
        entry = desk.order(Side.BUY, 3, limit_price="6800.25")
        target = desk.order(Side.SELL, 3, limit_price="6810")
        stop = desk.order(Side.SELL, 3, stop_price="6790", type=OrderType.STOP)
        await desk.broker.submit_order(desk.account, OrderGroup("bracket-1", GroupKind.BRACKET, entry, (target, stop)))
        for size in shown:
            desk.quote("6800.00", "6800.25", size=size)
        await trio.sleep(0.1)
        assert desk.exchange.ledger("paper-1").quantity(ES) == held
        desk.quote("6811.00", "6811.25")
        desk.quote("6780.00", "6780.25")
        await trio.sleep(0.1)
        out = [fill for fill in desk.exchange.fills_since("paper-1", 0) if fill.side is Side.SELL]
        assert {fill.order_key for fill in out} == {target.key}
        assert sum(fill.quantity for fill in out) == held
        assert desk.exchange.positions("paper-1") == ()

    at_the_desk(play)


def test_memory_stays_bounded_by_the_finished_orders_that_are_kept() -> None:
    async def play(desk: Desk) -> None:
        books = desk.manager.desk
        books._keep_finished = 5
        for number in range(20):
            await desk.submit(desk.order(Side.BUY if number % 2 else Side.SELL))
            await trio.sleep(0.01)
        assert len(await desk.broker.account_orders(desk.account)) == 5
        assert len(books.by_broker_id) == 5

    at_the_desk(play)


def test_the_accounts_view_is_passed_on_whole() -> None:
    async def play(desk: Desk) -> None:
        await desk.submit(desk.order(Side.BUY, 1))
        await trio.sleep(0.1)
        views = [news for news in desk.heard.take() if isinstance(news, AccountNews)]
        assert views[-1].summary.equity == Decimal(100000) - Decimal("2.25") - Decimal("12.5")
        assert [(p.symbol, p.quantity) for p in views[-1].positions] == [(ES, Decimal(1))]
        summary = await desk.broker.account_summary(desk.account)
        assert summary.equity == views[-1].summary.equity

    at_the_desk(play)


@pytest.mark.parametrize("seed", range(5))
def test_no_order_is_in_doubt_while_its_request_is_under_way_however_often_the_books_look(seed: int) -> None:
    async def play(desk: Desk) -> None:
        async with trio.open_nursery() as nursery:

            async def look() -> None:
                while True:
                    await desk.books.call(AccountBooks.enlist, "s1")

            nursery.start_soon(look)
            for number in range(100):
                report = await desk.submit(desk.order(Side.BUY if number % 2 else Side.SELL))
                assert report.state is not OrderState.UNKNOWN
            nursery.cancel_scope.cancel()
        told = [report for report in desk.heard.take() if isinstance(report, OrderReport)]
        assert len(told) >= 200
        assert all(report.state is not OrderState.UNKNOWN for report in told)

    at_the_desk(play, seed=seed)


def test_an_order_whose_manager_ends_in_the_middle_is_in_doubt_and_found_again() -> None:
    async def play(desk: Desk) -> None:
        venue = PaperOrders.place

        async def slow(order: Order) -> Outcome:
            assert isinstance(desk.broker.orders, PaperOrders)
            outcome = await venue(desk.broker.orders, "paper-1", order)
            await trio.sleep(5)
            return outcome

        sent = place_by(desk, slow)
        order = desk.order(limit_price="6700")
        async with trio.open_nursery() as nursery:

            async def lost() -> None:
                with pytest.raises(ActorGone):
                    await desk.submit(order)

            nursery.start_soon(lost)
            await trio.sleep(1)
            desk.account.resolve().kill("for the test")  # type: ignore[union-attr]  # it is there
        await trio.sleep(1)
        report = await desk.report(order)
        assert (report.state, len(sent)) == (OrderState.WORKING, 1)
        (again,) = await desk.broker.submit_order(desk.account, order)
        assert (again.state, len(sent)) == (OrderState.WORKING, 1), "it is not sent twice"

    at_the_desk(play)


def test_an_order_that_waits_for_no_task_is_in_doubt_as_soon_as_its_manager_is_killed() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(limit_price="6700")
        async with trio.open_nursery() as nursery:

            async def lost() -> None:
                with pytest.raises(ActorGone):
                    await desk.submit(order)

            nursery.start_soon(lost)
            await trio.sleep(0.01)
            entry = desk.manager.desk.entries[order.key]
            assert (entry.life.state, entry.in_flight) == (OrderState.PENDING_NEW, 1)
            desk.account.resolve().kill("for the test")  # type: ignore[union-attr]  # it is there
            await trio.testing.wait_all_tasks_blocked()
            assert entry.in_flight == 0
            assert desk.broker.guard.statistics().pools["orders"] == 0
        await trio.sleep(11)
        told = [report.state for report in desk.heard.take() if isinstance(report, OrderReport)]
        assert told == [OrderState.UNKNOWN, OrderState.WORKING]
        assert (entry.life.state, entry.in_flight) == (OrderState.WORKING, 0)

    rules = VenueRules(standing_ns=None, ack_latency=Latency((1_000_000_000,)))
    at_the_desk(play, attrs.evolve(CALM, rules=rules))


class SlowLog(MemoryLog):
    """A log whose commits end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Callable[[BrokerError | None], object]] = []

    def when_durable(self, then: Callable[[BrokerError | None], object]) -> None:
        self.commits.append(then)


def over_a_slow_log(desk: Desk) -> SlowLog:
    log = SlowLog()
    desk.manager.desk.log = log
    return log


def test_an_order_leaves_when_its_intent_is_durable_and_not_before() -> None:
    async def play(desk: Desk) -> None:
        log, order = over_a_slow_log(desk), desk.order(limit_price="6700")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.submit, order)
            await trio.sleep(1)
            assert desk.exchange.engine.order("paper-1", order.key) is None
            log.commits.pop()(None)
        assert (await desk.report(order)).state is OrderState.WORKING
        assert log.commits == []

    at_the_desk(play)


def test_an_order_whose_manager_ends_before_its_intent_is_durable_is_never_sent() -> None:
    async def play(desk: Desk) -> None:
        log, order = over_a_slow_log(desk), desk.order(limit_price="6700")
        async with trio.open_nursery() as nursery:

            async def lost() -> None:
                with pytest.raises(ActorGone):
                    await desk.submit(order)

            nursery.start_soon(lost)
            await trio.sleep(1)
            entry = desk.manager.desk.entries[order.key]
            assert (entry.life.state, entry.in_flight) == (OrderState.PENDING_NEW, 1)
            desk.account.resolve().kill("for the test")  # type: ignore[union-attr]  # it is there
            await trio.testing.wait_all_tasks_blocked()
            assert entry.in_flight == 0
        log.commits.pop()(None)
        await trio.sleep(60)
        assert desk.exchange.engine.order("paper-1", order.key) is None
        assert entry.life.state is OrderState.REJECTED, "it is proved that the broker never had it"

    at_the_desk(play)


def test_an_order_whose_intent_cannot_be_recorded_is_not_sent_and_its_key_stays_free() -> None:
    async def play(desk: Desk) -> None:
        log, order = over_a_slow_log(desk), desk.order(limit_price="6700")
        full = broker_error("paper", Code.NOT_RECORDED, "the disk is full")
        async with trio.open_nursery() as nursery:

            async def refused() -> None:
                with pytest.raises(NotRecorded, match="the disk is full"):
                    await desk.submit(order)

            nursery.start_soon(refused)
            await trio.testing.wait_all_tasks_blocked()
            log.commits.pop()(full)
        assert desk.exchange.engine.order("paper-1", order.key) is None
        desk.manager.desk.log = MemoryLog()
        assert (await desk.submit(order)).state is OrderState.WORKING

    at_the_desk(play)


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(limit_price="6700")
        with trio.fail_after(6.5):
            (report,) = await desk.broker.submit_order(desk.account, order)
        assert report.state is OrderState.UNKNOWN
        assert desk.broker.guard.statistics().pools["orders"] == 0
        await trio.sleep(10)
        assert (await desk.report(order)).state is OrderState.WORKING
        assert desk.manager.desk.entries[order.key].in_flight == 0

    rules = VenueRules(standing_ns=None, ack_latency=Latency((8_000_000_000,)))
    at_the_desk(play, attrs.evolve(CALM, rules=rules))


def test_an_order_whose_venue_dies_with_it_in_hand_is_in_doubt() -> None:
    async def play(desk: Desk) -> None:
        order = desk.order(limit_price="6700")
        reports: list[OrderReport] = []
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                reports.extend(await desk.broker.submit_order(desk.account, order))

            nursery.start_soon(send)
            await trio.sleep(0.01)
            desk.venue.ref.kill("for the test")
        assert [report.state for report in reports] == [OrderState.UNKNOWN]
        await trio.sleep(11)
        assert (await desk.report(order)).state is OrderState.WORKING

    rules = VenueRules(standing_ns=None, ack_latency=Latency((1_000_000_000,)))
    at_the_desk(play, attrs.evolve(CALM, rules=rules))


def test_f32_a_session_that_comes_back_again_and_again_asks_the_broker_no_more_than_one_that_stays() -> None:
    async def play(desk: Desk) -> None:
        await trio.sleep(6)
        before = (await desk.books.call(AccountBooks.statistics)).cycles
        for _ in range(3):
            desk.account.resolve().kill("for the test")  # type: ignore[union-attr]  # it is there
            await trio.sleep(0.5)
            assert await desk.account.call(AccountManager.orders) == ()
        assert (await desk.books.call(AccountBooks.statistics)).cycles - before <= 1

    at_the_desk(play)


def test_c7_a_position_that_was_there_before_us_is_taken_into_the_books_at_the_first_look() -> None:
    async def play(desk: Desk) -> None:
        await desk.submit(desk.order(Side.BUY, 3))
        await trio.sleep(0.1)
        books = desk.books.resolve()
        assert books is not None
        books.kill("a new one begins with an empty log")
        await trio.sleep(20)
        (position,) = await desk.books.call(AccountBooks.positions)
        assert (position.symbol, position.quantity) == (ES, Decimal(3))
        assert (await desk.books.call(AccountBooks.agreed)).agreed

    at_the_desk(play)


@pytest.mark.parametrize(("moves", "told"), [(0, []), (1, []), (3, []), (4, [False, True])])
def test_a_position_that_moves_while_it_is_read_is_read_again_before_anybody_is_told(
    moves: int, told: list[bool]
) -> None:
    async def play(desk: Desk) -> None:
        gateway: Any = desk.broker.orders
        read, left = gateway.positions, [2 * moves]

        async def moving(account: str) -> Any:
            answer = await read(account)
            left[0] -= 1
            if left[0] >= 0 and left[0] % 2:  # after the first of a round's two readings
                await desk.submit(desk.order())
            return answer

        gateway.positions = moving
        desk.heard.take()
        await trio.sleep(14)
        assert left[0] < 0
        assert [news.agreed for news in desk.heard.take() if isinstance(news, Agreement)] == told

    at_the_desk(play)
