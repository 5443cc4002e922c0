"""The bounds of liveness: who was told to wait is not late, and who hangs is, whatever was told."""

from typing import Any, cast

import attrs
import pytest
import trio

from brokers.emulation import log
from brokers.emulation.log import Entry
from brokers.guards.ladder import Cause
from config.settings import Settings, load
from sessions.control.rehearsal.cast import usual_source
from sessions.control.rehearsal.checker.liveness import QUIET, STREAMS_UP, WINDOW, StreamsComeBack, WaitsAsTold

BROKER = "tradestation"


@attrs.frozen
class Stage:
    """As much of a scene as these rules look at."""

    settings: Settings


def stage() -> Any:
    return cast("Any", Stage(load((usual_source((BROKER,), "ES", 1),), {}).settings))


def happened(kind: str, **facts: Any) -> Entry:
    return Entry(1, 0, kind, facts)


@pytest.mark.parametrize(("quota", "waits"), [(None, 0), ("429,20", 20), ("403", WINDOW)])
async def test_R20_a_stream_may_be_down_as_long_as_the_broker_said_and_no_longer(
    quota: str | None, waits: float, autojump_clock: Any
) -> None:
    late: list[str] = []
    rule = StreamsComeBack(stage(), lambda _, sentence: late.append(sentence))
    if quota is not None:
        rule.entry(BROKER, happened(log.FAULT, name="quota", value=quota, where="query"))
    rule.stands(BROKER, "CANCEL_ONLY", Cause.ORDER_STREAM_DOWN.value)
    rule.calm()
    await trio.sleep(waits + STREAMS_UP + QUIET - 1)
    rule.at_rest()
    assert late == []
    await trio.sleep(2)
    rule.at_rest()
    assert len(late) == 1


@pytest.mark.parametrize(("tear", "broken"), [(None, 1), ("cut", 0), ("delay", 1)])
async def test_R22_a_time_that_never_arrived_need_not_be_waited(
    tear: str | None, broken: int, autojump_clock: Any
) -> None:
    early: list[str] = []
    rule = WaitsAsTold(stage(), lambda _, sentence: early.append(sentence))
    if tear is not None:
        rule.entry(BROKER, happened(log.FAULT, name=tear, value="71", where="query"))
    rule.entry(BROKER, happened(log.ANSWERED, status=429, retry_after="5", method="GET", path="/a", where="query"))
    await trio.sleep(1)
    rule.entry(BROKER, happened(log.ARRIVED, method="GET", path="/a", where="query"))
    assert len(early) == broken
