"""Questions to the HTTP interface: history, facts, refusals; and what the record says can be asked."""

import json
from decimal import Decimal
from typing import Any

import pytest
import trio

from brokers.capability import Environment, rows
from brokers.errors import BrokerError, Code, CredentialError, NoClearAnswer, RateLimited, Unsupported
from brokers.instruments import Instrument
from brokers.listing import BrokerPlan
from brokers.market import Interval
from brokers.thinkorswim import CAPABILITY, PLAN, Quarantined, ThinkorswimSettings, open_thinkorswim
from tests.brokers.thinkorswim.counterpart import Room, minutes, played

D = Decimal
HISTORY, QUOTES = "/marketdata/v1/pricehistory", "/marketdata/v1/quotes"
M1 = Interval.parse("1m")
MINUTE_NS = 60 * 10**9


def answer(body: Any, status: int = 200, **headers: str) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return status, data, [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


async def last_minutes(here: Room, count: int = 3, symbol: str = "AAPL") -> Any:
    now = here.world.clock.wall_ns()
    return await here.broker.historical_bars(symbol, M1, now - count * MINUTE_NS, now)


async def many_minutes(here: Room, times: int) -> None:
    for _ in range(times):
        await last_minutes(here)


def test_history_of_a_stock_comes_through_the_facade_oldest_first() -> None:
    async def play(here: Room) -> None:
        first = (here.world.clock.wall_ns() - 3 * MINUTE_NS) // 10**6
        candles = minutes(first, ["217.3", "217.58", "217.4"])
        here.other.answers[HISTORY] = [answer({"candles": candles[::-1], "symbol": "AAPL", "empty": False})]
        found = await last_minutes(here)
        assert [bar.close for bar in found] == [D("217.3"), D("217.58"), D("217.4")]
        path, query = here.other.asked[-1]
        assert (path, query["symbol"], query["frequency"]) == (HISTORY, "AAPL", "1")

    played(play)


def test_an_empty_history_is_no_error() -> None:
    async def play(here: Room) -> None:
        here.other.answers[HISTORY] = [answer({"candles": [], "symbol": "AAPL", "empty": True})]
        assert list(await last_minutes(here)) == []

    played(play)


@pytest.mark.parametrize("symbol", ["ESH26", "ES"])
def test_history_of_futures_is_unsupported_and_not_asked_for(symbol: str) -> None:
    async def play(here: Room) -> None:
        with pytest.raises(Unsupported, match="no history of futures"):
            await last_minutes(here, symbol=symbol)
        assert here.other.asked == []

    played(play)


def test_F07_the_history_of_something_else_is_not_taken() -> None:
    async def play(here: Room) -> None:
        here.other.answers[HISTORY] = [answer({"candles": [], "symbol": "MSFT"})] * 9
        with trio.fail_after(60), pytest.raises(NoClearAnswer, match="MSFT"):
            await last_minutes(here)

    played(play)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (answer(b"<html>Whitelabel Error Page</html>", 500), Code.API_ERROR),
        (answer(b"upstream request timeout", 504), Code.API_ERROR),
        (answer(b"", 200), Code.API_ERROR),
        (answer(b'{"candles":[{"open":1}]}', 200), Code.API_ERROR),
        (answer({"message": "no", "errors": []}, 403), Code.FORBIDDEN),
        (answer({"errors": [{"title": "Not found", "detail": "AAPL"}]}, 404), Code.SYMBOL_NOT_FOUND),
    ],
)
def test_F07_F08_a_refusal_is_typed_and_quoted(wrong: Any, code: Code) -> None:
    async def play(here: Room) -> None:
        here.other.answers[HISTORY] = [wrong] * 9
        with trio.fail_after(120), pytest.raises(BrokerError) as caught:
            await last_minutes(here)
        assert caught.value.code is code

    played(play)


def test_F09_a_failed_question_is_asked_again() -> None:
    async def play(here: Room) -> None:
        good = answer({"candles": [], "symbol": "AAPL"})
        here.other.answers[HISTORY] = [answer(b"", 503), answer(b"{", 200), good]
        assert list(await last_minutes(here)) == []

    played(play)


def test_F10_a_rate_limit_is_waited_out() -> None:
    async def play(here: Room) -> None:
        good = answer({"candles": [], "symbol": "AAPL"})
        here.other.answers[HISTORY] = [answer(b"", 429, retry_after="20"), good]
        before = trio.current_time()
        assert list(await last_minutes(here)) == []
        assert trio.current_time() - before >= 20

    played(play)


def test_F10_a_hundred_and_twenty_questions_a_minute_are_not_exceeded() -> None:
    async def play(here: Room) -> None:
        here.other.answers[HISTORY] = [answer({"candles": [], "symbol": "AAPL"})] * 200
        with pytest.raises(RateLimited), trio.fail_after(59):
            await many_minutes(here, 200)
        assert 90 <= len(here.other.asked) <= 120

    played(play)


def test_F11_a_refused_token_is_renewed_once_and_the_question_asked_again() -> None:
    async def play(here: Room) -> None:
        here.other.count = 2  # what the shelf holds is not good any more
        here.other.answers[HISTORY] = []
        with pytest.raises(BrokerError) as caught:
            await last_minutes(here)
        assert caught.value.code is Code.SYMBOL_NOT_FOUND  # the counterpart knows no history, but took the token
        assert here.other.refreshes == 1

    played(play, access="access-1-Canary+/~")


def test_F11_a_token_that_is_refused_again_is_a_credential_error() -> None:
    async def play(here: Room) -> None:
        here.other.answers[HISTORY] = [answer(b"{}", 401)] * 9
        with trio.fail_after(120), pytest.raises(CredentialError):
            await last_minutes(here)

    played(play)


def facts(tick: float, multiplier: float, active: str, expiry_ms: int) -> dict[str, Any]:
    reference = {"futureActiveSymbol": active, "futureExpirationDate": expiry_ms, "futureMultiplier": multiplier}
    return {"assetMainType": "FUTURE", "quote": {"tick": tick, "tickAmount": 12.5}, "reference": reference}


def test_instruments_are_the_active_contracts_with_the_broker_s_own_facts() -> None:
    async def play(here: Room) -> None:
        body = {
            "/ES": facts(0.5, 50.0, "/ESH26", 1773982800000),
            "/NQ": facts(0.25, 20.0, "nothing", 1),
            "/CL": {"quote": 7},
            "AAPL": {"quote": {}, "reference": {"cusip": "037833100"}},
            "errors": {"invalidSymbols": ["/VX"]},
        }
        here.other.answers[QUOTES] = [answer(body)]
        found: dict[str, Instrument] = {one.symbol: one for one in await here.feed.instruments()}
        assert sorted(found) == ["AAPL", "ESH26"]
        assert (found["ESH26"].tick, found["ESH26"].multiplier) == (D("0.5"), D("50.0"))
        assert str(found["ESH26"].expiry) == "2026-03-20"
        told = [one for one in here.told if isinstance(one, Quarantined)]
        assert sorted(one.key for one in told) == ["/CL", "NQ"]
        assert "/ES" in here.other.asked[0][1]["symbols"].split(",")

    played(play)


def test_the_record_shows_a_source_of_data_and_nothing_else() -> None:
    shown = dict(rows(CAPABILITY))
    assert shown["orders"] == "no"
    assert shown["data"] == "future, stock"
    assert shown["live bars"] == "yes"
    assert shown["limit: requests"] == "120 in 1 min per login"
    assert "client key" not in shown
    assert CAPABILITY.environments == {Environment.LIVE}


def test_the_plan_opens_this_broker_by_its_name() -> None:
    assert BrokerPlan("thinkorswim", CAPABILITY, open_thinkorswim, ThinkorswimSettings) == PLAN
