"""Orders: placed, told, replaced, cancelled, tied together, refused; in the statuses and words of the wire."""

from decimal import Decimal
from typing import Any

import pytest
import trio

from brokers.tradestation.emulator.tickets import read_ticket
from brokers.tradestation.emulator.words import RefusedError
from tests.brokers.emulation.kit import Client, played
from tests.brokers.tradestation.emulator.words import (
    ES,
    FUTURES,
    ORDERS,
    PLACE,
    STOCKS,
    error,
    far_bid,
    held,
    limit,
    market,
    order,
    place,
    read,
    refused,
    stop,
)


def seen(updates: list[Any]) -> list[tuple[str, str]]:
    """Each update's status and cumulative quantity."""
    return [(one["Status"], one["Legs"][0]["ExecQuantity"]) for one in updates]


def test_a_market_order_is_answered_told_and_held() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            assert await feed.snapshot() == []
            answer = await client.ask("POST", PLACE, order(quantity=2, OrderConfirmID="pb-1"))
            (placed,) = answer.json["Orders"]
            assert placed["Message"] == f"Sent order: Buy 2 {ES} @ Market"
            updates = await feed.statuses(placed["OrderID"], "FLL")
            assert seen(updates) == [("ACK", "0"), ("FLL", "2")]
            filled = updates[-1]
            assert filled["StatusDescription"] == "Filled"
            assert filled["CommissionFee"] == "4.6"
            assert filled["FilledPrice"] == filled["Legs"][0]["ExecutionPrice"]
            assert filled["ClosedDateTime"].endswith("Z")
        assert await held(client) == {ES: "2"}
        assert await read(client, placed["OrderID"]) == filled
        arrived = client.emulator.log.of("arrived", confirm_id="pb-1")
        assert [entry.facts["path"] for entry in arrived] == [PLACE]
        (fill,) = client.emulator.log.of("filled", key=placed["OrderID"])
        assert fill.facts["quantity"] == 2

    played(play)


def test_partial_fills_are_cumulative_and_a_cancel_then_tells_only_flp() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            _, ask = await market(client)
            order_id = await place(client, limit("BUY", ask, 40))
            partial = (await feed.statuses(order_id, "FPR"))[-1]
            got = int(partial["Legs"][0]["ExecQuantity"])
            assert 0 < got < 40
            assert partial["Legs"][0]["QuantityRemaining"] == str(40 - got)
            await client.ask("DELETE", f"{PLACE}/{order_id}")
            ended = await feed.statuses(order_id, "FLP")
            assert [one["Status"] for one in ended if one["Status"] not in {"FPR", "UCN"}] == ["FLP"]
            assert int(ended[-1]["Legs"][0]["ExecQuantity"]) >= got
            assert ended[-1]["StatusDescription"] == "Partial Fill (UROut)"

    played(play)


def test_a_replaced_order_keeps_its_id_and_its_fill_comes_with_an_ack_first() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            price = await far_bid(client)
            order_id = await place(client, limit("BUY", price))
            _, ask = await market(client)
            answer = await client.ask("PUT", f"{PLACE}/{order_id}", {"LimitPrice": str(price + 1)})
            assert answer.json == {"Message": "Cancel/Replace order sent.", "OrderID": order_id}
            await client.ask("PUT", f"{PLACE}/{order_id}", {"LimitPrice": str(ask + 50)})
            updates = await feed.statuses(order_id, "FLL")
            assert seen(updates) == [("ACK", "0"), ("ACK", "0"), ("ACK", "0"), ("ACK", "1"), ("FLL", "1")]
            prices = [Decimal(one["LimitPrice"]) for one in updates]
            assert prices[:3] == [price, price + 1, ask + 50]

    played(play)


def test_an_order_can_be_replaced_by_a_market_order_whether_it_rests_or_waits_for_its_stop() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            bid, ask = await market(client)
            for body in (limit("BUY", bid - 100), stop("BUY", ask + 100)):
                order_id = await place(client, body)
                await client.ask("PUT", f"{PLACE}/{order_id}", {"OrderType": "Market"})
                filled = (await feed.statuses(order_id, "FLL"))[-1]
                assert filled["OrderType"] == "Market"
                assert abs(Decimal(filled["FilledPrice"]) - ask) < 5
            order_id = await place(client, limit("BUY", bid - 100))
            answer = await client.ask("PUT", f"{PLACE}/{order_id}", {"OrderType": "Limit"})
            assert answer.status == 400

    played(play)


def test_a_cancel_is_told_as_sent_and_then_as_out_and_a_second_one_is_refused() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            order_id = await place(client, limit("SELL", await far_bid(client, -200)))
            answer = await client.ask("DELETE", f"{PLACE}/{order_id}")
            assert answer.json == {"Message": "Cancel request sent", "OrderID": order_id}
            updates = await feed.statuses(order_id, "OUT")
            assert [one["Status"] for one in updates] == ["ACK", "UCN", "OUT"]
            assert "ClosedDateTime" not in updates[1]
            assert updates[2]["ClosedDateTime"]
        again = error(await client.ask("DELETE", f"{PLACE}/{order_id}"))
        assert again == (400, "BadRequest", "Not an open order.")
        assert error(await client.ask("PUT", f"{PLACE}/{order_id}", {"Quantity": "2"}))[2] == "Not an open order."
        assert error(await client.ask("DELETE", f"{PLACE}/1"))[:2] == (404, "NotFound")

    played(play)


def test_a_stop_that_is_hit_looks_closed_in_between_and_tells_its_fill_once_by_ack() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            bid, _ = await market(client)
            order_id = await place(client, stop("SELL", bid + 1))
            updates = await feed.statuses(order_id, "FLL")
            assert seen(updates) == [("ACK", "0"), ("STP", "0"), ("ACK", "1"), ("FLL", "1")]
            assert updates[1]["ClosedDateTime"]
            assert updates[1]["StatusDescription"] == "Stop Hit"
            assert updates[0]["StopPrice"] == str((bid + 1).normalize())

    played(play)


def test_a_refused_change_is_told_as_rjr_and_leaves_the_order_as_it_was() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            order_id = await place(client, limit("BUY", await far_bid(client)))
            before = await read(client, order_id)
            await client.ask("PUT", f"{PLACE}/{order_id}", {"LimitPrice": "6500.10"})
            updates = await feed.statuses(order_id, "RJR")
            assert updates[-1]["StatusDescription"] == "Change Request Rejected"
            assert (await feed.next())["Status"] == "ACK"
            assert await read(client, order_id) == before

    played(play)


def test_a_bracket_sleeps_until_its_entry_fills_and_one_exit_ends_the_other() -> None:
    async def play(client: Client) -> None:
        bid, ask = await market(client)
        exits = [limit("SELL", ask + 300, 2), stop("SELL", bid - 300, 2)]
        body = limit("BUY", ask + 50, 2, OSOs=[{"Type": "BRK", "Orders": exits}])
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            answer = await client.ask("POST", PLACE, body)
            said = [(one["Message"].split(" @ ")[0], one["OrderID"]) for one in answer.json["Orders"]]
            assert [text for text, _ in said] == [f"Sent order: Sell 2 {ES}"] * 2 + [f"Sent order: Buy 2 {ES}"]
            target, stopped, entry = (order_id for _, order_id in said)
            updates = await feed.until(lambda one: one.get("OrderID") == stopped and one["Status"] == "ACK")
            first = {order_id: next(one for one in updates if one["OrderID"] == order_id) for _, order_id in said}
            assert [first[one]["Status"] for one in (entry, target, stopped)] == ["ACK", "OSO", "OSO"]
            assert first[entry]["ConditionalOrders"] == [
                {"Relationship": "OSO", "OrderID": target},
                {"Relationship": "OSO", "OrderID": stopped},
            ]
            assert first[target]["ConditionalOrders"] == [
                {"Relationship": "OSP", "OrderID": entry},
                {"Relationship": "BRK", "OrderID": stopped},
            ]
            assert [one["Status"] for one in updates if one["OrderID"] == stopped] == ["OSO", "OPN", "ACK"]
            await client.ask("PUT", f"{PLACE}/{target}", {"LimitPrice": str(bid - 50)})
            ended = await feed.statuses(stopped, "OUT")
            assert [one["Status"] for one in ended][-2:] == ["UCN", "OUT"]
            assert (await read(client, target))["Status"] == "FLL"
        assert await held(client) == {}

    played(play)


def test_a_part_fill_of_one_exit_shrinks_the_other_by_as_much() -> None:
    async def play(client: Client) -> None:
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            await feed.statuses(await place(client, order(quantity=20)), "FLL")
            bid, _ = await market(client)
            exits = {"Type": "BRK", "Orders": [limit("SELL", bid, 20), stop("SELL", bid - 300, 20)]}
            answer = await client.ask("POST", "/v3/orderexecution/ordergroups", exits)
            target, stopped = (one["OrderID"] for one in answer.json["Orders"])
            partial = (await feed.statuses(target, "FPR"))[-1]["Legs"][0]["ExecQuantity"]
            shrunk = (await feed.next())["Legs"][0]
            assert shrunk["QuantityOrdered"] == str(20 - int(partial))
            assert (await read(client, stopped))["Status"] == "ACK"

    played(play)


def test_groups_oco_brk_and_normal_are_taken_as_such() -> None:
    async def play(client: Client) -> None:
        bid, ask = await market(client)
        away = [limit("BUY", bid - 100), limit("SELL", ask + 100)]
        groups = "/v3/orderexecution/ordergroups"
        oco = (await client.ask("POST", groups, {"Type": "OCO", "Orders": away})).json
        first, second = (one["OrderID"] for one in oco["Orders"])
        record = await read(client, first)
        assert record["ConditionalOrders"] == [{"Relationship": "OCO", "OrderID": second}]
        assert record["GroupName"] == "OCO 2706452145"
        assert record["AdvancedOptions"] == "OCA=2706452145;"
        await client.ask("DELETE", f"{PLACE}/{first}")
        assert (await read(client, second))["Status"] == "OUT"
        batch = (await client.ask("POST", groups, {"Type": "NORMAL", "Orders": away})).json
        assert "ConditionalOrders" not in await read(client, batch["Orders"][0]["OrderID"])
        exits = {"Type": "BRK", "Orders": [limit("SELL", ask + 100), stop("SELL", bid - 100)]}
        refusal = (await client.ask("POST", groups, exits)).json
        assert refusal["Orders"] == []
        assert len(refusal["Errors"]) == 2, "a bracket is for a position that is held"
        await place(client, order())
        assert len((await client.ask("POST", groups, exits)).json["Orders"]) == 2
        estimate = (await client.ask("POST", "/v3/orderexecution/ordergroupconfirm", exits)).json
        assert len(estimate["Confirmations"]) == 2

    played(play)


def test_a_confirmation_estimates_and_places_nothing() -> None:
    async def play(client: Client) -> None:
        _, ask = await market(client)
        answer = await client.ask("POST", "/v3/orderexecution/orderconfirm", limit("BUY", ask, 2))
        (estimate,) = answer.json["Confirmations"]
        assert estimate["EstimatedCommission"] == "4.6"
        assert estimate["InitialMarginDisplay"] == "48400"
        assert estimate["SummaryMessage"] == f"Buy 2 {ES} @ {ask.normalize():f} Limit"
        assert 1 <= len(estimate["OrderConfirmID"]) <= 22
        assert await client.get(f"/v3/brokerage/accounts/{FUTURES}/orders") == {"Orders": [], "Errors": []}

    played(play)


def test_refusals_inside_success_are_word_for_word() -> None:
    async def play(client: Client) -> None:
        price = await far_bid(client)
        unknown = await refused(client, order(Symbol="XXZZ"))
        assert unknown == "Order failed. Reason: FAILED, INVALID SYMBOL"
        assert await refused(client, order(Symbol="@ES")) == unknown, "a continuous contract cannot be traded"
        for body in (order("SELLSHORT"), order(AccountID=STOCKS), order(Symbol="AAPL")):
            assert await refused(client, body) == "Order failed. Reason: Request not supported for account type."
        cover = order("BUYTOCOVER", 10, AccountID=STOCKS, Symbol="MSFT")
        assert await refused(client, cover) == "Order failed. Reason: EC602: You are short 0.00 shares!"
        await place(client, limit("BUY", price, OrderConfirmID="pb-7d0f3c2e9a41"))
        again = await refused(client, limit("BUY", price, OrderConfirmID="pb-7d0f3c2e9a41"))
        assert again == "Order failed. Reason: Duplicate OrderConfirmID pb-7d0f3c2e9a41"
        assert "needs" in await refused(client, order(quantity=500))
        assert len(client.emulator.log.of("accepted")) == 1
        listed = await client.get(f"/v3/brokerage/accounts/{FUTURES}/orders")
        assert [one["Status"] for one in listed["Orders"]] == ["REJ", "ACK"], "what the exchange refused is listed"
        assert listed["Orders"][0]["RejectReason"]

    played(play)


@pytest.mark.parametrize("field", ["AccountID", "Symbol", "Quantity", "OrderType", "TradeAction", "TimeInForce"])
def test_required_fields_are_asked_for_by_name(field: str) -> None:
    body = {name: value for name, value in order().items() if name != field}
    with pytest.raises(RefusedError, match=f"Missing required field: {field}") as caught:
        read_ticket(body)
    assert caught.value.status == 400


def test_malformed_requests_are_errors_of_their_own() -> None:
    async def play(client: Client) -> None:
        for body, said in [
            (b"{", "Invalid JSON"),
            (b"[]", "Invalid field: body"),
            (order(OrderType="Limit"), "Missing required field: LimitPrice"),
            (order(OrderType="StopMarket"), "Missing required field: StopPrice"),
            (order(Quantity="NaN"), "Invalid field: Quantity"),
            (order(TradeAction="HOLD"), "Invalid field: TradeAction"),
            (order(TimeInForce={"Duration": "GTD"}), "Missing required field: Expiration"),
            (order(TimeInForce={"Duration": "FOREVER"}), "Invalid field: TimeInForce.Duration"),
            (order(OrderConfirmID="x" * 23), "Invalid field: OrderConfirmID"),
        ]:
            assert error(await client.ask("POST", PLACE, body)) == (400, "BadRequest", said)
        strange = await client.ask("POST", PLACE, order(AccountID="210FX231"))
        assert error(strange) == (403, "Forbidden", "Invalid Account ID.")
        assert client.emulator.log.of("accepted") == ()

    played(play)


def test_a_trailing_stop_and_numbers_instead_of_strings_are_taken() -> None:
    async def play(client: Client) -> None:
        trail = order("SELL", OrderType="StopMarket", AdvancedOptions={"TrailingStop": {"Amount": "10"}})
        record = await read(client, await place(client, trail))
        assert record["TrailingStop"] == {"Amount": "10"}
        assert record["AdvancedOptions"] == "TRL=10;"
        percent = order("SELL", OrderType="StopMarket", AdvancedOptions={"TrailingStop": {"Percent": 5.0}})
        assert (await read(client, await place(client, percent)))["AdvancedOptions"] == "TRL=5%;"
        numbers = {"Quantity": 1, "LimitPrice": float(await far_bid(client)), "OrderType": "limit"}
        record = await read(client, await place(client, order("Buy") | numbers))
        assert (record["OrderType"], record["Legs"][0]["QuantityOrdered"]) == ("Limit", "1")

    played(play)


def test_durations_are_rendered_as_records_do_and_minutes_expire() -> None:
    async def play(client: Client) -> None:
        price = await far_bid(client)
        ids = {}
        for asked, shown in [("DYP", "DAY+"), ("GTC", "GTC"), ("GCP", "GTC+"), ("1", "1 min")]:
            ids[asked] = await place(client, limit("BUY", price, TimeInForce={"Duration": asked}))
            assert (await read(client, ids[asked]))["Duration"] == shown
        dated = {"Duration": "GTD", "Expiration": "2026-01-09"}
        record = await read(client, await place(client, limit("BUY", price, TimeInForce=dated)))
        assert (record["Duration"], record["GoodTillDate"]) == ("GTD", "2026-01-09T00:00:00Z")
        async with client.stream(ORDERS) as feed:
            await feed.snapshot()
            expired = await feed.next()
            assert (expired["OrderID"], expired["Status"]) == (ids["1"], "EXP")
            assert expired["StatusDescription"] == "Expired"

    played(play)


def test_lists_show_the_newest_first_in_pages_and_history_only_what_is_over() -> None:
    async def play(client: Client) -> None:
        price = await far_bid(client)
        ids = [await place(client, limit("BUY", price)) for _ in range(5)]
        done = await place(client, order())
        await trio.sleep(1)
        path = f"/v3/brokerage/accounts/{FUTURES}/orders"
        everything = await client.get(path)
        assert [one["OrderID"] for one in everything["Orders"]] == [done, *reversed(ids)]
        assert "NextToken" not in everything
        shown: list[str] = []
        query = "?pageSize=4"
        while True:
            page = await client.get(path + query)
            shown += [one["OrderID"] for one in page["Orders"]]
            if "NextToken" not in page:
                break
            query = f"?pageSize=4&nextToken={page['NextToken']}"
        assert shown == [done, *reversed(ids)]
        history = await client.get(f"/v3/brokerage/accounts/{FUTURES}/historicalorders?since=2026-01-01")
        assert [one["OrderID"] for one in history["Orders"]] == [done]
        for bad in (f"{path}?pageSize=0", f"{path}?pageSize=601", f"{path}?pageSize=1&nextToken=x"):
            assert (await client.ask("GET", bad)).status == 400
        assert (await client.ask("GET", path.replace("orders", "historicalorders"))).status == 400
        missing = await client.get(f"{path}/{ids[0]},1")
        assert [one["OrderID"] for one in missing["Orders"]] == [ids[0]]
        assert missing["Errors"] == [{"OrderID": "1", "Error": "NotFound", "Message": "Order not found."}]

    played(play)


def test_stocks_are_traded_in_the_margin_account() -> None:
    async def play(client: Client) -> None:
        await place(client, order("BUY", 10, AccountID=STOCKS, Symbol="AAPL"))
        (position,) = (await client.get(f"/v3/brokerage/accounts/{STOCKS}/positions?symbol=AA*"))["Positions"]
        assert (position["AssetType"], position["LongShort"], position["Quantity"]) == ("STOCK", "Long", "10")
        (balance,) = (await client.get(f"/v3/brokerage/accounts/{STOCKS}/balances"))["Balances"]
        assert balance["AccountType"] == "Margin"
        assert "CurrencyDetails" not in balance
        assert Decimal(balance["MarketValue"]) > 0
        await place(client, order("SELLSHORT", 3, AccountID=STOCKS, Symbol="MSFT"))
        (short,) = (await client.get(f"/v3/brokerage/accounts/{STOCKS}/positions?symbol=MSFT"))["Positions"]
        assert (short["LongShort"], short["Quantity"]) == ("Short", "-3")

    played(play)


def test_no_body_however_odd_is_answered_by_anything_but_a_refusal() -> None:
    nested = order()
    for _ in range(60):
        nested = order(OSOs=[{"Type": "NORMAL", "Orders": [nested]}])
    quantities: list[Any] = ["1e15", "-1", "0", "1.5", True, [], {}]
    sent: list[Any] = [{}, [{}], [3], 3]
    odd = [
        *(order(Quantity=quantity) for quantity in quantities),
        *(limit("BUY", Decimal(price)) for price in ("1E-20", "6000.1", "1E99")),
        *(order(OSOs=osos) for osos in sent),
        *(order(TimeInForce=force) for force in (3, {"Duration": "GTD", "Expiration": "0001-01-01T00:00:00+14:00"})),
        order(AdvancedOptions=3),
        order(Symbol=["x"]),
        nested,
        b"\xff",
        b"[" * 5_000,
        b'{"Quantity":1e999}',
    ]

    async def play(client: Client) -> None:
        for body in odd:
            answer = await client.ask("POST", PLACE, body)
            assert answer.status in {200, 400}, (body, answer)
            assert answer.json.get("Orders", []) == [], (body, answer)
        assert client.emulator.log.of("accepted") == ()

    played(play)
