"""Orders: placed, told, changed, cancelled, tied together and refused, in the entities and words of the wire."""

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trio

from brokers.market import MarketStatus
from tests.brokers.tradovate.emulator.words import ACCOUNT, ES, ES_NAME, OTHER, Sock, User, limit, order, played


async def place(sock: Sock, body: dict[str, Any]) -> int:
    """Places an order that must be taken; its id."""
    reply = await sock.get("order/placeorder", body)
    assert set(reply) == {"orderId"}, reply
    return int(reply["orderId"])


async def refusal(sock: Sock, endpoint: str, body: dict[str, Any]) -> tuple[str, str]:
    """What a command is refused with inside a reply of success."""
    reply = await sock.get(endpoint, body)
    assert set(reply) == {"failureReason", "failureText"}, reply
    return reply["failureReason"], reply["failureText"]


def test_events_of_a_new_order_come_before_its_reply_in_the_same_frame_and_its_fill_later() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            order_id = await place(sock, order(quantity=2, clOrdId="pb-1"))
            frame = sock.frames[-1]
            assert frame.index('"PendingNew"') < frame.index('"i":3'), "the reply is last"
            filled = await sock.event("order", id=order_id, ordStatus="Filled")
            assert "clOrdId" not in filled
            (version,) = sock.told("orderVersion", orderId=order_id)
            (command,) = sock.told("command", orderId=order_id)
            assert version["id"] == command["id"] == order_id
            assert command["clOrdId"] == "pb-1"
            assert (command["commandType"], command["isAutomated"]) == ("New", True)
            assert [one["ordStatus"] for one in sock.told("order", id=order_id)] == ["PendingNew", "Working", "Filled"]
            reports = sock.told("executionReport", orderId=order_id)
            assert [one["execType"] for one in reports] == ["New", "Trade"]
            (fill,) = sock.told("fill", orderId=order_id)
            assert (fill["qty"], fill["active"], fill["action"]) == (2, True, "Buy")
            position = await sock.event("position")
            assert (position["netPos"], position["netPrice"]) == (2, fill["price"])
            assert position["boughtValue"] == 2 * fill["price"]
            await sock.event("cashBalance", amount=Decimal("999995.82"))
        assert await user.get(f"fill/deps?masterid={order_id}") == [
            {**fill, "price": float(fill["price"])},
        ]
        (arrived,) = user.emulator.log.of("arrived", cl_ord_id="pb-1")
        assert arrived.facts["path"] == "/v1/order/placeorder"
        (filling,) = user.emulator.log.of("filled", key=str(order_id))
        assert filling.facts["quantity"] == 2

    played(play)


def test_there_is_no_word_for_a_partial_fill_and_the_quantities_tell_it() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            _, ask = await user.prices()
            order_id = await place(sock, limit("Buy", ask, 40))
            report = await sock.event("executionReport", orderId=order_id, execType="Trade")
            assert report["ordStatus"] == "Working"
            assert 0 < report["cumQty"] < 40
            await sock.get("order/cancelorder", {"orderId": order_id})
            ended = await sock.event("executionReport", orderId=order_id, execType="Canceled")
            assert ended["cumQty"] >= report["cumQty"]
            assert ended["cumQty"] == sum(one["qty"] for one in sock.told("fill", orderId=order_id))

    played(play)


def test_a_change_keeps_the_id_and_makes_a_version_that_is_named_like_its_command() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, _ = await user.prices()
            order_id = await place(sock, limit("Buy", bid - 100))
            await sock.event("order", id=order_id, ordStatus="Working")
            terms = {"orderId": order_id, "orderQty": 3, "orderType": "Limit", "price": bid - 99, "clOrdId": "pb-2"}
            command_id = (await sock.get("order/modifyorder", terms))["commandId"]
            assert sock.told("order", id=order_id)[-1]["ordStatus"] == "PendingReplace"
            assert await refusal(sock, "order/cancelorder", {"orderId": order_id}) == (
                "AnotherCommandPending",
                "Another command is pending",
            )
            version = await sock.event("orderVersion", id=command_id)
            assert (version["orderQty"], version["price"]) == (3, bid - 99)
            await sock.event("executionReport", execType="Replaced", commandId=command_id)
            await sock.event("order", id=order_id, ordStatus="Working")
            assert sock.told("command", id=command_id)[0]["clOrdId"] == "pb-2"
            without_price = {"orderId": order_id, "orderQty": 3, "orderType": "Limit"}
            assert await refusal(sock, "order/modifyorder", without_price) == ("InvalidPrice", "Invalid price")
        versions = await user.get(f"orderVersion/deps?masterid={order_id}")
        assert [one["id"] for one in versions] == [order_id, command_id]

    played(play)


def test_a_change_that_comes_too_late_leaves_the_order_as_it_was() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            _, ask = await user.prices()
            order_id = (await user.post("order/placeorder", limit("Buy", ask + 5)))["orderId"]
            body = {"orderId": order_id, "orderQty": 5, "orderType": "Limit", "price": ask + 6}
            command_id = (await user.post("order/modifyorder", body))["commandId"]
            report = await sock.event("commandReport", commandId=command_id)
            assert (report["commandStatus"], report["rejectReason"]) == ("ExecutionRejected", "TooLate")
            assert report["ordStatus"] == "Filled"
            assert await refusal(sock, "order/cancelorder", {"orderId": order_id}) == ("TooLate", "Already filled")

    played(play)


def test_a_cancel_is_pending_and_then_done_and_a_second_one_is_refused() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, _ = await user.prices()
            order_id = await place(sock, limit("Buy", bid - 100))
            await sock.event("order", id=order_id, ordStatus="Working")
            reply = await sock.get("order/cancelorder", {"orderId": order_id, "clOrdId": "pb-3"})
            assert sock.told("order", id=order_id)[-1]["ordStatus"] == "PendingCancel"
            ended = await sock.event("executionReport", execType="Canceled")
            assert ended["commandId"] == reply["commandId"]
            await sock.event("order", id=order_id, ordStatus="Canceled")
            assert await refusal(sock, "order/cancelorder", {"orderId": order_id}) == ("TooLate", "Already canceled")
            commands = await sock.get("command/deps", query=f"masterid={order_id}")
            assert [one["commandType"] for one in commands] == ["New", "Cancel"]

    played(play)


def test_of_an_oco_the_first_to_fill_takes_the_other_along() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, ask = await user.prices()
            await place(sock, order())
            other = {"action": "Sell", "orderType": "Stop", "stopPrice": bid - 100, "clOrdId": "pb-5"}
            ids = await sock.get("order/placeOCO", limit("Sell", ask + 100, clOrdId="pb-4", other=other))
            first, second = ids["orderId"], ids["ocoId"]
            assert (await sock.event("order", id=second, ordStatus="Working"))["ocoId"] == first
            body = {"orderId": first, "orderQty": 1, "orderType": "Limit", "price": bid - 5}
            await sock.get("order/modifyorder", body)
            assert (await sock.event("order", id=first, ordStatus="Filled"))["ocoId"] == second
            await sock.event("order", id=second, ordStatus="Canceled")
            keys = {one["orderId"]: one.get("clOrdId") for one in sock.told("command", commandType="New")}
            assert (keys[first], keys[second]) == ("pb-4", "pb-5")

    played(play)


def test_the_exits_of_an_oso_wait_suspended_until_the_entry_fills() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, ask = await user.prices()
            exits = {
                "bracket1": {"action": "Sell", "orderType": "Limit", "price": ask + 100},
                "bracket2": {"action": "Sell", "orderType": "Stop", "stopPrice": bid - 100},
            }
            ids = await sock.get("order/placeOSO", limit("Buy", bid - 50, 2, **exits))
            entry, target, stop = ids["orderId"], ids["oso1Id"], ids["oso2Id"]
            for one, sibling in ((target, stop), (stop, target)):
                (row,) = sock.told("order", id=one)
                assert (row["ordStatus"], row["parentId"], row["ocoId"]) == ("Suspended", entry, sibling)
            await sock.event("order", id=entry, ordStatus="Working")
            await trio.sleep(1)
            body = {"orderId": entry, "orderQty": 2, "orderType": "Limit", "price": ask + 5}
            await sock.get("order/modifyorder", body)
            await sock.event("order", id=entry, ordStatus="Filled")
            await sock.event("order", id=stop, ordStatus="Working")
            body = {"orderId": target, "orderQty": 2, "orderType": "Limit", "price": bid - 5}
            await sock.get("order/modifyorder", body)
            await sock.event("order", id=target, ordStatus="Filled")
            await sock.event("order", id=stop, ordStatus="Canceled")
            (position,) = await sock.get("position/list")
            assert position["netPos"] == 0
            assert "netPrice" not in position

    played(play)


def test_an_entry_that_is_cancelled_takes_its_exits_along() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, ask = await user.prices()
            exit_ = {"action": "Sell", "orderType": "Limit", "price": ask + 100}
            ids = await sock.get("order/placeOSO", limit("Buy", bid - 50, bracket1=exit_))
            assert "oso2Id" not in ids
            await sock.event("order", id=ids["orderId"], ordStatus="Working")
            await sock.get("order/cancelorder", {"orderId": ids["orderId"]})
            await sock.event("order", id=ids["oso1Id"], ordStatus="Canceled")

    played(play)


def test_a_liquidation_cancels_what_works_and_closes_the_position() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, _ = await user.prices()
            contract = (await user.get(f"contract/find?name={ES_NAME}"))["id"]
            body = {"accountId": ACCOUNT, "contractId": contract, "admin": False}
            assert await refusal(sock, "order/liquidateposition", body) == ("TooLate", "Nothing to liquidate")
            await place(sock, order(quantity=2))
            resting = await place(sock, limit("Buy", bid - 100))
            await sock.event("order", id=resting, ordStatus="Working")
            assert "commandId" in await sock.get("order/liquidateposition", body)
            await sock.event("order", id=resting, ordStatus="Canceled")
            await sock.event("position", netPos=0)

    played(play)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"symbol": "XXZ9"}, ("InvalidContract", "Invalid contract XXZ9")),
        ({"orderType": "Limit", "price": 6890.1}, ("InvalidPrice", "Invalid price")),
        ({"orderType": "Limit"}, ("InvalidPrice", "Invalid price")),
        ({"price": 5000}, ("InvalidPrice", "Invalid price")),
        ({"orderType": "TrailingStop"}, ("InvalidPrice", "Invalid peg difference")),
        ({"orderType": "MIT", "stopPrice": 5000}, ("Unsupported", "Order type MIT is not supported")),
        ({"orderQty": 0}, ("UnknownReason", "Invalid quantity")),
        ({"orderQty": 0.5}, ("UnknownReason", "Invalid quantity")),
        ({"orderQty": 10_000}, ("MaxOrderQtyLimitReached", "Order quantity limit reached")),
        ({"accountId": 4_031_011}, ("Unauthorized", "Account is read only")),
    ],
)
def test_a_command_is_refused_inside_a_reply_of_success(changed: dict[str, Any], said: tuple[str, str]) -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            assert await refusal(sock, "order/placeorder", order(**changed)) == said
            assert sock.told("order") == []

    played(play)


@pytest.mark.parametrize(
    ("name", "value", "constraint"),
    [
        ("orderQty", None, "required"),
        ("orderQty", "many", "number"),
        ("action", "Hold", "enum"),
        ("orderType", None, "required"),
        ("timeInForce", "Forever", "enum"),
        ("clOrdId", "x" * 65, "maxLength"),
    ],
)
def test_an_order_body_that_breaks_a_rule_is_answered_with_violations(name: str, value: Any, constraint: str) -> None:
    async def play(user: User) -> None:
        body = {key: one for key, one in order(**{name: value}).items() if one is not None}
        (violation,) = (await user.post("order/placeorder", body))["violations"]
        assert violation["constraint"] == constraint
        assert name in violation["description"]

    played(play)


def test_a_body_that_is_none_and_an_entity_that_is_none_are_http_errors() -> None:
    async def play(user: User) -> None:
        answer = await user.ask("POST", "/v1/order/placeorder", b"{")
        assert (answer.status, answer.body) == (400, b"Invalid JSON")
        answer = await user.ask("GET", "/v1/order/item?id=1")
        assert (answer.status, answer.body) == (404, b"Not found: order")
        answer = await user.ask("GET", "/v1/order/placeorder")
        assert answer.status == 404
        async with user.socket() as sock:
            number = await sock.send("order/cancelorder", {"orderId": 1})
            assert await sock.message() == {"s": 404, "i": number, "d": "Not found: order"}
            await sock.ws.send_message("nonsense")
            assert await sock.message() == {"s": 400, "i": 0, "d": "Bad Request"}

    played(play)


def test_the_exchange_may_refuse_an_order_that_has_an_id_already() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            order_id = await place(sock, order(quantity=900))
            report = await sock.event("commandReport", commandId=order_id)
            assert report["commandStatus"] == "RiskRejected"
            assert report["ordStatus"] == "Rejected"
            assert report["text"]
            await sock.event("order", id=order_id, ordStatus="Rejected")

    played(play)


def test_events_of_another_account_are_not_told_to_a_socket_that_asked_for_one() -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            await sock.get("user/syncrequest", {"accounts": [OTHER], "entityTypes": ["order", "fill"]})
            await user.post("order/placeorder", order())
            placed = await user.post("order/placeorder", order(accountId=OTHER))
            await sock.event("fill", orderId=placed["orderId"])
            assert {one["accountId"] for one in sock.told("order")} == {OTHER}
            assert sock.told("command") == []

    played(play)


def test_a_position_that_is_held_overnight_begins_the_next_trade_date_as_it_was() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await place(sock, order(quantity=2))
            bought = await sock.event("position", netPos=2)
        await trio.sleep(3_700)
        async with user.synced() as sock:
            await place(sock, order("Sell"))
            after = await sock.event("position", netPos=1)
            assert after["tradeDate"] != bought["tradeDate"]
            assert (after["prevPos"], after["prevPrice"]) == (2, bought["netPrice"])
            assert (after["bought"], after["sold"], after["netPrice"]) == (0, 1, bought["netPrice"])

    close = dt.datetime(2026, 1, 14, 16, tzinfo=ZoneInfo("America/Chicago"))
    played(play, epoch_ns=(int(close.timestamp()) - 60) * 1_000_000_000, limit_seconds=5_000)


def test_while_the_session_is_closed_an_order_is_refused_at_once() -> None:
    async def play(user: User) -> None:
        desk = user.emulator.desk
        desk.exchange.set_status(ES, MarketStatus.CLOSED, desk.now_ns())
        async with user.synced() as sock:
            assert await refusal(sock, "order/placeorder", order()) == ("SessionClosed", "Session is closed")

    played(play)
