"""Every switch that TradeStation can have shows its effect on the wire."""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import pytest
import trio

from brokers.emulation import possible_faults
from brokers.tradestation.emulator import PARTS
from tests.brokers.emulation.kit import Client, played
from tests.brokers.tradestation.emulator.words import (
    ES,
    FUTURES,
    ORDERS,
    PLACE,
    error,
    far_bid,
    held,
    limit,
    order,
    place,
    read,
    refused,
)

ACCOUNTS = "/v3/brokerage/accounts"
GONE = (EOFError, trio.BrokenResourceError)
TRIED: set[str] = set()
Test = TypeVar("Test", bound=Callable[..., None])


def tries(*names: str) -> Callable[[Test], Test]:
    """Says which switches a test tries, so that none is left out."""
    TRIED.update(names)

    def same(test: Test) -> Test:
        return test

    return same


async def taken(client: Client) -> int:
    """How many orders the exchange took."""
    return len(client.emulator.log.of("accepted"))


async def lost(client: Client, body: dict[str, Any]) -> None:
    """Places an order to which no whole answer comes."""
    with pytest.raises(GONE):
        await client.ask("POST", PLACE, body)


@tries("stream-drop")
def test_f01_a_stream_ends_between_two_frames() -> None:
    async def play(client: Client) -> None:
        async with client.stream("/v3/marketdata/stream/quotes/@ES") as feed:
            assert len([await feed.next() for _ in range(3)]) == 3
            with pytest.raises(EOFError):
                await feed.next()

    played(play, "stream-drop=3")


@tries("cut")
def test_f02_a_reply_is_cut_at_any_byte_after_its_order_was_taken() -> None:
    async def play(client: Client) -> None:
        for number, byte in enumerate((1, 16, 60, 150)):
            client.emulator.faults.on(f"cut={byte}")
            raw = await client.connect()
            async with raw.stream:
                body = json.dumps(limit("BUY", Decimal(6000))).encode()
                await raw.send("POST", PLACE, {"authorization": f"Bearer {client.token}"}, body)
                with pytest.raises(GONE):
                    await raw.whole()
                assert len(raw.received) == byte
            assert await taken(client) == number + 1

    played(play)


@tries("half-open")
def test_f03_a_silent_stream_stays_open_without_a_heartbeat() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.line()
            with trio.move_on_after(120) as patience:
                await feed.line()
            assert patience.cancelled_caught

    played(play, "half-open=1")


@tries("reset")
def test_f04_a_reset_comes_before_or_after_the_effect() -> None:
    async def play(client: Client) -> None:
        price = await far_bid(client)
        await lost(client, limit("BUY", price))
        assert await taken(client) == 0
        client.emulator.faults.off("reset")
        client.emulator.faults.on("reset=after")
        await lost(client, limit("BUY", price))
        assert await taken(client) == 1

    played(play, "reset=before")


@tries("refuse-connects")
def test_f05_connects_are_refused_for_a_while_and_open_connections_go_on() -> None:
    async def play(client: Client) -> None:
        async with client.stream("/v3/marketdata/stream/quotes/@ES") as feed:
            await client.get(ACCOUNTS)
            await trio.sleep(0.1)
            with pytest.raises(ConnectionRefusedError):
                await client.get(ACCOUNTS)
            await feed.next()
            await trio.sleep(5)
            await client.get(ACCOUNTS)

    played(play, "refuse-connects=5")


@tries("hang", "delay")
@pytest.mark.parametrize("how", ["head", "body", "middle"])
def test_f06_a_reply_hangs_before_or_in_its_parts_and_the_order_is_taken(how: str) -> None:
    async def play(client: Client) -> None:
        with trio.move_on_after(60) as patience:
            await client.ask("POST", PLACE, limit("BUY", await far_bid(client)))
        assert patience.cancelled_caught
        assert await taken(client) == 1
        begun = trio.current_time()
        await place(client, limit("BUY", await far_bid(client)))
        assert trio.current_time() - begun == pytest.approx(4, abs=0.1)

    played(play, f"hang={how}", "delay=4@1")


@tries("body")
def test_f07_a_reply_of_success_has_a_wrong_body_and_the_order_is_taken() -> None:
    async def play(client: Client) -> None:
        bodies = {}
        for number, word in enumerate(("empty", "truncated", "not-json", "wrong-schema", "extra-fields")):
            client.emulator.faults.on(f"body={word}")
            answer = await client.ask("POST", PLACE, limit("BUY", Decimal(6000)))
            assert answer.status == 200
            assert await taken(client) == number + 1
            bodies[word] = answer.body
        assert bodies["empty"] == b""
        for word in ("truncated", "not-json"):
            with pytest.raises(json.JSONDecodeError):
                json.loads(bodies[word])
        assert "Orders" not in json.loads(bodies["wrong-schema"])
        assert {"Orders", "XNewField"} <= json.loads(bodies["extra-fields"]).keys()
        client.emulator.faults.on("body=wrong-account/query")
        ids = {one["AccountID"] for one in (await client.get(ACCOUNTS))["Accounts"]}
        assert FUTURES not in ids

    played(play)


@tries("error-after", "error-before")
def test_f08_f09_an_error_comes_after_the_order_was_taken_or_instead() -> None:
    async def play(client: Client) -> None:
        body = limit("BUY", await far_bid(client))
        assert error(await client.ask("POST", PLACE, body)) == (500, "InternalServerError", "Internal Server Error")
        assert await taken(client) == 0
        assert error(await client.ask("POST", PLACE, body)) == (504, "GatewayTimeout", "Gateway Timeout")
        assert await taken(client) == 1
        listed = await client.get(f"{ACCOUNTS}/{FUTURES}/orders")
        assert len(listed["Orders"]) == 1

    played(play, "error-before=500", "error-after=504")


@tries("quota")
def test_f10_a_quota_answer_has_a_retry_after_only_if_asked_for() -> None:
    async def play(client: Client) -> None:
        first = await client.ask("GET", ACCOUNTS)
        assert error(first) == (429, "TooManyRequests", "Too Many Requests")
        assert first.headers["retry-after"] == "7"
        for status in (429, 418, 403):
            client.emulator.faults.on(f"quota={status}")
            answer = await client.ask("GET", ACCOUNTS)
            assert answer.status == status
            assert "retry-after" not in answer.headers

    played(play, "quota=429,7")


@tries("unauthorized", "short-tokens", "refresh-fails", "refresh-revoked", "rotate-tokens")
def test_f11_tokens_are_refused_in_mid_session_and_refreshes_fail() -> None:
    async def play(client: Client) -> None:
        assert (await client.refresh()).status == 200
        assert error(await client.ask("GET", ACCOUNTS)) == (401, "Unauthorized", "Unauthorized")
        await client.get(ACCOUNTS)
        client.emulator.faults.on("refresh-fails*2")
        assert [(await client.refresh()).status for _ in range(3)] == [503, 503, 200]
        client.emulator.faults.on("rotate-tokens")
        token = (await client.refresh()).json["refresh_token"]
        assert (await client.refresh()).status == 403
        client.emulator.faults.on("short-tokens=5")
        assert (await client.refresh(refresh_token=token)).json["expires_in"] == 5
        client.emulator.faults.on("refresh-revoked")
        assert (await client.refresh(refresh_token=token)).json["error"] == "invalid_grant"

    played(play, "unauthorized")


async def told(client: Client, last: str = "FLL", after: float = 10) -> list[str]:
    """The statuses that a market order is told in, and for so long after the last one."""
    async with client.stream(ORDERS) as feed:
        await feed.snapshot()
        order_id = await place(client, order())
        found = [one["Status"] for one in await feed.statuses(order_id, last)]
        with trio.move_on_after(after):
            while True:
                found.append((await feed.next())["Status"])
    return found


@tries("update-twice", "fill-twice", "lose-update", "lose-fill", "out-of-order")
@pytest.mark.parametrize(
    ("switch", "last", "statuses"),
    [
        ("update-twice", "FLL", ["ACK", "ACK", "FLL"]),
        ("fill-twice", "FLL", ["ACK", "FLL", "FLL"]),
        ("lose-update", "FLL", ["FLL"]),
        ("lose-fill", "ACK", ["ACK"]),
        ("out-of-order", "ACK", ["FLL", "ACK"]),
    ],
)
def test_f14_f16_f17_updates_are_doubled_lost_and_swapped(switch: str, last: str, statuses: list[str]) -> None:
    async def play(client: Client) -> None:
        assert await told(client, last) == statuses
        assert await held(client) == {ES: "1"}, "the books are right whatever the stream says"
        listed = await client.get(f"{ACCOUNTS}/{FUTURES}/orders")
        assert [one["Status"] for one in listed["Orders"]] == ["FLL"], "and so is the list"

    played(play, switch)


@tries("late-fill")
def test_f15_a_fill_is_told_after_the_order_was_told_as_out() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            order_id = await place(client, order())
            updates = await feed.statuses(order_id, "OUT")
            assert updates[-1]["Legs"][0]["ExecQuantity"] == "0"
            assert updates[-1]["ClosedDateTime"]
            assert (await read(client, order_id))["Status"] == "OUT"
            begun = trio.current_time()
            filled = (await feed.statuses(order_id, "FLL"))[-1]
            assert trio.current_time() - begun == pytest.approx(3, abs=0.1)
            assert filled["Legs"][0]["ExecQuantity"] == "1"

    played(play, "late-fill=3")


@tries("stale-snapshot", "reject-later", "out-on-replace")
def test_f16_an_old_snapshot_a_late_reject_and_an_out_that_is_not_final() -> None:
    async def play(client: Client) -> None:
        price = await far_bid(client)
        order_id = await place(client, limit("BUY", price))
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            await client.ask("PUT", f"{PLACE}/{order_id}", {"LimitPrice": str(price - 1)})
            out, ack = await feed.next(), await feed.next()
            assert (out["Status"], ack["Status"]) == ("OUT", "ACK")
            assert "ClosedDateTime" not in out
            client.emulator.faults.on("reject-later")
            rejected_id = await place(client, order())
            assert (await feed.statuses(rejected_id, "REJ"))[-1]["RejectReason"].startswith("EC804")
        client.emulator.faults.on("stale-snapshot")
        async with client.stream(ORDERS) as feed:
            (old,) = [one for one in await feed.snapshot() if one["OrderID"] == order_id]
            assert Decimal(old["LimitPrice"]) == price
        assert Decimal((await read(client, order_id))["LimitPrice"]) == price - 1

    played(play, "out-on-replace")


@tries("bust", "correction")
def test_f18_a_fill_is_taken_back_or_corrected_and_books_are_restated() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            order_id = await place(client, order())
            filled = (await feed.statuses(order_id, "FLL"))[-1]
            busted = (await feed.statuses(order_id, "BRO"))[-1]
            assert busted["Legs"][0]["ExecQuantity"] == "0"
            assert await held(client) == {}
            client.emulator.faults.on("correction=1")
            order_id = await place(client, order())
            filled = (await feed.statuses(order_id, "FLL"))[-1]
            corrected = (await feed.statuses(order_id, "COR"))[-1]
            assert Decimal(corrected["FilledPrice"]) - Decimal(filled["FilledPrice"]) == Decimal("0.25")
        (position,) = (await client.get(f"{ACCOUNTS}/{FUTURES}/positions"))["Positions"]
        assert position["AveragePrice"] == corrected["FilledPrice"]
        assert len(client.emulator.log.of("busted")) == 2

    played(play, "bust=2")


@tries("external-order")
def test_f19_a_stranger_trades_in_the_account() -> None:
    async def play(client: Client) -> None:
        order_id = await place(client, order())
        await trio.sleep(2)
        listed = await client.get(f"{ACCOUNTS}/{FUTURES}/orders")
        assert {one["OrderID"] for one in listed["Orders"]} > {order_id}
        assert await held(client) == {ES: "2"}

    played(play, "external-order")


@tries("forget-finished")
def test_f20_finished_orders_leave_the_lists() -> None:
    async def play(client: Client) -> None:
        alive = await place(client, limit("BUY", await far_bid(client)))
        done = await place(client, order())
        path = f"{ACCOUNTS}/{FUTURES}/orders"
        assert len((await client.get(path))["Orders"]) == 2
        await trio.sleep(11)
        assert [one["OrderID"] for one in (await client.get(path))["Orders"]] == [alive]
        assert (await client.get(f"{path}/{done}"))["Errors"][0]["Error"] == "NotFound"

    played(play, "forget-finished=10")


@tries("clock-skew")
def test_f21_all_stamps_are_off_together() -> None:
    async def play(client: Client) -> None:
        answer = await client.ask("GET", ACCOUNTS)
        record = await read(client, await place(client, order()))
        now = client.world.clock.wall_ns() // 10**9
        opened = datetime.fromisoformat(record["OpenedDateTime"]).timestamp()
        dated = parsedate_to_datetime(answer.headers["date"]).timestamp()
        assert now - opened == pytest.approx(3600, abs=2)
        assert now - dated == pytest.approx(3600, abs=2)

    played(play, "clock-skew=-3600")


@tries("hostile", "drip")
def test_f36_bodies_that_break_parsers_and_bodies_that_come_by_drips() -> None:
    async def play(client: Client) -> None:
        begun = trio.current_time()
        answer = await client.ask("GET", ACCOUNTS)
        seconds = trio.current_time() - begun
        assert seconds > len(answer.body) / 100
        for word in ("deep", "nan", "infinite", "long-number", "bad-utf8", "nul", "duplicate-keys"):
            client.emulator.faults.on(f"hostile={word}")
            answer = await client.ask("GET", ACCOUNTS)
            assert answer.status == 200
            assert answer.body == HOSTILE[word]
        client.emulator.faults.on("hostile=endless")
        with trio.move_on_after(0.05) as patience:
            await client.ask("GET", ACCOUNTS)
        assert patience.cancelled_caught
        client.emulator.faults.on("hostile=bomb")
        bomb = await client.ask("GET", ACCOUNTS)
        assert bomb.headers["content-encoding"] == "gzip"
        assert len(bomb.body) < 100_000
        client.emulator.faults.on("hostile=nan/stream")
        async with client.stream(ORDERS) as feed:
            assert await feed.raw.body() == HOSTILE["nan"]

    played(play, "drip=100")


HOSTILE = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "nan": b'{"Last":NaN,"Bid":NaN,"Quantity":NaN}',
    "infinite": b'{"Last":1e999,"Bid":-1e999,"Quantity":1e999}',
    "long-number": b'{"Quantity":' + b"9" * 5000 + b"}",
    "bad-utf8": b'{"Symbol":"\xff\xfe\xc3("}',
    "nul": b'{"Symbol":"ES\x00Z26"}\x00',
    "duplicate-keys": b'{"OrderID":"1","OrderID":"2","Quantity":"1","Quantity":"-1"}',
}


@tries("lie")
def test_f39_the_stream_tells_what_cannot_be() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            found = {}
            for word in (
                *("negative-quantity", "zero-price", "unknown-status", "unknown-symbol", "wrong-side", "overfill"),
            ):
                client.emulator.faults.on(f"lie={word}")
                await place(client, limit("BUY", Decimal(6000)))
                found[word] = await feed.next()
        legs = {word: one["Legs"][0] for word, one in found.items()}
        assert legs["negative-quantity"]["ExecQuantity"] == "-1"
        assert legs["zero-price"]["ExecutionPrice"] == "0"
        assert found["unknown-status"]["Status"] == "ZZZ"
        assert legs["unknown-symbol"]["Symbol"] == "XXZZ99"
        assert legs["wrong-side"]["BuyOrSell"] == "Sell"
        assert legs["overfill"]["ExecQuantity"] == "2"

    played(play)


@tries("swizzle")
def test_f40_all_streams_stop_and_come_back_with_everything() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as one, client.stream(ORDERS) as two:
            await one.snapshot()
            client.emulator.faults.on("swizzle=5")
            async with client.stream(ORDERS) as three:
                await trio.sleep(0.1)
                with trio.move_on_after(3) as patience:
                    await one.line()
                assert patience.cancelled_caught
                await trio.sleep(40)
                order_id = await place(client, order())
                for feed in (one, two, three):
                    assert (await feed.statuses(order_id, "FLL"))[-1]["Status"] == "FLL"

    played(play)


@tries("slice", "clump", "blank-lines")
def test_frames_come_in_any_pieces_and_say_the_same() -> None:
    async def play(client: Client) -> list[Any]:
        async with client.stream(f"{ORDERS}") as feed:
            await feed.snapshot()
            order_id = await place(client, order())
            found = await feed.statuses(order_id, "FLL")
            sizes = {len(chunk) for chunk in feed.chunks}
        return [sizes == {1}, [one["Status"] for one in found], b"\n\n" in b"".join(feed.chunks)]

    assert played(play) == [False, ["ACK", "FLL"], False]
    assert played(play, "slice=1") == [True, ["ACK", "FLL"], False]
    assert played(play, "blank-lines") == [False, ["ACK", "FLL"], True]

    async def clumped(client: Client) -> None:
        await place(client, limit("BUY", await far_bid(client)))
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            assert feed.chunks[0].count(b"\n") == 2

    played(clumped, "clump=2")


@tries("mute", "go-away")
def test_heartbeats_can_be_missing_and_the_server_can_say_goodbye() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            assert await feed.line() == b'{"StreamStatus":"EndSnapshot"}'
            assert await feed.line() == b'{"StreamStatus":"GoAway"}'
            with pytest.raises(EOFError):
                await feed.line()
        async with client.stream("/v3/marketdata/stream/quotes/@ES") as feed:
            await feed.line()
            assert json.loads(await feed.line()) == {
                "Error": "GoAway",
                "Message": "The server is about to shut down.",
            }
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            with trio.move_on_after(30) as patience:
                await feed.line()
            assert patience.cancelled_caught

    played(play, "go-away=1*2", "mute")


@tries("refuse-order")
def test_an_order_is_refused_inside_a_reply_of_success() -> None:
    async def play(client: Client) -> None:
        said = await refused(client, order())
        assert said == "Order failed. Reason: Type = LMT has invalid Price greater than absolute maximum"
        assert await taken(client) == 0

    played(play, "refuse-order")


def test_no_switch_of_this_protocol_goes_untried() -> None:
    assert set(possible_faults(PARTS)) == TRIED
