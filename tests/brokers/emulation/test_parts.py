"""The small parts: quota windows, the log, order updates on their way, and the readiness record."""

import json
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from brokers.emulation import Emulator, EventLog, Part, Switchboard, ready_line, ready_record
from brokers.emulation.updates import Frame, Update, Updates
from brokers.emulation.windows import FixedWindows, Quota

SECOND = 1_000_000_000


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 5), st.integers(1, 10))
def test_no_window_ever_lets_more_pass_than_its_quota(steps: list[int], limit: int, period: int) -> None:
    windows, now, passed = FixedWindows(), 0, dict[int, int]()
    for step in steps:
        now += step * SECOND // 10
        verdict = windows.take("orders", "me", Quota(limit, period), now)
        window = now // (period * SECOND)
        used = passed.get(window, 0)
        assert verdict.passes == (used < limit), "what is left is used, and no more"
        passed[window] = used + verdict.passes
        assert verdict.remaining == limit - passed[window]
        assert 0 < verdict.reset_seconds <= period


def test_callers_and_resources_have_windows_of_their_own() -> None:
    windows, one = FixedWindows(), Quota(1, 60)
    assert windows.take("orders", "me", one, 0).passes
    assert windows.take("orders", "you", one, 0).passes
    assert windows.take("quotes", "me", one, 0).passes
    assert not windows.take("orders", "me", one, 59 * SECOND).passes
    assert windows.take("orders", "me", one, 60 * SECOND).passes


def test_logs_with_the_same_entries_have_the_same_digest_and_no_others() -> None:
    logs = [EventLog(lambda: 5) for _ in range(3)]
    for number, log in enumerate(logs):
        log.put("arrived", path="/x", number=number // 2)
    assert logs[0].digest == logs[1].digest
    assert logs[0].digest != logs[2].digest
    assert [entry.facts["path"] for entry in logs[0].of("arrived", number=0)] == ["/x"]
    assert logs[0].of("arrived", number=7) == logs[0].of("filled") == ()


def told(switch: str, *updates: Update) -> list[tuple[str, Any]]:
    faults = Switchboard(frozenset(Part), EventLog(lambda: 0))
    if switch:
        faults.on(switch)

    def lie(word: str, frame: Frame) -> Frame:
        return frame | {"lie": word}

    heard: list[tuple[str, Any]] = []
    way = Updates(faults, lie)
    leave = way.hear(lambda update: heard.append((update.order_id, update.frame["n"])))
    for update in updates:
        way.tell(update)
    leave()
    way.tell(updates[-1])
    return heard


def test_updates_of_one_order_change_places_and_those_of_others_do_not_wait() -> None:
    one, other, two = (Update("a", key, {"n": n}, fills=False) for key, n in (("x", 1), ("y", 2), ("x", 3)))
    assert told("", one, other, two) == [("x", 1), ("y", 2), ("x", 3)]
    assert told("out-of-order", one, other, two) == [("y", 2), ("x", 3), ("x", 1)]


def test_only_the_update_that_tells_a_fill_is_lost_or_doubled_when_fills_are() -> None:
    ack, fill = Update("a", "x", {"n": 1}, fills=False), Update("a", "x", {"n": 2}, fills=True)
    assert told("lose-fill", ack, fill, ack) == [("x", 1), ("x", 1)]
    assert told("fill-twice", ack, fill) == [("x", 1), ("x", 2), ("x", 2)]
    assert told("update-twice", ack, fill) == [("x", 1), ("x", 1), ("x", 2)]


def test_the_readiness_record_is_one_line_of_what_a_client_must_know() -> None:
    emulator = cast(
        "Emulator",
        SimpleNamespace(broker="b", http="http://127.0.0.1:1", ws=None, credentials={"key": "k"}, accounts=("a", "c")),
    )
    wanted = {
        "broker": "b",
        "http": "http://127.0.0.1:1",
        "ws": None,
        "credentials": {"key": "k"},
        "accounts": ["a", "c"],
    }
    assert ready_record(emulator) == wanted
    line = ready_line(emulator)
    assert "\n" not in line
    assert json.loads(line) == wanted
