"""Account books, sessions and lives: restarts, shares, flattening, and money."""

from decimal import Decimal
from typing import Any

import trio

from brokers.account_books import AccountBooks
from brokers.account_manager import AccountManager
from brokers.model import OrderState, OrderType
from brokers.sides import Side
from tests.conformance.floor import Floor, Stage, seated
from tests.conformance.scenario import scenario, takes

LIMIT, MARKET = takes(OrderType.LIMIT), takes(OrderType.MARKET)


async def _bought(floor: Floor, quantity: int = 1, **terms: Any) -> None:
    await floor.submit(order := floor.order(quantity=quantity, limit_price=floor.ask + floor.ticks(1), **terms))
    await floor.filled(order)
    await floor.agree()  # the state of an order may be told before its executions


@scenario("books.a-crash-loses-nothing", LIMIT)
async def crash(floor: Floor) -> None:
    await _bought(floor, 2)
    resting = await floor.working(floor.resting())
    books = floor.books.resolve()
    assert books is not None
    books.kill("on purpose")
    await trio.sleep(20)
    await floor.holds(2)
    reports = await floor.books.call(AccountBooks.orders)
    assert {one.order.key: one.state for one in reports}[resting.key] is OrderState.WORKING


@scenario("life.books-go-on-where-they-stopped", LIMIT, lives=True)
async def restart(stage: Stage) -> None:
    async with stage.opened() as floor:
        await _bought(floor, 2)
        resting = await floor.working(floor.resting())
        await floor.agree()
    await trio.sleep(30)
    async with stage.opened() as floor:
        await floor.agree()
        await floor.holds(2)
        assert (await floor.report(resting)).state is OrderState.WORKING
        await floor.cancel(resting)
        await floor.becomes(resting, OrderState.CANCELED)
        assert (await floor.statistics()).problems == 0


@scenario("life.three-lives-count-nothing-twice", LIMIT, lives=True)
async def three(stage: Stage) -> None:
    for number in (1, 2, 3):
        async with stage.opened() as floor:
            await floor.agree()
            await floor.holds(number - 1)
            await _bought(floor)
            await floor.agree()


@scenario("life.new-books-learn-what-the-account-holds", LIMIT, lives=True)
async def forgetful(stage: Stage) -> None:
    async with stage.opened() as floor:
        await _bought(floor, 3)
        await floor.working(floor.resting())
        await floor.agree()
    stage.logs.clear()
    async with stage.opened() as floor:
        await floor.agree()
        await floor.holds(3)


@scenario("life.an-order-in-doubt-is-settled-in-the-next-life", LIMIT, switches=("hang",), lives=True)
async def doubt(stage: Stage) -> None:
    async with stage.opened() as floor:
        await trio.sleep(2)
        stage.side.fault("hang=head/command")
        with trio.move_on_after(1):
            await floor.submit(floor.resting())
    async with stage.opened() as floor:
        await floor.agree()
        assert floor.truly_open() == 1


@scenario("flatten.cancels-and-closes-everything", LIMIT)
async def flatten(floor: Floor) -> None:
    await _bought(floor, 3)
    resting = [await floor.working(floor.resting(away=20 + number)) for number in range(2)]
    await floor.flatten()
    for order in resting:
        await floor.becomes(order, OrderState.CANCELED)
    await floor.until(lambda: not any(floor.truly_held().values()), "a flat account")
    await floor.agree()
    await floor.holds(0)


@scenario("flatten.of-one-symbol-leaves-the-others", LIMIT)
async def flatten_one(floor: Floor) -> None:
    first, second = floor.candidate.symbols[:2]
    await floor.submit(one := floor.order())
    await floor.filled(one)
    await floor.submit(other := floor.order(Side.SELL, symbol=second))
    await floor.filled(other)
    await floor.agree()
    await floor.flatten(first)
    await floor.until(lambda: {s: q for s, q in floor.truly_held().items() if q} == {second: -1}, "one flat symbol")


@scenario("flatten.of-a-short-buys-it-back", MARKET)
async def flatten_short(floor: Floor) -> None:
    await floor.submit(order := floor.order(Side.SELL, 2))
    await floor.filled(order)
    await floor.agree()
    await floor.flatten()
    await floor.until(lambda: not any(floor.truly_held().values()), "a flat account")


@scenario("flatten.of-nothing-does-nothing", MARKET)
async def flatten_nothing(floor: Floor) -> None:
    assert await floor.flatten() == ()
    assert floor.truly_filled() == ()


@scenario("session.two-share-an-account-and-not-their-orders", LIMIT)
async def two(floor: Floor) -> None:
    other = await seated(floor, "other")
    await _bought(floor, 2)
    order = floor.order(Side.SELL, 3, limit_price=floor.bid - floor.ticks(1))
    await floor.submit(order, other)
    await floor.until(lambda: sum(floor.truly_held().values()) == -1, "both fills")
    await floor.agree()
    shares = {}
    for name in (floor.account, other):
        positions = await name.call(AccountManager.positions)
        shares[name] = sum((one.quantity for one in positions), Decimal(0))
    assert list(shares.values()) == [2, -3]
    assert order.key not in {one.order.key for one in await floor.broker.account_orders(floor.account)}


@scenario("session.a-new-one-finds-the-books-as-they-are", LIMIT)
async def next_session(floor: Floor) -> None:
    await _bought(floor, 2)
    resting = await floor.working(floor.resting())
    assert floor.session is not None
    await floor.session.stop()
    await trio.sleep(5)
    floor.manager = None
    again = await seated(floor, "session")
    assert (await again.call(AccountManager.order, resting.key)).state is OrderState.WORKING


@scenario("account.money-and-positions-are-the-broker-s", LIMIT)
async def money(floor: Floor) -> None:
    before = await floor.broker.account_summary(floor.account)
    await _bought(floor, 2)
    await floor.agree()
    await trio.sleep(5)
    after = await floor.broker.account_summary(floor.account)
    assert after.cash != before.cash or after.fees != before.fees or after.equity != before.equity
    (position,) = [one for one in await floor.books.call(AccountBooks.positions) if one.quantity]
    theirs = [one for one in await floor.broker.need_orders().positions(floor.candidate.account) if one.quantity]
    assert [(one.symbol, one.quantity) for one in theirs] == [(position.symbol, position.quantity)]


@scenario("account.the-login-reaches-it", LIMIT)
async def reaches(floor: Floor) -> None:
    assert floor.candidate.account in await floor.broker.need_orders().accounts()
