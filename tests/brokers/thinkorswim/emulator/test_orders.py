"""Orders of stocks: placed, filled, replaced, cancelled, tied together, and refused."""

from decimal import Decimal
from typing import Any

import trio

from tests.brokers.thinkorswim.emulator.kit import CASH, MARGIN, Client, limit, located, order, played, stop

NEW = ["OrderCreated", "OrderAccepted", "ExecutionRequested", "ExecutionRequestCompleted"]
CANCELS = ["CancelAccepted", "ExecutionRequested", "ExecutionRequestCompleted", "ExecutionCreated"]


async def statuses(client: Client, account: str = MARGIN) -> dict[int, str]:
    return {one["orderId"]: one["status"] for one in await client.listed(account)}


def test_a_placed_order_says_its_id_in_the_location_of_the_real_host_only() -> None:
    async def play(client: Client) -> None:
        answer = await client.ask("POST", f"{client.of()}/orders", order())
        order_id = located(answer)
        assert answer.headers["location"] == (
            f"https://api.schwabapi.com/trader/v1/accounts/{client.hashes[MARGIN]}/orders/{order_id}"
        )
        assert len(answer.headers["schwab-client-correlid"]) == 36
        record = await client.read(order_id)
        assert record["orderId"] == order_id
        assert record["accountNumber"] == int(MARGIN)
        assert await client.held() == {"AAPL": 10}

    played(play)


def test_a_fill_is_told_in_the_stream_the_list_and_the_transactions_with_ids_of_their_own() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.watch_account()
            order_id = await client.place(order())
            events = await socket.until("OrderFillCompleted")
        assert [one["type"] for one in events] == [*NEW, "OrderFillCompleted"]
        assert [one["seq"] for one in events] == [1, 2, 3, 4, 5]
        assert {one["SchwabOrderID"] for one in events} == {str(order_id)}
        told = events[-1]["BaseEvent"]["OrderFillCompletedEventOrderLegQuantityInfo"]
        info = told["ExecutionInfo"]
        assert told["QuantityInfo"]["LeavesQuantity"] == {"signScale": 12}
        assert (told["LegStatus"], info["ExecutionTransType"]) == ("LegClosed", "Fill")
        record = await client.read(order_id)
        (activity,) = record["orderActivityCollection"]
        (leg,) = activity["executionLegs"]
        assert record["status"] == "FILLED"
        assert Decimal(info["ExecutionPrice"]["lo"]) / 10**6 == leg["price"]
        assert str(activity["activityId"]) != info["ExecutionId"]
        times = "startDate=2026-01-01T00:00:00.000Z&endDate=2026-12-31T00:00:00.000Z"
        (trade,) = await client.get(f"{client.of()}/transactions?{times}&types=TRADE")
        assert (trade["orderId"], trade["netAmount"]) == (order_id, -10 * leg["price"])
        assert await client.get(f"{client.of()}/transactions?{times}&types=JOURNAL") == []

    played(play)


def test_a_part_fill_leaves_the_order_working_with_what_remains() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.watch_account()
            order_id = await client.place(order(quantity=3000))
            events = await socket.until("OrderFillCompleted")
            told = events[-1]["BaseEvent"]["OrderFillCompletedEventOrderLegQuantityInfo"]
            assert told["LegSubStatus"] == "LegSubStatusPartiallyFilled"
            record = await client.read(order_id)
            if record["status"] == "WORKING":
                assert 0 < record["filledQuantity"] < 3000
                assert record["filledQuantity"] + record["remainingQuantity"] == 3000
            await trio.sleep(120)
        record = await client.read(order_id)
        assert record["status"] == "FILLED"
        assert sum(one["quantity"] for one in record["orderActivityCollection"]) == 3000
        assert len(record["orderActivityCollection"]) > 1

    played(play)


def test_a_replace_gives_a_new_id_and_the_old_order_is_replaced_not_canceled() -> None:
    async def play(client: Client) -> None:
        bid, _ = await client.market()
        async with client.socket() as socket:
            await socket.watch_account()
            old = await client.place(limit("BUY", bid - 50))
            assert [(await socket.activity())["type"] for _ in NEW] == NEW
            new = located(await client.ask("PUT", f"{client.of()}/orders/{old}", limit("BUY", bid - 49, 7)))
            created, accepted, out = [await socket.activity() for _ in range(3)]
        assert new != old
        assert (created["type"], created["SchwabOrderID"]) == ("ChangeCreated", str(new))
        assert created["BaseEvent"]["ChangeCreatedEventEquityOrder"]["ParentSchwabOrderID"] == str(old)
        assert accepted["type"] == "ChangeAccepted"
        assert (out["type"], out["SchwabOrderID"]) == ("OrderUROutCompleted", str(old))
        assert await statuses(client) == {new: "WORKING", old: "REPLACED"}
        record = await client.read(new)
        assert (record["price"], record["quantity"]) == (bid - 49, 7)
        answer = await client.ask("PUT", f"{client.of()}/orders/{old}", limit("BUY", bid - 48))
        assert (answer.status, answer.json["errors"]) == (400, ["The order cannot be replaced"])

    played(play)


def test_a_replace_that_the_exchange_refuses_rejects_the_new_id_and_leaves_the_old_order() -> None:
    async def play(client: Client) -> None:
        bid, _ = await client.market()
        old = await client.place(limit("BUY", bid - 50))
        async with client.socket() as socket:
            await socket.watch_account()
            huge = limit("BUY", bid - 50, 1_000_000)
            new = located(await client.ask("PUT", f"{client.of()}/orders/{old}", huge))
            events = await socket.until("OrderUROutCompleted")
        out = events[-1]
        assert out["SchwabOrderID"] == str(new)
        assert out["BaseEvent"]["OrderUROutCompletedEvent"]["OutCancelType"] == "SystemReject"
        assert await statuses(client) == {new: "REJECTED", old: "WORKING"}
        changed = await client.ask("PUT", f"{client.of()}/orders/{old}", stop("BUY", bid + 50))
        assert changed.status == 400

    played(play)


def test_a_canceled_order_shows_an_execution_at_nought_that_is_none() -> None:
    async def play(client: Client) -> None:
        bid, _ = await client.market()
        order_id = await client.place(limit("BUY", bid - 50))
        async with client.socket() as socket:
            await socket.watch_account()
            answer = await client.ask("DELETE", f"{client.of()}/orders/{order_id}")
            assert (answer.status, answer.body) == (200, b"")
            events = await socket.until("OrderUROutCompleted")
        assert [one["type"] for one in events] == [*CANCELS, "OrderUROutCompleted"]
        assert events[-1]["BaseEvent"]["OrderUROutCompletedEvent"]["OutCancelType"] == "ClientCancel"
        record = await client.read(order_id)
        (activity,) = record["orderActivityCollection"]
        assert (record["status"], record["filledQuantity"], activity["executionType"]) == ("CANCELED", 0, "CANCELED")
        assert activity["executionLegs"][0]["price"] == 0
        again = await client.ask("DELETE", f"{client.of()}/orders/{order_id}")
        assert (again.status, again.json["errors"]) == (400, ["The order cannot be canceled"])
        assert (await client.ask("DELETE", f"{client.of()}/orders/1")).status == 404

    played(play)


def bracket(entry: Decimal, target: Decimal, protect: Decimal) -> dict[str, Any]:
    exits = [limit("SELL", target), stop("SELL", protect)]
    oco = {"orderStrategyType": "OCO", "childOrderStrategies": exits}
    return limit("BUY", entry, orderStrategyType="TRIGGER", childOrderStrategies=[oco])


def test_a_bracket_wakes_its_exits_when_its_entry_fills_and_one_exit_ends_the_other() -> None:
    async def play(client: Client) -> None:
        bid, ask = await client.market()
        root = await client.place(bracket(bid - 50, ask + 50, bid - 60))
        record = await client.read(root)
        (oco,) = record["childOrderStrategies"]
        target, protect = oco["childOrderStrategies"]
        assert (record["status"], oco["status"]) == ("WORKING", "AWAITING_PARENT_ORDER")
        assert {one["orderStrategyType"] for one in (target, protect)} == {"SINGLE"}
        root = await client.place(bracket(ask + 5, ask + 50, bid - 50))
        record = await client.read(root)
        target, protect = record["childOrderStrategies"][0]["childOrderStrategies"]
        assert (record["status"], target["status"]) == ("FILLED", "WORKING")
        assert protect["status"] == "AWAITING_STOP_CONDITION"
        new = located(await client.ask("PUT", f"{client.of()}/orders/{target['orderId']}", limit("SELL", bid - 5)))
        assert (await client.read(new))["status"] == "FILLED"
        assert (await client.read(protect["orderId"]))["status"] == "CANCELED"
        assert (await client.read(root))["childOrderStrategies"][0]["status"] == "FILLED"
        assert await client.held() == {}

    played(play)


def test_an_oco_ends_whole_when_its_root_is_canceled() -> None:
    async def play(client: Client) -> None:
        bid, ask = await client.market()
        await client.place(order())
        exits = [limit("SELL", ask + 50), stop("SELL", bid - 50)]
        root = await client.place({"orderStrategyType": "OCO", "childOrderStrategies": exits})
        record = await client.read(root)
        assert record["status"] == "WORKING"
        assert "orderLegCollection" not in record
        await client.ask("DELETE", f"{client.of()}/orders/{root}")
        record = await client.read(root)
        assert {one["status"] for one in (record, *record["childOrderStrategies"])} == {"CANCELED"}

    played(play)


def test_an_order_that_breaks_a_rule_of_the_account_is_taken_and_rejected_with_a_reason() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.watch_account()
            order_id = await client.place(order("SELL"))
            out = (await socket.until("OrderUROutCompleted"))[-1]["BaseEvent"]["OrderUROutCompletedEvent"]
            assert out["OutCancelType"] == "SystemReject"
            (detail,) = out["ValidationDetail"]
            record = await client.read(order_id)
            assert record["status"] == "REJECTED"
            assert record["statusDescription"] == detail["NgOMSRuleDescription"]
        short = await client.place(order("SELL_SHORT"))
        assert (await client.read(short))["status"] == "FILLED"
        assert await client.held() == {"AAPL": -10}
        refused = await client.place(order("SELL_SHORT"), CASH)
        assert (await client.read(refused, CASH))["statusDescription"] == "You cannot sell short in a cash account"
        poor = await client.place(order(quantity=900_000))
        assert (await client.read(poor))["status"] == "REJECTED"

    played(play)


def test_a_stop_waits_for_its_price_and_is_watched_until_then() -> None:
    async def play(client: Client) -> None:
        bid, _ = await client.market()
        await client.place(order())
        async with client.socket() as socket:
            await socket.watch_account()
            order_id = await client.place(stop("SELL", bid - Decimal("0.05")))
            assert (await socket.types("OrderMonitorCreated"))[:2] == NEW[:2]
            assert (await client.read(order_id))["status"] == "AWAITING_STOP_CONDITION"
            assert "OrderMonitorCompleted" in await socket.types("OrderFillCompleted")
        trail = order("SELL", orderType="TRAILING_STOP", stopPriceLinkBasis="BID", stopPriceLinkType="VALUE")
        order_id = await client.place(order())
        order_id = await client.place({**trail, "stopPriceOffset": 5.5})
        assert (await client.read(order_id))["stopPriceOffset"] == Decimal("5.5")

    played(play)


FUTURE = {"instruction": "BUY", "quantity": 1, "instrument": {"symbol": "/ESH26", "assetType": "FUTURE"}}


ILL_FORMED: list[tuple[dict[str, Any], str]] = [
    ({"orderType": None}, "orderType is required"),
    ({"orderType": "NET_DEBIT"}, "orderType must be one of MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING_STOP"),
    ({"session": "NIGHT"}, "session must be one of NORMAL, AM, PM, SEAMLESS"),
    ({"session": "SEAMLESS"}, "Only LIMIT orders are allowed in extended hours sessions"),
    ({"duration": None}, "duration is required"),
    ({"orderType": "LIMIT"}, "price is required"),
    ({"orderType": "LIMIT", "price": "100.001"}, "price must be above 0 and have at most 2 decimals"),
    ({"orderType": "LIMIT", "price": "0.12345"}, "price must be above 0 and have at most 4 decimals"),
    ({"orderType": "LIMIT", "price": "NaN"}, "price must be a number"),
    ({"price": "100"}, "price is not allowed for this orderType"),
    ({"orderLegCollection": []}, "orderLegCollection must hold one leg"),
    ({"orderLegCollection": [FUTURE]}, "assetType FUTURE is not supported"),
    ({"orderStrategyType": "PAIR"}, "orderStrategyType must be one of SINGLE, TRIGGER, OCO"),
    ({"orderStrategyType": "OCO"}, "An OCO order needs two orders of type SINGLE in childOrderStrategies"),
    ({"childOrderStrategies": [order()]}, "childOrderStrategies is not allowed here"),
]


def test_a_body_that_is_not_well_formed_is_refused_by_the_field() -> None:
    async def play(client: Client) -> None:
        for changed, said in ILL_FORMED:
            answer = await client.ask("POST", f"{client.of()}/orders", order(**changed))
            assert answer.status == 400
            assert answer.json == {"message": "Bad Request", "errors": [said]}
        assert await client.listed() == []

    played(play)


def test_an_account_is_addressed_by_its_hash_and_orders_need_both_times() -> None:
    async def play(client: Client) -> None:
        assert (await client.ask("GET", f"/trader/v1/accounts/{MARGIN}")).status == 404
        assert (await client.ask("GET", f"{client.of()}/orders")).json["errors"] == [
            "fromEnteredTime must be given as yyyy-MM-dd'T'HH:mm:ss.SSSZ"
        ]
        old = "fromEnteredTime=2025-01-01T00:00:00.000Z&toEnteredTime=2026-12-31T00:00:00.000Z"
        assert (await client.ask("GET", f"{client.of()}/orders?{old}")).json["errors"] == [
            "fromEnteredTime must be within 60 days from today"
        ]
        await client.place(order())
        assert await client.listed(status="WORKING") == []
        assert len(await client.listed(status="FILLED", maxResults="5")) == 1

    played(play)


def test_a_preview_places_nothing_and_says_why_it_would_be_rejected() -> None:
    async def play(client: Client) -> None:
        path = f"{client.of()}/previewOrder"
        good = (await client.ask("POST", path, limit("BUY", Decimal(10)))).json
        assert (good["orderId"], good["orderStrategy"]["status"]) == (0, "ACCEPTED")
        assert good["orderStrategy"]["orderBalance"]["orderValue"] == 100
        bad = (await client.ask("POST", path, order("SELL"))).json
        assert bad["orderStrategy"]["status"] == "REJECTED"
        assert bad["orderValidationResult"]["rejects"][0]["originalSeverity"] == "REJECT"
        assert await client.listed() == []

    played(play)


def test_margin_and_cash_accounts_have_balances_of_their_kind() -> None:
    async def play(client: Client) -> None:
        await client.place(order())
        margin, cash = (one["securitiesAccount"] for one in await client.get("/trader/v1/accounts?fields=positions"))
        assert (margin["type"], cash["type"]) == ("MARGIN", "CASH")
        assert "buyingPower" in margin["currentBalances"]
        assert "unsettledCash" in cash["currentBalances"]
        assert "positions" not in cash
        (position,) = margin["positions"]
        assert position["averagePrice"] * 10 == 1_000_000 - margin["currentBalances"]["cashBalance"]

    played(play)
