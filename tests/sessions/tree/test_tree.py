"""A session as a tree: in order, whole or not at all, and whatever dies, no order is doubled and no fill is lost."""

import contextlib
import os
import random
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from brokers.account_books import AccountBooks, books_name
from brokers.gateway import LinkNews
from brokers.market import Quote, Trade
from brokers.matching import Latency, VenueRules
from brokers.order_log import MemoryLog
from brokers.paper import PaperFaults, PaperSettings
from runtime import Child, Restart
from runtime.errors import ActorError
from runtime.events import EventKind
from sessions.risk.open_orders import Holding
from sessions.session import session_tree
from sessions.strategy import Cancel, Event, View, Wants, buy, sell
from tests.sessions.trader.kit import CALM_PAPER, ES, A, Stage, fills_of, on_stage, orders_of, played

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
CHILDREN = ["account-manager", "data-source", "trader"]
SLOW = VenueRules(standing_ns=None, ack_latency=Latency((1_000_000, 5_000_000, 40_000_000)))


def busy(event: Event, view: View[Any]) -> Any:
    """Trades on every quote, around nought, with some orders that rest."""
    if not isinstance(event, Quote):
        return None
    if len(view.orders) >= 3:
        return [Cancel(tag) for tag in view.orders]
    number = view.now_ns
    if number % 3 == 0:
        return buy(ES, 1, tag=f"r{number}", limit=Decimal(6700))
    held = view.held(ES)
    return buy(ES, 1, tag=f"b{number}") if held <= 0 else sell(ES, 2, tag=f"s{number}")


def all_agree(stage: Stage, *sessions: str) -> None:
    """The exchange, the books and risk tell the same story, and every order exists once."""
    orders, fills = orders_of(stage.exchange), fills_of(stage.exchange)
    assert len({one.order.key for one in orders}) == len(orders)
    total = sum((fill.signed_quantity for fill in fills), Decimal(0))
    shares = [stage.desk(one).quantity(ES, one) for one in sessions]
    assert total == stage.held() == sum(shares)
    for one, share in zip(sessions, shares, strict=True):
        assert stage.risk(one).position(Holding(one, ES)) == share
        assert set(stage.risk(one).orders.orders) == {
            key for key, entry in stage.desk(one).open.items() if entry.session == one
        }
    booked = {fill.id for fill in fills}
    known = stage.desk(sessions[0]).fill_ids
    assert all(known.get(fill_id) is not None for fill_id in booked)


def starts(stage: Stage) -> list[str]:
    """The children that became ready, in order."""
    ready = [event for event in stage.runtime.events.recent() if event.kind is EventKind.READY]
    return [event.path.rsplit("/", 1)[-1] for event in ready if "/s1/" in event.path]


def test_a_session_starts_in_order_and_one_for_all_starts_it_again_in_order() -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(busy))
        assert starts(stage) == CHILDREN
        before = {name: stage.sessions.supervisor("s1").child(name) for name in CHILDREN}
        stage.sessions.supervisor("s1").child("data-source").kill("test")  # type: ignore[union-attr]  # it runs
        await trio.sleep(1)
        await stage.settled()
        assert starts(stage) == CHILDREN * 2
        assert all(stage.sessions.supervisor("s1").child(name) is not before[name] for name in CHILDREN)

    played(play)


def test_a_trader_starts_only_after_its_books_were_compared_with_the_broker() -> None:
    async def play(stage: Stage) -> None:
        hub = stage.broker.orders._hub  # type: ignore[union-attr]  # the paper broker's own
        hub.set_line(LinkNews(False, "cut", stage.now_ns))
        tree = session_tree(stage.script(busy), stage.gate, stage.runtime)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.sessions.start_child, Child("s1", tree))
            await trio.sleep(20)
            assert "trader" not in starts(stage)
            hub.set_line(LinkNews(True, "mended", stage.now_ns))
        await stage.settled()
        books = stage.runtime.name(books_name("paper", A), AccountBooks)
        assert (await books.call(AccountBooks.agreed)).agreed

    played(play)


@pytest.mark.parametrize("seed", range(6 * NIGHTLY))
def test_f31_whatever_actor_is_killed_when_no_order_is_doubled_and_no_fill_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    log = MemoryLog(keep=True)

    async def play(stage: Stage) -> int:
        await stage.begin(stage.script(busy, whole={"max_restarts": 1_000}))
        books = stage.runtime.name(books_name("paper", A), AccountBooks)
        for _ in range(15):
            for _ in range(chance.randint(1, 6)):
                stage.shows()
                await trio.sleep(chance.random() * 0.02)
            victim = chance.choice([*CHILDREN, "books"])
            ref = books.resolve() if victim == "books" else stage.sessions.supervisor("s1").child(victim)
            if ref is not None:
                ref.kill("test")
            await trio.sleep(chance.choice([0.05, 0.5, 15]) * chance.random())
        await trio.sleep(60)
        await stage.settled()
        await trio.sleep(5)
        all_agree(stage, "s1")
        return len(fills_of(stage.exchange))

    settings = attrs.evolve(CALM_PAPER, rules=SLOW)
    assert played(play, settings, logs=lambda _: log, seed=seed) > 10


@pytest.mark.parametrize("seed", range(3 * NIGHTLY))
def test_f32_a_broker_with_faults_leaves_exchange_books_and_risk_in_agreement(seed: int) -> None:
    faults = PaperFaults(reject=0.05, thin=0.3, slow_ack=0.1, disconnects_per_hour=120, disconnect_ns=2 * 10**9)

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(busy))
        for _ in range(300):
            stage.shows()
            await trio.sleep(0.5)
        await trio.sleep(60)
        all_agree(stage, "s1")

    played(play, attrs.evolve(CALM_PAPER, rules=SLOW, faults=faults), seed=seed)


@pytest.mark.parametrize("where", ["Started", "Quote", "OrderUpdate", "Filled", "wants"])
def test_f31_a_strategy_that_raises_ends_its_own_session_only_and_the_parent_hears_once(where: str) -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        if type(event).__name__ == where:
            raise RuntimeError("always")
        return busy(event, view)

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(busy, "good"))
        whole = {"max_restarts": 2}
        if where == "wants":
            plan = stage.script(decide, wants="nonsense", whole=whole)
        else:
            plan = stage.script(decide, whole=whole)
        trader = stage.sessions.supervisor("good").child("trader")
        with trio.move_on_after(30):
            child: Child[Any] = Child("s1", session_tree(plan, stage.gate, stage.runtime), restart=Restart.TEMPORARY)
            await _quietly(stage.sessions.start_child(child))
        for _ in range(10):
            stage.shows()
            await trio.sleep(0.5)
        gone = [event for event in stage.runtime.events.recent() if event.kind is EventKind.GAVE_UP]
        assert len(gone) == (0 if where == "wants" else 1)
        assert stage.sessions.supervisor("good").child("trader") is trader
        assert stage.held() == stage.desk("good").ledger.quantity(ES)

    played(play)


async def _quietly(request: Any) -> None:
    with contextlib.suppress(ActorError):
        await request


def test_f33_a_strategy_that_answers_rubbish_sends_nothing_of_it() -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        return [buy(ES, 1), "rubbish"] if isinstance(event, Quote) else None

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide))
        stage.shows()
        await trio.sleep(2)
        assert not orders_of(stage.exchange)

    played(play)


@pytest.mark.parametrize("seed", range(10 * NIGHTLY))
def test_f33_a_session_that_is_stopped_at_any_moment_leaves_books_that_agree(seed: int) -> None:
    chance = random.Random(seed)

    async def play(stage: Stage) -> None:
        plan = stage.script(busy)
        await stage.begin(plan)
        for _ in range(4):
            for _ in range(chance.randint(1, 4)):
                stage.shows()
                await trio.sleep(chance.random() * 0.01)
            with trio.move_on_after(chance.random() * 0.02):  # cancelled in the middle of whatever it does
                await stage.sessions.terminate_child("s1")
            await _quietly(stage.sessions.terminate_child("s1"))
            await stage.begin(plan)
        await trio.sleep(60)
        all_agree(stage, "s1")

    played(play, attrs.evolve(CALM_PAPER, rules=SLOW), seed=seed)


def test_two_sessions_in_one_symbol_of_one_account_have_shares_that_sum_to_the_net() -> None:
    async def play(stage: Stage) -> None:
        def short(event: Event, view: View[Any]) -> Any:
            wanted = isinstance(event, Quote) and view.held(ES) > -2 and not view.orders
            return sell(ES, 1, tag=f"x{view.now_ns}") if wanted else None

        def long(event: Event, view: View[Any]) -> Any:
            wanted = isinstance(event, Quote) and view.held(ES) < 5 and not view.orders
            return buy(ES, 1, tag=f"y{view.now_ns}") if wanted else None

        await stage.begin(stage.script(long, "long"))
        await stage.begin(stage.script(short, "short"))
        for _ in range(30):
            stage.shows()
            await trio.sleep(0.2)
        await trio.sleep(2)
        assert (stage.desk("long").quantity(ES, "long"), stage.desk("short").quantity(ES, "short")) == (
            Decimal(5),
            Decimal(-2),
        )
        all_agree(stage, "long", "short")
        assert stage.actor("long").view.held(ES) == 5

    played(play)


def test_sessions_of_one_data_broker_hear_each_print_once_and_still_do_when_another_starts_again() -> None:
    heard: dict[str, list[Event]] = {"s1": [], "s2": [], "s3": []}

    async def play(stage: Stage) -> None:
        wants = Wants(trades=(ES,))
        for session, events in heard.items():
            await stage.begin(stage.script(lambda _, __: None, session, wants=wants, heard=events))
        shown = 0
        for killed in (None, "s1", "s2"):
            if killed is not None:
                victim = stage.sessions.supervisor(killed).child("data-source")
                assert victim is not None
                victim.kill("test")
                await trio.sleep(30)
                await stage.settled(killed)
            for price in (6800, 6801, 6802):
                stage.venue.market(Trade(ES, Decimal(price), Decimal(1), stage.now_ns))
                await trio.sleep(0.5)
            shown += 3
            for events in heard.values():
                assert len([event for event in events if isinstance(event, Trade)]) == shown

    played(play)


def test_the_same_seed_plays_the_same_session_again() -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(busy, wants=Wants(quotes=(ES,))))
        await trio.sleep(30)

    settings = PaperSettings(symbols=(ES,))
    hashes = {on_stage(play, settings, recording=None, seed=7).trace_hash for _ in range(2)}
    assert len(hashes) == 1
