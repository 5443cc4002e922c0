"""The streamer: log-in, commands, numbered fields that come as they change, minutes, activity, and one a person."""

import json
from decimal import Decimal
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio_websocket import ConnectionClosed

from brokers.emulation import duplex
from brokers.thinkorswim.emulator import Manners
from brokers.thinkorswim.emulator.subscriptions import MOST_KEYS, SERVED, Subscriptions
from tests.brokers.thinkorswim.emulator.kit import ES, LEVEL_ONE, Client, Socket, order, played

FUTURES = "LEVELONE_FUTURES"
DENIED = {"code": 3, "msg": "Login Denied.: token is invalid or has expired."}


async def closes(socket: Socket) -> list[Any]:
    """What is said until the end of the connection."""
    found = []
    while True:
        try:
            found.append(await socket.next())
        except ConnectionClosed:
            return found


def test_a_login_is_answered_word_for_word_and_may_be_one_bare_object() -> None:
    async def play(client: Client) -> None:
        async with client.socket(log_in=False) as socket:
            request = socket.request("ADMIN", "LOGIN", **socket.login)
            await socket.websocket.send_message(json.dumps({**request, "requestid": 7}))
            response = await socket.response()
            assert abs(response.pop("timestamp") - client.world.clock.wall_ns() // 10**6) < 1000
            assert response == {
                "service": "ADMIN",
                "command": "LOGIN",
                "requestid": "7",
                "SchwabClientCorrelId": socket.ids["SchwabClientCorrelId"],
                "content": {"code": 0, "msg": "server=s0166bdv-1;status=NP"},
            }

    played(play)


def test_a_login_with_a_wrong_token_or_id_is_denied_and_the_connection_cut() -> None:
    async def play(client: Client) -> None:
        for field in ("Authorization", "SchwabClientChannel", "SchwabClientFunctionId", "SchwabClientCustomerId"):
            async with client.socket(log_in=False) as socket:
                (socket.ids if field in socket.ids else socket.login)[field] = "other"
                assert await socket.log_in() == DENIED
                assert await closes(socket) == []

    played(play)


def test_a_command_before_the_login_is_done_or_with_other_ids_finds_no_connection() -> None:
    async def play(client: Client) -> None:
        async with client.socket(log_in=False) as socket:
            assert (await socket.ask(FUTURES, "SUBS", keys=ES, fields="0,1"))["code"] == 20
            login = socket.request("ADMIN", "LOGIN", **socket.login)
            await socket.say(login, socket.request(FUTURES, "SUBS", keys=ES, fields="0,1"))
            codes = [(await socket.response())["content"]["code"] for _ in range(2)]
            assert codes == [0, 20]
            socket.ids["SchwabClientCorrelId"] = "changed"
            assert (await socket.ask(FUTURES, "SUBS", keys=ES, fields="0,1"))["code"] == 20

    played(play)


def test_a_second_connection_of_the_person_ends_the_first_with_code_12() -> None:
    async def play(client: Client) -> list[Any]:
        async with client.socket() as first, client.socket() as second:
            said = await closes(first)
            assert (await second.ask(FUTURES, "SUBS", keys=ES, fields="0,1"))["code"] == 0
            return said

    (notice,) = played(play)
    assert notice["notify"][0]["content"]["code"] == 12
    (response,) = played(play, manners=Manners(evict_in_response=True))
    assert response["response"][0]["content"]["code"] == 12


def test_the_first_data_of_a_key_have_every_field_and_the_next_only_those_that_changed() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            assert await socket.ask(FUTURES, "SUBS", keys="/ES,/ESM26", fields=LEVEL_ONE) == {
                "code": 0,
                "msg": "SUBS command succeeded",
            }
            state: dict[str, dict[str, Any]] = {}
            for one in await socket.data(FUTURES):
                assert (one.pop("delayed"), one.pop("assetMainType")) == (False, "FUTURE")
                state[one["key"]] = one
            assert state.keys() == {"/ES", "/ESM26"}
            assert {*state["/ES"]} == {"key", *LEVEL_ONE.split(",")} - {"0"}
            assert state["/ES"]["34"] == ES
            for _ in range(20):
                for one in await socket.data(FUTURES):
                    known = state[one["key"]]
                    assert all(known[name] != value for name, value in one.items() if name != "key")
                    known |= one
            bid, ask = state["/ES"]["1"], state["/ES"]["2"]
            assert 0 < Decimal(ask) - Decimal(bid) < 5

    played(play)


def test_equities_have_their_own_numbers() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            every = ",".join(map(str, range(52)))
            await socket.ask("LEVELONE_EQUITIES", "SUBS", keys="AAPL", fields=every)
            ((found),) = await socket.data("LEVELONE_EQUITIES")
            quote = (await client.get("/marketdata/v1/quotes?symbols=AAPL"))["AAPL"]["quote"]
        names = {"10": "highPrice", "11": "lowPrice", "12": "closePrice", "17": "openPrice", "32": "securityStatus"}
        assert {number: found[number] for number in names} == {n: quote[name] for n, name in names.items()}
        assert (found["15"], found["25"], found["assetMainType"]) == ("Apple Inc.", "NASDAQ", "EQUITY")
        assert {str(number) for number in range(1, 52)} <= found.keys()

    played(play)


def test_subs_replaces_add_adds_unsubs_removes_and_view_picks_fields() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:

            async def keys() -> set[str]:
                await trio.sleep(5)
                socket.deferred.clear()
                found: set[str] = set()
                for _ in range(14):
                    found |= {one["key"] for one in await socket.data(FUTURES)}
                return found

            await socket.ask(FUTURES, "ADD", keys=ES, fields="0,1,2,3,8")
            assert await keys() == {ES}
            await socket.ask(FUTURES, "ADD", keys="/ESM26", fields="0,1,2,3,8")
            assert await keys() == {ES, "/ESM26"}
            await socket.ask(FUTURES, "UNSUBS", keys=ES)
            await keys()
            assert await keys() == {"/ESM26"}
            await socket.ask(FUTURES, "SUBS", keys=ES, fields="0,1,2,3,8")
            await keys()
            assert await keys() == {ES}
            await socket.ask(FUTURES, "VIEW", fields="0,8")
            await keys()
            (one,) = await socket.data(FUTURES)
            assert one.keys() == {"key", "8"}

    played(play)


def test_commands_that_cannot_be_are_answered_with_their_codes() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            asked = [
                (("LEVELONE_MOON", "SUBS"), {"keys": "A", "fields": "0"}, 11),
                (("LEVELONE_OPTIONS", "SUBS"), {"keys": "A", "fields": "0"}, 11),
                ((FUTURES, "SUBS"), {"keys": ES}, 21),
                ((FUTURES, "SUBS"), {"fields": "0,1"}, 21),
                ((FUTURES, "FETCH"), {"keys": ES, "fields": "0"}, 21),
                ((FUTURES, "SUBS"), {"keys": ",".join(f"/K{n}" for n in range(501)), "fields": "0"}, 19),
                (("ADMIN", "QOS"), {"qoslevel": "0"}, 21),
                ((FUTURES, "SUBS"), {"keys": ES, "fields": "0,1"}, 0),
            ]
            for (service, command), parameters, code in asked:
                assert (await socket.ask(service, command, **parameters))["code"] == code, (service, parameters)
            for text in ("[]", "no json", "", '{"requests":[]}', "[" * 5000):
                await socket.websocket.send_message(text)
                assert (await socket.response())["content"]["code"] == 21
            assert (await socket.ask("ADMIN", "LOGOUT"))["code"] == 0
            await closes(socket)

    played(play)


def test_commands_sent_in_parallel_fail_each_with_its_own_code() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            for command, code in (("SUBS", 22), ("UNSUBS", 23), ("ADD", 24), ("VIEW", 25)):
                await socket.say(socket.request(FUTURES, "SUBS", keys=ES, fields="0,1"))
                await socket.say(socket.request(FUTURES, command, keys=ES, fields="0,1"))
                codes = [(await socket.response())["content"]["code"] for _ in range(2)]
                assert codes == [0, code]
                await trio.sleep(1)

    played(play)


def test_success_can_be_told_by_26_to_29_and_qos_can_be_known() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            commands = ("SUBS", "ADD", "UNSUBS", "VIEW")
            codes = [(await socket.ask(FUTURES, one, keys=ES, fields="0,1,8"))["code"] for one in commands]
            assert codes == [26, 28, 27, 29]
            assert (await socket.ask("ADMIN", "QOS", qoslevel="5"))["code"] == 0
            await socket.ask(FUTURES, "SUBS", keys=ES, fields="0,1,8")
            for _ in range(3):
                await socket.data(FUTURES)
            begun = trio.current_time()
            await socket.data(FUTURES)
            assert trio.current_time() - begun == pytest.approx(5, abs=0.1)

    played(play, manners=Manners(numbered_success=True, knows_qos=True))


def test_a_quiet_stream_has_a_heartbeat_every_ten_seconds_and_one_without_a_subscription_is_ended() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.watch_account()
            begun = trio.current_time()
            for number in (1, 2, 3, 4, 5):
                found = await socket.next()
                assert isinstance(found["notify"][0]["heartbeat"], str)
                assert trio.current_time() - begun == pytest.approx(10 * number, abs=0.1)
        async with client.socket() as socket:
            begun = trio.current_time()
            *heartbeats, last = await closes(socket)
            assert trio.current_time() - begun == pytest.approx(30, abs=0.1)
            assert len(heartbeats) >= 2
            assert last["notify"][0]["content"]["code"] == 30

    played(play)


def test_a_client_that_does_not_read_is_ended_with_code_30(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplex, "_BACKLOG", 100)

    async def play(client: Client) -> None:
        async with client.socket() as socket:
            every = ",".join(map(str, range(52)))
            await socket.ask(FUTURES, "SUBS", keys="/ES,/ESM26", fields=every)
            await trio.sleep(100)
            said = await closes(socket)
            assert said[-1]["notify"][0]["content"]["code"] == 30

    played(play, symbols=("ESH26", "ESM26"), manners=Manners(changes_seconds=0.1))


def test_minutes_come_once_each_when_they_are_over_stamped_with_their_start_and_equal_to_the_history() -> None:
    async def play(client: Client) -> None:
        async with client.socket() as socket:
            await socket.ask("CHART_FUTURES", "SUBS", keys="/ES", fields="0,1,2,3,4,5,6")
            await socket.ask("CHART_EQUITY", "SUBS", keys="AAPL", fields="0,1,2,3,4,5,6,7,8")
            futures: list[Any] = []
            stocks: list[Any] = []
            while len(stocks) < 3 or len(futures) < 3:
                for one in (await socket.next()).get("data", ()):
                    (content,) = one["content"]
                    late = one["timestamp"] - content["1" if one["service"] == "CHART_FUTURES" else "7"]
                    assert 60_000 <= late < 75_000
                    (futures if one["service"] == "CHART_FUTURES" else stocks).append(content)
        assert [one["seq"] for one in futures] == [0, 1, 2]
        assert [one["1"] - futures[0]["1"] for one in futures] == [0, 60_000, 120_000]
        assert {one["key"] for one in futures} == {"/ES"}
        assert [one["1"] for one in stocks] == [180, 181, 182], "minutes since seven; it is ten o'clock"
        assert stocks[0]["8"] == stocks[0]["7"] // 86_400_000
        query = "symbol=AAPL&periodType=day&frequencyType=minute&frequency=1"
        candles = (await client.get(f"/marketdata/v1/pricehistory?{query}&startDate={stocks[0]['7'] - 1}"))["candles"]
        names = {"open": "2", "high": "3", "low": "4", "close": "5", "volume": "6", "datetime": "7"}
        assert [{name: one[number] for name, number in names.items()} for one in stocks] == candles[:3]

    played(play)


def test_numbers_of_activity_restart_on_every_connection_and_one_subscription_covers_all_accounts() -> None:
    async def play(client: Client) -> None:
        for account in client.hashes:
            async with client.socket() as socket:
                await socket.watch_account()
                await client.place(order(), account)
                events = await socket.until("OrderFillCompleted")
                assert [one["seq"] for one in events] == [1, 2, 3, 4, 5]
                assert {one["AccountNumber"] for one in events} == {account}

    played(play)


KEYS = st.lists(st.sampled_from(["/ES", "/NQ", "/CL", "/GC"]), min_size=1, max_size=4).map(",".join)
COMMAND = st.tuples(st.sampled_from(["SUBS", "ADD", "UNSUBS"]), KEYS)


@given(st.lists(COMMAND, max_size=12))
def test_after_any_commands_the_keys_are_those_of_a_plain_list(commands: list[tuple[str, str]]) -> None:
    subscriptions, model = Subscriptions(), list[str]()
    for command, text in commands:
        assert subscriptions.apply(FUTURES, command, {"keys": text, "fields": "0,1"}) == 0
        keys = list(dict.fromkeys(text.split(",")))
        if command == "SUBS":
            model = keys
        elif command == "ADD":
            model += [key for key in keys if key not in model]
        else:
            model = [key for key in model if key not in keys]
        found = subscriptions.get(FUTURES)
        assert (found.keys if found is not None else []) == model
        assert bool(subscriptions) == bool(model)


ANY = st.one_of(st.none(), st.text(max_size=12), st.integers(), st.lists(st.text(max_size=3), max_size=3))


@given(st.sampled_from([*SERVED, "NO"]), st.text(max_size=6), ANY, ANY)
def test_f36_no_parameters_break_the_subscriptions(service: str, command: str, keys: Any, fields: Any) -> None:
    subscriptions = Subscriptions()
    code = subscriptions.apply(service, command, {"keys": keys, "fields": fields})
    assert code in {0, 11, 19, 21}
    found = subscriptions.get(service)
    assert found is None or (code == 0 and len(found.keys) <= MOST_KEYS)


@given(st.lists(st.dictionaries(st.integers(0, 5), st.integers(0, 2)), max_size=8))
def test_a_client_that_merges_the_changes_sees_what_is(states: list[dict[int, int]]) -> None:
    subscriptions = Subscriptions()
    subscriptions.apply(FUTURES, "SUBS", {"keys": "/ES", "fields": "1,2,3"})
    subscription = subscriptions.get(FUTURES)
    assert subscription is not None
    merged: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    for state in states:
        changes = subscription.changes("/ES", state)
        assert all(merged.get(name, object()) != value for name, value in changes.items())
        merged |= changes
        seen |= {str(number): value for number, value in state.items() if number in (1, 2, 3)}
        assert merged == seen
