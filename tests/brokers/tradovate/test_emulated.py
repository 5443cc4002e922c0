"""The whole room against the emulator: login, sockets, orders, faults and fresh tokens."""

from decimal import Decimal
from typing import Any

import pytest
import trio

from brokers.account_books import AccountBooks, books_name
from brokers.account_manager import AccountManager
from brokers.emulation.log import ANSWERED, ARRIVED, LINE
from brokers.errors import BrokerError, Code, CredentialError
from brokers.gateway import LinkNews
from brokers.market import Interval, MarketStatus, Quote
from brokers.model import Change, Fill, GroupKind, OrderGroup, OrderReport, OrderState, OrderType
from brokers.sides import Side
from brokers.tradovate.emulator import TWO_FACTOR, Habits, OnExpiry
from brokers.tradovate.stream import EVICTED_SECONDS
from tests.brokers.tradovate.kit import ACCOUNT, ES, OTHER, Pit, played, until

FILLED, WORKING, CANCELED = OrderState.FILLED, OrderState.WORKING, OrderState.CANCELED
REJECTED, HELD, UNKNOWN = OrderState.REJECTED, OrderState.HELD, OrderState.UNKNOWN
POINT = Decimal(1)


def is_in(*states: OrderState) -> Any:
    return lambda report: report.state in states


async def held(pit: Pit, account: str = ACCOUNT) -> Decimal:
    """What the books hold of ES, once they agree with the broker."""
    books = pit.runtime.name(books_name("tradovate", account), AccountBooks)
    positions = await books.call(AccountBooks.positions)
    return next((one.quantity for one in positions if one.symbol == ES), Decimal(0))


async def agreed(pit: Pit) -> bool:
    return (await pit.runtime.name(books_name("tradovate", ACCOUNT), AccountBooks).call(AccountBooks.agreed)).agreed


async def fees(pit: Pit) -> Decimal:
    """What the books paid in fees."""
    cell: Any = pit.runtime.name(books_name("tradovate", ACCOUNT), AccountBooks).cell()
    return sum((one.fees for one in cell.actor.desk.ledger.statements()), Decimal(0))


async def buys_at_market(pit: Pit) -> OrderReport:
    manager, order = await pit.manager(), pit.order()
    await manager.call(AccountManager.submit, order)
    return await pit.report(manager, order.key, is_in(FILLED))


def test_an_order_is_placed_changed_in_place_and_cancelled() -> None:
    async def play(pit: Pit) -> None:
        quote, manager = await pit.quote(), await pit.manager()
        assert quote.bid is not None
        order = pit.order(type=OrderType.LIMIT, quantity=Decimal(3), limit_price=quote.bid - 40 * POINT)
        (report,) = await manager.call(AccountManager.submit, order)
        report = await pit.report(manager, order.key, is_in(WORKING))
        change = Change(order.key, quantity=Decimal(2), limit_price=quote.bid - 50 * POINT)
        await manager.call(AccountManager.modify, change)
        changed = await pit.report(manager, order.key, lambda one: one.order.quantity == 2 and one.state is WORKING)
        assert changed.order.limit_price == quote.bid - 50 * POINT
        assert changed.broker_order_ids == report.broker_order_ids
        await manager.call(AccountManager.cancel, order.key)
        assert (await pit.report(manager, order.key, is_in(CANCELED))).filled == 0
        await trio.sleep(10)
        assert await agreed(pit)

    played(play)


def test_a_fill_reaches_order_position_and_money_with_its_fee() -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        heard: list[Any] = []
        pit.broker.need_orders().listen(ACCOUNT, heard.append)
        report = await buys_at_market(pit)
        assert (report.filled, report.remaining) == (Decimal(1), Decimal(0))
        await trio.sleep(2)
        (fill,) = await pit.broker.need_orders().fills_since(ACCOUNT, 0)
        assert (fill.fee, fill.order_key, fill.price) == (Decimal("2.09"), report.order.key, report.average_price)
        view = await until(lambda: next((one for one in heard if hasattr(one, "positions")), None))
        assert [(one.symbol, one.quantity) for one in view.positions] == [(ES, 1)]
        assert view.summary.cash == Decimal("999997.91")
        assert await held(pit) == 1
        assert await held(pit, OTHER) == 0

    played(play)


@pytest.mark.parametrize("by", ["stream", "list"])
def test_a_fee_that_comes_after_its_fill_is_booked(by: str) -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        await buys_at_market(pit)
        assert await fees(pit) == 0
        if by == "list":
            pit.emulator.faults.on("lose-update*1")
        await trio.sleep(19)
        assert await fees(pit) == 0
        await trio.sleep(10)
        assert await fees(pit) == Decimal("2.09")
        assert await held(pit) == 1
        assert await agreed(pit)

    played(play, habits=Habits(fee_seconds=20))


def test_f10_a_time_to_wait_that_a_socket_is_told_is_left_before_anything_is_asked_again() -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        pit.emulator.faults.on("quota=429,20/token*1")
        for line in pit.emulator.door.lines:
            await line.reset()
        (told,) = await until(lambda: pit.emulator.log.of(ANSWERED, status=429))
        await trio.sleep(40)
        later = [one for one in pit.emulator.log.of(ARRIVED) if one.time_ns > told.time_ns + 10**8]
        assert min(one.time_ns for one in later if one.facts["where"] != "token") >= told.time_ns + 20 * 10**9
        assert pit.actor("user").talk is not None, "and then it goes on"
        assert await agreed(pit)

    played(play)


def test_a_bracket_holds_its_exits_and_one_exit_ends_the_other() -> None:
    async def play(pit: Pit) -> None:
        quote, manager = await pit.quote(), await pit.manager()
        assert quote.bid is not None
        entry = pit.order(type=OrderType.LIMIT, limit_price=quote.bid - 30 * POINT)
        target = pit.order(side=Side.SELL, type=OrderType.LIMIT, limit_price=quote.bid + 400 * POINT)
        stop = pit.order(side=Side.SELL, type=OrderType.STOP, stop_price=quote.bid - 400 * POINT)
        group = OrderGroup("g", GroupKind.BRACKET, entry, (target, stop))
        reports = await manager.call(AccountManager.submit, group)
        assert len({one.broker_order_ids for one in reports}) == 3
        await pit.report(manager, entry.key, is_in(WORKING))
        assert {(await pit.report(manager, leg.key, is_in(HELD))).state for leg in (target, stop)} == {HELD}
        assert quote.ask is not None
        await manager.call(AccountManager.modify, Change(entry.key, limit_price=quote.ask + 5 * POINT))
        await pit.report(manager, entry.key, is_in(FILLED))
        await pit.report(manager, target.key, is_in(WORKING))
        await manager.call(AccountManager.modify, Change(target.key, limit_price=quote.bid - 20 * POINT))
        await pit.report(manager, target.key, is_in(FILLED))
        await pit.report(manager, stop.key, is_in(CANCELED))
        assert await held(pit) == 0

    played(play)


def test_of_an_oco_one_cancel_takes_the_other_along() -> None:
    async def play(pit: Pit) -> None:
        quote, manager = await pit.quote(), await pit.manager()
        assert quote.bid is not None
        above = pit.order(side=Side.SELL, type=OrderType.LIMIT, limit_price=quote.bid + 400 * POINT)
        below = pit.order(side=Side.SELL, type=OrderType.STOP, stop_price=quote.bid - 400 * POINT)
        await manager.call(AccountManager.submit, OrderGroup("g", GroupKind.OCO, None, (above, below)))
        for one in (above, below):
            await pit.report(manager, one.key, is_in(WORKING))
        await manager.call(AccountManager.cancel, above.key)
        for one in (above, below):
            await pit.report(manager, one.key, is_in(CANCELED))

    played(play)


@pytest.mark.parametrize("fault", ["refuse-order", "lie=unknown-status", "update-twice", "out-of-order"])
def test_a_refusal_inside_a_success_is_a_definite_no_and_lies_do_not_crash_f39(fault: str) -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        if fault != "refuse-order":
            assert (await buys_at_market(pit)).filled == 1
            return
        manager, order = await pit.manager(), pit.order()
        with pytest.raises(BrokerError) as refused:
            await manager.call(AccountManager.submit, order)
        assert refused.value.code is Code.ORDER_REJECTED
        assert (await manager.call(AccountManager.order, order.key)).state is REJECTED

    played(play, fault)


def test_an_order_that_was_taken_may_be_rejected_later_with_its_reason() -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        manager, order = await pit.manager(), pit.order()
        await manager.call(AccountManager.submit, order)
        report = await pit.report(manager, order.key, is_in(REJECTED))
        assert "Rejected by the exchange" in report.reason

    played(play, "reject-later")


@pytest.mark.parametrize("fault", ["reset=after", "hang=head", "error-after=504", "body=truncated"])
def test_an_order_in_doubt_is_found_by_the_command_with_its_key_f04_f06_f07_f08(fault: str) -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        manager, order = await pit.manager(), pit.order()
        with trio.fail_after(60):
            await manager.call(AccountManager.submit, order)
        report = await pit.report(manager, order.key, is_in(FILLED))
        await trio.sleep(20)
        assert (report.filled, await held(pit), await agreed(pit)) == (Decimal(1), Decimal(1), True)

    played(play, fault)


def test_an_order_that_was_never_made_is_proved_absent_f09() -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        manager, order = await pit.manager(), pit.order()
        (report,) = await manager.call(AccountManager.submit, order)
        assert report.state is UNKNOWN
        with trio.fail_after(180):
            while (await manager.call(AccountManager.order, order.key)).state is UNKNOWN:  # noqa: ASYNC110 - an actor's
                await trio.sleep(1)
        assert (await manager.call(AccountManager.order, order.key)).state is REJECTED
        assert await held(pit) == 0

    played(play, "error-before=500")


@pytest.mark.parametrize(
    "fault", ["fill-twice", "late-fill", "lose-fill", "lose-update", "external-order", "correction"]
)
def test_books_agree_with_the_broker_in_the_end_f14_f15_f16_f17_f18_f19(fault: str) -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        await (await pit.manager()).call(AccountManager.submit, pit.order())
        await trio.sleep(60)
        positions = await pit.broker.need_orders().positions(ACCOUNT)
        there = next((one.quantity for one in positions), Decimal(0))
        assert await held(pit) == there == (2 if fault == "external-order" else 1)

    played(play, fault)


def test_a_busted_fill_leaves_the_position_f18() -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        await buys_at_market(pit)
        await trio.sleep(30)
        assert await held(pit) == 0

    played(play, "bust")


@pytest.mark.parametrize(
    ("fault", "split"),
    [
        ("stream-drop=6", False),
        ("stream-drop=6", True),
        ("half-open=6", False),
        ("go-away=6", True),
        ("slice=7", False),
    ],
)
def test_what_happened_while_the_sockets_were_down_is_made_up_for_f01_f02_f03(fault: str, split: bool) -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        manager = await pit.manager()
        for _ in range(3):
            await manager.call(AccountManager.submit, pit.order())
            await trio.sleep(7)
        await trio.sleep(20)
        assert (await held(pit), await agreed(pit)) == (Decimal(3), True)
        assert pit.actor("user").connects >= (1 if fault == "slice=7" else 2)

    played(play, fault, settings={"split_sync": split})


def test_silence_is_noticed_within_two_heartbeats_f03() -> None:
    async def play(pit: Pit) -> float:
        heard: list[Any] = []
        pit.broker.need_orders().listen(ACCOUNT, heard.append)

        def links(up: bool) -> list[LinkNews]:
            return [one for one in heard if isinstance(one, LinkNews) and one.up is up]

        up = await until(lambda: next(iter(links(True)), None))
        down = await until(lambda: next((one for one in links(False) if one.time_ns > up.time_ns), None))
        await until(lambda: len(links(True)) == 2)
        return float(down.time_ns - up.time_ns) / 1e9

    assert played(play, "half-open=2", settings={"market_data": False}) <= 5.5


@pytest.mark.parametrize("habit", list(OnExpiry))
def test_a_pushed_token_is_shown_on_both_live_sockets_and_no_tick_is_lost_f11(habit: OnExpiry) -> None:
    async def play(pit: Pit) -> None:
        feed = pit.broker.need_feed()
        feed.listen(pit.events.append)
        there: list[Any] = []
        pit.emulator.desk.watch(lambda one: there.append(one) if one.symbol == ES else None)
        await feed.subscribe(ES)
        await trio.sleep(170)
        for name in ("user", "market"):
            actor = pit.actor(name)
            assert (actor.connects, actor.renewals >= 2) == (1, True), name
        first = next(one for one in pit.events if isinstance(one, Quote)).time_ns
        here = [one for one in pit.events if isinstance(one, Quote)]
        sent = [one for one in there if isinstance(one, Quote) and first < one.time_ns < here[-1].time_ns]
        assert len(sent) > 100
        seen = {one.time_ns for one in here}
        assert {one.time_ns // 1_000_000 * 1_000_000 for one in sent} <= seen
        assert (await buys_at_market(pit)).filled == 1

    played(play, habits=Habits(on_expiry=habit, token_seconds=80))


def test_a_token_pushed_while_connecting_is_applied_afterwards_f12() -> None:
    async def play(pit: Pit) -> None:
        user = pit.actor("user")
        user.newest = None  # as if the push of the present token had been lost
        pit.emulator.faults.on("stream-drop=2")
        await until(lambda: user.connects >= 2, 120)
        assert user.newest is not None
        assert user.talk is not None
        assert user.talk.generation == user.newest.generation

    played(play, habits=Habits(token_seconds=240), settings={"market_data": False})


def test_f5_a_token_that_expires_while_the_line_is_down_is_read_anew_and_the_first_attempt_succeeds() -> None:
    async def play(pit: Pit) -> None:
        user, log = pit.actor("user"), pit.emulator.log
        await until(lambda: user.talk)
        before = user.talk.generation
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pit.emulator.door.shut, 200)
                await trio.sleep(0.1)
                for line in pit.emulator.door.lines:
                    await line.reset()
                opened = len(log.entries)
                await until(lambda: log.of(LINE, what="door open"), 300)
                await until(lambda: log.of(ANSWERED, path="/v1/user/syncrequest")[1:], 300)
                scope.cancel()
        assert user.talk.generation > before, "the token of before had ended"
        shown = [one for one in log.entries[opened:] if one.kind == ANSWERED and one.facts["path"] == "/v1/authorize"]
        assert [one.facts["status"] for one in shown] == [200]

    played(play, habits=Habits(token_seconds=80), settings={"market_data": False})


@pytest.mark.parametrize(("known", "assumed_s"), [(None, 60), (1_000_000_000, 1)])
def test_how_soon_a_request_acts_is_assumed_of_the_broker_and_may_be_known_of_an_emulator(
    known: int | None, assumed_s: int
) -> None:
    async def play(pit: Pit) -> int:
        orders = pit.broker.capability.orders
        assert orders is not None
        return orders.effect_ns

    assert played(play, settings={"acts_within_ns": known}) == assumed_s * 1_000_000_000


def test_at_an_emulator_the_market_is_open_though_the_calendar_says_that_it_is_closed() -> None:
    async def play(pit: Pit) -> MarketStatus | None:
        return pit.broker.need_orders().market_status(ES)

    assert played(play) is None, "only the calendar can say"
    assert played(play, settings={"emulated": True}) is MarketStatus.OPEN


def test_a_login_penalty_is_waited_out_with_its_ticket_f13() -> None:
    async def play(pit: Pit) -> bool:
        return pit.actor("user") is not None

    assert played(play, "ticket=5")


@pytest.mark.parametrize("text", TWO_FACTOR)
def test_both_texts_of_a_second_factor_call_for_a_person(text: str) -> None:
    async def play(pit: Pit) -> None:
        raise AssertionError("nobody can log in")

    with pytest.raises(CredentialError) as refused:
        played(play, habits=Habits(two_factor=text))
    assert refused.value.code is Code.HUMAN_NEEDED
    assert "second factor" in refused.value.text


def test_a_captcha_stops_everything_f13() -> None:
    async def play(pit: Pit) -> None:
        raise AssertionError("nobody can log in")

    with pytest.raises(CredentialError) as refused:
        played(play, "captcha")
    assert "captcha" in refused.value.text


def test_a_login_that_throws_ours_out_is_left_alone_for_a_while() -> None:
    async def play(pit: Pit) -> None:
        user = pit.actor("user")
        await until(lambda: user.connects)
        before = trio.current_time()
        for _ in range(2):
            await pit.emulator_logs_in()
        await until(lambda: any(getattr(one, "what", "") == "session" for one in pit.told))
        await until(lambda: user.connects >= 2, 300)
        assert trio.current_time() - before >= EVICTED_SECONDS

    played(play, settings={"market_data": False})


def test_history_is_whole_paged_and_joined_to_the_present() -> None:
    async def play(pit: Pit) -> None:
        now = pit.world.clock.wall_ns()
        for text, back_hours, least in (("1m", 24 * 9, 4_200), ("1h", 72, 20), ("1d", 24 * 10, 5)):
            interval, start = Interval.parse(text), now - back_hours * 3_600_000_000_000
            bars = await pit.broker.historical_bars(ES, interval, start, now)
            times = [bar.time_ns for bar in bars]
            assert times == sorted(set(times))
            assert start < times[0] <= times[-1] <= now
            theirs = [one.time_ns for one in pit.emulator.desk.source.bars(ES, interval, start, now)]
            assert times == theirs
            assert len(times) >= least

    played(play)


def test_instruments_carry_the_brokers_own_figures() -> None:
    async def play(pit: Pit) -> None:
        (es,) = await pit.broker.need_feed().instruments()
        assert (es.root, es.tick, es.multiplier) == ("ES", Decimal("0.25"), Decimal(50))

    played(play)


def test_without_paid_market_data_a_subscription_says_so() -> None:
    async def play(pit: Pit) -> None:
        await until(lambda: pit.actor("market").connects)
        with pytest.raises(BrokerError) as refused:
            await pit.broker.need_feed().subscribe(ES)
        assert refused.value.code is Code.FORBIDDEN

    played(play, habits=Habits(market_data=False))


def test_an_order_is_found_by_its_key_alone_after_a_restart() -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        report = await buys_at_market(pit)
        lists = pit.actor("user").records.lists
        lists._blotter._ids.clear()
        found = await pit.broker.need_orders().order(ACCOUNT, report.order.key, None)
        assert found is not None
        assert (found.broker_order_ids, found.state) == (report.broker_order_ids, FILLED)
        assert await pit.broker.need_orders().order(ACCOUNT, "no such key", None) is None
        assert await pit.broker.need_orders().order(OTHER, report.order.key, None) is None

    played(play)


def test_the_poll_of_a_quiet_account_costs_few_requests() -> None:
    async def play(pit: Pit) -> float:
        await pit.quote()
        await buys_at_market(pit)
        await trio.sleep(30)
        rest = pit.actor("user").records.lists._rest
        before = rest.reads.statistics().requests
        await trio.sleep(120)
        return float(rest.reads.statistics().requests - before) / 120 * 3_600

    assert played(play) <= 4_000 * 3 / 4  # for two accounts: room is left for whatever else is asked


def test_fills_come_oldest_first_and_only_those_of_the_account() -> None:
    async def play(pit: Pit) -> None:
        await pit.quote()
        await buys_at_market(pit)
        await trio.sleep(2)
        await buys_at_market(pit)
        await trio.sleep(2)
        fills: list[Fill] = list(await pit.broker.need_orders().fills_since(ACCOUNT, 0))
        assert [one.time_ns for one in fills] == sorted(one.time_ns for one in fills)
        assert len(fills) == 2
        assert await pit.broker.need_orders().fills_since(ACCOUNT, fills[1].time_ns) == (fills[1],)
        assert await pit.broker.need_orders().fills_since(OTHER, 0) == ()

    played(play)
