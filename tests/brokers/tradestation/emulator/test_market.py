"""Symbols, quotes, bars, balances and quotas as they are asked for."""

from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import trio

from tests.brokers.emulation.kit import Client, played
from tests.brokers.tradestation.emulator.words import ES, FUTURES, error

DETAILS = "/v3/marketdata/symbols"
BARS = "/v3/marketdata/barcharts"


def test_symbols_are_described_continuous_ones_by_what_they_point_to() -> None:
    async def play(client: Client) -> None:
        found = await client.get(f"{DETAILS}/@ES,{ES},@EC,@C,aapl,XXZZ")
        assert found["Errors"] == [{"Symbol": "XXZZ", "Error": "FAILED, INVALID SYMBOL"}]
        by_name = {one["Symbol"]: one for one in found["Symbols"]}
        assert list(by_name) == ["@ES", ES, "@EC", "@C", "AAPL"]
        assert by_name["@ES"]["Underlying"] == ES
        assert "ExpirationDate" not in by_name["@ES"]
        assert by_name[ES]["ExpirationDate"] == "2026-03-20T00:00:00Z"
        assert by_name[ES]["PriceFormat"]["Increment"] == "0.25"
        assert by_name[ES]["PriceFormat"]["PointValue"] == "50"
        assert by_name["@EC"]["Underlying"] == "ECH26"
        assert by_name["@C"]["PriceFormat"]["Fraction"] == "8"
        assert by_name["AAPL"]["AssetType"] == "STOCK"
        individual = await client.get(f"{DETAILS}/@ESM26")
        assert "Underlying" not in individual["Symbols"][0]
        too_many = ",".join(f"S{number}" for number in range(51))
        assert (await client.ask("GET", f"{DETAILS}/{too_many}")).status == 400

    played(play, symbols=())


def test_the_older_search_lists_the_contracts_of_a_root() -> None:
    async def play(client: Client) -> None:
        found = await client.get("/v2/data/symbols/search/C=FU&N=ES")
        assert [one["Name"] for one in found] == [ES, "ESM26", "@ES"]
        assert Decimal(found[0]["MinMove"]) / 100_000 == Decimal("0.25")
        assert [one["Name"] for one in await client.get("/v2/data/symbols/suggest/aa?$top=5")] == ["AAPL"]

    played(play, symbols=())


def test_bars_are_asked_for_by_number_or_by_dates() -> None:
    async def play(client: Client) -> None:
        bars = (await client.get(f"{BARS}/@ES?unit=Minute&interval=5&barsback=4"))["Bars"]
        assert len(bars) == 4
        ends = [datetime.fromisoformat(one["TimeStamp"]) for one in bars]
        assert {(after - before).seconds for before, after in pairwise(ends)} == {300}
        assert all(int(one["Epoch"]) == end.timestamp() * 1000 for one, end in zip(bars, ends, strict=True))
        assert all(Decimal(one["Low"]) <= Decimal(one["Open"]) <= Decimal(one["High"]) for one in bars)
        first, last = bars[0]["TimeStamp"], bars[-1]["TimeStamp"]
        dated = (await client.get(f"{BARS}/@ES?unit=Minute&interval=5&firstdate={first}&lastdate={last}"))["Bars"]
        assert dated == bars[1:], "firstdate is excluded"
        daily = (await client.get(f"{BARS}/@ES?unit=Daily&barsback=3"))["Bars"]
        assert len(daily) == 3
        for bad in ("unit=Second", "unit=Daily&interval=2", "interval=1441&unit=Minute", "barsback=57601"):
            assert error(await client.ask("GET", f"{BARS}/@ES?{bad}"))[:2] == (400, "BadRequest")
        long = "unit=Minute&firstdate=2000-01-01"
        assert (await client.ask("GET", f"{BARS}/@ES?{long}")).status == 400

    played(play)


def test_accounts_and_balances_have_the_shape_of_their_kind() -> None:
    async def play(client: Client) -> None:
        accounts = (await client.get("/v3/brokerage/accounts"))["Accounts"]
        assert [(one["AccountID"], one["AccountType"], "AccountDetail" in one) for one in accounts] == [
            ("SIM2784990M", "Margin", True),
            (FUTURES, "Futures", False),
        ]
        found = await client.get(f"/v3/brokerage/accounts/{FUTURES},X1/balances")
        assert found["Errors"] == [{"AccountID": "X1", "Error": "Forbidden", "Message": "Invalid Account ID."}]
        (balance,) = found["Balances"]
        assert balance["CashBalance"] == "1000000"
        assert balance["CurrencyDetails"][0]["AccountConversionRate"] == "1"
        morning = await client.get(f"/v3/brokerage/accounts/{FUTURES}/bodbalances")
        assert [one["AccountID"] for one in morning["BODBalances"]] == [FUTURES]

    played(play)


def test_f10_a_used_up_quota_is_403_until_its_fixed_window_ends() -> None:
    async def play(client: Client) -> None:
        path = f"/v3/brokerage/accounts/{FUTURES}/balances"
        answers = [await client.ask("GET", path) for _ in range(321)]
        assert [answer.status for answer in answers] == [200] * 320 + [403]
        assert error(answers[-1])[:2] == (403, "Forbidden")
        head = answers[-1].headers
        assert (head["x-ratelimit-limit"], head["x-ratelimit-remaining"]) == ("320", "0")
        assert (head["x-ratelimit-period"], head["x-ratelimit-resource"]) == ("300", "balances")
        assert (await client.ask("GET", f"/v3/brokerage/accounts/{FUTURES}/positions")).status == 200
        await trio.sleep(int(head["x-ratelimit-reset"]) - 1)
        assert (await client.ask("GET", path)).status == 403
        await trio.sleep(1)
        assert (await client.ask("GET", path)).status == 200

    played(play)


def test_paths_and_methods_that_do_not_exist_are_not_found() -> None:
    async def play(client: Client) -> None:
        assert error(await client.ask("GET", "/v3/nothing")) == (404, "NotFound", "Not Found")
        assert (await client.ask("DELETE", "/v3/brokerage/accounts")).status == 404
        assert (await client.ask("GET", "/v3/brokerage/accounts", token="")).status == 401

    played(play)
