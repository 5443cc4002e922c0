"""Claims about parameters from a command line or a TOML table."""

import enum
import tomllib
from decimal import Decimal
from typing import Any, Literal

import attrs
import pytest
from attrs.validators import gt

from brokers.market import Interval
from config.reading import UnfitValue
from sessions.strategy import (
    BadStrategy,
    Decisions,
    Event,
    NoState,
    ParameterError,
    Strategy,
    View,
    Wants,
    changed_keys,
    from_table,
    from_words,
)


class Mood(enum.Enum):
    BOLD = "bold"
    SHY = "shy"


@attrs.frozen
class All:
    symbol: str
    fast: int = attrs.field(default=12, validator=gt(0))
    size: Decimal = Decimal(1)
    live: bool = False
    interval: Interval = Interval.parse("5m")  # noqa: RUF009  a frozen value
    mood: Mood = Mood.SHY
    how: Literal["slow", "quick"] = "slow"
    levels: tuple[Decimal, ...] = ()
    cap: Decimal | None = None

    def __attrs_post_init__(self) -> None:
        if self.symbol == "bad":
            raise UnfitValue("a good symbol", self.symbol, "symbol")


class Sample(Strategy[All, NoState]):
    def wants(self) -> Wants:
        return Wants()

    def decide(self, event: Event, view: View[NoState]) -> Decisions:
        return None


FULL = All(
    "ES", 5, Decimal("0.5"), True, Interval.parse("15m"), Mood.BOLD, "quick", (Decimal(1), Decimal("2.5")), Decimal(9)
)
WORDS = ["symbol=ES", "fast=5", "size=0.5", "live=true", "interval=15m", "mood=bold", "how=quick"]
WORDS += ["levels=1,2.5", "cap=9"]
TABLE = """
symbol = "ES"
fast = 5
size = "0.5"
live = true
interval = "15m"
mood = "bold"
how = "quick"
levels = [1, "2.5"]
cap = 9
"""


def problems(*words: str, **table: object) -> dict[str, tuple[str, str]]:
    with pytest.raises(ParameterError) as caught:
        from_words(Sample, words) if words else from_table(Sample, table)
    return {problem.key: (problem.expected, problem.got) for problem in caught.value.problems}


def test_words_and_a_table_say_the_same() -> None:
    assert from_words(Sample, WORDS) == from_table(Sample, tomllib.loads(TABLE)) == FULL


def test_what_is_not_said_has_its_default() -> None:
    assert from_words(Sample, ["symbol=ES"]) == from_table(Sample, {"symbol": "ES"}) == All("ES")


def test_an_optional_parameter_can_be_emptied_on_the_command_line() -> None:
    assert from_words(Sample, ["symbol=ES", "cap=", "levels="]) == All("ES")


def test_a_missing_parameter_is_told_with_what_it_is() -> None:
    assert problems("fast=3") == {"symbol": ("text: it has no default", "nothing")}


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert set(problems("fast=x", "slow=3", "live=yes", "again", "size=1", "size=2")) == {
        "fast", "slow", "live", "again", "size", "symbol",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "expected", "got"),
    [
        ("fast=1.5", "a whole number", "'1.5'"),
        ("fast=", "a whole number", "''"),
        ("size=NaN", "an exact number", "'NaN'"),
        ("size=1e3", "an exact number", "'1e3'"),
        ("live=1", "true or false", "'1'"),
        ("interval=5", "an interval", "'5'"),
        ("mood=glad", "one of bold, shy", "'glad'"),
        ("how=BOLD", "one of slow, quick", "'BOLD'"),
        ("levels=1,x", "an exact number", "'x'"),
        ("cap=x", "an exact number", "'x'"),
    ],
)
def test_a_word_of_another_type_is_told_with_key_expected_and_got(word: str, expected: str, got: str) -> None:
    key = word.partition("=")[0]
    told = problems("symbol=ES", word)[key]
    assert told[0].startswith(expected)
    assert told[1] == got


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("symbol", 5), ("fast", "5"), ("fast", True), ("fast", 5.0), ("size", 0.5), ("size", True), ("live", "true"),
        ("interval", 5), ("mood", True), ("levels", "1,2"), ("levels", [0.5]), ("cap", [1]),
    ],
)  # fmt: skip
def test_a_table_is_not_coerced(key: str, value: object) -> None:
    table: dict[str, Any] = {"symbol": "ES", key: value}
    assert set(problems(**table)) == {key}


def test_the_classes_own_checks_name_their_key() -> None:
    assert "fast" in problems("symbol=ES", "fast=-1")
    assert problems("symbol=bad") == {"symbol": ("a good symbol", "'bad' (string)")}


def test_the_message_names_the_strategy_and_each_problem_on_its_line() -> None:
    with pytest.raises(ParameterError) as caught:
        from_words(Sample, ["fast=x"])
    assert str(caught.value).splitlines() == [
        "parameters of Sample were refused, correct these:",
        "  symbol: expected text: it has no default, got nothing",
        "  fast: expected a whole number, got 'x'",
    ]


@pytest.mark.parametrize("kind", [float, dict[str, int], int | str | None])
def test_a_type_that_no_setting_can_hold_is_the_classes_fault(kind: Any) -> None:
    made = attrs.make_class("Made", {"x": attrs.field(type=kind)}, frozen=True)

    class Odd(Strategy[made, NoState]):  # type: ignore[valid-type]  # made on the spot
        def wants(self) -> Wants:
            return Wants()

        def decide(self, event: Event, view: View[NoState]) -> Decisions:
            return None

    with pytest.raises(BadStrategy, match="is no type of a parameter"):
        from_words(Odd, ["x=1"])


def test_changes_are_told_by_key_even_between_versions_of_a_class() -> None:
    assert changed_keys(FULL, attrs.evolve(FULL, fast=6, live=False)) == ("fast", "live")
    assert changed_keys(FULL, FULL) == ()
    newer = attrs.make_class("All", ["symbol", "extra"], frozen=True)
    assert "extra" in changed_keys(All("ES"), newer("ES", 1))
