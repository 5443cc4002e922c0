"""Claims about reading TOML strictly."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.reading import ConfigError, parse


@attrs.frozen
class Leg:
    size: Decimal
    side: Literal["buy", "sell"] = "buy"


@attrs.frozen
class Plan:
    name: str
    count: int
    live: bool
    day: dt.date
    legs: tuple[Leg, ...] = ()
    limits: Mapping[str, Decimal] = attrs.field(factory=dict)
    note: str | None = None


GOOD = """\
name = "a"
count = 2
live = true
day = 2026-12-18
limits = { ES = "0.25" }

[[legs]]
size = "1.5"

[[legs]]
size = 2
side = "sell"
"""


def problems(text: str) -> list[tuple[int | None, str, str, str]]:
    with pytest.raises(ConfigError) as caught:
        parse(text, Plan, "plan.toml")
    return [(problem.line, problem.key, problem.expected, problem.got) for problem in caught.value.problems]


def test_a_right_document_becomes_the_record_with_exact_decimals() -> None:
    assert parse(GOOD, Plan, "plan.toml") == Plan(
        "a",
        2,
        True,
        dt.date(2026, 12, 18),
        (Leg(Decimal("1.5")), Leg(Decimal(2), "sell")),
        {"ES": Decimal("0.25")},
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "expected", "got"),
    [
        ('name = "a"', "name = 1", 1, "name", "a string", "1 (integer)"),
        ("count = 2", "count = 2.5", 2, "count", "an integer", "2.5 (float)"),
        ("count = 2", "count = true", 2, "count", "an integer", "True (boolean)"),
        ("live = true", 'live = "yes"', 3, "live", "true or false", "'yes' (string)"),
        ("day = 2026-12-18", 'day = "2026-12-18"', 4, "day", "a date", "'2026-12-18' (string)"),
        ("day = 2026-12-18", "day = 2026-12-18T10:00:00", 4, "day", "a date", "2026-12-18 10:00:00 (date and time)"),
        ('"0.25"', "0.25", 5, "limits.ES", "a decimal in quotes", "0.25 (float)"),
        ('"0.25"', '"NaN"', 5, "limits.ES", "a decimal in quotes", "'NaN' (string)"),
        ('"0.25"', '"1_0"', 5, "limits.ES", "a decimal in quotes", "'1_0' (string)"),
        ('side = "sell"', 'side = "short"', 12, "legs.1.side", "one of buy, sell", "'short' (string)"),
        ('side = "sell"', 'sid = "sell"', 12, "legs.1.sid", "one of side, size", "a key that has no meaning here"),
        ('size = "1.5"', "", 7, "legs.0.size", "a value", "no such key"),
        ("[[legs]]\nsize = 2\n", "", None, "", "", ""),
    ],
)
def test_a_refusal_names_line_key_expected_and_got(
    old: str, new: str, line: int | None, key: str, expected: str, got: str
) -> None:
    text = GOOD.replace(old, new, 1)
    if line is None:  # the control: what is only shorter is still right
        assert len(parse(text, Plan, "plan.toml").legs) == 1
        return
    [(found_line, found_key, found_expected, found_got)] = problems(text)
    assert (found_line, found_key, found_got) == (line, key, got)
    assert expected in found_expected


def test_every_problem_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("count = 2", "count = []").replace('side = "sell"', 'side = ""').replace('"a"', "{}")
    assert [line for line, *_ in problems(text)] == [1, 2, 12]


def test_a_table_given_as_text_is_refused_and_not_taken_apart() -> None:
    head = GOOD.split("[[legs]]", maxsplit=1)[0]
    assert problems(head + 'legs = "abc"\n')[0][1:] == ("legs", "an array", "'abc' (string)")
    assert problems(head.replace('{ ES = "0.25" }', '"abc"'))[0][1:] == ("limits", "a table", "'abc' (string)")
    assert problems(head + "legs = [1]\n")[0][1:] == ("legs.0", "a table", "1 (integer)")


def test_broken_toml_is_refused_with_its_line() -> None:
    [(line, key, expected, got)] = problems('name = "a"\ncount = = 2\n')
    assert (line, key, expected) == (2, "", "TOML")
    assert "line 2" in got


def test_the_message_tells_what_was_done_and_where() -> None:
    with pytest.raises(ConfigError, match=r"nothing was loaded.*\n  plan\.toml:2: count: expected an integer"):
        parse(GOOD.replace("count = 2", 'count = "2"'), Plan, "plan.toml")


@given(st.text(alphabet="ab=[]{}\"'.,#\n 01", max_size=80))
def test_any_text_is_read_or_refused_with_a_config_error(text: str) -> None:
    try:
        parse(text, Plan, "plan.toml")
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - either outcome is right, anything else is raised


@pytest.mark.parametrize(
    ("text", "line"),
    [("count = " + "9" * 5000, None), ("x = " + "[" * 5000 + "]" * 5000, None), ('name = "a', 1), ("[a]\nb = {", 2)],
)
def test_text_beyond_all_measure_or_cut_short_is_refused_as_no_toml(text: str, line: int | None) -> None:
    [(found, key, expected, _)] = problems(text)
    assert (found, key, expected) == (line, "", "TOML")
