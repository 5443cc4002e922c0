"""The streams over the emulator: nothing partial, nothing missed, and every down and up told."""

from decimal import Decimal

import pytest
import trio

from brokers.account_manager import AccountManager
from brokers.errors import BrokerError, Code
from brokers.gateway import LinkNews
from brokers.guards.errors import GuardRefused
from brokers.market import Interval, Quote, Trade
from brokers.model import OrderState
from brokers.news_hub import Quarantined
from brokers.order_events import Filled
from brokers.outcome import Accepted, NotSent, Unknown
from brokers.tokens.token_store import TokenStore
from tests.brokers.tradestation.kit import ES, FUTURES, LOGIN, Desk, played, reported, until

MINUTE_NS = 60 * 10**9


def _up(desk: Desk) -> bool:
    return desk.links()[-1:] == [True]


def test_the_link_comes_up_at_the_end_of_the_snapshot() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: _up(desk))
        assert desk.links() == [False, True]

    played(play)


@pytest.mark.parametrize(
    "fault", ["slice=1*always", "clump=3*always", "blank-lines", "go-away=3", "drip=7/stream", "update-twice*always"]
)
def test_f02_orders_and_quotes_come_whole_however_the_bytes_are_cut(fault: str) -> None:
    async def play(desk: Desk) -> None:
        desk.emulator.faults.on(fault)
        manager = await desk.manager()
        order = desk.order(quantity=2)
        await manager.call(AccountManager.submit, order)
        await reported(manager, order.key, OrderState.FILLED)
        await desk.quote()
        await trio.sleep(20)
        (position,) = await manager.call(AccountManager.positions)
        assert position.quantity == 2
        assert sum(one.fill.quantity for one in desk.happened(Filled)) == 2
        assert not [one for one in desk.told if isinstance(one, Quarantined)]

    played(play)


def test_f03_a_half_open_stream_is_given_up_within_two_heartbeats_and_opened_again() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: _up(desk))
        begun = trio.current_time()
        desk.emulator.faults.on("mute*always")
        await until(lambda: not _up(desk))
        assert trio.current_time() - begun <= 15
        desk.emulator.faults.off("mute")
        await until(lambda: _up(desk), 30)

    played(play)


def test_f01_what_happened_while_the_stream_was_down_is_filled_in() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: _up(desk))
        manager = await desk.manager()
        desk.emulator.faults.on("refuse-connects=20/stream")
        for line in list(desk.emulator.door.lines):
            await line.reset()
        await until(lambda: not _up(desk), 30)
        order = desk.order(quantity=3)
        await manager.call(AccountManager.submit, order)
        await until(lambda: _up(desk), 120)
        report = await reported(manager, order.key, OrderState.FILLED)
        assert report.filled == 3
        await trio.sleep(15)
        (position,) = await manager.call(AccountManager.positions)
        assert position.quantity == 3

    played(play)


def test_f11_a_token_that_is_refused_in_mid_session_is_renewed_once_and_no_stream_notices() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: _up(desk))
        store = desk.runtime.name(LOGIN.store_key, TokenStore)
        before = (await store.call(TokenStore.token)).generation
        await trio.sleep(40)
        desk.emulator.faults.on("unauthorized/query")
        assert await desk.orders.positions(FUTURES) == ()
        assert (await store.call(TokenStore.token)).generation == before + 1
        assert desk.links() == [False, True]

    played(play)


def test_an_order_that_meets_a_refused_token_was_not_sent_and_the_next_one_is() -> None:
    async def play(desk: Desk) -> None:
        await trio.sleep(40)
        desk.emulator.faults.on("unauthorized/command")
        order = desk.order(limit_price=Decimal(3000))
        outcome = await desk.orders.place(FUTURES, order)
        assert isinstance(outcome, NotSent)
        assert outcome.error.code is Code.SESSION_EXPIRED
        await trio.sleep(2)
        assert isinstance(await desk.orders.place(FUTURES, order), Accepted)

    played(play)


def test_streams_live_on_while_tokens_are_renewed_and_rotated() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: _up(desk))
        store = desk.runtime.name(LOGIN.store_key, TokenStore)
        before = (await store.call(TokenStore.token)).generation
        await trio.sleep(5 * 60)
        assert (await store.call(TokenStore.token)).generation >= before + 4
        assert desk.links() == [False, True]
        assert isinstance(await desk.orders.place(FUTURES, desk.order()), Accepted)

    played(play, "rotate-tokens", "short-tokens=60", symbols=(ES,))


def test_f10_b15_a_used_up_quota_stops_its_resource_and_not_the_host() -> None:
    async def play(desk: Desk) -> None:
        await trio.sleep(2)
        desk.emulator.faults.on("quota=403/query")
        with pytest.raises(BrokerError) as caught:
            await desk.orders.summary(FUTURES)
        assert caught.value.code is Code.RATE_LIMITED
        with trio.fail_after(1), pytest.raises(GuardRefused):
            await desk.orders.summary(FUTURES)
        assert await desk.orders.positions(FUTURES) == ()
        assert isinstance(await desk.orders.place(FUTURES, desk.order()), Accepted)

    played(play)


def test_b15_a_quota_on_orders_lets_cancels_and_questions_pass() -> None:
    async def play(desk: Desk) -> None:
        resting = desk.order(limit_price=Decimal(3000))
        taken = await desk.orders.place(FUTURES, resting)
        assert isinstance(taken, Accepted)
        desk.emulator.faults.on("quota=403/command")
        assert isinstance(await desk.orders.place(FUTURES, desk.order()), Unknown)
        with trio.fail_after(1):
            outcome = await desk.orders.place(FUTURES, desk.order())
        assert isinstance(outcome, NotSent)
        assert outcome.error.code is Code.RATE_LIMITED
        assert len(await desk.orders.open_orders(FUTURES)) == 1
        assert isinstance(await desk.orders.cancel(FUTURES, resting.key, taken.broker_order_id), Accepted)

    played(play)


def test_quotes_and_trades_come_under_canonical_names() -> None:
    async def play(desk: Desk) -> None:
        await desk.feed.subscribe("ES")
        await desk.feed.subscribe("AAPL")
        await trio.sleep(30)
        for kind in (Quote, Trade):
            assert {one.symbol for one in desk.market if isinstance(one, kind)} == {"ES", "AAPL"}
        await desk.feed.unsubscribe("AAPL")
        await trio.sleep(2)
        desk.market.clear()
        await trio.sleep(30)
        assert {one.symbol for one in desk.market if isinstance(one, Quote)} == {"ES"}

    played(play)


def test_a_changed_subscription_leaves_no_gap_and_no_second_copy() -> None:
    async def play(desk: Desk) -> None:
        await desk.quote(ES)
        for symbol in ("AAPL", "MSFT"):
            await desk.feed.subscribe(symbol)
        await trio.sleep(5)
        assert [one.up for one in desk.market if isinstance(one, LinkNews)].count(False) == 0
        desk.market.clear()
        await trio.sleep(30)
        trades = [one for one in desk.market if isinstance(one, Trade) and one.symbol == ES]
        assert trades
        copies = [one for one in desk.market if isinstance(one, Quote) and one.symbol == ES]
        assert len({one.time_ns for one in copies}) >= len(copies) - 2

    played(play)


def test_history_is_finished_bars_in_order_and_inside_the_question() -> None:
    async def play(desk: Desk) -> None:
        now = desk.world.clock.wall_ns()
        start, end = now - 30 * MINUTE_NS, now + 5 * MINUTE_NS
        bars = await desk.feed.bars("ES", Interval.parse("5m"), start, end)
        times = [one.time_ns for one in bars]
        assert times == sorted(set(times))
        assert times
        assert all(start < one <= now + MINUTE_NS for one in times)
        assert {one.symbol for one in bars} == {"ES"}
        for interval, since in (("7s", start), ("1m", 0)):
            with pytest.raises(BrokerError) as caught:
                await desk.feed.bars("ES", Interval.parse(interval), since, end)
            assert caught.value.code is Code.UNSUPPORTED

    played(play)


def test_the_front_contracts_come_with_the_broker_s_tick_and_multiplier() -> None:
    async def play(desk: Desk) -> None:
        found = {one.symbol: one for one in await desk.feed.instruments()}
        assert (found[ES].tick, found[ES].multiplier) == (Decimal("0.25"), Decimal(50))
        assert "AAPL" in found

    played(play)


def test_f39_a_lie_is_put_aside_and_told() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: _up(desk))
        desk.emulator.faults.on("lie=negative-quantity")
        await desk.orders.place(FUTURES, desk.order())
        await trio.sleep(30)
        assert [one for one in desk.told if isinstance(one, Quarantined)]
        assert _up(desk)

    played(play)


def test_f05_a_refused_connection_sends_nothing() -> None:
    async def play(desk: Desk) -> None:
        await until(lambda: _up(desk))
        desk.emulator.house.spawn(desk.emulator.door.shut, 30.0)
        await trio.sleep(0.1)
        for line in list(desk.emulator.door.lines):
            await line.reset()
        outcome = await desk.orders.place(FUTURES, desk.order())
        assert isinstance(outcome, NotSent)
        assert outcome.error.code is Code.CONNECTION_FAILED

    played(play)
