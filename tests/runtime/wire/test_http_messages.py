"""B05: Retry-After in both its forms, and nothing else."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.http_messages import HttpResponse

NS = 1_000_000_000
NOON = 1_767_614_400 * NS  # Mon, 05 Jan 2026 12:00:00 GMT


def wait(text: str, wall_ns: int = NOON) -> int | None:
    return HttpResponse(429, (("retry-after", text),)).retry_after_ns(wall_ns)


@given(st.integers(0, 999_999_999))
def test_b05_seconds_are_taken_as_they_are(seconds: int) -> None:
    assert wait(str(seconds)) == seconds * NS
    assert wait(f" {seconds} ") == seconds * NS


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Mon, 05 Jan 2026 12:00:30 GMT", 30),
        ("Mon, 05 Jan 2026 13:00:00 +0000", 3600),
        ("Mon, 05 Jan 2026 07:00:01 -0500", 1),
        ("Monday, 05-Jan-26 12:00:05 GMT", 5),
        ("Mon, 05 Jan 2026 11:59:00 GMT", 0),
    ],
)
def test_b05_a_date_is_measured_against_the_time_of_day(date: str, seconds: int) -> None:
    assert wait(date) == seconds * NS
    assert wait(date, NOON + 1) == max(0, seconds * NS - 1)


@given(st.one_of(st.text(max_size=30), st.sampled_from(["", "-1", "1.5", "soon", "9" * 5000, "٣", "²"])))
def test_b05_f36_anything_else_says_nothing_and_hurts_nobody(text: str) -> None:
    said = wait(text)
    assert said is None or said >= 0
    if not text.strip().isascii() or text in ("", "-1", "1.5", "soon", "9" * 5000):
        assert said is None


@given(st.integers(-4_000, 4_000), st.integers(0, 100_000))
def test_b05_F21_a_date_is_measured_against_the_answers_own_date_whatever_our_clock_says(
    off_s: int, for_s: int
) -> None:
    made_s = NOON // NS
    headers = (("date", formatdate(made_s, usegmt=True)), ("retry-after", formatdate(made_s + for_s, usegmt=True)))
    assert HttpResponse(429, headers).retry_after_ns(NOON + off_s * NS) == for_s * NS


def test_b05_without_the_header_nothing_is_said() -> None:
    assert HttpResponse(429).retry_after_ns(NOON) is None
