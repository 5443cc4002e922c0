"""Claims about the base class, what an answer must be, and the state that is kept."""

import contextlib
import os
import sys
from decimal import Decimal
from typing import Any, Generic, TypeVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.market import Interval
from brokers.model import Change, GroupKind, OrderGroup, OrderType, TimeInForce
from brokers.sides import Side
from sessions.strategy import (
    BadDecision,
    BadStrategy,
    Cancel,
    CancelAll,
    Decisions,
    Event,
    Flatten,
    Keep,
    Modify,
    NoState,
    PaceRule,
    Started,
    StateMismatch,
    Strategy,
    StrategyFailed,
    StrategyTooSlow,
    Submit,
    View,
    Wants,
    buy,
    consult,
    encode_state,
    keyed,
    modify,
    paced,
    restore_state,
    sell,
    wants_of,
)
from sessions.strategy.checking import MAX_DECISIONS
from sessions.strategy.pace import Pace
from tests.sessions.strategy.desk import T0, order, picture, quote, report

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))


@attrs.frozen
class NoParameters:
    pass


@attrs.frozen
class Memory:
    side: Side | None = None
    price: Decimal = Decimal(0)
    count: int = 0
    names: tuple[str, ...] = ()
    interval: Interval = Interval.parse("1m")  # noqa: RUF009  a frozen value


class Plain(Strategy[NoParameters, Memory]):
    """Answers whatever a test tells it to."""

    answer: Any = None

    def wants(self) -> Wants:
        return Wants()

    def decide(self, event: Event, view: View[Memory]) -> Decisions:
        answer = type(self).answer
        told: Decisions = answer(event, view) if callable(answer) else answer
        return told


def answering(value: object) -> Strategy[Any, Any]:
    made: type[Plain] = type("Told", (Plain,), {"answer": staticmethod(value) if callable(value) else value})
    return made(NoParameters())


def view() -> View[Memory]:
    made = picture(Memory())
    made.orders["resting"] = report(order("resting"))
    return View(made)


def refused(value: object) -> BadDecision:
    with pytest.raises(BadDecision) as caught:
        consult(answering(value), quote(), view())
    return caught.value


# -------------------------------------------------------------------------------------------------- the class


def test_a_strategy_keeps_nothing_on_itself() -> None:
    with pytest.raises(AttributeError, match=r"decide Keep\(state\)"):
        answering(None).last = 3


def test_the_classes_of_parameters_and_state_are_read_from_the_base() -> None:
    assert (Plain.parameters_type, Plain.state_type, Plain.first_state()) == (NoParameters, Memory, Memory())


def test_a_strategy_in_between_may_leave_them_open_but_its_heir_must_name_both() -> None:
    kind = TypeVar("kind")

    class Half(Strategy[NoParameters, kind], Generic[kind]):
        def wants(self) -> Wants:
            return Wants()

        def decide(self, event: Event, view: View[kind]) -> Decisions:
            return None

    assert not hasattr(Half, "state_type")
    with pytest.raises(BadStrategy, match=r"expected Strategy\[Parameters, State\], got 1 class"):

        class Whole(Half[Memory]):
            pass


def test_a_state_that_could_change_in_place_is_refused() -> None:
    @attrs.define
    class Loose:
        count: int = 0

    with pytest.raises(BadStrategy, match=r"attrs\.frozen"):
        _subclass(Loose)


def test_a_state_that_cannot_begin_by_itself_is_refused() -> None:
    @attrs.frozen
    class Needy:
        count: int

    with pytest.raises(BadStrategy, match="give count a default"):
        _subclass(Needy)


def _subclass(state: type) -> None:
    class Bad(Strategy[NoParameters, state]):  # type: ignore[valid-type]  # what is refused
        def wants(self) -> Wants:
            return Wants()

        def decide(self, event: Event, view: View[Any]) -> Decisions:
            return None


# -------------------------------------------------------------------------------------------------- the answer


@pytest.mark.parametrize("nothing", [None, (), []])
def test_nothing_is_an_answer(nothing: object) -> None:
    assert consult(answering(nothing), quote(), view()).acts == ()


def test_one_decision_needs_no_list() -> None:
    assert consult(answering(Flatten("ESZ26")), quote(), view()).acts == (Flatten("ESZ26"),)


def test_decisions_keep_their_order_and_the_last_state_counts() -> None:
    acts = [buy("ESZ26", 1), modify("resting", quantity=2), Cancel("gone"), CancelAll(), Flatten()]
    mixed = [Keep(Memory(count=1)), *acts, Keep(Memory(count=2))]
    answer = consult(answering(mixed), quote(), view())
    assert list(answer.acts) == acts
    assert answer.state == Memory(count=2)
    assert answer.state_json is not None
    assert restore_state(Plain, answer.state_json) == Memory(count=2)


def test_a_state_that_stays_as_it_is_needs_no_journal() -> None:
    assert consult(answering(Keep(Memory())), quote(), view()).state_json is None


def test_an_order_may_be_changed_by_the_answer_that_submits_it() -> None:
    answer = consult(answering([buy("ESZ26", 1, tag="a"), modify("a", quantity=2)]), quote(), view())
    assert len(answer.acts) == 2


RUBBISH: list[tuple[object, str]] = [
    ("buy", "a decision"),
    (42, "a decision"),
    ({"buy": 1}, "a decision"),
    (iter([Flatten()]), "a decision"),
    ([Flatten(), None], "a decision"),
    ([[Flatten()]], "a decision"),
    ([Flatten()] * (MAX_DECISIONS + 1), "at most"),
    (Submit(None), "an Order or an OrderGroup"),  # type: ignore[arg-type]
    (Submit(order(quantity=1)), "a Decimal above 0 as quantity, got 1"),
    (Submit(order(quantity=Decimal("NaN"))), "a Decimal above 0"),
    (Submit(order(quantity=Decimal(-1))), "a Decimal above 0"),
    (Submit(order(limit_price=4500.25)), "a finite Decimal or None as limit_price"),
    (Submit(order(limit_price=Decimal("Infinity"))), "a finite Decimal"),
    (Submit(order(side="buy")), "a Side as side"),
    (Submit(order(type="limit")), "an OrderType"),
    (Submit(order(time_in_force="day")), "a TimeInForce"),
    (Submit(order(expires_ns=1.5)), "nanoseconds or None"),
    (Submit(order(post_only=1)), "True or False"),
    (Submit(order(symbol="NQZ26")), "'NQZ26' is not followed"),
    (Submit(order(symbol="ES")), "a contract such as 'ESZ26'"),
    (Submit(order(symbol=None)), "a symbol"),
    (Submit(order(tag="")), "a tag of 1 to 64"),
    (Submit(order(tag="a\nb")), "printable"),
    (Submit(order(key=7)), "a tag of 1 to 64"),
    (Submit(order("resting")), "a tag that is free"),
    (Submit(order("flatten.ESZ26")), "does not begin with 'flatten.'"),
    ([Submit(order("a")), Submit(order("a"))], "a tag that is free"),
    (Submit(OrderGroup("g", GroupKind.OCO, None, [order("a"), order("b")])), "a tuple of children"),  # type: ignore[arg-type]
    (Submit(OrderGroup("g", GroupKind.OCO, None, ())), "a tuple of children"),
    (Submit(OrderGroup("g", "oco", None, (order("a"),))), "a GroupKind"),  # type: ignore[arg-type]
    (Submit(OrderGroup("g", GroupKind.OCO, None, ("a", "b"))), "single orders"),  # type: ignore[arg-type]
    (Modify("resting"), "a Change"),  # type: ignore[arg-type]
    (Modify(Change("gone")), "the tag of an open order, which are resting"),
    (modify("resting", limit=Decimal("NaN")), "a finite Decimal or None as limit_price"),
    (Modify(Change("resting", quantity=Decimal(0))), "a Decimal above 0 or None"),
    (Cancel(None), "a tag"),  # type: ignore[arg-type]
    (CancelAll("GC"), "'GC' is not followed"),
    (Flatten(5), "a symbol"),  # type: ignore[arg-type]
    (Keep(None), "a Memory"),
    (Keep(NoState()), "a Memory"),
    (Keep(Memory(count="many")), "journalled as declared"),  # type: ignore[arg-type]
    (Keep(Memory(price=1.5)), "journalled as declared"),  # type: ignore[arg-type]
    (Keep(Memory(names=["a"])), "equal to itself"),  # type: ignore[arg-type]
    (Keep(Memory(names=("x" * 70_000,))), "at most 65536 characters"),
]


@pytest.mark.parametrize(("value", "expected"), RUBBISH, ids=[expected for _, expected in RUBBISH])
def test_rubbish_is_refused_with_what_was_expected_and_its_author(value: object, expected: str) -> None:
    error = refused(value)
    assert expected in error.expected
    assert error.strategy == "Told"
    assert error.event == quote()
    assert "nothing was done" in str(error)
    assert len(str(error)) < 1200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.builds(object),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
)
orders = st.builds(order, tag=anything, side=anything, quantity=anything, limit_price=anything, symbol=anything)
shapes = st.one_of(
    anything,
    orders.map(Submit),
    st.builds(OrderGroup, anything, anything, anything, anything).map(Submit),
    st.builds(Submit, anything),
    st.builds(Modify, anything),
    st.builds(Modify, st.builds(Change, anything, anything, anything)),
    st.builds(Cancel, anything),
    st.builds(Flatten, anything),
    st.builds(Keep, anything),
    st.builds(Keep, st.builds(Memory, anything, anything, anything, anything, anything)),
)


@settings(deadline=None, max_examples=100 * NIGHTLY)
@given(shapes | st.lists(shapes, max_size=3))
def test_no_answer_brings_the_checker_down(value: object) -> None:
    with contextlib.suppress(BadDecision):
        answer = consult(answering(value if not callable(value) else None), quote(), view())
        assert all(isinstance(act, Submit | Modify | Cancel | CancelAll | Flatten) for act in answer.acts)


def test_a_value_that_cannot_even_be_shown_is_still_reported() -> None:
    class Sly:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert "<Sly that cannot be shown>" in str(refused(Sly()))


# ------------------------------------------------------------------------------------------ raising and blocking


def raising(error: BaseException) -> Strategy[Any, Any]:
    def decide(event: object, view: object) -> None:
        raise error

    return answering(decide)


@pytest.mark.parametrize("error", [ValueError("boom"), ZeroDivisionError(), RecursionError(), SystemExit(3)])
def test_what_a_strategy_raises_is_told_with_its_event(error: BaseException) -> None:
    with pytest.raises(StrategyFailed) as caught:
        consult(raising(error), quote(), view())
    assert caught.value.__cause__ is error
    assert caught.value.event == quote()
    assert type(error).__name__ in str(caught.value)


def test_a_person_at_the_keyboard_is_not_the_strategys_error() -> None:
    with pytest.raises(KeyboardInterrupt):
        consult(raising(KeyboardInterrupt()), quote(), view())


def test_wants_that_raise_or_are_none_are_told() -> None:
    lost = type("Lost", (Plain,), {"wants": lambda _: 1 / 0})(NoParameters())
    with pytest.raises(StrategyFailed, match="while it said what it wants"):
        wants_of(lost)
    none = type("Nil", (Plain,), {"wants": lambda _: None})(NoParameters())
    with pytest.raises(BadDecision, match="its Wants"):
        wants_of(none)
    assert wants_of(answering(None)) == Wants()


MS = 1_000_000


def test_one_decision_over_the_limit_is_too_slow() -> None:
    with pytest.raises(StrategyTooSlow, match=r"took 1000\.\d ms"):
        paced(Pace(), PaceRule(), "Told", Started(False), 1_000 * MS + 1, 0)


def test_slow_decisions_are_forgiven_until_there_are_too_many_in_the_window() -> None:
    rule = PaceRule(allowed=2, window_ns=1_000)
    pace = Pace()
    for now in (0, 500, 1_400, 2_300):
        pace = paced(pace, rule, "Told", Started(False), 21 * MS, now)
    assert pace.slowest_ns == 21 * MS
    with pytest.raises(StrategyTooSlow):
        paced(pace, rule, "Told", Started(False), 21 * MS, 2_350)


def test_quick_decisions_leave_no_mark() -> None:
    pace = paced(Pace(), PaceRule(), "Told", Started(False), 20 * MS, 0)
    assert pace == Pace(slowest_ns=20 * MS)
    assert paced(pace, PaceRule(), "Told", Started(False), 5 * MS, 0) is pace


# ---------------------------------------------------------------------------------------------- state, decisions


memories = st.builds(
    Memory,
    st.none() | st.sampled_from(Side),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    st.builds(Interval, st.integers(1, 999_999), st.sampled_from(type(Interval.parse("1m").unit))),
)


@given(memories)
def test_what_is_kept_comes_back_equal(memory: Memory) -> None:
    assert restore_state(Plain, encode_state(Plain, memory)) == memory


@pytest.mark.parametrize("text", ['{"count":"x"}', '{"other":1}', "rubbish", "[]", '{"count":1'])
def test_a_state_of_an_older_class_is_told_and_not_guessed(text: str) -> None:
    with pytest.raises(StateMismatch, match="does not fit its class") as caught:
        restore_state(Plain, text)
    assert caught.value.state == text


def test_a_new_field_with_a_default_is_filled_in() -> None:
    assert restore_state(Plain, '{"count":3}') == Memory(count=3)


def test_an_entry_with_exits_is_a_bracket_of_opposite_sides() -> None:
    request = sell("ESZ26", 2, stop=Decimal(4510), target=Decimal(4490), time_in_force=TimeInForce.GTC).request
    assert isinstance(request, OrderGroup)
    assert request.kind is GroupKind.BRACKET
    assert [one.key for one in request.orders] == ["entry", "entry.stop", "entry.target"]
    assert [one.side for one in request.orders] == [Side.SELL, Side.BUY, Side.BUY]
    assert [one.type for one in request.orders] == [OrderType.MARKET, OrderType.STOP, OrderType.LIMIT]
    assert {one.quantity for one in request.orders} == {Decimal(2)}


@pytest.mark.parametrize(
    ("limit", "trigger", "kind"),
    [(None, None, "market"), (1, None, "limit"), (None, 1, "stop"), (1, 1, "stop_limit")],
)
def test_an_entrys_prices_say_what_it_is(limit: int | None, trigger: int | None, kind: str) -> None:
    prices = [None if price is None else Decimal(price) for price in (limit, trigger)]
    request = buy("ESZ26", 1, limit=prices[0], trigger=prices[1]).request
    assert not isinstance(request, OrderGroup)
    assert (request.type.value, request.limit_price, request.stop_price) == (kind, *prices)


def test_real_keys_take_the_place_of_tags() -> None:
    request = buy("ESZ26", 1, stop=Decimal(1), target=Decimal(2)).request
    tags = [request.key, *(one.key for one in Submit(request).orders)]
    made = keyed(request, {tag: f"K-{tag}" for tag in tags})
    assert isinstance(made, OrderGroup)
    assert [made.key, *(one.key for one in made.orders)] == [f"K-{tag}" for tag in tags]
    assert keyed(order("a"), {"a": "K1"}) == order("K1")
    with pytest.raises(KeyError):
        keyed(request, {})


def test_a_strategy_needs_no_clock_of_its_own() -> None:
    seen: list[int] = []
    consult(answering(lambda _, view: seen.append(view.now_ns)), quote(), view())
    assert seen == [T0]
    assert "time" not in vars(sys.modules["sessions.strategy.checking"])
