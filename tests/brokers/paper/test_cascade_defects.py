"""One test for each known way in which simulated brokers get the cascade wrong; the numbers are the catalogue's."""

from collections.abc import Callable

import attrs
import pytest
import trio

from brokers.gateway import LinkNews, News, OrderNews
from brokers.matching import Event
from brokers.model import AccountSummary, OrderState, OrderType
from brokers.order_events import Filled
from brokers.paper.orders import PaperOrders
from brokers.sides import Side
from tests.brokers.desk import CALM, Desk, at_the_desk
from tests.brokers.paper.floor import A, D, Floor


def listen(desk: Desk, hear: Callable[[News], None]) -> Callable[[], None]:
    assert isinstance(desk.broker.orders, PaperOrders)
    return desk.broker.orders.listen("paper-1", hear)


def test_defect_16_a_part_filled_order_fills_only_what_remains_at_the_weighted_average() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25, size=1)
    floor.buy(3, limit_price=6801, key="parts")
    floor.quote(6800, 6801, size=100)
    report = floor.exchange.engine.order(A, "parts")
    assert report is not None
    assert (report.state, report.filled, report.remaining) == (OrderState.FILLED, D(3), D(0))
    assert report.average_price == (D("6800.25") + 2 * D(6801)) / 3
    assert floor.held() == 3


def test_defect_17_stops_that_are_not_reached_and_limits_out_of_reach_never_fill() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(1, stop_price=6850)
    floor.buy(1, limit_price=6750)
    for step in range(200):
        floor.quote(6800 + step % 40, 6800.25 + step % 40)
    assert floor.exchange.fills_since(A, 0) == ()
    assert len(floor.exchange.engine.open_orders(A)) == 2


def test_defect_18_a_stop_that_gaps_fills_at_the_first_tradable_price_and_a_stop_limit_not_beyond_its_limit() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.buy(1, stop_price=6810, key="stop")
    floor.buy(1, stop_price=6810, limit_price=6812, key="stop limit")
    floor.quote(6820, 6820.25)
    assert [(fill.order_key, fill.price) for fill in floor.exchange.fills_since(A, 0)] == [("stop", D("6820.25"))]


def test_defect_19_an_order_is_kept_as_sent_and_fills_at_the_quote_of_its_moment() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    floor.quote(6805, 6805.25)
    sent = floor.order(Side.BUY, 1)
    cascade = floor.send(A, sent)
    assert cascade.orders[0].order == sent
    assert cascade.orders[0].order.limit_price is None
    assert cascade.executions[0].price == D("6805.25")


def test_defect_20_without_a_price_nothing_trades() -> None:
    floor = Floor()
    assert floor.buy(1).orders[0].state is OrderState.REJECTED
    floor.quote(6800, 6800.25)
    floor.exchange.market(attrs.evolve(floor.exchange._quotes["ESZ26"], ask=None, ask_size=D(0)), floor.now)
    waiting = floor.buy(1)
    assert (waiting.executions, waiting.orders[0].state) == ((), OrderState.WORKING)


def test_defect_21_a_listener_that_raises_leaves_no_half_done_books() -> None:
    async def play(desk: Desk) -> None:
        def hear(news: News) -> None:
            if isinstance(news, OrderNews):
                raise ValueError("a listener broke")  # noqa: TRY004 - any error

        leave = listen(desk, hear)
        assert isinstance(desk.broker.orders, PaperOrders)
        await desk.broker.orders.place("paper-1", desk.order(Side.BUY, 2))
        leave()
        await trio.sleep(1)
        (position,) = desk.exchange.positions("paper-1")
        assert (position.quantity, desk.exchange.summary("paper-1").fees) == (D(2), D("4.5"))
        assert desk.exchange.ledger("paper-1").identity()[0].holds

    at_the_desk(play)


def test_defect_22_who_hears_of_a_fill_finds_equity_and_position_done() -> None:
    async def play(desk: Desk) -> None:
        seen: list[object] = []

        def hear(news: News) -> None:
            if isinstance(news, OrderNews) and isinstance(news.event, Filled):
                seen.append((desk.exchange.positions("paper-1")[0].quantity, desk.exchange.summary("paper-1").fees))

        listen(desk, hear)
        await desk.submit(desk.order(Side.BUY, 2))
        await trio.sleep(0.1)
        assert seen == [(2, D("4.5"))]

    at_the_desk(play)


def test_defect_23_what_was_told_never_changes_afterwards() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    told = floor.buy(1)
    before = repr(told)
    floor.buy(1)
    floor.quote(6900, 6900.25)
    assert repr(told) == before
    for value in (told, *told.executions, *told.orders, told.equity, *told.positions):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, "account", "other")  # noqa: B010 - a checker refuses the plain statement


def test_defect_26_history_is_bounded_while_the_books_stay_whole() -> None:
    floor = Floor(keep=3)
    floor.quote(6800, 6800.25)
    for _ in range(20):
        floor.buy(1)
        floor.sell(1)
    assert len(floor.exchange.fills_since(A, 0)) == 3
    assert floor.exchange.summary(A).fees == D("90")
    assert floor.holds()


def test_defect_28_time_alone_fills_nothing_and_a_delay_of_zero_is_none() -> None:
    async def play(desk: Desk) -> None:
        resting = desk.order(limit_price="6700")
        began = trio.current_time()
        await desk.submit(resting)
        assert trio.current_time() == began
        await trio.sleep(1800)
        assert desk.exchange.fills_since("paper-1", 0) == ()

    at_the_desk(play)


def test_defect_29_money_does_not_depend_on_who_looks() -> None:
    async def trade(desk: Desk) -> AccountSummary:
        assert isinstance(desk.broker.orders, PaperOrders)
        await desk.broker.orders.place("paper-1", desk.order(limit_price="6790", type=OrderType.LIMIT))
        desk.quote("6780", "6780.25")
        await trio.sleep(5)
        return desk.exchange.summary("paper-1")

    async def watched(desk: Desk) -> AccountSummary:
        listen(desk, lambda _: None)
        await desk.broker.subscribe(desk.source, "ESZ26")
        return await trade(desk)

    assert attrs.evolve(at_the_desk(trade), time_ns=0) == attrs.evolve(at_the_desk(watched), time_ns=0)


def test_defect_30_each_listener_hears_everything_and_leaves_alone() -> None:
    async def play(desk: Desk) -> None:
        one: list[News] = []
        two: list[News] = []
        leave = listen(desk, one.append)
        listen(desk, two.append)
        desk.hub.set_line(LinkNews(True, "first", 1))
        leave()
        leave()
        desk.hub.set_line(LinkNews(True, "second", 2))
        assert (len(one), len(two)) == (1, 2)

    at_the_desk(play, CALM)


def test_defect_31_a_cancelled_desk_ends_whole_and_the_cancellation_is_not_swallowed() -> None:
    async def play(desk: Desk) -> bool:
        desk.venue.spawn(desk.venue.break_line, 10**12)
        with trio.move_on_after(1) as scope:
            await trio.sleep_forever()
        return scope.cancelled_caught

    assert at_the_desk(play), "what is left behind is looked for around every test"


def test_defect_33_events_are_numbered_in_one_order_even_when_the_clock_stands_or_steps_back() -> None:
    floor = Floor()
    floor.quote(6800, 6800.25)
    events: list[Event] = []
    for step in (0, 0, -5_000_000, 0):
        (cascade,) = floor.exchange.submit(A, floor.order(Side.BUY, 1), floor.now + step)
        events += cascade.events
    assert [event.sequence for event in events] == sorted({event.sequence for event in events})
    assert [event.time_ns for event in events] == sorted(event.time_ns for event in events)
    assert len({fill.id for fill in floor.exchange.fills_since(A, 0)}) == 4
