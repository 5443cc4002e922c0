"""The streams: snapshot, changes, heartbeat, goodbye and error objects."""

import json
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import pytest
import trio

from tests.brokers.emulation.kit import Client, played
from tests.brokers.tradestation.emulator.words import ES, FUTURES, ORDERS, far_bid, limit, order, place

QUOTES = "/v3/marketdata/stream/quotes"
POSITIONS = f"/v3/brokerage/stream/accounts/{FUTURES}/positions"
BARS = "/v3/marketdata/stream/barcharts"


def test_the_snapshot_of_orders_comes_again_on_every_connect() -> None:
    async def play(client: Client) -> None:
        ids = {await place(client, limit("BUY", await far_bid(client))) for _ in range(3)}
        for _ in range(2):
            async with client.stream(ORDERS) as feed:
                assert {one["OrderID"] for one in await feed.snapshot()} == ids
        one = min(ids)
        async with client.stream(f"{ORDERS}/{one}") as feed:
            assert [found["OrderID"] for found in await feed.snapshot()] == [one]

    played(play)


def test_a_quiet_stream_sends_a_heartbeat_every_five_seconds() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            begun = trio.current_time()
            for number in (1, 2, 3):
                heartbeat = json.loads(await feed.line())
                assert heartbeat["Heartbeat"] == 1
                assert heartbeat["Timestamp"].endswith("Z")
                assert trio.current_time() - begun == pytest.approx(5 * number, abs=0.1)

    played(play)


def test_order_streams_are_chunked_json_lines_of_the_published_type() -> None:
    async def play(client: Client) -> None:
        raw = await client.connect()
        async with raw.stream:
            await raw.send("GET", ORDERS, {"authorization": f"Bearer {client.token}"})
            head = dict((await raw.head()).headers)
            assert head[b"content-type"] == b"application/vnd.tradestation.streams.v3+json"
            assert head[b"transfer-encoding"] == b"chunked"
            event = await raw.event()
            assert bytes(event.data) == b'{"StreamStatus":"EndSnapshot"}\n'

    played(play)


def test_a_strange_account_is_an_error_object_in_the_stream() -> None:
    async def play(client: Client) -> None:
        async with client.stream("/v3/brokerage/stream/accounts/123456782/orders") as feed:
            assert feed.status == 200
            assert await feed.line() == (
                b'{"Error":"Forbidden","Message":"Invalid Account ID.","AccountID":"123456782"}'
            )
            with pytest.raises(EOFError):
                await feed.line()

    played(play)


def test_quotes_come_whole_first_and_then_as_the_fields_that_changed() -> None:
    async def play(client: Client) -> None:
        async with client.stream(f"{QUOTES}/@es,XXZZ") as feed:
            assert await feed.next() == {"Symbol": "XXZZ", "Error": "FAILED, INVALID SYMBOL"}
            state = await feed.next()
            assert {"Bid", "Ask", "Last", "PreviousClose", "MarketFlags", "Volume"} <= state.keys()
            assert state["Symbol"] == "@es"
            changes = [await feed.next() for _ in range(50)]
            assert all(len(change) < len(state) for change in changes)
            for change in changes:
                assert change["Symbol"] == "@es"
                assert all(state.get(name) != value for name, value in change.items() if name != "Symbol")
                state |= change
            snapshot = (await client.get("/v3/marketdata/quotes/@ES"))["Quotes"][0]
        share, percent = Decimal(state["NetChangePct"]), Decimal(snapshot["NetChangePct"])
        assert abs(share * 100 - percent) < Decimal("0.1"), "a fraction in the stream, percent in the snapshot"

    played(play)


def test_positions_come_whole_then_as_changes_and_go_by_a_deletion() -> None:
    async def play(client: Client) -> None:
        async with client.stream(f"{POSITIONS}?changes=true") as changes, client.stream(POSITIONS) as whole:
            assert await changes.snapshot() == await whole.snapshot() == []
            await place(client, order(quantity=1))
            opened = await changes.next()
            assert (opened["Symbol"], opened["Quantity"], opened["LongShort"]) == (ES, "1", "Long")
            assert (await whole.next())["PositionID"] == opened["PositionID"]
            changed = await changes.next()
            assert changed["PositionID"] == opened["PositionID"]
            assert "Symbol" not in changed
            assert (await whole.next())["Symbol"] == ES
            await place(client, order("SELL"))
            gone = {"PositionID": opened["PositionID"], "Deleted": True}
            assert (await changes.until(lambda one: "Deleted" in one))[-1] == gone
            assert (await whole.until(lambda one: "Deleted" in one))[-1] == gone
            await place(client, order())
            assert (await changes.next())["PositionID"] != opened["PositionID"]

    played(play)


def test_bars_join_history_the_running_bar_and_its_close_without_gap_or_overlap() -> None:
    async def play(client: Client) -> None:
        await trio.sleep(20)
        query = "interval=1&unit=Minute&barsback=3"
        async with client.stream(f"{BARS}/@ES?{query}") as feed:
            history = [await feed.next() for _ in range(3)]
            assert [one["IsEndOfHistory"] for one in history] == [False, False, True]
            assert {one["BarStatus"] for one in history} == {"Closed"}
            running = await feed.until(lambda one: one["BarStatus"] == "Closed")
            closed = running.pop()
            assert {(one["BarStatus"], one["TimeStamp"]) for one in running} == {("Open", closed["TimeStamp"])}
            assert closed["Epoch"] - history[-1]["Epoch"] == 60_000
            same = ("Open", "High", "Low", "Close", "TotalVolume", "TotalTicks", "TimeStamp")
            assert {name: running[-1][name] for name in same} == {name: closed[name] for name in same}
        asked = (await client.get(f"/v3/marketdata/barcharts/@ES?{query}"))["Bars"]
        assert [one["TimeStamp"] for one in asked] == [
            *(one["TimeStamp"] for one in history[1:]),
            closed["TimeStamp"],
        ]
        assert {name: asked[-1][name] for name in same} == {name: closed[name] for name in same}

    played(play)


def test_bars_of_an_unknown_symbol_are_refused_inside_the_stream_and_by_status_in_a_query() -> None:
    async def play(client: Client) -> None:
        async with client.stream(f"{BARS}/XXZZ?interval=1&unit=Minute") as feed:
            assert await feed.next() == {"Error": "Failed", "Message": "FAILED, EX_INVALID_SYMBOL"}
        assert (await client.ask("GET", "/v3/marketdata/barcharts/XXZZ")).status == 404

    played(play)


def test_more_than_forty_order_streams_are_refused() -> None:
    async def play(client: Client) -> None:
        async with AsyncExitStack() as stack:
            feeds: list[Any] = [await stack.enter_async_context(client.stream(ORDERS)) for _ in range(41)]
            assert [feed.status for feed in feeds] == [200] * 40 + [429]
        await trio.sleep(3)
        async with client.stream(ORDERS) as feed:
            assert feed.status == 200, "those that ended count no more"

    played(play)
