"""The report: one file that asks nobody for anything, tells everything that broke, and draws what there is."""

import re
from xml.etree import ElementTree as ET

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.control.rehearsal.checker import Violation
from sessions.control.rehearsal.page import Shown, report
from sessions.control.rehearsal.page.marks import Scale, clock, clock_ticks, steps, thinned, ticks
from sessions.control.rehearsal.run import Outcome
from sessions.control.rehearsal.storm import Schedule
from tests.rehearsal.command.samples import BROKEN, EMPTY, SCHEDULE, SOUND

SHOWN = Shown(SOUND, SCHEDULE, 60.0)
DRAWING = re.compile(r"<svg.*?</svg>", re.DOTALL)


def drawings(page: str) -> list[ET.Element]:
    return [ET.fromstring(one) for one in DRAWING.findall(page)]  # noqa: S314 - our own text


@pytest.mark.parametrize("outcome", [SOUND, BROKEN, EMPTY], ids=["sound", "broken", "empty"])
def test_a_page_needs_nothing_from_anywhere(outcome: Outcome) -> None:
    page = report([attrs.evolve(SHOWN, outcome=outcome)], "Seed 7")
    for way_out in ("http:", "https:", "//", "src=", "href=", "url(", "@import", "<script", "<link"):
        assert way_out not in page
    assert page.count("<svg") == len(drawings(page)) == 1


def test_what_broke_is_told_in_its_words_and_with_the_way_to_see_it_again() -> None:
    page = report([attrs.evolve(SHOWN, outcome=BROKEN, replay="/tmp/rehearsal-8.json")], "Seed 8")
    assert "order &lt;b&gt;7f&lt;/b&gt; is at the broker twice, &amp; that is one too many" in page
    assert "pitboss rehearse --replay /tmp/rehearsal-8.json" in page
    assert ">broken<" in page


def test_the_faults_that_are_enough_are_named_and_stand_out() -> None:
    needed = Schedule(SCHEDULE.strikes[1:])
    page = report([attrs.evolve(SHOWN, outcome=BROKEN, replay="x.json", needed=needed)], "Seed 8")
    assert "Enough for it, of 2 faults: delay=3 tradovate at 0:39." in page
    marks = [one.get("class") for drawing in drawings(page) for one in drawing.iter()]
    assert (marks.count("strike"), marks.count("strike needed")) == (1, 1)
    assert "It takes no fault at all." in report([attrs.evolve(SHOWN, outcome=BROKEN, needed=Schedule())], "Seed 8")


def test_of_many_runs_the_broken_ones_are_drawn_and_all_are_listed() -> None:
    shown = [attrs.evolve(SHOWN, outcome=attrs.evolve(SOUND, seed=seed)) for seed in range(20)]
    shown[11] = attrs.evolve(SHOWN, outcome=attrs.evolve(BROKEN, seed=11))
    page = report(shown, "20 runs")
    assert len(drawings(page)) == 1
    assert "<h2>Seed 11</h2>" in page
    assert page.count(">5c52df99f3dc<") == 20
    assert "1 of 20 runs broken" in page


def test_the_drawing_has_a_mark_for_every_strike_life_trade_and_violation() -> None:
    twice = attrs.evolve(BROKEN, violations=(*BROKEN.violations, Violation("I05", 60.0, "a fill was applied twice")))
    (drawing,) = drawings(report([attrs.evolve(SHOWN, outcome=twice)], "Seed 8"))
    marks = [one.get("class", "") for one in drawing.iter()]
    assert marks.count("strike") == 2
    assert marks.count("life") == 2
    assert marks.count("buy s0") == marks.count("sell s0") == 1
    assert marks.count("violation") == 2


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(0.01, 1e9), st.integers(1, 12))
def test_ticks_are_round_lie_between_the_ends_and_are_not_too_many(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, most)
    assert all(low - width * 1e-6 <= one <= low + width * (1 + 1e-6) for one in found)
    assert len(found) <= most + 1
    assert found == sorted(set(found))


@settings(deadline=None)
@given(st.floats(1, 1e6), st.integers(3, 20))
def test_the_times_on_the_axis_are_few_and_none_is_beyond_the_end(end: float, most: int) -> None:
    found = list(clock_ticks(end, most))
    assert found[0] == 0.0
    assert found[-1] <= end
    assert len(found) <= most + 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=300))
def test_thinning_keeps_one_point_of_each_place_and_the_last_of_all(points: list[tuple[float, float]]) -> None:
    points.sort(key=lambda one: one[0])
    found = thinned(points)
    assert len(found) == len({round(x) for x, _ in points})
    assert found[-1:] == points[-1:]
    assert steps(found).count("V") == max(len(found) - 1, 0)


def test_times_and_places_are_what_people_expect() -> None:
    assert (clock(0), clock(75.4), clock(3_661)) == ("0:00", "1:15", "1:01:01")
    assert Scale(0, 10, 100, 200)(5) == 150
    assert Scale(3, 3, 100, 200)(3) == 150
