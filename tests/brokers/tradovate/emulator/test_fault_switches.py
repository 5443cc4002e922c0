"""Each switch shows its effect on the wire: on requests by HTTP and by socket, on frames, and on what is told."""

import json
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed

from brokers.emulation import possible_faults
from brokers.tradovate.emulator import PARTS
from runtime.real import real_world
from tests.brokers.tradovate.emulator.words import ACCOUNT, ES_NAME, Sock, User, limit, order, played, running, scene


async def place(sock: Sock, **changed: Any) -> int:
    reply = await sock.get("order/placeorder", order(**changed))
    return int(reply["orderId"])


async def orders(user: User) -> list[tuple[int, str]]:
    return [(one["id"], one["ordStatus"]) for one in await user.get("order/list")]


def test_F01_a_socket_is_dropped_or_said_goodbye_to_after_so_many_frames() -> None:
    async def play(user: User) -> str:
        async with user.socket() as sock:
            await sock.send("account/list")
            with pytest.raises(EOFError) as gone:
                await sock.until(lambda _: False)
            assert [one["i"] for one in sock.seen if "i" in one] == [1, 2], "the last frame is whole"
            words = [one["d"]["reasonCode"] for one in sock.seen if one.get("e") == "shutdown"]
            return f"{words}{gone.value}"

    assert played(play, "stream-drop=2") == "[]gone"
    assert played(play, "go-away=2") == "['Maintenance']c[3000,\"Go away!\"]"


def test_F02_a_request_is_cut_inside_its_reply_and_took_effect() -> None:
    async def play(user: User) -> None:
        with pytest.raises(EOFError):
            await user.post("order/placeorder", order())
        async with user.socket() as sock:
            user.emulator.faults.on("cut=20")
            with pytest.raises(EOFError):
                await sock.ask("order/placeorder", order())
        await trio.sleep(2)
        assert [status for _, status in await orders(user)] == ["Filled", "Filled"]

    played(play, "cut=30")


def test_F02_so_many_messages_come_in_one_array() -> None:
    async def play(user: User) -> None:
        async with user.socket("") as sock:
            for _ in range(2):
                await sock.send("authorize", user.token)
            with trio.move_on_after(5):
                await sock.message()
            assert sock.seen == []
            await sock.send("authorize", user.token)
            assert sorted([(await sock.message())["i"] for _ in range(3)]) == [1, 2, 3]
            assert len([one for one in sock.frames if one.startswith("a")]) == 1

    played(play, "clump=3")


@pytest.mark.parametrize("switch", ["slice=3", "blank-lines"])
def test_F02_frames_in_pieces_and_with_empty_ones_between_say_the_same(switch: str) -> None:
    async def play(user: User) -> None:
        async with user.socket(user.tokens["mdAccessToken"]) as sock:
            await sock.get("md/subscribeQuote", {"symbol": ES_NAME})
            for _ in range(20):
                assert "Bid" in str(await sock.until(lambda one: "Bid" in str(one)))
            assert ("a[]" in sock.frames) == (switch == "blank-lines")

    played(play, switch)


def test_F03_a_socket_goes_silent_and_stays_open_and_heartbeats_can_be_muted() -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            with trio.move_on_after(10) as patience:
                await sock.frame()
            assert patience.cancelled_caught
            user.emulator.faults.on("half-open=2")
            user.emulator.faults.off("mute")
            async with user.socket() as other:
                await other.get("account/list")
                with trio.move_on_after(10) as patience:
                    await other.frame()
                assert patience.cancelled_caught

    played(play, "mute")


@pytest.mark.parametrize(("switch", "took"), [("reset=before", 0), ("reset=after", 1)])
def test_F04_a_reset_before_or_after_the_effect(switch: str, took: int) -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            with pytest.raises((EOFError, ConnectionClosed)):
                await sock.ask("order/placeorder", order())
        user.emulator.faults.on(switch)
        with suppress(EOFError, trio.BrokenResourceError):
            await user.post("order/placeorder", order())
        assert len(await orders(user)) == 2 * took

    played(play, switch)


def test_F05_connects_are_refused_for_a_while() -> None:
    async def play(user: User) -> None:
        await user.get("account/list")
        with pytest.raises(OSError, match="refused"):
            await user.connect()
        await trio.sleep(6)
        await user.get("account/list")

    played(play, "refuse-connects=5")


@pytest.mark.parametrize("switch", ["hang=head", "hang=body", "hang=middle"])
def test_F06_a_request_is_never_answered_and_the_socket_goes_on(switch: str) -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            number = await sock.send("order/placeorder", order())
            await sock.event("order", ordStatus="Filled")
            with trio.move_on_after(30):
                await sock.until(lambda one: one.get("i") == number)
                pytest.fail("answered")
            await sock.get("account/list")

    played(play, switch)


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("empty", '{"s":200,"i":2}'),
        ("truncated", '{"s":200,"i":2,"d":{"orderId}'),
        ("not-json", '"d":<html>'),
        ("wrong-schema", '"d":{"data": [{"orderId": '),
        ("extra-fields", '"XNewField"'),
    ],
)
def test_F07_a_reply_of_success_is_not_what_was_asked_for(word: str, seen: str) -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            await sock.send("order/placeorder", order())
            while not (text := await sock.frame()).startswith("a"):
                pass
            assert seen in text
        assert len(await orders(user)) == 1

    played(play, f"body={word}")


def test_F07_a_reply_tells_of_another_account() -> None:
    async def play(user: User) -> None:
        assert ACCOUNT not in [one["id"] for one in await user.get("account/list")]
        assert ACCOUNT in [one["id"] for one in await user.get("account/list")]

    played(play, "body=wrong-account/query")


@pytest.mark.parametrize(("switch", "took"), [("error-after=504", 1), ("error-before=500", 0)])
def test_F08_F09_an_error_after_or_before_the_effect(switch: str, took: int) -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            answer = await sock.ask("order/placeorder", order())
            assert answer["s"] in {504, 500}
            assert answer["d"] in {"Gateway Timeout", "Internal Server Error"}
        assert len(await orders(user)) == took

    played(play, switch)


def test_F10_a_used_up_quota_is_429_without_a_word_and_with_a_time_over_http() -> None:
    async def play(user: User) -> None:
        answer = await user.ask("GET", "/v1/account/list")
        assert (answer.status, answer.body, answer.headers["retry-after"]) == (429, b"", "5")
        user.emulator.faults.on("quota=429")
        async with user.socket() as sock:
            assert await sock.ask("account/list") == {"s": 429, "i": 2}

    played(play, "quota=429,5")


def test_F11_a_good_token_is_denied() -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            assert await sock.ask("account/list") == {"s": 401, "i": 2, "d": "Access is denied"}
            assert (await sock.ask("account/list"))["s"] == 200

    played(play, "unauthorized")


def test_F14_updates_and_fills_come_twice_with_the_same_ids() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            order_id = await place(sock)
            await trio.sleep(2)
            await sock.get("account/list")
            created = [one for one in sock.told("order", id=order_id) if one["ordStatus"] == "PendingNew"]
            fills = sock.told("fill", orderId=order_id)
            assert len(created) == len(fills) == 2
            assert fills[0] == fills[1]
            assert len(await user.get("fill/list")) == 1

    played(play, "update-twice", "fill-twice")


def test_F14_one_fill_has_two_ids() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await place(sock)
            told = await sock.event("fill")
            (listed,) = await user.get("fill/list")
            assert told["id"] != listed["id"]
            assert told["qty"] == listed["qty"]

    played(play, "fill-two-ids")


def test_F15_a_fill_is_told_as_a_cancel_and_comes_late() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            order_id = await place(sock)
            await sock.event("order", id=order_id, ordStatus="Canceled")
            assert await orders(user) == [(order_id, "Canceled")]
            fill = await sock.event("fill", orderId=order_id)
            await sock.event("order", id=order_id, ordStatus="Filled")
            assert fill["qty"] == 1
            assert await orders(user) == [(order_id, "Filled")]

    played(play, "late-fill=3")


def test_F16_two_batches_change_places_and_a_snapshot_is_one_update_old() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            order_id = await place(sock)
            await sock.event("order", id=order_id, ordStatus="Filled")
            statuses = [one["ordStatus"] for one in sock.told("order", id=order_id)]
            assert statuses == ["Working", "PendingNew", "Filled"]
        async with user.socket() as sock:
            state = await sock.get("user/syncrequest", {"users": [user.tokens["userId"]]})
            assert [one["ordStatus"] for one in state["orders"]] == ["Working"]
        assert await orders(user) == [(order_id, "Filled")]

    played(play, "out-of-order", "stale-snapshot@1")


@pytest.mark.parametrize(("switch", "kind"), [("lose-fill", "fill"), ("lose-update", "command")])
def test_F17_an_update_is_never_told_and_the_lists_have_it(switch: str, kind: str) -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await place(sock)
            await trio.sleep(5)
            await sock.get("account/list")
            assert sock.told(kind) == []
            assert len(await user.get(f"{kind}/list")) == 1

    played(play, switch)


def test_F18_a_fill_is_busted_and_position_and_money_go_back() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            order_id = await place(sock)
            fill = await sock.event("fill", active=True)
            report = await sock.event("executionReport", execType="TradeCancel")
            trade = sock.told("executionReport", execType="Trade")[0]
            assert (report["execRefId"], report["cumQty"]) == (str(trade["id"]), 0)
            busted = await sock.event("fill", id=fill["id"])
            assert busted["active"] is False
            await sock.event("position", netPos=0)
            assert [one["active"] for one in await user.get(f"fill/deps?masterid={order_id}")] == [False]

    played(play, "bust=2")


def test_F18_the_price_of_a_fill_is_corrected_by_a_tick() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await place(sock)
            fill = await sock.event("fill")
            corrected = await sock.event("fill", id=fill["id"])
            assert float(corrected["price"] - fill["price"]) == 0.25
            assert (await sock.event("position"))["netPrice"] == corrected["price"]
            assert len(sock.told("executionReport", execType="TradeCorrect")) == 1

    played(play, "correction=2")


def test_F19_a_stranger_trades_in_the_account() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            own = await place(sock, clOrdId="pb-1")
            await sock.event("position", netPos=2)
            commands = {one["orderId"]: one for one in sock.told("command")}
            ((_, strange),) = [(key, one) for key, one in commands.items() if key != own]
            assert "clOrdId" not in strange
            assert strange["isAutomated"] is False

    played(play, "external-order")


def test_F20_finished_orders_leave_all_lists_and_fills_stay() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            order_id = await place(sock)
            await sock.event("order", ordStatus="Filled")
            assert await orders(user) == [(order_id, "Filled")]
            await trio.sleep(11)
            for kind in ("order", "orderVersion", "command", "commandReport", "executionReport"):
                assert await user.get(f"{kind}/list") == [], kind
            assert (await user.ask("GET", f"/v1/order/item?id={order_id}")).status == 404
            assert len(await user.get("fill/list")) == 1

    played(play, "forget-finished=10")


def test_F21_stamps_are_off_by_the_clocks_error() -> None:
    async def play(user: User) -> str:
        return str(user.tokens["expirationTime"])

    assert played(play, "clock-skew=-3600")[:10] <= played(play)[:10]
    assert played(play, "clock-skew=-3600") != played(play)


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        ("deep", b'"d":[[[[['),
        ("nan", b"NaN"),
        ("infinite", b"1e999"),
        ("long-number", b"9" * 5_000),
        ("nul", b"\x00"),
        ("duplicate-keys", b'"OrderID":"1","OrderID":"2"'),
    ],
)
def test_F36_what_breaks_parsers_comes_in_a_frame(word: str, seen: bytes) -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            await sock.send("account/list")
            assert seen in (await sock.frame()).encode()

    played(play, f"hostile={word}")


@pytest.mark.parametrize("word", ["bad-utf8", "huge", "endless"])
def test_F36_frames_that_no_client_takes_end_the_connection_on_its_side(word: str) -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            await sock.send("account/list")
            with trio.move_on_after(60), pytest.raises(EOFError):
                await sock.message()
        await user.get("account/list")

    played(play, f"hostile={word}")


@pytest.mark.parametrize(
    ("word", "kind", "name", "value"),
    [
        ("negative-quantity", "orderVersion", "orderQty", -1),
        ("unknown-status", "order", "ordStatus", "Dreaming"),
        ("unknown-symbol", "order", "contractId", 99_999_999),
        ("wrong-side", "order", "action", "Sell"),
    ],
)
def test_F39_an_order_is_told_with_a_fact_that_cannot_be(word: str, kind: str, name: str, value: object) -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await place(sock)
            assert sock.told(kind)[0][name] == value
            assert (await user.get(f"{kind}/list"))[0][name] != value

    played(play, f"lie={word}")


@pytest.mark.parametrize(("word", "name"), [("zero-price", "price"), ("overfill", "qty")])
def test_F39_a_fill_is_told_with_a_fact_that_cannot_be(word: str, name: str) -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await place(sock)
            fill = await sock.event("fill")
            assert fill[name] in {0, 1_001}

    played(play, f"lie={word}@2")


def test_F40_all_connections_stop_and_go_on_in_another_order() -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            user.emulator.faults.on("swizzle=3")
            async with user.socket():
                await sock.get("account/list")
            assert user.emulator.faults.struck["swizzle"] == 1

    played(play)


def test_an_order_is_refused_at_once_or_a_moment_later_and_a_changed_one_is_told_as_out() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, _ = await user.prices()
            refused = await sock.get("order/placeorder", order())
            assert refused == {"failureReason": "UnknownReason", "failureText": "Invalid price"}
            order_id = await place(sock)
            report = await sock.event("commandReport", commandId=order_id)
            assert report["commandStatus"] == "ExecutionRejected"
            await sock.event("order", id=order_id, ordStatus="Rejected")
            resting = int((await sock.get("order/placeorder", limit("Buy", bid - 100)))["orderId"])
            await sock.event("order", id=resting, ordStatus="Working")
            body = {"orderId": resting, "orderQty": 2, "orderType": "Limit", "price": bid - 100}
            await sock.get("order/modifyorder", body)
            await sock.event("order", id=resting, ordStatus="Canceled")
            await sock.event("order", id=resting, ordStatus="Working")
            assert (resting, "Working") in await orders(user)

    played(play, "refuse-order", "reject-later", "out-on-replace")


def test_every_part_of_the_protocol_has_its_switches() -> None:
    names = set(possible_faults(PARTS))
    assert "sequence-gap" not in names
    assert {"ticket", "captcha", "fill-two-ids", "mute", "go-away", "rotate-tokens"} <= names


async def busy(user: User) -> list[str]:
    """A little of everything."""
    async with user.synced() as sock:
        bid, ask = await user.prices()
        exits = {
            "bracket1": {"action": "Sell", "orderType": "Limit", "price": ask + 2},
            "bracket2": {"action": "Sell", "orderType": "Stop", "stopPrice": bid - 2},
        }
        await sock.get("order/placeOSO", limit("Buy", ask + 5, 3, **exits))
        with trio.move_on_after(90):
            while True:
                await sock.message()
        return sock.frames


def test_the_same_seed_gives_the_same_log_and_the_same_frames() -> None:
    def run(seed: int) -> tuple[list[str], str, str]:
        async def play(user: User) -> tuple[list[str], str]:
            frames = await busy(user)
            return frames, user.emulator.log.digest

        result = scene(play, "external-order", "update-twice", seed=seed)
        return *result.unwrap(), result.trace_hash

    first = run(3)
    assert first == run(3)
    assert len(first[0]) > 10
    assert first[1] != run(4)[1]


async def talk(user: User) -> None:
    """Login, stream, place, fill, change, cancel, and a broken line."""
    async with user.synced() as sock:
        name = (await user.get("contract/suggest?t=ES&l=1"))[0]["name"]
        bid, ask = await user.prices(name)
        filled = await sock.get("order/placeorder", limit("Buy", ask + 5, symbol=name))
        await sock.event("order", id=filled["orderId"], ordStatus="Filled")
        resting = (await sock.get("order/placeorder", limit("Buy", bid - 200, symbol=name)))["orderId"]
        await sock.event("order", id=resting, ordStatus="Working")
        body = {"orderId": resting, "orderQty": 2, "orderType": "Limit", "price": bid - 200}
        await sock.get("order/modifyorder", body)
        await sock.event("order", id=resting, ordStatus="Working")
        await sock.get("order/cancelorder", {"orderId": resting})
        await sock.event("order", id=resting, ordStatus="Canceled")
        user.emulator.faults.on("reset=after")
        with pytest.raises(EOFError):
            await sock.ask("order/placeorder", order(symbol=name))
    assert len(json.loads(json.dumps(await user.get("position/list")))) == 1


async def test_the_same_emulator_serves_real_sockets_on_loopback() -> None:
    with trio.fail_after(30):
        await running(real_world(), talk)
