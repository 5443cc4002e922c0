"""F21, S60: each room that trades learns the broker's clock from the answers it gets anyway."""

from collections.abc import Callable
from typing import Any

import pytest
import trio

from brokers.guards.skew import ClockMoved, Skew
from tests.brokers.tradestation import kit as tradestation
from tests.brokers.tradovate import kit as tradovate


@pytest.mark.parametrize("played", [tradestation.played, tradovate.played])
@pytest.mark.parametrize(("fault", "skews"), [((), []), (("clock-skew=45",), [Skew.FAR]), (("clock-skew=1",), [])])
def test_F21_S60_a_broker_whose_clock_differs_is_noticed_by_its_answers(
    played: Callable[..., Any], fault: tuple[str, ...], skews: list[Skew]
) -> None:
    async def play(desk: Any) -> list[ClockMoved]:
        await trio.sleep(90)  # the books ask all the time
        return [news for news in desk.told if isinstance(news, ClockMoved)]

    moves = played(play, *fault)
    assert [moved.skew for moved in moves] == skews
    assert all(-46 * 10**9 < moved.ahead_ns < -43 * 10**9 for moved in moves)
