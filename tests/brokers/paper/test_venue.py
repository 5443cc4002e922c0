"""The venue as an actor: time, lines that break, faults on purpose, and restarts that lose no money."""

from collections.abc import Awaitable
from decimal import Decimal

import attrs
import pytest
import trio

from brokers.account_books import AccountBooks
from brokers.errors import BrokerError, ConnectionFailed
from brokers.gateway import AccountNews, LinkNews, News, OrderNews
from brokers.market import Interval, Quote
from brokers.matching import DuplicateKeys, Latency, VenueRules
from brokers.model import Change, Order, OrderState, OrderType
from brokers.order_events import Filled
from brokers.outcome import Accepted, Exists, NotSent, Outcome, Rejected, Unknown
from brokers.paper import PaperAccount, PaperFaults, PaperSettings, open_paper
from brokers.paper.orders import PaperOrders
from brokers.paper.venue import PaperVenue
from brokers.sides import Side
from runtime import open_runtime
from runtime.simulation import SimulatedWorld, simulate
from tests.brokers.desk import CALM, ES, Desk, at_the_desk, scene

MS, SECOND = 1_000_000, 1_000_000_000
SLOW = attrs.evolve(CALM, rules=VenueRules(standing_ns=None, ack_latency=Latency((500 * MS,))))
ORDER = Order("0" * 22, ES, Side.BUY, OrderType.MARKET, Decimal(2))
RICH = attrs.evolve(CALM, accounts=(PaperAccount("paper-1", deposit=Decimal(10**9)),))


def gateway(desk: Desk) -> PaperOrders:
    assert isinstance(desk.broker.orders, PaperOrders)
    return desk.broker.orders


def crash(desk: Desk) -> None:
    """Hands the venue something that no venue understands."""
    gateway(desk)._venue.cast(PaperVenue.market, None)  # type: ignore[arg-type]


def listening(desk: Desk, account: str = "paper-1") -> list[News]:
    heard: list[News] = []
    gateway(desk).listen(account, heard.append)
    return heard


# Without anybody.


def test_orders_fill_although_nobody_subscribes_or_listens() -> None:
    async def main(world: SimulatedWorld) -> Decimal:
        async with open_runtime(world) as runtime:
            broker = await open_paper(runtime, attrs.evolve(CALM, symbols=("ESH26",)))
            orders = broker.orders
            assert isinstance(orders, PaperOrders)
            await trio.sleep(60)
            order = attrs.evolve(ORDER, symbol="ESH26")
            assert isinstance(await orders.place("paper-1", order), Accepted)
            await trio.sleep(60)
            (position,) = await orders.positions("paper-1")
            return position.quantity

    assert simulate(main, seed=1).unwrap() == 2


def test_the_gateway_answers_every_question() -> None:
    async def play(desk: Desk) -> None:
        venue = gateway(desk)
        assert await venue.accounts() == ("paper-1",)
        assert isinstance(await venue.place("paper-1", attrs.evolve(ORDER, key="q1")), Accepted)
        resting = desk.order(limit_price="6700")
        await venue.place("paper-1", resting)
        assert [report.order.key for report in await venue.open_orders("paper-1")] == [resting.key]
        assert {report.order.key for report in await venue.orders_since("paper-1", 0)} == {"q1", resting.key}
        assert [fill.order_key for fill in await venue.fills_since("paper-1", 0)] == ["q1"]
        assert [one.quantity for one in await venue.positions("paper-1")] == [2]
        assert (await venue.summary("paper-1")).fees == Decimal("4.5")
        assert venue.market_status("NOSUCH") is None
        with pytest.raises(BrokerError, match="forbidden"):
            await venue.summary("nobody")
        assert isinstance(await venue.place("nobody", ORDER), NotSent)

    at_the_desk(play)


def test_the_same_key_is_told_to_exist_whether_the_venue_refuses_or_answers_it_again() -> None:
    for duplicates in (DuplicateKeys.REFUSE, DuplicateKeys.RETURN_EXISTING):

        async def play(desk: Desk) -> None:
            first = await gateway(desk).place("paper-1", ORDER)
            second = await gateway(desk).place("paper-1", ORDER)
            assert isinstance(first, Accepted)
            assert isinstance(second, Exists)
            assert second.broker_order_id in {None, first.broker_order_id}
            assert len(await gateway(desk).fills_since("paper-1", 0)) == 1

        at_the_desk(play, attrs.evolve(CALM, rules=VenueRules(standing_ns=None, duplicates=duplicates)))


# The line.


def test_while_the_line_is_down_news_is_lost_and_requests_are_not_sent() -> None:
    async def play(desk: Desk) -> None:
        venue = gateway(desk)
        resting = desk.order(limit_price="6790")
        await venue.place("paper-1", resting)
        heard = listening(desk)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.venue.break_line, 2 * SECOND)
            await trio.sleep(1)
            for request in (
                venue.place("paper-1", ORDER),
                venue.change("paper-1", Change(resting.key, limit_price=Decimal(6795)), None),
                venue.cancel("paper-1", resting.key, None),
            ):
                outcome = await request
                assert isinstance(outcome, NotSent)
                assert isinstance(outcome.error, ConnectionFailed)
            for question in (venue.accounts(), venue.open_orders("paper-1"), venue.summary("paper-1")):
                with pytest.raises(ConnectionFailed, match="the line is down"):
                    await question
            desk.quote("6780", "6780.25")
        assert [type(news) for news in heard] == [LinkNews, LinkNews]
        assert desk.hub.lost_news > 0
        assert [fill.order_key for fill in await venue.fills_since("paper-1", 0)] == [resting.key]

    at_the_desk(play)


def test_market_data_of_a_broken_line_is_lost_too() -> None:
    async def play(desk: Desk) -> None:
        seen: list[object] = []
        assert desk.broker.feed is not None
        desk.broker.feed.listen(seen.append)
        await desk.broker.feed.subscribe(ES)
        desk.quote("6801", "6801.25")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.venue.break_line, SECOND)
            await trio.sleep(0.5)
            desk.quote("6802", "6802.25")
        desk.quote("6803", "6803.25")
        assert [one.bid if isinstance(one, Quote) else one.up for one in seen] == [6801, False, True, 6803]  # type: ignore[attr-defined]

    at_the_desk(play)


# Crashes.


def test_a_crash_of_the_venue_keeps_the_exchange_and_everything_in_it() -> None:
    async def play(desk: Desk) -> None:
        resting = desk.order(limit_price="6790")
        await desk.submit(resting)
        await desk.submit(desk.order(Side.BUY, 1))
        before, first = desk.exchange.summary("paper-1"), desk.venue
        crash(desk)
        await trio.sleep(1)
        assert desk.venue is not first
        assert desk.exchange.summary("paper-1") == before
        desk.quote("6780", "6780.25")
        await trio.sleep(0.1)
        assert (await desk.report(resting)).state is OrderState.FILLED
        assert desk.exchange.ledger("paper-1").identity()[0].holds

    at_the_desk(play)


def test_requests_at_any_moment_of_a_restart_end_without_a_hang() -> None:
    async def play(desk: Desk) -> None:
        venue, outcomes = gateway(desk), []

        async def ask(after: float, number: int) -> None:
            await trio.sleep(after)
            with trio.fail_after(3):
                outcomes.append(await venue.place("paper-1", attrs.evolve(ORDER, key=f"r{number}")))
                try:
                    await venue.summary("paper-1")
                except BrokerError as error:
                    outcomes.append(NotSent(error))

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(ask, number * 0.005, number)
            await trio.sleep(0.02)
            crash(desk)
        assert {type(outcome) for outcome in outcomes} <= {Accepted, Unknown, NotSent}
        assert any(isinstance(outcome, Unknown | NotSent) for outcome in outcomes)
        assert isinstance(outcomes[-1], Accepted)

    at_the_desk(play, RICH)


def test_a_request_in_hand_when_the_venue_crashes_is_in_doubt_and_the_order_lives() -> None:
    async def play(desk: Desk) -> None:
        outcomes: list[Outcome] = []

        async def place() -> None:
            outcomes.append(await gateway(desk).place("paper-1", ORDER))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(place)
            await trio.sleep(0.1)
            crash(desk)
        assert isinstance(outcomes[0], Unknown)
        await trio.sleep(1)
        assert [fill.order_key for fill in await gateway(desk).fills_since("paper-1", 0)] == [ORDER.key]

    at_the_desk(play, SLOW)


def test_news_that_waited_when_the_venue_crashed_is_asked_for_afterwards() -> None:
    async def play(desk: Desk) -> None:
        resting = desk.order(limit_price="6790")
        await desk.submit(resting)
        desk.quote("6780", "6780.25")
        crash(desk)
        await trio.sleep(2)
        assert (await desk.report(resting)).state is OrderState.FILLED
        ups = [news.up for news in desk.heard.take() if isinstance(news, LinkNews)]
        assert ups == [False, True]

    at_the_desk(play, SLOW)


def test_a_crash_while_the_line_is_down_does_not_leave_it_down_for_ever() -> None:
    async def play(desk: Desk) -> None:
        desk.venue.spawn(desk.venue.break_line, 3600 * SECOND)
        await trio.sleep(1)
        before = desk.hub.up
        crash(desk)
        await trio.sleep(1)
        assert (before, desk.hub.up) == (False, True)
        assert await gateway(desk).accounts() == ("paper-1",)

    at_the_desk(play)


# Faults.


def test_P11_orders_are_refused_about_as_often_as_configured() -> None:
    async def play(desk: Desk) -> int:
        refused = 0
        for number in range(400):
            order = desk.order(limit_price="6700", key=f"f{number}")
            outcome = await gateway(desk).place("paper-1", order)
            if isinstance(outcome, Rejected):
                assert "refused on purpose" in str(outcome.error)
                refused += 1
            else:
                await gateway(desk).cancel("paper-1", order.key, None)
        return refused

    none = attrs.evolve(PaperFaults.none(), reject=0.2)
    assert 50 <= at_the_desk(play, attrs.evolve(RICH, faults=none)) <= 110
    assert at_the_desk(play, RICH) == 0


def test_P11_quotes_are_thinned_about_as_often_as_configured_so_that_orders_fill_in_parts() -> None:
    async def play(desk: Desk) -> list[Decimal]:
        sizes: list[Decimal] = []
        desk.hub.watch(lambda event: sizes.append(event.ask_size) if isinstance(event, Quote) else None)
        desk.hub.wanted[ES] = 1
        for _ in range(400):
            desk.quote("6800", "6800.25")
        desk.quote("6800", "6800.25", size=3)
        desk.quote("6800", "6800.25", size=0)
        return sizes

    half = at_the_desk(play, attrs.evolve(CALM, faults=attrs.evolve(PaperFaults.none(), thin=0.5)))
    assert set(half[:400]) == {Decimal(100), Decimal(10)}
    assert 150 <= half[:400].count(Decimal(10)) <= 250
    always = at_the_desk(play, attrs.evolve(CALM, faults=attrs.evolve(PaperFaults.none(), thin=1)))
    assert always[-2:] == [Decimal(1), Decimal(0)], "at least a lot, and nothing stays nothing"
    assert set(at_the_desk(play)[:400]) == {Decimal(100)}


def test_a_thinned_quote_fills_a_part_and_the_next_the_rest() -> None:
    async def play(desk: Desk) -> list[Decimal]:
        desk.quote("6800", "6800.25", size=20)
        order = desk.order(Side.BUY, 3)
        await desk.submit(order)
        desk.quote("6800", "6800.50", size=20)
        await trio.sleep(0.1)
        return [fill.quantity for fill in await gateway(desk).fills_since("paper-1", 0)]

    thin = attrs.evolve(CALM, faults=attrs.evolve(PaperFaults.none(), thin=1))
    assert at_the_desk(play, thin) == [2, 1]


def test_P11_the_line_breaks_about_as_often_as_configured_and_always_comes_back() -> None:
    async def play(desk: Desk) -> list[bool]:
        heard = listening(desk)
        await trio.sleep(3600)
        return [news.up for news in heard if isinstance(news, LinkNews)]

    faults = attrs.evolve(PaperFaults.none(), disconnects_per_hour=60, disconnect_ns=SECOND)
    ups = at_the_desk(play, attrs.evolve(CALM, faults=faults))
    assert 35 <= ups.count(False) <= 90
    assert ups == [bool(index % 2) for index in range(len(ups))]
    assert at_the_desk(play) == []


def test_slow_answers_come_late_but_in_order() -> None:
    async def play(desk: Desk) -> tuple[list[str | None], float]:
        heard, answered, longest = listening(desk), [], 0.0

        async def place(number: int) -> None:
            nonlocal longest
            began = trio.current_time()
            assert isinstance(await gateway(desk).place("paper-1", attrs.evolve(ORDER, key=f"{number:03}")), Accepted)
            longest = max(longest, trio.current_time() - began)
            answered.append(f"{number:03}")

        async with trio.open_nursery() as nursery:
            for number in range(60):
                nursery.start_soon(place, number)
                await trio.sleep(0.01)
        assert len(answered) == 60
        return [news.key for news in heard if isinstance(news, OrderNews)], longest

    keys, longest = at_the_desk(play, attrs.evolve(RICH, faults=attrs.evolve(PaperFaults.none(), slow_ack=0.2)))
    assert keys == sorted(key or "" for key in keys)
    assert len(set(keys)) == 60
    assert 0.7 < longest <= 0.75 + 1e-6


def test_nobody_sees_a_position_before_the_execution_that_made_it() -> None:
    async def play(desk: Desk) -> None:
        heard = listening(desk)
        await gateway(desk).place("paper-1", attrs.evolve(ORDER, quantity=Decimal(1)))
        heard.clear()
        resting = desk.order(limit_price="6790")
        await gateway(desk).place("paper-1", resting)
        desk.quote("6780", "6780.25")
        for price in range(6780, 6770, -1):
            await trio.sleep(0.2)
            desk.quote(f"{price}", f"{price}.25")
        await trio.sleep(1)
        filled = [isinstance(news, OrderNews) and isinstance(news.event, Filled) for news in heard].index(True)
        quantities = [news.positions[0].quantity for news in heard[:filled] if isinstance(news, AccountNews)]
        assert set(quantities) <= {1}, "the account's view never runs ahead of its orders"

    at_the_desk(play, SLOW)


# Who waits.


async def wait_or_leave(request: Awaitable[object]) -> bool:
    with trio.move_on_after(0.01) as scope:
        await request
    return scope.cancelled_caught


def test_a_caller_that_leaves_leaves_nothing_behind() -> None:
    async def play(desk: Desk) -> None:
        venue = gateway(desk)
        order = desk.order(limit_price="6700")
        assert await wait_or_leave(venue.place("paper-1", order))
        assert await wait_or_leave(venue.change("paper-1", Change(order.key, limit_price=Decimal(6710)), None))
        assert await wait_or_leave(venue.cancel("paper-1", order.key, None))
        assert len(desk.venue.pending) == 3
        await trio.sleep(1)
        assert desk.venue.pending == {}
        assert all(not untold for untold in desk.venue.untold.values())

    at_the_desk(play, SLOW)


def test_every_request_gets_its_own_answer_even_for_one_key() -> None:
    async def play(desk: Desk) -> None:
        venue, answers = gateway(desk), []

        async def place(price: str) -> None:
            answers.append(await venue.place("paper-1", desk.order(limit_price=price, key="same")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(place, "6700")
            await trio.sleep(0.01)
            nursery.start_soon(place, "6701")
        assert [type(answer) for answer in answers] == [Accepted, Exists]
        assert desk.venue.pending == {}

    at_the_desk(play, SLOW)


# The market.


def test_the_synthetic_market_moves_the_desk_by_itself() -> None:
    async def play(desk: Desk) -> int:
        await desk.broker.subscribe(desk.source, "ESH26")
        await trio.sleep(300)
        assert desk.broker.feed is not None
        assert (
            len(
                await desk.broker.feed.bars(
                    "ESH26", Interval.parse("1m"), desk.world.clock.wall_ns() - 300 * SECOND, desk.world.clock.wall_ns()
                )
            )
            == 5
        )
        return desk.hub.lost_news

    settings = PaperSettings(symbols=("ESH26",), faults=PaperFaults.none())
    result = scene(play, settings, quiet=False)
    assert result.unwrap() == 0
    assert result.virtual_seconds > 300


def test_a_contract_is_settled_when_its_last_session_closes() -> None:
    async def main(world: SimulatedWorld) -> tuple[int, int]:
        async with open_runtime(world) as runtime:
            now = world.clock.wall_ns()
            quote = Quote("ESH26", Decimal(6800), Decimal("6800.25"), Decimal(9), Decimal(9), LAST_DAY)
            broker = await open_paper(runtime, CALM, recording=[quote])
            venue = broker.orders
            assert isinstance(venue, PaperOrders)
            await trio.sleep(0.1)
            await venue.place("paper-1", attrs.evolve(ORDER, symbol="ESH26"))
            held = len(await venue.positions("paper-1"))
            await trio.sleep(24 * 3600)
            fills = await venue.fills_since("paper-1", now)
            assert fills[-1].price == Decimal("6800.125")
            assert isinstance(await venue.place("paper-1", attrs.evolve(ORDER, symbol="ESH26", key="z")), Rejected)
            return held, len(await venue.positions("paper-1"))

    assert simulate(main, seed=1).unwrap() == (1, 0)


LAST_DAY = 1_773_999_000_000_000_000  # Friday 2026-03-20, 9:30 in New York


def test_a_liquidation_is_an_external_order_that_the_books_adopt() -> None:
    async def play(desk: Desk) -> None:
        await desk.submit(desk.order(Side.BUY, 4))
        await trio.sleep(2)
        desk.quote("6700", "6700.25")
        await trio.sleep(12)
        (net,) = await desk.books.call(AccountBooks.positions)
        assert net.quantity == 0
        strangers = [
            report for report in await desk.books.call(AccountBooks.orders) if report.order.key.startswith("external")
        ]
        assert [(report.order.side, report.filled) for report in strangers] == [(Side.SELL, Decimal(4))]
        assert (await desk.books.call(AccountBooks.agreed)).agreed

    at_the_desk(play)


def test_p11_funding_reaches_the_account_and_its_books_at_the_full_eight_hours() -> None:
    settings = attrs.evolve(CALM, symbols=("BTC-PERP",), accounts=(PaperAccount("paper-1", "USDT"),))

    async def play(desk: Desk) -> None:
        await trio.sleep(60)
        await desk.submit(desk.order(Side.BUY, "0.1", symbol="BTC-PERP"))
        await trio.sleep(8 * 3600 + 60)
        ours, theirs = (
            next(line.funding for line in ledger.statements() if line.currency == "USDT")
            for ledger in (desk.manager.desk.ledger, desk.exchange.ledger("paper-1"))
        )
        assert ours == theirs < 0, "who is long pays"

    at_the_desk(play, settings, quiet=False)
