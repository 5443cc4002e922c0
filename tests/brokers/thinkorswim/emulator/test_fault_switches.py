"""Every switch that Schwab's protocol can have shows its effect on the wire."""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import pytest
import trio
from trio_websocket import ConnectionClosed, HandshakeError

from brokers.emulation import possible_faults
from brokers.thinkorswim.emulator import PARTS
from tests.brokers.emulation.kit import Answer
from tests.brokers.thinkorswim.emulator.kit import ES, MARGIN, Client, limit, located, order, played

ACCOUNTS = "/trader/v1/accounts"
FUTURES = "LEVELONE_FUTURES"
GONE = (EOFError, trio.BrokenResourceError, ConnectionClosed, HandshakeError)
FAR = limit("BUY", Decimal(10))
TRIED: set[str] = set()
Test = TypeVar("Test", bound=Callable[..., None])


def tries(*names: str) -> Callable[[Test], Test]:
    """Says which switches a test tries, so that none is left out."""
    TRIED.update(names)

    def same(test: Test) -> Test:
        return test

    return same


def taken(client: Client) -> int:
    """How many orders the exchange took."""
    return len(client.emulator.log.of("accepted"))


async def send(client: Client, body: Any = FAR) -> Answer:
    return await client.ask("POST", f"{client.of()}/orders", body)


async def opens(client: Client) -> bool:
    """Whether the streamer can be reached and logged in to."""
    found = [False]
    with trio.move_on_after(30):
        try:
            async with client.socket():
                found.append(True)
        except* GONE:
            pass
    return found[-1]


@tries("stream-drop")
def test_f01_a_stream_ends_between_two_messages_without_a_goodbye() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.ask(FUTURES, "SUBS", keys=ES, fields="0,1,8")
            await socket.data(FUTURES)
            with pytest.raises(ConnectionClosed):
                await socket.next()

    played(play, "stream-drop=3")


@tries("cut")
def test_f02_replies_and_streams_are_cut_at_any_byte() -> None:
    async def play(client: Client) -> None:
        for number, byte in enumerate((1, 16, 60, 150)):
            client.emulator.faults.on(f"cut={byte}")
            raw = await client.connect()
            async with raw.stream:
                headers = {"authorization": f"Bearer {client.token}"}
                await raw.send("POST", f"{client.of()}/orders", headers, json.dumps(FAR).encode())
                with pytest.raises(GONE):
                    await raw.whole()
                assert len(raw.received) == byte
            assert taken(client) == number + 1
        for byte in (20, 140, 300):
            client.emulator.faults.on(f"cut={byte}/stream")
            assert not await opens(client)

    played(play)


@tries("half-open", "mute")
def test_f03_a_silent_stream_stays_open_and_heartbeats_can_be_missing() -> None:
    async def play(client: Client) -> None:
        for switch in ("half-open=3", "mute"):
            client.emulator.faults.on(switch)
            async with client.socket() as socket:
                await socket.watch_account()
                with trio.move_on_after(120) as patience:
                    await socket.next()
                assert patience.cancelled_caught

    played(play)


@tries("reset")
def test_f04_a_reset_comes_before_or_after_the_effect() -> None:
    async def play(client: Client) -> None:
        for when, count in (("before", 0), ("after", 1)):
            client.emulator.faults.on(f"reset={when}")
            with pytest.raises(GONE):
                await send(client)
            assert taken(client) == count
            client.emulator.faults.off("reset")
        client.emulator.faults.on("reset=before/stream")
        assert not await opens(client)

    played(play)


@tries("refuse-connects")
def test_f05_connects_are_refused_for_a_while_and_the_stream_goes_on() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.ask(FUTURES, "SUBS", keys=ES, fields="0,1,8")
            client.emulator.faults.on("refuse-connects=5")
            await client.get(ACCOUNTS)
            await trio.sleep(0.1)
            with pytest.raises(ConnectionRefusedError):
                await client.get(ACCOUNTS)
            await socket.data(FUTURES)
            await trio.sleep(5)
            await client.get(ACCOUNTS)

    played(play)


@tries("hang", "delay")
@pytest.mark.parametrize("how", ["head", "body", "middle"])
def test_f06_a_reply_hangs_or_is_late_and_the_order_is_taken(how: str) -> None:
    async def play(client: Client) -> None:
        with trio.move_on_after(60) as patience:
            await client.ask("GET", ACCOUNTS)
        assert patience.cancelled_caught
        begun = trio.current_time()
        located(await send(client))
        assert trio.current_time() - begun == pytest.approx(4, abs=0.1)
        assert taken(client) == 1

    played(play, f"hang={how}/query@1", "delay=4")


@tries("body")
def test_f07_a_reply_of_success_has_a_wrong_body() -> None:
    async def play(client: Client) -> None:
        bodies = {}
        for word in ("empty", "truncated", "not-json", "wrong-schema", "wrong-account", "extra-fields"):
            client.emulator.faults.on(f"body={word}/query")
            answer = await client.ask("GET", ACCOUNTS)
            assert answer.status == 200
            bodies[word] = answer.body
        assert bodies["empty"] == b""
        for word in ("truncated", "not-json"):
            with pytest.raises(json.JSONDecodeError):
                json.loads(bodies[word])
        assert isinstance(json.loads(bodies["wrong-schema"]), dict)
        assert MARGIN.encode() not in bodies["wrong-account"]
        assert "XNewField" in json.loads(bodies["extra-fields"])[0]
        client.emulator.faults.on("body=not-json")
        assert (await send(client)).status == 200
        assert taken(client) == 1

    played(play)


@tries("error-after", "error-before")
def test_f08_f09_an_error_comes_after_the_order_was_taken_or_instead_as_text_or_html() -> None:
    async def play(client: Client) -> None:
        answer = await send(client)
        assert (answer.status, taken(client)) == (500, 0)
        assert b"Whitelabel Error Page" in answer.body
        assert answer.headers["content-type"].startswith("text/html")
        answer = await send(client)
        assert (answer.status, answer.body, taken(client)) == (504, b"upstream request timeout", 1)
        assert len(await client.listed()) == 1

    played(play, "error-before=500", "error-after=504")


@tries("quota")
def test_f10_a_quota_answer_has_a_retry_after_only_if_asked_for() -> None:
    async def play(client: Client) -> None:
        for switch, after in (("429,7", "7"), ("429", None), ("418", None), ("403", None)):
            client.emulator.faults.on(f"quota={switch}")
            answer = await client.ask("GET", ACCOUNTS)
            assert answer.status == int(switch[:3])
            assert answer.headers.get("retry-after") == after
            assert "fault" in answer.json

    played(play)


@tries("unauthorized", "short-tokens", "refresh-fails", "refresh-revoked", "rotate-tokens")
def test_f11_tokens_are_refused_in_mid_session_and_refreshes_fail() -> None:
    async def play(client: Client) -> None:
        faults = client.emulator.faults
        faults.on("unauthorized")
        assert (await client.ask("GET", ACCOUNTS)).json["errors"] == ["Invalid bearer token"]
        await client.get(ACCOUNTS)
        faults.on("refresh-fails*2")
        assert [(await client.refresh()).status for _ in range(3)] == [503, 503, 200]
        faults.on("rotate-tokens")
        token = (await client.refresh()).json["refresh_token"]
        assert (await client.refresh()).status == 400
        faults.off("rotate-tokens")
        faults.on("short-tokens=5")
        assert (await client.refresh(token)).json["expires_in"] == 5
        faults.on("refresh-revoked")
        assert (await client.refresh(token)).json["error"] == "unsupported_token_type"

    played(play)


async def told(client: Client, seconds: float = 10) -> tuple[list[str], list[int]]:
    """The events that a market order is told in within some time, without those of its way, and their numbers."""
    async with client.socket() as socket:
        await socket.watch_account()
        await client.place(order())
        found = []
        with trio.move_on_after(seconds):
            while True:
                found.append(await socket.activity())
    return [one["type"] for one in found if "Requ" not in one["type"]], [one["seq"] for one in found]


NORMAL = ["OrderCreated", "OrderAccepted", "OrderFillCompleted"]


@tries("update-twice", "fill-twice", "lose-update", "lose-fill", "out-of-order", "sequence-gap")
@pytest.mark.parametrize(
    ("switch", "types"),
    [
        ("update-twice", ["OrderCreated", *NORMAL]),
        ("fill-twice", [*NORMAL, "OrderFillCompleted"]),
        ("lose-update", NORMAL[1:]),
        ("lose-fill", NORMAL[:2]),
        ("out-of-order", ["OrderAccepted", "OrderCreated", "OrderFillCompleted"]),
        ("sequence-gap@3", NORMAL),
    ],
)
def test_f14_f16_f17_events_are_doubled_lost_and_swapped(switch: str, types: list[str]) -> None:
    async def play(client: Client) -> None:
        found, numbers = await told(client)
        assert found == types
        gaps = [1, 2, 4, 5, 6] if "gap" in switch else list(range(1, len(numbers) + 1))
        assert numbers == gaps
        assert await client.held() == {"AAPL": 10}, "the books are right whatever the stream says"
        assert [one["status"] for one in await client.listed()] == ["FILLED"], "and so is the list"

    played(play, switch)


@tries("late-fill")
def test_f15_a_fill_is_told_after_the_order_was_told_as_canceled() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.watch_account()
            order_id = await client.place(order())
            await socket.until("OrderUROutCompleted")
            record = await client.read(order_id)
            assert (record["status"], record["filledQuantity"]) == ("CANCELED", 0)
            begun = trio.current_time()
            await socket.until("OrderFillCompleted")
            assert trio.current_time() - begun == pytest.approx(3, abs=0.1)
        record = await client.read(order_id)
        assert (record["status"], record["filledQuantity"]) == ("FILLED", 10)

    played(play, "late-fill=3")


@tries("stale-snapshot", "reject-later", "out-on-replace")
def test_f16_an_old_list_a_late_reject_and_an_out_that_comes_first() -> None:
    async def play(client: Client) -> None:
        old = await client.place(FAR)
        async with client.socket() as socket:
            await socket.watch_account()
            await client.ask("PUT", f"{client.of()}/orders/{old}", limit("BUY", Decimal(11)))
            assert await socket.types("ChangeAccepted") == ["OrderUROutCompleted", "ChangeCreated", "ChangeAccepted"]
            client.emulator.faults.on("reject-later")
            rejected = await client.place(order())
            assert (await client.read(rejected))["status"] == "NEW"
            out = (await socket.until("OrderUROutCompleted"))[-1]
            assert out["SchwabOrderID"] == str(rejected)
        assert (await client.read(rejected))["status"] == "REJECTED"
        done = await client.place(order())
        client.emulator.faults.on("stale-snapshot")
        for word in ("WORKING", "FILLED"):
            assert {one["orderId"]: one["status"] for one in await client.listed()}[done] == word

    played(play, "out-on-replace")


@tries("bust", "correction")
def test_f18_a_fill_is_taken_back_or_corrected_and_books_are_restated() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.watch_account()
            busted = await client.place(order())
            event = (await socket.until("ExecutionCreated"))[-1]["BaseEvent"]["ExecutionCreatedEvent"]
            assert event["ExecutionInfo"]["ExecutionTransType"] == "Bust"
            assert (await client.read(busted))["filledQuantity"] == 0
            assert await client.held() == {}
            client.emulator.faults.on("correction=1")
            corrected = await client.place(order())
            before = (await client.read(corrected))["orderActivityCollection"][0]["executionLegs"][0]["price"]
            event = (await socket.until("ExecutionCreated"))[-1]["BaseEvent"]["ExecutionCreatedEvent"]
            assert event["ExecutionInfo"]["ExecutionTransType"] == "Correct"
        (leg,) = (await client.read(corrected))["orderActivityCollection"][0]["executionLegs"]
        assert leg["price"] - before == Decimal("0.01")
        assert len(client.emulator.log.of("busted")) == 2

    played(play, "bust=2")


@tries("external-order")
def test_f19_a_stranger_trades_in_the_account() -> None:
    async def play(client: Client) -> None:
        order_id = await client.place(order())
        await trio.sleep(2)
        assert {one["orderId"] for one in await client.listed()} > {order_id}
        assert await client.held() == {"AAPL": 11}

    played(play, "external-order")


@tries("forget-finished")
def test_f20_finished_orders_leave_the_lists() -> None:
    async def play(client: Client) -> None:
        alive, done = await client.place(FAR), await client.place(order())
        assert len(await client.listed()) == 2
        await trio.sleep(11)
        assert [one["orderId"] for one in await client.listed()] == [alive]
        assert (await client.ask("GET", f"{client.of()}/orders/{done}")).status == 404

    played(play, "forget-finished=10")


@tries("clock-skew")
def test_f21_all_stamps_are_off_together() -> None:
    async def play(client: Client) -> None:
        now = client.world.clock.wall_ns() // 10**9
        entered = datetime.fromisoformat((await client.read(await client.place(order())))["enteredTime"])
        assert now - entered.timestamp() == pytest.approx(3600, abs=2)
        quote = (await client.get("/marketdata/v1/quotes?symbols=AAPL"))["AAPL"]["quote"]
        assert now - quote["quoteTime"] / 1000 == pytest.approx(3600, abs=5)
        async with client.socket() as socket:
            await socket.say(socket.request(FUTURES, "SUBS", keys=ES, fields="0,10"))
            assert now - (await socket.response())["timestamp"] / 1000 == pytest.approx(3600, abs=2)
            (one,) = await socket.data(FUTURES)
            assert now - one["10"] / 1000 == pytest.approx(3600, abs=5)

    played(play, "clock-skew=-3600")


@tries("hostile", "drip")
def test_f36_replies_and_messages_that_break_parsers_and_bodies_that_come_by_drips() -> None:
    async def play(client: Client) -> None:
        faults = client.emulator.faults
        faults.on("drip=100")
        begun = trio.current_time()
        answer = await client.ask("GET", ACCOUNTS)
        assert trio.current_time() - begun > len(answer.body) / 100
        for word, body in HOSTILE.items():
            faults.on(f"hostile={word}")
            assert (await client.ask("GET", ACCOUNTS)).body == body
        for word in ("deep", "nan", "long-number", "nul"):
            faults.on(f"hostile={word}/stream")
            async with client.socket(log_in=False) as socket:
                assert await socket.raw() == HOSTILE[word].decode()
        for word in ("bad-utf8", "huge"):
            faults.on(f"hostile={word}/stream")
            async with client.socket(log_in=False) as socket:
                with pytest.raises(ConnectionClosed):
                    await socket.raw()
        faults.on("hostile=endless/stream")
        async with client.socket(log_in=False) as socket:
            with trio.move_on_after(0.01), pytest.raises(ConnectionClosed):
                await socket.raw()

    played(play)


HOSTILE = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "nan": b'{"Last":NaN,"Bid":NaN,"Quantity":NaN}',
    "long-number": b'{"Quantity":' + b"9" * 5000 + b"}",
    "nul": b'{"Symbol":"ES\x00Z26"}\x00',
    "duplicate-keys": b'{"OrderID":"1","OrderID":"2","Quantity":"1","Quantity":"-1"}',
}


@tries("lie")
def test_f39_the_stream_and_the_list_tell_what_cannot_be() -> None:
    async def lied(client: Client, word: str) -> tuple[str, Any]:
        client.emulator.faults.on(f"lie={word}*always")
        async with client.socket() as socket:
            await socket.watch_account()
            order_id = await client.place(limit("BUY", Decimal(500)))
            found = [json.dumps(await socket.activity()) for _ in range(5)]
        return "".join(found), await client.read(order_id)

    def play(word: str) -> tuple[str, Any]:
        return played(lambda client: lied(client, word))

    text, record = play("negative-quantity")
    assert '"signScale": 13' in text
    assert record["filledQuantity"] == -1
    text, record = play("zero-price")
    assert '"ExecutionPrice": {"signScale": 12}' in text
    assert record["price"] == 0
    text, record = play("unknown-status")
    assert "OrderTeleported" in text
    assert record["status"] == "TELEPORTED"
    text, record = play("unknown-symbol")
    assert '"Symbol": "XXZZ"' in text
    assert record["orderLegCollection"][0]["instrument"]["symbol"] == "XXZZ"
    text, record = play("wrong-side")
    assert '"BuySellCode": "Sell"' in text
    assert record["orderLegCollection"][0]["instruction"] == "SELL"
    text, record = play("overfill")
    assert '"lo": "1000000000000"' in text
    assert record["filledQuantity"] == 11


@tries("swizzle")
def test_f40_the_stream_stops_and_comes_back_with_everything() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.watch_account()
            client.emulator.house.spawn(client.emulator.house.swizzle, 5)
            await trio.sleep(0.1)
            order_id = None
            with trio.move_on_after(60):
                order_id = await client.place(order())
            assert order_id is not None
            await trio.sleep(30)
            events = await socket.until("OrderFillCompleted")
            assert [one["seq"] for one in events] == [1, 2, 3, 4, 5]
        client.emulator.faults.on("swizzle=1")
        async with client.socket() as socket:
            await socket.watch_account()
        assert client.emulator.faults.struck["swizzle"] == 1

    played(play)


@tries("slice", "clump", "blank-lines")
@pytest.mark.parametrize("switch", ["slice=1", "slice=7", "clump=2", "blank-lines"])
def test_messages_come_in_any_pieces_and_say_the_same(switch: str) -> None:
    async def play(client: Client) -> tuple[list[str], list[int]]:
        client.emulator.faults.on(switch)
        return await told(client, 30)

    async def plain(client: Client) -> tuple[list[str], list[int]]:
        return await told(client, 30)

    if switch != "clump=2":
        assert played(play) == played(plain)
        return

    async def clumped(client: Client) -> None:
        client.emulator.faults.on(switch)
        async with client.socket(log_in=False) as socket:
            with trio.move_on_after(5) as patience:
                await socket.log_in()
            assert patience.cancelled_caught, "the answer waits for the message that it comes with"
            found = [await socket.next() for _ in range(2)]
            assert found[0]["response"][0]["content"]["code"] == 0
            assert "heartbeat" in found[1]["notify"][0]

    played(clumped)


@tries("go-away")
def test_the_server_says_goodbye_with_code_30() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.ask("ACCT_ACTIVITY", "SUBS", keys="Account Activity", fields="0,1,2,3")
            found = await socket.next()
            assert found["notify"][0]["content"]["code"] == 30
            with pytest.raises(ConnectionClosed):
                await socket.next()

    played(play, "go-away=2")


def test_no_switch_of_this_protocol_goes_untried() -> None:
    assert set(possible_faults(PARTS)) == TRIED
