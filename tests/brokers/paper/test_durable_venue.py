"""The venue with a store: nobody is told what could still be forgotten, and a power cut takes back nothing told."""

import os
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.errors import ConnectionFailed
from brokers.gateway import LinkNews, News, OrderNews
from brokers.model import Fill, Order, OrderType
from brokers.order_events import Filled
from brokers.outcome import Accepted, NotSent
from brokers.paper import PaperAccount, open_paper
from brokers.paper.orders import PaperOrders
from brokers.sides import Side
from runtime import open_runtime
from runtime.simulation import EPOCH_NS, PowerCut, SimulatedDisk, SimulatedWorld, fixed, simulate
from tests.brokers.desk import CALM, ES, _first_quote

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
STORE = Path("/paper/paper.jsonl")
ORDER = Order("k0", ES, Side.BUY, OrderType.MARKET, Decimal(1))
RESTING = attrs.evolve(ORDER, key="rest", type=OrderType.LIMIT, limit_price=Decimal(6000))
RICH = attrs.evolve(CALM, accounts=(PaperAccount("paper-1", deposit=Decimal(10**9)),))
MINUTE_NS = 60 * 1_000_000_000

Play = Callable[[SimulatedWorld, PaperOrders], Awaitable[None]]


def life(disk: SimulatedDisk, play: Play, *, number: int = 0) -> BaseException | None:
    """One life of a paper broker on this disk, a minute after the one before; its error, if it had one."""

    async def main(world: SimulatedWorld) -> None:
        async with open_runtime(world) as runtime:
            broker = await open_paper(runtime, RICH, recording=[_first_quote()], store=STORE)
            assert isinstance(broker.orders, PaperOrders)
            await trio.sleep(0.1)
            await play(world, broker.orders)

    return simulate(main, seed=number, epoch_ns=EPOCH_NS + number * MINUTE_NS, disk=disk).error


def test_answers_and_news_wait_until_they_are_durable() -> None:
    async def play(world: SimulatedWorld, venue: PaperOrders) -> None:
        disk.latency = fixed(0.2)
        heard: list[tuple[float, News]] = []
        venue.listen("paper-1", lambda news: heard.append((trio.current_time(), news)))
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(venue.place, "paper-1", ORDER)
            await trio.sleep(0.05)
            assert not heard
            fills = await venue.fills_since("paper-1", 0)
        assert [fill.order_key for fill in fills] == ["k0"]
        assert trio.current_time() - began >= 0.2
        assert len(heard) >= 2
        assert all(at - began >= 0.2 for at, _ in heard)

    with SimulatedDisk() as disk:
        assert life(disk, play) is None


def test_what_happens_during_a_write_waits_for_the_next_one() -> None:
    async def play(world: SimulatedWorld, venue: PaperOrders) -> None:
        disk.latency = fixed(0.2)
        answered: list[float] = []
        began = trio.current_time()

        async def place(after: float, key: str) -> None:
            await trio.sleep(after)
            await venue.place("paper-1", attrs.evolve(RESTING, key=key))
            answered.append(trio.current_time() - began)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(place, 0, "first")
            nursery.start_soon(place, 0.1, "second")
        assert 0.2 <= answered[0] < 0.3
        assert 0.4 <= answered[1] < 0.5

    with SimulatedDisk() as disk:
        assert life(disk, play) is None


def test_many_requests_at_once_share_a_few_writes() -> None:
    async def play(world: SimulatedWorld, venue: PaperOrders) -> None:
        disk.latency = fixed(0.2)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(venue.place, "paper-1", attrs.evolve(RESTING, key=f"many{number}"))
        assert trio.current_time() - began < 0.7
        assert len(await venue.open_orders("paper-1")) == 50

    with SimulatedDisk() as disk:
        assert life(disk, play) is None


def test_while_the_disk_is_full_the_line_is_down_and_then_nothing_is_missing() -> None:
    async def play(world: SimulatedWorld, venue: PaperOrders) -> None:
        heard: list[News] = []
        venue.listen("paper-1", heard.append)
        disk.capacity = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(venue.place, "paper-1", ORDER)
            await trio.sleep(0.5)
            with pytest.raises(ConnectionFailed):
                await venue.fills_since("paper-1", 0)
            assert isinstance(await venue.place("paper-1", RESTING), NotSent)
            assert [news.up for news in heard if isinstance(news, LinkNews)] == [False]
            disk.capacity = None
        await trio.sleep(2)
        assert [news.up for news in heard if isinstance(news, LinkNews)] == [False, True]
        assert [fill.order_key for fill in await venue.fills_since("paper-1", 0)] == ["k0"]

    async def after(world: SimulatedWorld, venue: PaperOrders) -> None:
        assert [fill.order_key for fill in await venue.fills_since("paper-1", 0)] == ["k0"]
        assert await venue.open_orders("paper-1") == ()

    with SimulatedDisk() as disk:
        assert life(disk, play) is None
        assert life(disk, after, number=1) is None


def test_a_question_that_waits_when_the_disk_fails_is_answered_with_an_error_and_never_hangs() -> None:
    async def play(world: SimulatedWorld, venue: PaperOrders) -> None:
        disk.capacity = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(venue.place, "paper-1", ORDER)
            await trio.lowlevel.checkpoint()
            with trio.fail_after(1), pytest.raises(ConnectionFailed):
                await venue.fills_since("paper-1", 0)
            disk.capacity = None

    with SimulatedDisk() as disk:
        assert life(disk, play) is None


@attrs.define(eq=False)
class Witness:
    """What one life was told until the power went."""

    chance: random.Random
    acknowledged: dict[str, str | None] = attrs.field(factory=dict)
    told: list[Fill] = attrs.field(factory=list)

    def hear(self, news: News) -> None:
        if isinstance(news, OrderNews) and isinstance(news.event, Filled):
            self.told.append(news.event.fill)

    async def trade(self, venue: PaperOrders) -> None:
        venue.listen("paper-1", self.hear)
        for number in range(40):
            async with trio.open_nursery() as nursery:
                for branch in range(self.chance.randint(1, 3)):
                    nursery.start_soon(self._one, venue, f"p{number}-{branch}")

    async def _one(self, venue: PaperOrders, key: str) -> None:
        order = attrs.evolve(self.chance.choice((ORDER, RESTING)), key=key, side=self.chance.choice(list(Side)))
        outcome = await venue.place("paper-1", order)
        if isinstance(outcome, Accepted):
            self.acknowledged[key] = outcome.broker_order_id
        if self.chance.random() < 0.3:
            await venue.cancel("paper-1", key, None)
        if self.chance.random() < 0.3:
            self.told += await venue.fills_since("paper-1", 0)

    async def check(self, venue: PaperOrders) -> None:
        for key, order_id in self.acknowledged.items():
            report = await venue.order("paper-1", key, None)
            assert report is not None
            assert report.broker_order_ids == (order_id,)
        fills = await venue.fills_since("paper-1", 0)
        assert set(self.told) <= set(fills)
        held = sum(position.quantity for position in await venue.positions("paper-1"))
        assert sum(fill.signed_quantity for fill in fills) == held
        outcome = await venue.place("paper-1", attrs.evolve(RESTING, key="next"))
        assert isinstance(outcome, Accepted)
        assert outcome.broker_order_id not in self.acknowledged.values()


@settings(max_examples=25 * NIGHTLY, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**20))
def test_D13_what_was_told_before_a_power_cut_is_known_after_it(hit: int, seed: int) -> None:
    witness = Witness(random.Random(seed))

    async def play(world: SimulatedWorld, venue: PaperOrders) -> None:
        disk.faults.arm("disk.power_cut", hit)
        await witness.trade(venue)

    with SimulatedDisk() as disk:
        error = life(disk, play, number=seed)
        assert error is None or _is_cut(error), error
        disk.power_on()
        again = life(disk, lambda _, venue: witness.check(venue), number=seed + 1)
        assert again is None, again


def _is_cut(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_cut, error.exceptions))
    return isinstance(error, PowerCut)
