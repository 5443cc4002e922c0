"""146 recorded runs of OTP's supervisor, replayed against ours: same starts, stops, deaths and answers, in order."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.otp import Player

TRACES = Path(__file__).parent / "otp_traces.jsonl"
RECORDS = {record["name"]: record for record in map(json.loads, TRACES.read_text().splitlines())}

OUT_OF_SCOPE = {
    "D9": "a killed supervisor's children end before it does: nothing outlives its supervisor",
    "D13": "a child can not leave its supervisor's nursery, so an unnoticed death is impossible",
    "D15": "a clean-up may raise, but it can not turn a stop into a normal end",
    "I10": "the restart window is exact, not in whole seconds",
    "N2": "a nested supervisor that gave up counts as abnormal, so a transient one is restarted",
    "M11": "a Child without id or start can not be written; the other checks are in test_spec.py",
    "M13": "a start hands back a reference and nothing else",
    "V4": "unknown options are refused by the signature",
    "V5": "the default budget is 3 restarts in 5 s",
    "SO3": "dynamic children keep their ids, so the calls that OTP refuses by id work by id",
    "SO9": "a DynamicSupervisor has no auto_shutdown to refuse",
    "SO11": "a DynamicSupervisor has no template child whose number could be wrong",
}

# Here OTP's answer to a query and the next start were logged by two processes at the same moment.
RACING = {"Y13", "Y15", "Y16", "SO10"}

# Two children die without a pause between: the recorder told of both before either was gone.
TOGETHER = {"Z1", "Z2", "Z5"}

# Children that are stopped all at once: their order is chance, in OTP as in trio.
UNORDERED = {"SO4"}


def code(name: str) -> str:
    return name.partition(" ")[0]


def in_scope() -> list[str]:
    return [name for name in RECORDS if code(name) not in OUT_OF_SCOPE]


def normal_form(events: list[Any]) -> list[Any]:
    """The parts of a record that a trio runtime can have too."""
    kept: list[Any] = []
    for event in events:
        match event:
            case ["start_raised", child, number, value]:
                kept.append(["start_failed", child, number, ["EXIT", value]])
            case ["start_bad" | "init_stop", child, number, value]:
                kept.append(["start_failed", child, number, value])
            case ["start_failed", child, number, ["error", reason]]:
                kept.append(["start_failed", child, number, reason])
            case ["start_link_result", ["error", [("start_spec" | "supervisor_data"), _]]]:
                kept.append(["start_link_result", ["error", "refused"]])
            case ["api", "start_child", args, ["error", [reason, "child_record"]]]:
                kept.append(["api", "start_child", spec_ids(args), ["error", reason]])
            case ["api", "start_child", args, answer]:
                kept.append(["api", "start_child", spec_ids(args), answer])
            case ["api", "get_childspec", args, ["ok", spec]]:
                shown = {key: spec[key] for key in ("id", "restart", "shutdown", "significant")}
                kept.append(["api", "get_childspec", args, ["ok", shown]])
            case _:
                kept.append(event)
    return kept


def spec_ids(args: list[Any]) -> list[Any]:
    return [arg["id"] if isinstance(arg, dict) else arg[1] if arg[0] == "spec" else arg[0] for arg in args]


def test_every_record_is_replayed_or_listed_with_its_reason() -> None:
    assert len(RECORDS) == 146
    assert {code(name) for name in RECORDS} >= set(OUT_OF_SCOPE)


@pytest.mark.parametrize("name", in_scope())
async def test_replays_like_otp(name: str, autojump_clock: Any) -> None:
    record = RECORDS[name]
    ours = normal_form(await Player(record).play())
    theirs = normal_form(record["events"])
    if code(name) in RACING:
        life = {"start", "up", "terminate", "down", "start_failed", "ignored", "sup_exit"}
        assert [e for e in ours if e[0] in life] == [e for e in theirs if e[0] in life]
        assert [e for e in ours if e[0] not in life] == [e for e in theirs if e[0] not in life]
    elif code(name) in TOGETHER:
        assert [e for e in ours if e[0] != "act"] == [e for e in theirs if e[0] != "act"]
    elif code(name) in UNORDERED:
        assert sorted(map(repr, ours)) == sorted(map(repr, theirs))
    else:
        assert ours == theirs
