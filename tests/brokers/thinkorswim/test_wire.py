"""The codecs: frames from the published notes, exact numbers, and nothing that a hostile peer can break."""

import json
import tracemalloc
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.instruments import Kind
from brokers.thinkorswim.board import Board
from brokers.thinkorswim.codes import CODES, Reaction, response_code
from brokers.thinkorswim.fields import ASKED, FIELDS, Service, number, numbers
from brokers.thinkorswim.rows import EquityCandle, EquityRow, FutureCandle
from brokers.thinkorswim.settings import Qos, ThinkorswimSettings
from brokers.thinkorswim.wire import (
    LONGEST,
    Batch,
    Command,
    FutureBatch,
    Malformed,
    Streamer,
    Verb,
    decode_frame,
    encode_command,
    login_parameters,
    qos_parameters,
    subscription_parameters,
)
from brokers.thinkorswim.wire_rest import decode_facts, decode_history, decode_preferences, words_of
from brokers.thinkorswim.wire_rows import decode_rows
from runtime.wire.secret import Secret

D = Decimal
STREAMER = Streamer("wss://streamer-api.schwab.com/ws", "c0ffee00", "5be0b7e7", "N9", "APIAPP")
IMAGE = (
    '{"data":[{"service":"LEVELONE_FUTURES","timestamp":1764599401100,"command":"SUBS","content":[{"key":"/ESZ25",'
    '"delayed":false,"assetMainType":"FUTURE","1":6900.25,"2":6900.5,"3":6900.25,"4":22,"5":31,"8":512345,"9":1,'
    '"10":1764599401000,"11":1764599400900,"12":6905.25,"22":"Normal","34":"/ESZ25"}]}]}'
)


def test_a_login_says_who_we_are_as_the_preferences_told() -> None:
    parameters = login_parameters(STREAMER, Secret("at_0001"))
    frame = encode_command(STREAMER, 1, Command(Service.ADMIN, Verb.LOGIN), parameters)
    assert json.loads(frame) == {
        "requests": [
            {
                "requestid": "1",
                "service": "ADMIN",
                "command": "LOGIN",
                "SchwabClientCustomerId": "c0ffee00",
                "SchwabClientCorrelId": "5be0b7e7",
                "parameters": {
                    "Authorization": "at_0001",
                    "SchwabClientChannel": "N9",
                    "SchwabClientFunctionId": "APIAPP",
                },
            }
        ]
    }


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            Command(Service.LEVELONE_FUTURES, Verb.SUBS, ("/ESZ25", "/NQZ25"), (0, 1)),
            {"keys": "/ESZ25,/NQZ25", "fields": "0,1"},
        ),
        (Command(Service.CHART_EQUITY, Verb.ADD, ("AMD",), (0, 7)), {"keys": "AMD", "fields": "0,7"}),
        (Command(Service.CHART_EQUITY, Verb.UNSUBS, ("AMD",)), {"keys": "AMD"}),
        (Command(Service.LEVELONE_EQUITIES, Verb.VIEW, (), (0, 34)), {"fields": "0,34"}),
    ],
)
def test_a_command_carries_what_it_needs_and_no_more(command: Command, expected: dict[str, str]) -> None:
    assert subscription_parameters(command) == expected


def test_the_levels_of_service_are_numbers_of_the_protocol() -> None:
    assert [qos_parameters(qos)["qoslevel"] for qos in Qos] == ["0", "1", "2", "3", "4", "5"]


def test_fields_stand_at_their_published_numbers() -> None:
    futures, equities, chart = Service.LEVELONE_FUTURES, Service.LEVELONE_EQUITIES, Service.CHART_EQUITY
    assert [len(FIELDS[service]) for service in (futures, equities)] == [41, 52]
    assert [number(futures, name) for name in ("quote_ms", "status", "active_symbol", "settlement_date")] == [
        10,
        22,
        34,
        40,
    ]
    assert [number(equities, name) for name in ("ask_id", "status", "quote_ms", "shortable")] == [6, 32, 34, 49]
    assert [number(chart, name) for name in ("open", "close", "start_ms", "day")] == [2, 5, 7, 8]
    assert numbers(equities, ASKED[equities]) == (0, 1, 2, 3, 4, 5, 8, 9, 34, 35)
    assert all(len(set(names)) == len(names) for names in FIELDS.values())


def test_an_image_and_a_change_keep_every_digit() -> None:
    batch = decode_frame(IMAGE).data[0]
    assert isinstance(batch, FutureBatch)
    (row,) = batch.content
    assert (row.bid, row.ask, row.volume, row.quote_ms, row.active_symbol) == (
        D("6900.25"),
        D("6900.5"),
        D(512345),
        1764599401000,
        "/ESZ25",
    )
    text = b'[{"key":"/6JZ25","1":0.00651234500000000000000000001,"4":5}]'
    (change,), bad = decode_rows("LEVELONE_FUTURES", msgspec.Raw(text))
    assert not bad
    assert str(getattr(change, "bid", "")) == "0.00651234500000000000000000001"
    assert getattr(change, "ask", None) is msgspec.UNSET


def test_candles_are_read_in_the_order_that_is_really_sent() -> None:
    futures = b'[{"1":1765307160000,"2":6858.25,"3":6858.75,"4":6857.75,"5":6858.5,"6":897,"seq":2224,"key":"/ES"}]'
    equities = b'[{"1":425,"2":221.133,"3":221.18,"4":221.02,"5":221.02,"6":11730,"7":1765307100000,"8":20431,"seq":202,"key":"AMD"}]'
    (future,), _ = decode_rows("CHART_FUTURES", msgspec.Raw(futures))
    (equity,), _ = decode_rows("CHART_EQUITY", msgspec.Raw(equities))
    assert future == FutureCandle("/ES", 1765307160000, D("6858.25"), D("6858.75"), D("6857.75"), D("6858.5"), D(897))
    assert equity == EquityCandle("AMD", 1765307100000, D("221.133"), D("221.18"), D("221.02"), D("221.02"), D(11730))


def test_answers_and_notices_are_told_apart() -> None:
    frame = decode_frame(
        '{"response":[{"service":"ADMIN","command":"LOGIN","requestid":"1","timestamp":1764599400000,"content":{"code":3,'
        '"msg":"Login Denied."}}],"notify":[{"heartbeat":"1764599410000"},{"service":"Invalid Service","content":{"code":12}}]}'
    )
    assert frame.response[0].is_to(1)
    assert not frame.response[0].is_to(2)
    assert response_code(frame.response[0].content.code).reaction is Reaction.RENEW
    assert frame.notify[0].content is None
    assert frame.notify[1].content is not None
    assert response_code(frame.notify[1].content.code).reaction is Reaction.STAY_AWAY


def test_every_documented_code_has_a_meaning_and_unknown_ones_refuse() -> None:
    assert sorted(CODES) == [0, 3, 9, 11, 12, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]
    assert {number for number, code in CODES.items() if code.means is None} == {0, 26, 27, 28, 29}
    assert all((code.reaction is Reaction.GO_ON) == (code.means is None) for code in CODES.values())
    assert response_code(4711).reaction is Reaction.REFUSE
    assert not response_code(4711).ends


@pytest.mark.parametrize(
    "content",
    ['[{"key":"A","1":1.5},{"key":"B","4":{}}]', '[{"key":1}]', "{}"],
)
def test_prices_that_do_not_fit_are_left_to_the_way_for_all_frames(content: str) -> None:
    (batch,) = decode_frame(f'{{"data":[{{"content":{content},"service":"LEVELONE_EQUITIES","timestamp":7}}]}}').data
    assert isinstance(batch, Batch)
    assert (batch.service, bytes(batch.content), batch.timestamp) == ("LEVELONE_EQUITIES", content.encode(), 7)


def test_prices_beside_other_rows_and_notices_lose_none_of_them() -> None:
    prices = '{"service":"LEVELONE_FUTURES","timestamp":7,"content":[{"key":"/ES","1":1.5}]}'
    other = '{"service":"CHART_FUTURES","content":[]}'
    beside = decode_frame(f'{{"data":[{prices}],"notify":[{{"heartbeat":"1"}}]}}')
    assert (len(beside.data), len(beside.notify)) == (1, 1)
    mixed = decode_frame(f'{{"data":[{prices},{other}]}}').data
    assert [one.service for one in mixed] == ["LEVELONE_FUTURES", "CHART_FUTURES"]
    assert all(isinstance(one, Batch) for one in mixed)


@given(
    st.sampled_from(["LEVELONE_EQUITIES", "LEVELONE_FUTURES"]),
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "key": st.sampled_from(["A", "B"]),
                "delayed": st.booleans(),
                **{
                    str(place): st.none() | st.integers(0, 10**13) | st.sampled_from(["7.5", "NaN", "-1"])
                    for place in range(11)
                },
            },
        ),
        max_size=3,
    ),
)
def test_read_in_one_go_or_by_the_way_for_all_a_batch_gives_the_same_events(service: str, rows: list[Any]) -> None:
    content = json.dumps(rows)
    (whole,) = decode_frame(
        f'{{"data":[{{"service":"{service}","timestamp":1767625200000,"content":{content}}}]}}'
    ).data
    told = []
    for batch in (whole, Batch(service, msgspec.Raw(content.encode()), 1767625200000)):
        board = Board(lot_shares=100, delayed_data=False)
        for name in ("A", "B"):
            board.watch(name, name, Kind.STOCK if service == "LEVELONE_EQUITIES" else Kind.FUTURE)
        told.append((board.take(batch, 1), [str(one) for one in board.told()], board.statistics()))
    assert told[0] == told[1]


def test_one_bad_row_costs_itself_alone() -> None:
    content = msgspec.Raw(b'[{"key":"A","1":1.5},{"key":"B","4":{}},7,{"key":"C","1":2.5}]')
    rows, bad = decode_rows("LEVELONE_EQUITIES", content)
    assert [row.key for row in rows] == ["A", "C"]
    assert [key for key, _ in bad] == ["B", ""]


def test_preferences_name_the_streamer_or_say_what_is_missing() -> None:
    info = {
        "streamerSocketUrl": STREAMER.url,
        "schwabClientCustomerId": "c0ffee00",
        "schwabClientCorrelId": "5be0b7e7",
        "schwabClientChannel": "N9",
        "schwabClientFunctionId": "APIAPP",
    }
    assert decode_preferences(json.dumps({"accounts": [], "streamerInfo": [info]}).encode()) == STREAMER
    with pytest.raises(Malformed, match="no market data"):
        decode_preferences(b'{"streamerInfo":[]}')


def test_one_bad_instrument_costs_no_other() -> None:
    found, bad = decode_facts(b'{"AMD":{"quote":{"tick":0.01}},"X":{"quote":5},"errors":{"invalidSymbols":["XXXX"]}}')
    assert list(found) == ["AMD"]
    assert list(bad) == ["X"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message":"Not authorized","errors":["Invalid bearer token"]}', "Not authorized; Invalid bearer token"),
        (
            b'{"errors":[{"id":"9","status":"401","title":"Unauthorized","detail":"no","source":{"header":"A"}}]}',
            "Unauthorized: no",
        ),
        (
            b'{"fault":{"faultstring":"Body buffer overflow","detail":{"errorcode":"protocol.http.TooBigBody"}}}',
            "Body buffer overflow",
        ),
        (b"upstream request timeout", "upstream request timeout"),
        (b"<html>Whitelabel Error Page</html>", "<html>Whitelabel Error Page</html>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_every_shape_of_an_error_is_quoted(body: bytes, words: str) -> None:
    assert words_of(body) == words


HOSTILE = [
    b"",
    b"\x00",
    b"\xff\xfe{}",
    b'{"data":NaN}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"data":[{"service":"A","content":' + b"[" * 100_000,
    b" " * (LONGEST + 1),
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_F36_hostile_bytes_are_malformed_and_cost_little_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        for read in (decode_frame, decode_preferences, decode_history, decode_facts):
            with pytest.raises(Malformed) as caught:
                read(data)
            assert len(str(caught.value)) < 1000
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert isinstance(words_of(data), str)


def test_F36_a_frame_above_the_limit_is_not_even_looked_at() -> None:
    assert not decode_frame(b"{}".ljust(LONGEST)).data
    with pytest.raises(Malformed, match="at most"):
        decode_frame(b"{}".ljust(LONGEST + 1))


@pytest.mark.parametrize("code", ["1e999", "9" * 5000, "null", "true", '"0"', "0.5"])
def test_a_code_that_is_no_number_is_malformed(code: str) -> None:
    with pytest.raises(Malformed):
        decode_frame(f'{{"response":[{{"content":{{"code":{code}}}}}]}}')


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "1", "2", "10", "content", "service", "data", "notify", "code"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_malformed(data: bytes) -> None:
    for read in (decode_frame, decode_preferences, decode_history, decode_facts):
        try:
            read(data)
        except Malformed:
            continue
    assert isinstance(words_of(data), str)


@given(st.sampled_from(list(ASKED)), st.lists(JSON, max_size=4))
def test_any_rows_are_read_or_set_aside(service: Service, rows: list[Any]) -> None:
    content = msgspec.Raw(json.dumps(rows).encode())
    try:
        found, bad = decode_rows(service.value, content)
    except Malformed:
        return  # json writes NaN, which is no JSON
    assert len(found) + len(bad) == len(rows)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9))
def test_a_price_comes_back_as_it_was_written(price: Decimal) -> None:
    text = format(price, "f")
    (row,), _ = decode_rows("LEVELONE_EQUITIES", msgspec.Raw(f'[{{"key":"A","1":{text}}}]'.encode()))
    assert isinstance(row, EquityRow)
    assert row.bid == price
    assert format(row.bid, "f").lstrip("-") == text.lstrip("-")


def test_settings_refuse_what_would_break_the_promises() -> None:
    for wrong in ({"silence": 61}, {"silence": 0}, {"reply": -1}, {"lot_shares": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ThinkorswimSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose
