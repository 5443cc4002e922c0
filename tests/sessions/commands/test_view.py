"""Records as lines: what is said, that it fits, and that nothing shown can steer a terminal. No terminal, no daemon."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.guards.ladder import Cause
from sessions.control.api.reasons import judged
from sessions.control.view.answers import answered_lines, armed_lines, reloaded_lines
from sessions.control.view.chart import chart
from sessions.control.view.equity import EquityWatch
from sessions.control.view.lines import Column, Line, Span, coloured, line, plain, printable, table
from sessions.control.view.past import crash_lines, event_line, log_line
from sessions.control.view.status import reasons, status_lines
from sessions.control.view.tables import (
    bar_rows,
    equity_rows,
    facts,
    fill_rows,
    order_rows,
    position_rows,
    session_rows,
)
from sessions.control.view.tree import top_lines, tree_lines
from sessions.control.view.words import age, clock, moment, money, number, span
from tests.sessions.commands import samples
from tests.sessions.commands.samples import ACCOUNT, BROKER, SESSION, STATUS, wire

SECOND = 1_000_000_000


def texts(lines: Sequence[Line]) -> list[str]:
    return [plain(one) for one in lines]


# Lines and tables.


@given(st.text())
def test_S09_no_text_from_outside_can_steer_the_terminal(text: str) -> None:
    shown = line((text, "bad"), text)
    assert plain(shown).isprintable()
    assert re.sub(r"^\x1b\[1;31m|\x1b\[0m", "", coloured(shown)).isprintable()


@given(
    st.lists(st.lists(st.text(max_size=40), min_size=4, max_size=4), max_size=5),
    st.integers(min_value=30, max_value=120),
)
def test_a_table_fits_its_width_and_its_columns_stand_in_line(rows: list[list[str]], width: int) -> None:
    columns = [Column("one"), Column("two", right=True), Column("three"), Column("four")]
    lines = table(columns, rows, width)
    number = max([len("two"), *(len(printable(row[1])) for row in rows)])  # is never cut
    assert len(lines) == len(rows) + 1
    assert all(sum(len(one.text) for one in shown) <= max(width, number + 3 * (4 + 2)) for shown in lines)
    assert len({tuple(len(one.text) for one in shown) for shown in lines}) == 1


@given(st.lists(st.lists(st.text(min_size=1, max_size=60), min_size=2, max_size=2), max_size=4))
def test_without_a_width_nothing_is_cut(rows: list[list[str]]) -> None:
    for row, shown in zip(rows, table([Column("a"), Column("b")], rows)[1:], strict=True):
        assert plain((Span(row[0]),)) in plain(shown)
        assert "…" not in plain(shown) or any("…" in cell for cell in row)


# Words.


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
def test_a_number_keeps_its_exact_value_without_idle_zeros(value: Decimal) -> None:
    shown = number(f"{value:f}")
    assert Decimal(shown) == value
    assert "." not in shown or shown[-1] not in "0."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (7_320, "2 h 2 min"),
        (7_201, "2 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_span_of_time_is_told_in_its_two_greatest_units(seconds: int, words: str) -> None:
    assert span(seconds * SECOND) == words


def test_on_a_terminal_what_is_typed_again_is_whole_what_is_empty_is_left_out_and_times_are_short() -> None:
    rows = [wire(row) for row in samples.ORDERS]
    keys = [row["report"]["order"]["key"] for row in rows]
    narrow = list(map(plain, order_rows(rows, 90)))
    assert all(key in shown for key, shown in zip(keys, narrow[1:], strict=True))
    assert "stop" not in narrow[0].split()
    assert "stop" in plain(order_rows(rows)[0]).split()
    assert clock(90)(1_007_000_000) == "01-01 00:00:01"
    assert clock(None) is moment


def test_the_chart_of_equity_begins_with_what_the_daemon_saw() -> None:
    rows = [wire(row) for row in samples.EQUITY]
    known = next(row for row in rows if row["summary"] is not None)
    curve = {"broker": known["broker"], "account": known["account"], "points": [{"time_ns": 1, "equity": "1"}]}
    assert not any("█" in plain(shown) for shown in EquityWatch().draw(rows, 80))
    assert any("█" in plain(shown) for shown in EquityWatch().remember([curve]).draw(rows, 80))


def test_the_verdict_stays_on_one_line_however_narrow_the_screen() -> None:
    for width in (20, 40, 60, 100):
        verdict = plain(status_lines(wire(samples.STATUS), width)[0])
        assert verdict.startswith("all is well")
        assert len(verdict) <= width


def test_a_moment_is_told_in_utc_and_cut_to_the_millisecond_not_rounded_up() -> None:
    assert moment(999_999_999) == "1970-01-01 00:00:00.999Z"
    assert moment(1_007_000_000) == "1970-01-01 00:00:01.007Z"
    assert money("1234567.005") == "1,234,567.00"


# The screen.


def test_a_daemon_that_is_well_says_so_first_and_names_no_reason() -> None:
    first, *rest = texts(status_lines(wire(STATUS)))
    assert first.startswith("all is well")
    assert "up 1 min 30 s" in first
    assert reasons(wire(judged(STATUS))) == []
    assert any("BTC-USD" in one for one in rest)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"halted": "halt by me"}, "trading is stopped: halt by me"),
        ({"journal": "down"}, "the journal is down"),
        ({"accounts": (attrs.evolve(ACCOUNT, unknown_orders=2),)}, "account paper-1: 2 orders are in doubt"),
        ({"accounts": (attrs.evolve(ACCOUNT, reconciled=False),)}, "account paper-1: its books are not known to agree"),
        ({"brokers": (attrs.evolve(BROKER, open=False, why_not="login ended"),)}, "broker paper: not connected: login ended"),
        ({"sessions": (attrs.evolve(SESSION, condition="waiting", why="no price"),)}, "session a: waiting: no price"),
        ({"sessions": (attrs.evolve(SESSION, rung="reduce_only", causes=("stale",)),)}, "session a: degraded to reduce_only: stale"),
        (
            {"sessions": (attrs.evolve(SESSION, rung="no_new_risk", causes=(Cause.LOSS_LIMIT.value,)),)},
            "session a: degraded to no_new_risk: the daily loss limit is reached; the next trading day or `pitboss resume a`",
        ),
        ({"sessions": (attrs.evolve(SESSION, missing=("stream",)),)}, "session a: not ready: stream"),
        ({"findings": ("daemon: the event loop is late",)}, "daemon: the event loop is late"),
    ],
)  # fmt: skip
def test_every_way_of_not_being_well_is_a_reason_on_the_screen(change: dict[str, Any], reason: str) -> None:
    status = wire(judged(attrs.evolve(STATUS, **change)))
    (found,) = reasons(status)
    assert found.startswith(reason)
    assert f"  {found}" in texts(status_lines(status))
    assert status["well"] is False
    assert texts(status_lines(status))[0].startswith("not all is well")


def test_a_session_that_was_stopped_on_purpose_is_no_reason() -> None:
    stopped = attrs.evolve(SESSION, wanted=False, condition="stopped")
    assert reasons(wire(judged(attrs.evolve(STATUS, sessions=(stopped,))))) == []


def test_S43_while_live_trading_is_armed_a_loud_banner_stands_above_everything() -> None:
    armed = attrs.evolve(BROKER, broker="ts", environment="live", armed=True)
    banner = status_lines(wire(attrs.evolve(STATUS, live=True, brokers=(BROKER, armed))), 100)[0]
    assert "LIVE TRADING IS ARMED: ts " in plain(banner)
    assert [one.tone for one in banner] == ["alarm"]
    assert len(banner[0].text) == 100
    assert "until 2026-11-21" in texts(armed_lines(wire(samples.ARMING)))[0]


# The tree.


def test_the_tree_is_drawn_with_a_line_from_each_parent_to_its_children() -> None:
    assert texts(tree_lines([wire(row) for row in samples.TREE])) == [
        "/  one_for_one  ready",
        "├─ sessions  one_for_one  ready",
        "│  ├─ a  actor  restarting  start 3  7 waiting",
        "│  └─ b  actor  ready",
        "└─ control  actor  ready  1 waiting",
    ]


@given(st.recursive(st.just([]), lambda children: st.lists(children, max_size=3), max_leaves=12))
def test_every_last_child_has_a_corner_and_every_other_a_branch(shape: list[Any]) -> None:
    rows: list[dict[str, Any]] = []
    marks: list[str] = []

    def add(children: list[Any], depth: int, mark: str) -> None:
        marks.append(mark)
        rows.append({"depth": depth, "id": "x", "kind": "k", "status": "ready", "instance": 1, "waiting": 0})
        for place, child in enumerate(children):
            add(child, depth + 1, "└─ " if place == len(children) - 1 else "├─ ")

    add(shape, 0, "")
    for row, mark, shown in zip(rows, marks, texts(tree_lines(rows)), strict=True):
        twigs = shown[: shown.index("x")]
        assert twigs.endswith(mark)
        assert len(twigs) == 3 * row["depth"]


def test_top_puts_those_that_are_behind_first_and_counts_the_rest() -> None:
    head, _, first, second = texts(top_lines([wire(row) for row in samples.TREE], 2))
    assert head == "5 children, 1 not ready, 8 messages wait, 2 restarts"
    assert first.endswith("/sessions/a")
    assert second.endswith("/control")


# Charts.


@given(
    st.lists(st.decimals(min_value=-(10**6), max_value=10**6, places=2), min_size=1, max_size=300), st.integers(20, 90)
)
def test_a_chart_fits_and_is_as_high_as_its_values(values: list[Decimal], width: int) -> None:
    lines = chart(values, width, 5)
    assert len(lines) == 5
    assert all(sum(len(one.text) for one in shown) <= width for shown in lines)
    drawn = [shown[1].text for shown in lines]
    heights = [sum(" ▁▂▃▄▅▆▇█".index(row[column]) for row in drawn) for column in range(len(drawn[0]))]
    shown_values = values if len(values) == len(heights) else None
    assert min(heights) >= 1
    if shown_values is not None and min(values) < max(values):
        assert heights[values.index(max(values))] == 40
        assert heights[values.index(min(values))] == 1
        order = sorted(range(len(values)), key=lambda place: values[place])
        assert [heights[place] for place in order] == sorted(heights)


def test_nothing_makes_no_chart_and_the_last_value_is_always_in_it() -> None:
    assert chart([], 40, 5) == []
    rising = [Decimal(one) for one in range(1_000)]
    assert plain(chart(rising, 40, 5)[0]).endswith("█")


def test_equity_has_a_chart_from_its_second_look_on() -> None:
    seen, rows = EquityWatch(), [wire(row) for row in samples.EQUITY]
    assert not any("█" in one for one in texts(seen.draw(rows)))
    assert any("█" in one for one in texts(seen.draw(rows)))


# Every record of the interface is understood.


def test_orders_in_doubt_stand_out_and_a_loss_is_told_from_a_gain() -> None:
    _, working, unknown = order_rows([wire(row) for row in samples.ORDERS])
    assert Span("unknown", "alarm") in unknown
    assert "90000" in plain(working)
    _, loss, flat = position_rows([wire(row) for row in samples.POSITIONS])
    assert [one.tone for one in loss if one.text.strip() in ("-0.10", "2.00")] == ["bad", "good"]
    assert {one.tone for one in flat} == {""}


def test_money_that_is_not_known_says_why() -> None:
    _, known, unknown = texts(equity_rows([wire(row) for row in samples.EQUITY]))
    assert "99,991.28" in known
    assert unknown.endswith("no answer within 10 s")


def test_fills_bars_sessions_events_and_crashes_show_what_they_are() -> None:
    assert "90000.5 " in plain(fill_rows([wire(row) for row in samples.FILLS])[1])
    assert len(bar_rows([wire(row) for row in samples.BARS])) == 4
    assert "m:C" in plain(session_rows([wire(SESSION)])[1])
    assert plain(event_line(wire(samples.EVENT))).endswith("failed      /sessions/a start 2  boom  why")
    assert plain(log_line({"line": "x\x1b[2J"})) == "x\\x1b[2J"
    assert len(crash_lines(wire(samples.CRASH), trace=False)) == 1
    assert texts(crash_lines(wire(samples.CRASH), trace=True))[2] == "      line 3"
    assert "7 lines were missed" in plain(event_line({"missed": 7}))


def test_answers_of_commands_are_told() -> None:
    assert texts(reloaded_lines(wire(samples.RELOADED))) == [
        "sessions added: c",
        "sessions restarted: b",
        "settings changed: sessions.b.interval",
    ]
    empty: dict[str, list[str]] = {key: [] for key in wire(samples.RELOADED)}
    assert texts(reloaded_lines(empty)) == ["nothing has changed"]
    one, several = answered_lines(wire(samples.REPORT)), answered_lines([wire(samples.REPORT)])
    assert one == several
    assert texts(answered_lines([])) == ["there was nothing to do"]


def test_properties_that_only_some_have_are_left_empty_for_the_others() -> None:
    _, first, second = texts(facts({"x": {"data": "no"}, "y": {"data": "yes", "orders": "many"}}))
    assert first.split() == ["data", "no", "yes"]
    assert second.split() == ["orders", "many"]


def test_the_age_of_a_feed_is_told_in_tenths_while_they_matter() -> None:
    assert [age(one) for one in (None, 0, 340, 59_949, 60_000, 3_700_000)] == [
        "", "0.0 s", "0.3 s", "59.9 s", "1 min", "1 h 1 min",
    ]  # fmt: skip
    rows = [wire(attrs.evolve(SESSION, feed_age_ms=340))]
    assert "0.3 s" in plain(session_rows(rows)[1])
