"""Market data that is asked for: quotes, price history, stocks, hours."""

from decimal import Decimal
from typing import Any

from tests.brokers.thinkorswim.emulator.kit import ES, Client, played

HISTORY = "/marketdata/v1/pricehistory"
MINUTE_MS = 60_000


def test_quotes_are_keyed_by_what_was_asked_and_strange_symbols_are_listed() -> None:
    async def play(client: Client) -> None:
        found = await client.get("/marketdata/v1/quotes?symbols=AAPL,%2FES,%2FESM26,XXXX&fields=quote,reference")
        assert found["errors"] == {"invalidSymbols": ["XXXX"]}
        assert found["/ES"]["symbol"] == "/ES"
        reference = found["/ES"]["reference"]
        assert reference["futureActiveSymbol"] == ES
        assert (reference["product"], reference["futureMultiplier"], reference["futureIsActive"]) == ("/ES", 50, True)
        assert found["/ESM26"]["reference"]["futureIsActive"] is False
        assert found["/ES"]["quote"]["tickAmount"] == Decimal("12.5")
        assert found["AAPL"]["quote"]["bidPrice"] < found["AAPL"]["quote"]["askPrice"]
        one = await client.get("/marketdata/v1/AAPL/quotes?fields=reference")
        assert one["AAPL"]["reference"]["cusip"] == "037833100"
        assert "quote" not in one["AAPL"]
        assert (await client.ask("GET", "/marketdata/v1/XXXX/quotes")).status == 404

    played(play)


def test_minute_candles_are_stamped_with_their_start_and_end_at_the_last_closed_one() -> None:
    async def play(client: Client) -> None:
        now = client.world.clock.wall_ns() // 10**6
        target = f"{HISTORY}?symbol=AAPL&periodType=day&period=1&frequencyType=minute&frequency=5&endDate={now}"
        found = await client.get(f"{target}&needPreviousClose=true")
        starts = [candle["datetime"] for candle in found["candles"]]
        assert starts == sorted(set(starts))
        assert {start % (5 * MINUTE_MS) for start in starts} == {0}
        assert now - 10 * MINUTE_MS < starts[-1] <= now - 5 * MINUTE_MS
        assert found["empty"] is False
        assert "previousClose" in found
        for candle in found["candles"]:
            assert candle["low"] <= min(candle["open"], candle["close"]) <= candle["high"]
        regular = (await client.get(f"{target}&needExtendedHoursData=false"))["candles"]
        assert 0 < len(regular) < len(starts)

    played(play)


def test_days_weeks_and_months_of_the_same_stretch_hold_the_same_volume() -> None:
    async def play(client: Client) -> dict[str, Any]:
        begin = client.world.clock.wall_ns() // 10**6 - 100 * 1440 * MINUTE_MS
        target = f"{HISTORY}?symbol=AAPL&periodType=year&period=1&startDate={begin}&frequencyType="
        return {kind: (await client.get(target + kind))["candles"] for kind in ("daily", "weekly", "monthly")}

    found = played(play, symbols=("AAPL",))
    days, months = found["daily"], found["monthly"]
    assert len(days) > len(found["weekly"]) > len(months) > 3
    assert sum(one["volume"] for one in days) == sum(one["volume"] for one in months)
    assert max(one["high"] for one in days) == max(one["high"] for one in months)
    assert days[0]["open"] == months[0]["open"]


def test_futures_have_no_history_and_a_strange_symbol_is_not_found() -> None:
    async def play(client: Client) -> None:
        assert await client.get(f"{HISTORY}?symbol=%2FESH26") == {"candles": [], "symbol": ES, "empty": True}
        answer = await client.ask("GET", f"{HISTORY}?symbol=XXXX")
        assert answer.status == 404
        assert answer.json["errors"][0]["source"] == {"parameter": "symbol"}

    played(play)


NOT_OFFERED = [
    ("periodType=day", "symbol"),
    ("symbol=AAPL&periodType=hour", "periodType"),
    ("symbol=AAPL&periodType=day&period=6", "period"),
    ("symbol=AAPL&periodType=day&frequencyType=daily", "frequencyType"),
    ("symbol=AAPL&periodType=day&frequencyType=minute&frequency=60", "frequency"),
    ("symbol=AAPL&periodType=month&frequencyType=monthly", "frequencyType"),
    ("symbol=AAPL&startDate=yesterday", "startDate"),
    ("symbol=AAPL&startDate=2000000000000&endDate=1000000000000", "startDate"),
]


def test_a_stretch_or_length_that_is_not_offered_is_refused_by_its_name() -> None:
    async def play(client: Client) -> None:
        for query, parameter in NOT_OFFERED:
            answer = await client.ask("GET", f"{HISTORY}?{query}")
            assert answer.status == 400
            assert answer.json["errors"][0]["source"] == {"parameter": parameter}

    played(play, symbols=("AAPL",))


def test_stocks_are_found_by_symbol_and_description_and_futures_are_not() -> None:
    async def play(client: Client) -> None:
        target = "/marketdata/v1/instruments?symbol={}&projection={}"
        (apple,) = (await client.get(target.format("aapl", "symbol-search")))["instruments"]
        assert (apple["symbol"], apple["assetType"], apple["cusip"]) == ("AAPL", "EQUITY", "037833100")
        for asked, projection in (("M.*", "symbol-regex"), ("microsoft", "desc-search"), ("^Micro", "desc-regex")):
            (found,) = (await client.get(target.format(asked, projection)))["instruments"]
            assert found["symbol"] == "MSFT"
        assert await client.get(target.format("ES", "symbol-search")) == {}
        assert (await client.ask("GET", target.format("(", "symbol-regex"))).status == 400
        assert (await client.ask("GET", target.format("A", "guess"))).status == 400

    played(play)


def test_hours_are_told_for_a_trading_day_and_a_day_off_has_none() -> None:
    async def play(client: Client) -> None:
        monday = (await client.get("/marketdata/v1/markets?markets=equity,future&date=2026-01-05"))["equity"]["EQ"]
        assert monday["isOpen"] is True
        assert monday["sessionHours"]["regularMarket"] == [
            {"start": "2026-01-05T09:30:00-05:00", "end": "2026-01-05T16:00:00-05:00"}
        ]
        assert monday["sessionHours"].keys() == {"preMarket", "regularMarket", "postMarket"}
        sunday = (await client.get("/marketdata/v1/markets/equity?date=2026-01-04"))["equity"]["equity"]
        assert sunday["isOpen"] is False
        assert "sessionHours" not in sunday
        assert (await client.ask("GET", "/marketdata/v1/markets?markets=moon")).status == 400

    played(play)
