"""One session's trader over the paper broker: what it tells its strategy, what it sends, when it may not."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel

from brokers.errors import Certainty, Code, broker_error
from brokers.gateway import LinkNews
from brokers.guards.ladder import Cause, Cleared, Raised, Rung
from brokers.instruments import Kind
from brokers.market import Bar, Interval, Quote
from brokers.market_data import market_topic
from brokers.model import Order, OrderGroup, OrderState
from brokers.outcome import Outcome, Rejected
from brokers.paper import PaperFaults, PaperSettings
from brokers.paper.orders import PaperOrders
from brokers.paper.settings import FEES
from sessions.journal import JOURNAL, JournalDown, JournalFailed, JournalUp
from sessions.risk.desk import RISK_TOPIC, SwitchStatus
from sessions.risk.kill_switch import Mode
from sessions.risk.open_orders import Holding
from sessions.strategies.ema_cross import EmaCross, EmaParameters
from sessions.strategies.two_sided import QuotingParameters, TwoSided
from sessions.strategy import (
    Cancel,
    CancelAll,
    Denied,
    Event,
    Filled,
    Flatten,
    Keep,
    OrderUpdate,
    ParametersChanged,
    Rolled,
    Series,
    Started,
    Strategy,
    TimerDue,
    View,
    Wants,
    buy,
    modify,
    sell,
)
from sessions.strategy import Every as EverySeconds
from sessions.trader.causes import cause_topic
from sessions.trader.log import MemorySessionLog
from sessions.trader.plan import RollMode
from sessions.trader.trader import Trader, WantsOther
from tests.sessions.risk.kit import wide
from tests.sessions.trader.kit import (
    CALM_PAPER,
    ES,
    ScriptParameters,
    Stage,
    fills_of,
    orders_of,
    played,
    quote,
)

ONE_MINUTE = Interval.parse("1m")


def once(decision: Any) -> Callable[[Event, View[Any]], Any]:
    """Decides one thing on the first quote, and nothing after it."""
    done: list[bool] = []

    def decide(event: Event, view: View[Any]) -> Any:
        if isinstance(event, Quote) and not done:
            done.append(True)
            return decision
        return None

    return decide


def kinds(heard: list[Event]) -> list[str]:
    return [type(event).__name__ for event in heard if not isinstance(event, Quote)]


def test_a_decision_on_a_quote_becomes_a_fill_of_which_strategy_books_and_risk_all_hear() -> None:
    heard: list[Event] = []

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(once(buy(ES, 2)), heard=heard))
        stage.shows()
        await trio.sleep(1)
        assert stage.held() == stage.desk().quantity(ES, "s1") == 2
        assert stage.risk().position(Holding("s1", ES)) == 2
        assert not stage.risk().orders.orders
        assert stage.actor().view.held(ES) == 2
        assert not stage.actor().view.orders

    played(play)
    assert (kinds(heard)[0], kinds(heard)[-1], kinds(heard).count("Filled")) == ("Started", "OrderUpdate", 1)
    fill = next(event for event in heard if isinstance(event, Filled))
    assert (fill.tag, fill.fill.session, fill.fill.quantity) == ("entry", "s1", Decimal(2))


def test_the_fees_of_its_trades_count_in_a_sessions_day_to_the_cent() -> None:
    async def play(stage: Stage) -> Decimal | None:
        await stage.begin(stage.script(once(buy(ES, 2))))
        stage.shows("6800.25", "6800.25")
        await trio.sleep(1)
        return stage.risk().result.today

    assert played(play) == -2 * FEES[Kind.FUTURE].per_contract


def test_an_order_is_open_for_its_strategy_from_the_decision_on() -> None:
    seen: list[int] = []

    def decide(event: Event, view: View[Any]) -> Any:
        seen.append(len(view.orders))
        return buy(ES, 1, limit=Decimal(6700)) if isinstance(event, Quote) and not view.orders else None

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide))
        for _ in range(5):
            stage.shows()
        await trio.sleep(1)
        assert len(orders_of(stage.exchange)) == 1

    played(play)
    assert seen[-1] == 1


def test_what_risk_denies_is_told_and_never_reaches_the_broker() -> None:
    heard: list[Event] = []

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(once(buy(ES, 5000)), heard=heard))
        stage.shows()
        await trio.sleep(1)
        assert not orders_of(stage.exchange)
        assert not stage.actor().view.orders

    played(play)
    (denied,) = [event for event in heard if isinstance(event, Denied)]
    assert denied.tag == "entry"
    assert "order_quantity" in denied.reason


def test_what_a_rule_of_the_broker_refuses_is_told_once_and_risk_forgets_it() -> None:
    heard: list[Event] = []

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(once(buy(ES, 1, limit=Decimal("6799.13"))), heard=heard))
        stage.shows()
        await trio.sleep(1)
        assert not orders_of(stage.exchange)
        assert not stage.risk().orders.orders

    played(play)
    assert kinds(heard) == ["Started", "Denied"]


def test_what_the_broker_rejects_is_told_once_as_denied() -> None:
    heard: list[Event] = []
    settings = attrs.evolve(CALM_PAPER, faults=attrs.evolve(PaperFaults.none(), reject=1.0))

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(once(buy(ES, 1)), heard=heard))
        stage.shows()
        await trio.sleep(1)
        assert not stage.risk().orders.orders

    played(play, settings)
    assert kinds(heard) == ["Started", "OrderUpdate", "Denied"] or kinds(heard) == ["Started", "Denied"]


def test_a_cancel_and_a_change_reach_the_broker_by_their_tags() -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        order = view.order("entry")
        if isinstance(event, Quote) and order is None:
            return buy(ES, 1, limit=Decimal(6700))
        if isinstance(event, OrderUpdate) and order is not None and order.state is OrderState.WORKING:
            changed = order.order.limit_price == Decimal(6710)
            return Cancel("entry") if changed else modify("entry", limit=Decimal(6710))
        return None

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide))
        stage.shows()
        await trio.sleep(2)
        (order,) = orders_of(stage.exchange)
        assert (order.order.limit_price, order.state) == (Decimal(6710), OrderState.CANCELED)
        assert not stage.risk().orders.orders

    played(play)


def test_a_cancel_in_the_same_breath_as_its_order_is_sent_once_the_order_is_known() -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(once([buy(ES, 1, limit=Decimal(6700)), Cancel("entry")])))
        stage.shows()
        await trio.sleep(2)
        (order,) = orders_of(stage.exchange)
        assert order.state is OrderState.CANCELED

    played(play)


def test_flatten_cancels_first_and_closes_then() -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        if isinstance(event, Quote) and not view.held(ES) and not view.orders:
            return [buy(ES, 3), sell(ES, 3, tag="exit", limit=Decimal(6900))]
        if isinstance(event, TimerDue):
            return Flatten(ES)
        return None

    async def play(stage: Stage) -> None:
        wants = Wants(quotes=(ES,), timers=(EverySeconds("exit", 5),))
        await stage.begin(stage.script(decide, wants=wants))
        stage.shows()
        await trio.sleep(1)
        assert stage.held() == 3
        await trio.sleep(5)
        assert stage.held() == 0
        assert not stage.actor().view.orders
        states = {one.order.limit_price: one.state for one in orders_of(stage.exchange)}
        assert states[Decimal(6900)] is OrderState.CANCELED

    played(play)


def test_f22_quotes_conflate_while_no_fill_is_ever_dropped() -> None:
    heard: list[Event] = []

    def decide(event: Event, view: View[Any]) -> Any:
        return buy(ES, 1, tag=f"t{len(heard)}") if isinstance(event, Quote) else None

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide, heard=heard))
        for _ in range(500):
            stage.runtime.topics.publish(market_topic("paper", ES), quote(time_ns=stage.now_ns))
            if stage.world.chance.random() < 0.2:
                await trio.sleep(0.001)
        await trio.sleep(2)
        told = [event.fill.id for event in heard if isinstance(event, Filled)]
        assert sorted(told) == sorted(fill.id for fill in fills_of(stage.exchange))
        assert stage.actor().inbox.conflated > 0

    played(play)
    assert 10 < len([event for event in heard if isinstance(event, Quote)]) < 500


# Bars.


def test_history_is_in_the_view_at_the_start_and_live_bars_join_it_without_gap_or_overlap() -> None:
    heard: list[Event] = []
    windows: list[tuple[Bar, ...]] = []

    def decide(event: Event, view: View[Any]) -> None:
        if isinstance(event, Started):
            windows.append(view.bars(ES, ONE_MINUTE))

    async def play(stage: Stage) -> list[Bar]:
        wants = Wants(bars=(Series(ES, ONE_MINUTE, 20),))
        await trio.sleep(600)
        await stage.begin(stage.script(decide, wants=wants, heard=heard))
        await trio.sleep(600)
        end = stage.now_ns
        return list(await stage.broker.bars(ES, ONE_MINUTE, end - 3_600 * 10**9, end))

    bars = played(play, recording=None)
    seen = [*windows[0], *(event for event in heard if isinstance(event, Bar))]
    assert len(windows[0]) >= 8
    assert len(seen) - len(windows[0]) >= 9
    truth = [bar for bar in bars if bar.time_ns <= seen[-1].time_ns]
    assert seen == truth[-len(seen) :]


# The ladder.


def test_b23_quotes_that_grow_old_end_new_risk_and_fresh_ones_bring_it_back_by_a_reconciliation() -> None:
    async def play(stage: Stage) -> list[Rung]:
        await stage.begin(stage.script(lambda *_: None, limits=wide(stale_ms=5_000)))
        stage.shows()
        rungs = []
        for seconds in (2, 8):
            await trio.sleep(seconds)
            rungs.append(stage.gate.rung("s1"))
        for _ in range(5):
            stage.shows()
            await trio.sleep(1)
        return [*rungs, stage.gate.rung("s1")]

    assert played(play) == [Rung.FULL, Rung.NO_NEW_RISK, Rung.FULL]


def test_f3_a_line_that_lives_without_data_takes_no_new_risk_and_no_bar_is_invented() -> None:
    """The link says that it is up all the while; that quotes are old is what the session goes by."""
    heard: list[Event] = []

    async def play(stage: Stage) -> tuple[list[Rung], list[LinkNews]]:
        links: list[LinkNews] = []
        stage.broker.need_feed().listen(lambda news: links.append(news) if isinstance(news, LinkNews) else None)
        wants = Wants(quotes=(ES,), bars=(Series(ES, ONE_MINUTE, history=0),))
        await stage.begin(stage.script(lambda *_: None, limits=wide(stale_ms=5_000), wants=wants, heard=heard))
        stage.shows()
        await trio.sleep(2)
        rungs = [stage.gate.rung("s1")]
        heard.clear()
        links.clear()
        await trio.sleep(200)
        return [*rungs, stage.gate.rung("s1")], list(links)

    rungs, links = played(play)
    assert rungs == [Rung.FULL, Rung.NO_NEW_RISK]
    assert all(news.up for news in links)
    bars = [event for event in heard if isinstance(event, Bar)]
    assert len(bars) <= 1, "the bar of the one quote, and none of the minutes without any"


def test_b22_a_line_that_is_down_leaves_only_cancels_until_the_books_agree_again() -> None:
    async def play(stage: Stage) -> list[Rung]:
        await stage.begin(stage.script(lambda *_: None))
        hub = stage.broker.orders._hub  # type: ignore[union-attr]  # the paper broker's own
        hub.set_line(LinkNews(False, "cut", stage.now_ns))
        await trio.sleep(0.001)
        down = stage.gate.rung("s1")
        await trio.sleep(5)
        still = stage.gate.rung("s1")
        hub.set_line(LinkNews(True, "mended", stage.now_ns))
        await trio.lowlevel.checkpoint()
        at_once = stage.gate.rung("s1")
        await trio.sleep(5)
        return [down, still, at_once, stage.gate.rung("s1")]

    assert played(play) == [Rung.CANCEL_ONLY, Rung.CANCEL_ONLY, Rung.CANCEL_ONLY, Rung.FULL]


def test_d06_a_failed_journal_leaves_only_cancels_in_the_same_instant() -> None:
    heard: list[Event] = []

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(lambda event, _: buy(ES, 1) if isinstance(event, Quote) else None, heard=heard))
        stage.runtime.topics.publish(JOURNAL, JournalDown(JournalFailed("/j", "SQLITE_FULL", "full")))
        assert stage.gate.rung("s1") is Rung.CANCEL_ONLY
        stage.shows()
        await trio.sleep(1)
        assert not orders_of(stage.exchange)
        assert [alert.cause for alert in stage.alerts] == ["JOURNAL_WRITE_FAILED"]
        stage.runtime.topics.publish(JOURNAL, JournalUp(1, survived=True))
        await trio.sleep(3)
        assert stage.gate.rung("s1") is Rung.FULL

    played(play)
    assert any(isinstance(event, Denied) for event in heard)


def test_f11_a_lost_token_of_the_connection_reaches_its_sessions() -> None:
    async def play(stage: Stage) -> list[Rung]:
        await stage.begin(stage.script(lambda *_: None))
        stage.runtime.topics.publish(cause_topic("paper"), Raised(Cause.TOKEN_LOST))
        lost = stage.gate.rung("s1")
        stage.runtime.topics.publish(cause_topic("paper"), Cleared(Cause.TOKEN_LOST))
        await trio.sleep(3)
        return [lost, stage.gate.rung("s1")]

    assert played(play) == [Rung.CANCEL_ONLY, Rung.FULL]


@pytest.mark.parametrize("flatten", [False, True])
def test_i17_after_a_halt_nothing_is_submitted_and_open_orders_are_cancelled(flatten: bool) -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        if not isinstance(event, Quote):
            return None
        number = int(event.time_ns) % 10**12
        return [buy(ES, 1, tag=f"m{number}"), buy(ES, 1, tag=f"l{number}", limit=Decimal(6700))]

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide))
        stage.shows()
        await trio.sleep(1)
        sent = len(orders_of(stage.exchange))
        mark = stage.switch.pull(Mode.CANCEL_ONLY if flatten else Mode.HALT, "me", flatten=flatten)
        stage.runtime.topics.publish(RISK_TOPIC, SwitchStatus(mark, survives=True))
        for _ in range(20):
            stage.shows()
            await trio.sleep(0.01)
        await trio.sleep(2)
        orders = orders_of(stage.exchange)
        assert len(orders) == sent + (1 if flatten else 0)
        assert all(one.state.final for one in orders)
        assert stage.held() == (0 if flatten else 1)

    played(play)


@pytest.mark.parametrize("mode", Mode)
def test_i17_what_a_person_wants_closed_is_closed_by_the_next_instance_of_a_session_that_fell(mode: Mode) -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        if not isinstance(event, Quote) or view.orders or view.held(ES):
            return None
        return [buy(ES, 2, tag="at once"), buy(ES, 1, tag="rests", limit=Decimal(6700))]

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide))
        stage.shows()
        await trio.sleep(1)
        assert stage.held() == 2
        stage.switch.pull(mode, "me", flatten=mode is Mode.CANCEL_ONLY)  # nobody is told
        stage.sessions.supervisor("s1").child("trader").kill("test")  # type: ignore[union-attr]  # it runs
        await trio.sleep(1)
        await stage.settled()
        await trio.sleep(3)
        assert all(one.state.final for one in orders_of(stage.exchange))
        assert stage.held() == (0 if mode is Mode.CANCEL_ONLY else 2)

    played(play)


def test_while_a_person_has_everything_closed_no_strategy_cancels_what_closes_it() -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        if isinstance(event, Quote) and not view.held(ES):
            return buy(ES, 2, tag="at once")
        return CancelAll() if isinstance(event, Quote | OrderUpdate) else None

    async def play(stage: Stage) -> list[str]:
        await stage.begin(stage.script(decide))
        stage.shows()
        await trio.sleep(1)
        stage.venue.market(attrs.evolve(quote(time_ns=stage.now_ns), bid_size=Decimal(1), ask_size=Decimal(1)))
        stage.runtime.topics.publish(
            RISK_TOPIC, SwitchStatus(stage.switch.pull(Mode.CANCEL_ONLY, "me", flatten=True), survives=True)
        )
        await trio.sleep(0.1)
        assert stage.held() == 1
        (closing,) = [one for one in orders_of(stage.exchange) if not one.state.final]
        stage.shows()
        await trio.sleep(1)
        assert stage.held() == 0
        return [one.order.key for one in orders_of(stage.exchange) if one.order.key == closing.order.key]

    assert len(played(play)) == 1


def test_a_close_that_the_broker_refuses_is_tried_again_until_everything_is_closed() -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        return buy(ES, 2, tag="at once") if isinstance(event, Quote) and not view.orders else None

    async def play(stage: Stage) -> list[bool]:
        await stage.begin(stage.script(decide))
        stage.shows()
        await trio.sleep(1)
        tries: list[object] = []
        obeying = stage.broker.orders.__class__

        class Refusing(PaperOrders):
            def begin_place(self, *_: object) -> bool:
                return False

            async def place(self, account: str, order: Order | OrderGroup) -> Outcome:
                tries.append(order)
                return Rejected(broker_error("paper", Code.MARKET_CLOSED, "closed", certainty=Certainty.DEFINITE))

        stage.broker.orders.__class__ = Refusing  # it answers for the venue
        stage.switch.pull(Mode.CANCEL_ONLY, "me", flatten=True)
        await trio.sleep(8)
        held = stage.held()
        stage.broker.orders.__class__ = obeying
        await trio.sleep(10)
        return [held == 2, 2 <= len(tries) <= 4, stage.held() == 0]

    assert played(play) == [True, True, True]


def test_who_wants_everything_closed_after_a_halt_does_not_wait_for_cancels_that_hang() -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        if not isinstance(event, Quote) or view.orders or view.held(ES):
            return None
        return [buy(ES, 2, tag="at once"), buy(ES, 1, tag="rests", limit=Decimal(6700))]

    async def play(stage: Stage) -> list[Decimal]:
        await stage.begin(stage.script(decide))
        stage.shows()
        await trio.sleep(1)

        class Hanging(PaperOrders):
            async def cancel(self, *_: Any, **__: Any) -> Outcome:
                await trio.sleep_forever()
                raise AssertionError

        stage.broker.orders.__class__ = Hanging  # it answers for the venue
        stage.switch.pull(Mode.HALT, "me")
        await trio.sleep(2)
        stage.switch.pull(Mode.HALT, "me", flatten=True)
        await trio.sleep(15)
        return [stage.held()]

    assert played(play) == [Decimal(0)]


def test_a_strategy_that_answers_every_denial_with_what_is_denied_again_ends_its_own_session_alone() -> None:
    def decide(event: Event, view: View[Any]) -> Any:
        return buy(ES, 100_000, tag="again") if isinstance(event, Quote | Denied) else None

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide))
        insisting = stage.trader().resolve()
        assert insisting is not None
        stage.shows()
        assert "was denied 10,000 times" in str(await insisting.ended())
        await stage.settled()
        assert stage.actor().started

    played(play)


# State, reload, pace, poison.


@attrs.frozen
class Count:
    """How many quotes were seen."""

    quotes: int = 0


class Counter(Strategy[ScriptParameters, Count]):
    """Counts quotes in its state."""

    def wants(self) -> Wants:
        return self.parameters.wants

    def decide(self, event: Event, view: View[Count]) -> Any:
        self.parameters.heard.append(event)
        return Keep(Count(view.state.quotes + 1)) if isinstance(event, Quote) else None


def test_a_strategys_state_and_the_tags_of_its_orders_survive_its_session() -> None:
    log = MemorySessionLog()
    heard: list[Event] = []

    async def play(stage: Stage) -> None:
        def decide(event: Event, view: View[Any]) -> Any:
            return buy(ES, 1, tag="mine", limit=Decimal(6700)) if isinstance(event, Quote) and not view.orders else None

        await stage.begin(stage.script(decide, whole={"log": log}))
        stage.shows()
        await trio.sleep(1)
        stage.sessions.supervisor("s1").child("trader").kill("test")  # type: ignore[union-attr]  # it runs
        await trio.sleep(1)
        await stage.settled()
        assert list(stage.actor().view.orders) == ["mine"]
        assert len(orders_of(stage.exchange)) == 1

    played(play)

    async def count(stage: Stage) -> None:
        counter = stage.plan(Counter, ScriptParameters(lambda *_: None, heard=heard), whole={"log": log})
        await stage.begin(counter)
        for _ in range(3):
            stage.shows()
            await trio.sleep(0.1)
        stage.sessions.supervisor("s1").child("account-manager").kill("test")  # type: ignore[union-attr]  # it runs
        await trio.sleep(1)
        await stage.settled()
        stage.shows()
        await trio.sleep(0.1)
        assert stage.actor().view.state == Count(4)

    played(count)
    assert [event.restored for event in heard if isinstance(event, Started)] == [False, True]


def test_parameters_change_under_a_running_strategy_and_other_wants_are_refused() -> None:
    heard: list[Event] = []

    async def play(stage: Stage) -> None:
        await stage.begin(stage.plan(TwoSided, QuotingParameters("ES", quantity=Decimal(1))))
        await stage.begin(stage.script(lambda *_: None, "s2", heard=heard))
        ref = stage.sessions.supervisor("s1").child("trader")
        wider = QuotingParameters("ES", quantity=Decimal(2))
        assert await stage.trader().call(Trader.reload, TwoSided, wider) == ("quantity",)
        stage.shows()
        await trio.sleep(1)
        assert {one.order.quantity for one in orders_of(stage.exchange)} == {2}
        with pytest.raises(WantsOther):
            await stage.trader().call(Trader.reload, TwoSided, QuotingParameters("ESZ26"))
        assert stage.sessions.supervisor("s1").child("trader") is ref

    played(play)
    assert not [event for event in heard if isinstance(event, ParametersChanged)]


def test_f34_news_that_end_the_trader_are_put_aside_after_three_deliveries_and_others_flow() -> None:
    heard: list[Event] = []

    def decide(event: Event, view: View[Any]) -> Any:
        if type(event) is Filled:
            raise ArithmeticError("poison")
        return buy(ES, 1) if isinstance(event, Quote) and not view.orders and not view.held(ES) else None

    async def play(stage: Stage) -> None:
        await stage.begin(stage.script(decide, heard=heard))
        stage.shows()
        await trio.sleep(5)
        await stage.settled()
        statistics = await stage.trader().call(Trader.statistics)
        assert statistics.quarantined == 1
        assert "quarantined" in [alert.cause for alert in stage.alerts]
        assert stage.held() == 1

    played(play)
    assert len([event for event in heard if isinstance(event, Filled)]) == 3
    assert kinds(heard)[-1] == "OrderUpdate"


def test_every_shipped_strategy_trades_a_synthetic_morning_and_exchange_books_and_risk_agree() -> None:
    async def play(stage: Stage) -> int:
        await trio.sleep(600)
        await stage.begin(stage.plan(TwoSided, QuotingParameters("ES"), "quotes"))
        ema = EmaParameters("ES", ONE_MINUTE, fast=3, slow=8)
        await stage.begin(stage.plan(EmaCross, ema, "trend"))
        await trio.sleep(1_800)
        shares = [stage.desk(one).quantity(ES, one) for one in ("quotes", "trend")]
        assert sum(shares) == stage.held()
        for one, share in zip(("quotes", "trend"), shares, strict=True):
            assert stage.risk(one).position(Holding(one, ES)) == share
        return len(fills_of(stage.exchange))

    assert played(play, PaperSettings(symbols=(ES,)), recording=None) > 3


# Rolls.


@pytest.mark.parametrize(
    ("mode", "held"), [(RollMode.MOVE, (0, 2)), (RollMode.FOLLOW, (2, 0)), (RollMode.STAY, (2, 0))]
)
def test_a_contract_that_leaves_the_front_is_rolled_as_the_session_wants_it(
    mode: RollMode, held: tuple[int, int]
) -> None:
    heard: list[Event] = []
    fronts: list[str] = []

    def decide(event: Event, view: View[Any]) -> Any:
        if isinstance(event, Quote):
            fronts.append(view.symbol("ES"))
        return buy(ES, 2) if isinstance(event, Quote) and event.symbol == ES and not heard_fill(heard) else None

    async def play(stage: Stage) -> None:
        wants = Wants(quotes=("ES",))
        await stage.begin(stage.script(decide, wants=wants, heard=heard, roll=mode))
        stage.shows()
        stage.shows("6850.00", "6850.25", NEXT)
        await trio.sleep(1)
        assert stage.held() == 2
        stage.world.clock.step(OVER_THE_WEEKEND_NS)
        for _ in range(70):
            stage.shows()
            stage.shows("6850.00", "6850.25", NEXT)
            await trio.sleep(1)
        await trio.sleep(5)
        assert (stage.held(ES), stage.held(NEXT)) == tuple(map(Decimal, held))
        assert stage.risk().position(Holding("s1", NEXT)) == held[1]

    settings = attrs.evolve(CALM_PAPER, symbols=(ES, NEXT))
    first = [quote(time_ns=FRIDAY_NS), quote("6850.00", "6850.25", FRIDAY_NS, NEXT)]
    played(play, settings, recording=first, epoch_ns=FRIDAY_NS)
    told = [(event.root, event.old, event.new) for event in heard if isinstance(event, Rolled)]
    assert told == ([] if mode is RollMode.STAY else [("ES", ES, NEXT)])
    assert fronts[-1] == (ES if mode is RollMode.STAY else NEXT)


def heard_fill(heard: list[Event]) -> bool:
    return any(isinstance(event, Filled | OrderUpdate) for event in heard)


NEXT = "ESH27"
FRIDAY_NS = 1_797_001_200_000_000_000  # 15:00 in London, three days before the March contract is in front
OVER_THE_WEEKEND_NS = 3 * 86_400 * 10**9
