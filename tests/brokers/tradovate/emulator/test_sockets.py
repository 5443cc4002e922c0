"""Sockets: heartbeats, authorization and re-authorization, synchronisation whole and split, quotes and charts."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed

from brokers.tradovate.emulator import OnExpiry
from tests.brokers.tradovate.emulator.words import ACCOUNT, ES_NAME, Habits, User, limit, order, played


def test_a_socket_beats_and_is_dropped_when_its_client_does_not() -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            begun = trio.current_time()
            assert [await sock.frame() for _ in range(4)] == ["h"] * 4
            assert trio.current_time() - begun == pytest.approx(10, abs=0.1)
            await trio.sleep(60)
            sock.beats = False
            begun = trio.current_time()
            with pytest.raises(EOFError, match=r'c\[3000,"Go away!"\]'):
                await sock.message()
            assert 12 < trio.current_time() - begun < 18

    played(play)


def test_a_path_that_is_no_socket_is_refused() -> None:
    async def play(user: User) -> None:
        answer = await user.ask("GET", "/v1/websocket")
        assert answer.status == 404

    played(play)


@pytest.mark.parametrize(("fault", "status"), [("quota=429,7", 200), ("quota=429", 429)])
def test_f10_a_time_to_wait_is_told_as_a_penalty_for_a_frame_has_no_headers(fault: str, status: int) -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            user.emulator.faults.on(f"{fault}/query*1")
            answer = await sock.ask("auth/me")
            assert answer["s"] == status
            assert status != 200 or (answer["d"]["p-time"], answer["d"]["p-captcha"]) == (7, False)
            assert (await sock.get("auth/me"))["name"]

    played(play)


def test_a_token_may_be_shown_bare_or_as_json_text_as_clients_of_others_do() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            for shown, status in ((user.token, 200), (f'"{user.token}"', 200), ('"', 401), ('""', 401)):
                assert (await sock.ask("authorize", shown))["s"] == status

    played(play)


@pytest.mark.parametrize("on_expiry", list(OnExpiry))
def test_F11_an_open_socket_is_authorized_again_and_loses_nothing_whatever_the_server_does(on_expiry: OnExpiry) -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            await trio.sleep(20)
            renewed = (await user.renew()).json
            number = await sock.send("authorize", renewed["accessToken"])
            assert await sock.until(lambda one: one.get("i") == number) == {"s": 200, "i": number}
            await trio.sleep(15)
            placed = await sock.get("order/placeorder", order())
            await sock.event("fill", orderId=placed["orderId"])

    played(play, "short-tokens=30", habits=Habits(on_expiry=on_expiry))


def test_F11_without_a_new_token_the_server_is_lenient_strict_or_hostile() -> None:
    async def play(user: User) -> Any:
        async with user.synced() as sock:
            await trio.sleep(31)
            try:
                return (await sock.ask("account/list"))["s"]
            except (EOFError, ConnectionClosed):
                return "closed"

    said = [played(play, "short-tokens=30", habits=Habits(on_expiry=one)) for one in OnExpiry]
    assert said == [200, 401, "closed"]


def test_a_synchronisation_has_all_collections_and_comes_once() -> None:
    async def play(user: User) -> None:
        await user.post("order/placeorder", order(clOrdId="pb-1"))
        await trio.sleep(5)
        async with user.socket() as sock:
            state = await sock.get("user/syncrequest", {"users": [user.tokens["userId"]]})
            expected = "users accounts cashBalances currencies positions fillPairs orders contracts contractMaturities"
            assert set(expected.split()) <= set(state)
            assert [one["ordStatus"] for one in state["orders"]] == ["Filled"]
            assert [one["clOrdId"] for one in state["commands"]] == ["pb-1"]
            assert state["positions"][0]["netPos"] == 1
            again = await sock.ask("user/syncrequest", {"users": [user.tokens["userId"]]})
            assert again["s"] == 400
        async with user.socket() as sock:
            assert (await sock.ask("user/syncrequest", {"users": [1]}))["s"] == 401
            assert (await sock.ask("user/syncrequest", {}))["s"] == 400

    played(play)


def test_a_split_synchronisation_comes_as_several_responses_with_one_id() -> None:
    async def play(user: User) -> None:
        async with user.socket() as sock:
            kinds = ["account", "order", "fill", "position", "cashBalance"]
            body = {"splitResponses": True, "accounts": [ACCOUNT], "entityTypes": kinds}
            number = await sock.send("user/syncrequest", body)
            parts = [await sock.message() for _ in kinds]
            assert {(one["s"], one["i"]) for one in parts} == {(200, number)}
            names = [name for one in parts for name in one["d"]]
            assert sorted(names) == ["accounts", "cashBalances", "fills", "orders", "positions"]
            await user.post("order/placeorder", order())
            await sock.event("position", netPos=1)

    played(play)


def test_F16_a_fill_can_be_told_before_the_reply_that_has_the_orders_id() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            number = await sock.send("order/placeorder", order())
            fill = await sock.event("fill")
            reply = await sock.until(lambda one: one.get("i") == number)
            assert reply["d"]["orderId"] == fill["orderId"]

    played(play, "delay=3*1")


def test_quotes_come_first_whole_and_then_what_changed() -> None:
    async def play(user: User) -> None:
        async with user.socket(user.tokens["mdAccessToken"]) as sock:
            assert "subscriptionId" in await sock.get("md/subscribeQuote", {"symbol": ES_NAME})
            contract = await sock.get("contract/find", query=f"name={ES_NAME}")
            first = next(one["d"]["quotes"][0] for one in sock.seen if one.get("e") == "md")
            assert first["contractId"] == contract["id"]
            assert {"Bid", "Offer"} <= set(first["entries"])
            trade = await sock.until(lambda one: "Trade" in str(one))
            assert "Bid" not in trade["d"]["quotes"][0]["entries"]
            await sock.get("md/unsubscribeQuote", {"symbol": contract["id"]})
            sock.seen.clear()
            with trio.move_on_after(30):
                await sock.until(lambda one: one.get("e") == "md")
            assert sock.seen == []
            unknown = await sock.get("md/subscribeQuote", {"symbol": "XXZ9"})
            assert unknown == {"errorText": "Symbol is not found", "errorCode": "UnknownSymbol"}
            assert (await sock.ask("order/list"))["s"] == 401, "the token is for market data"
            await sock.get("md/subscribeDOM", {"symbol": ES_NAME})
            book = await sock.until(lambda one: one.get("e") == "md")
            assert set(book["d"]["doms"][0]) == {"contractId", "timestamp", "bids", "offers"}

    played(play)


def chart(kind: str, size: int, **span: Any) -> dict[str, Any]:
    described = {"underlyingType": kind, "elementSize": size, "elementSizeUnit": "UnderlyingUnits"}
    return {"symbol": ES_NAME, "chartDescription": described, "timeRange": span}


def test_a_chart_is_history_its_end_and_then_the_bar_that_runs() -> None:
    async def play(user: User) -> None:
        async with user.socket(user.tokens["mdAccessToken"]) as sock:
            ids = await sock.get("md/getChart", chart("MinuteBar", 5, asMuchAsElements=300))
            bars: list[Any] = []
            while "eoh" not in (packet := (await sock.until(lambda one: one.get("e") == "chart"))["d"]["charts"][0]):
                assert packet["id"] == ids["historicalId"]
                bars += packet["bars"]
            assert packet == {"id": ids["historicalId"], "eoh": True}
            assert len(bars) == 300
            stamps = [dt.datetime.fromisoformat(one["timestamp"]) for one in bars]
            assert stamps == sorted(set(stamps))
            assert all(one["low"] <= min(one["open"], one["close"]) for one in bars)
            live = [(await sock.until(lambda one: one.get("e") == "chart"))["d"]["charts"][0] for _ in range(40)]
            assert {one["id"] for one in live} == {ids["realtimeId"]}
            running = dt.datetime.fromisoformat(live[0]["bars"][0]["timestamp"])
            assert running - stamps[-1] == dt.timedelta(minutes=5), "history and live bars join"
            sizes = [one["bars"][0]["upVolume"] + one["bars"][0]["downVolume"] for one in live[:3]]
            assert sizes == sorted(sizes)
            assert await sock.get("md/cancelChart", {"subscriptionId": ids["realtimeId"]}) == {}
            gone = await sock.get("md/cancelChart", {"subscriptionId": ids["realtimeId"]})
            assert gone["errorCode"] == "UnknownSubscription"
            wrong = await sock.get("md/getChart", chart("DailyBar", 5, asMuchAsElements=1))
            assert wrong["errorCode"] == "UnsupportedChart"

    played(play)


def test_ticks_are_packed_and_their_prices_are_those_of_the_quotes() -> None:
    async def play(user: User) -> None:
        async with user.socket(user.tokens["mdAccessToken"]) as sock:
            await sock.get("md/subscribeQuote", {"symbol": ES_NAME})
            await sock.get("md/getChart", chart("Tick", 1, asMuchAsElements=1))
            packet = (await sock.until(lambda one: "tks" in str(one)))["d"]["charts"][0]
            (tick,) = packet["tks"]
            price = (packet["bp"] + tick["p"]) * packet["ts"]
            traded = [one for one in sock.seen if "'Trade'" in str(one)][-1]["d"]["quotes"][0]
            assert traded["entries"]["Trade"] == {"price": price, "size": tick["s"]}

    played(play)


def test_without_a_paid_subscription_a_socket_is_authorized_and_gets_no_data() -> None:
    async def play(user: User) -> None:
        async with user.socket(user.tokens["mdAccessToken"]) as sock:
            assert "errorText" in await sock.get("md/subscribeQuote", {"symbol": ES_NAME})

    played(play, habits=Habits(market_data=False))


def test_a_contract_leads_to_its_product_and_rolls_to_the_next() -> None:
    async def play(user: User) -> None:
        contract = await user.get(f"contract/find?name={ES_NAME}")
        maturity = await user.get(f"contractMaturity/item?id={contract['contractMaturityId']}")
        assert (maturity["expirationMonth"], maturity["isFront"]) == (202603, True)
        product = await user.get(f"product/item?id={maturity['productId']}")
        assert (product["name"], product["valuePerPoint"], product["tickSize"]) == ("ES", 50, 0.25)
        assert [one["name"] for one in await user.get("contract/suggest?t=ES&l=5")] == ["ESH6", "ESM6"]
        rolled = await user.post("contract/rollcontract", {"name": ES_NAME, "forward": True, "ifExpired": False})
        assert rolled["contract"]["name"] == "ESM6"
        stays = await user.post("contract/rollcontract", {"name": ES_NAME, "forward": True, "ifExpired": True})
        assert stays["contract"] == contract
        end = await user.post("contract/rollcontract", {"name": "ESM6", "forward": True})
        assert end == {"errorText": "No contract to roll to: ESM6"}
        assert [one["id"] for one in await user.get("contract/items?ids=" + str(contract["id"]))] == [contract["id"]]

    played(play)


def test_money_is_told_on_request() -> None:
    async def play(user: User) -> None:
        async with user.synced() as sock:
            bid, _ = await user.prices()
            await sock.get("order/placeorder", limit("Sell", bid - 5))
            await sock.event("position", netPos=-1)
        money = await user.post("cashBalance/getcashbalancesnapshot", {"accountId": ACCOUNT})
        assert money["totalCashValue"] == Decimal("999997.91")
        assert money["initialMargin"] == 24_200
        assert money["netLiq"] == money["totalCashValue"] + money["openPnL"]
        strange = await user.post("cashBalance/getcashbalancesnapshot", {"accountId": 5})
        assert strange == {"errorText": "Account is not found"}

    played(play)


def test_the_bar_that_ran_when_a_chart_was_asked_for_ends_as_the_history_then_has_it() -> None:
    async def play(user: User) -> None:
        async with user.socket(user.tokens["mdAccessToken"]) as sock:
            await trio.sleep(40)
            ids = await sock.get("md/getChart", chart("MinuteBar", 1, asMuchAsElements=1))
            bars: list[Any] = []
            while len({one["timestamp"] for one in bars}) < 2:
                packet = (await sock.until(lambda one: one.get("e") == "chart"))["d"]["charts"][0]
                bars += packet["bars"] if packet["id"] == ids["realtimeId"] else []
            again = await sock.get("md/getChart", chart("MinuteBar", 1, asMuchAsElements=1))
            wanted = again["historicalId"]
            packet = await sock.until(lambda one: one.get("e") == "chart" and one["d"]["charts"][0]["id"] == wanted)
            (closed,) = packet["d"]["charts"][0]["bars"]
            assert bars[-2] == closed

    played(play)
