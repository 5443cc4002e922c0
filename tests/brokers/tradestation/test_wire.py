"""The codecs, held against frames as they are on the wire, and against bytes that no broker should send."""

import json
import os
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.errors import BrokerError, Code
from brokers.market import Interval, Quote, Trade
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderState, OrderType, TimeInForce
from brokers.outcome import Accepted, Exists, NotSent, Outcome, Rejected, Unknown, classify
from brokers.sides import Side
from brokers.tradestation import wire
from brokers.tradestation.answers import AMEND_SIGNS, PLACE_SIGNS, placement, receipt
from brokers.tradestation.symbols import Names, tradestation_symbols
from brokers.tradestation.wire import BadPayload, OrderRecord, PositionRecord, QuoteLine, decode
from brokers.tradestation.wire_accounts import position_of, summary_of
from brokers.tradestation.wire_market import QuoteMerger, bar_targets, bars_of
from brokers.tradestation.wire_orders import Foreign, change_body, group_body, order_body, seen_of
from config.instruments import shipped_instruments
from runtime.wire.http_messages import HttpResponse

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
NAMES = Names(tradestation_symbols(shipped_instruments()))
LEG = {"AssetType": "FUTURE", "BuyOrSell": "Buy", "ExecQuantity": "0", "QuantityOrdered": "3", "Symbol": "ESZ25"}
RECORD: dict[str, Any] = {
    "AccountID": "210FX231",
    "Duration": "DAY",
    "FilledPrice": "0",
    "GoodTillDate": "2025-12-01T00:00:00Z",
    "Legs": [LEG],
    "LimitPrice": "6890.25",
    "OpenedDateTime": "2025-12-01T14:30:03Z",
    "OrderID": "948679459",
    "OrderType": "Limit",
    "Status": "ACK",
}


def record(**changed: Any) -> OrderRecord:
    """The record of a limit order with other fields, those of its leg among them."""
    leg = {name: changed.pop(name) for name in list(changed) if name in (*LEG, "ExecutionPrice")}
    return decode(OrderRecord, json.dumps({**RECORD, "Legs": [{**LEG, **leg}], **changed}).encode())


def word(status: str, **changed: Any) -> OrderState:
    return seen_of(record(Status=status, **changed), NAMES).word


def test_a_record_is_read_with_its_exact_prices_and_times() -> None:
    seen = seen_of(record(ExecQuantity="1", ExecutionPrice="6890.250", Status="FPR"), NAMES)
    assert seen.order == Order(
        "948679459", "ESZ25", Side.BUY, OrderType.LIMIT, Decimal(3), limit_price=Decimal("6890.25")
    )
    assert (seen.word, str(seen.filled), str(seen.average)) == (OrderState.PARTIALLY_FILLED, "1", "6890.250")
    assert seen.opened_ns == 1764599403 * 10**9


@pytest.mark.parametrize(
    ("status", "changed", "expected"),
    [
        ("STP", {"ClosedDateTime": "2025-12-01T14:31:00Z", "QuantityRemaining": "0"}, OrderState.WORKING),
        ("OUT", {}, OrderState.UNKNOWN),
        ("OUT", {"ClosedDateTime": "2025-12-01T14:31:00Z"}, OrderState.CANCELED),
        ("ACK", {"ExecQuantity": "3", "ExecutionPrice": "1"}, OrderState.FILLED),
        ("FLP", {"ExecQuantity": "2", "ExecutionPrice": "1"}, OrderState.CANCELED),
        ("DON", {}, OrderState.HELD),
        ("OSO", {}, OrderState.HELD),
        ("UCN", {}, OrderState.PENDING_CANCEL),
        ("RSN", {}, OrderState.PENDING_REPLACE),
        ("EXP", {}, OrderState.EXPIRED),
        ("UCH", {}, OrderState.UNKNOWN),
        ("LAT", {}, OrderState.UNKNOWN),
        ("a status of next year", {}, OrderState.UNKNOWN),
    ],
)
def test_a_status_and_not_its_closing_time_says_how_an_order_stands(
    status: str, changed: dict[str, str], expected: OrderState
) -> None:
    assert word(status, **changed) is expected


@pytest.mark.parametrize(
    "changed",
    [
        {"ExecQuantity": "-1"},
        {"ExecQuantity": "NaN"},
        {"QuantityOrdered": "0"},
        {"LimitPrice": "1e999"},
        {"BuyOrSell": "Hold"},
        {"OrderType": "Wish"},
        {"OpenedDateTime": "yesterday"},
        {"OrderID": ""},
        {"Legs": []},
    ],
)
def test_f39_a_record_that_cannot_be_is_a_bad_payload(changed: dict[str, Any]) -> None:
    with pytest.raises(BadPayload, match="expected"):
        seen_of(record(**changed), NAMES)


def test_an_order_for_what_we_do_not_trade_is_foreign() -> None:
    with pytest.raises(Foreign):
        seen_of(record(Symbol="MSFT 220916C305"), NAMES)


def test_yen_futures_are_quoted_a_hundredfold() -> None:
    seen = seen_of(record(Symbol="JYZ25", LimitPrice="0.65100"), NAMES)
    assert (seen.order.symbol, seen.order.limit_price) == ("6JZ25", Decimal("0.00651"))
    body = order_body("A", attrs.evolve(seen.order, key="k"), "BUY", NAMES)
    assert (body["Symbol"], Decimal(body["LimitPrice"])) == ("JYZ25", Decimal("0.651"))


def order(**terms: Any) -> Order:
    fields: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal("6890.25")}
    return Order("7d0f3c2e9a41", "ESZ25", Side.BUY, quantity=Decimal(2), **{**fields, **terms})


def test_an_order_is_written_with_its_key_as_the_duplicate_guard() -> None:
    assert order_body("210FX231", order(), "BUY", NAMES) == {
        "AccountID": "210FX231",
        "Symbol": "ESZ25",
        "Quantity": "2",
        "OrderType": "Limit",
        "LimitPrice": "6890.25",
        "TradeAction": "BUY",
        "TimeInForce": {"Duration": "DAY"},
        "Route": "Intelligent",
        "OrderConfirmID": "7d0f3c2e9a41",
    }


@pytest.mark.parametrize("key", ["", "x" * 23, "a-b", "ключ"])
def test_a_key_that_the_confirm_id_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(BrokerError) as caught:
        order_body("A", attrs.evolve(order(), key=key), "BUY", NAMES)
    assert caught.value.code is Code.ORDER_REJECTED


def test_a_continuous_future_cannot_be_ordered() -> None:
    with pytest.raises(BrokerError) as caught:
        order_body("A", attrs.evolve(order(), symbol="ES"), "BUY", NAMES)
    assert caught.value.code is Code.SYMBOL_NOT_FOUND


def test_a_trailing_stop_is_a_stop_market_order_without_a_stop_price() -> None:
    trailing = order(type=OrderType.TRAILING_STOP, limit_price=None, trail_offset=Decimal("4.25"))
    body = order_body("A", trailing, "SELL", NAMES)
    assert (body["OrderType"], "StopPrice" in body) == ("StopMarket", False)
    assert body["AdvancedOptions"] == {"TrailingStop": {"Amount": "4.25"}}


def test_extended_hours_and_a_last_day_are_words_of_the_duration() -> None:
    body = order_body(
        "A",
        order(time_in_force=TimeInForce.GTD, expires_ns=1764599403 * 10**9, extended_hours=True),
        "BUY",
        NAMES,
    )
    assert body["TimeInForce"] == {"Duration": "GDP", "Expiration": "2025-12-01T14:30:03Z"}


@pytest.mark.parametrize(
    ("kind", "reduce", "expected"),
    [(GroupKind.BRACKET, True, "BRK"), (GroupKind.BRACKET, False, "OCO"), (GroupKind.OTO, False, "NORMAL")],
)
def test_children_hang_under_their_parent(kind: GroupKind, reduce: bool, expected: str) -> None:
    children = tuple(attrs.evolve(order(), key=key, side=Side.SELL) for key in ("c1", "c2"))
    group = OrderGroup("g", kind, order(), children, reduce)
    actions = {one.key: one.side.name for one in group.orders}
    (linked,) = group_body("A", group, actions, NAMES)["OSOs"]
    assert linked["Type"] == expected
    assert [one["OrderConfirmID"] for one in linked["Orders"]] == ["c1", "c2"]


def test_a_change_writes_only_what_changes() -> None:
    assert change_body("ESZ25", Change("k", limit_price=Decimal("6891.00")), NAMES) == {"LimitPrice": "6891.00"}


# Answers.


def placed(body: Any, status: int = 200, wanted: int = 1) -> Outcome:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify("tradestation", placement(HttpResponse(status, (), data), wanted), PLACE_SIGNS)


SENT = {"Message": "Sent order: Buy 2 ESZ25 @ 6890.25 Limit", "OrderID": "286179829"}
FAILED = {"Error": "FAILED", "Message": "Order failed. Reason: Type = LMT has invalid Price", "OrderID": "1234567"}


@pytest.mark.parametrize("body", [{"Orders": [SENT], "Errors": []}, {"Orders": [SENT]}])
def test_a_receipt_is_accepted(body: Any) -> None:
    outcome = placed(body)
    assert isinstance(outcome, Accepted)
    assert outcome.broker_order_id == "286179829"


@pytest.mark.parametrize("body", [{"Orders": [], "Errors": [FAILED]}, {"Errors": [FAILED]}])
def test_a_refusal_inside_a_200_is_rejected(body: Any) -> None:
    assert isinstance(placed(body), Rejected)


@pytest.mark.parametrize(
    ("body", "status", "wanted"),
    [
        ({"Orders": [SENT], "Errors": [FAILED]}, 200, 1),
        ({"Orders": [SENT], "Errors": [FAILED]}, 200, 2),
        ({"Orders": [SENT]}, 200, 3),
        ({"Orders": []}, 200, 1),
        ({"Orders": [{"Message": "Sent"}]}, 200, 1),
        ({"Errors": [{"Error": "GatewayTimeout", "Message": "?"}]}, 200, 1),
        ({}, 200, 1),
        (b"", 200, 1),
        (b"<html>", 200, 1),
        ({"Error": "GatewayTimeout", "Message": "Gateway Timeout"}, 504, 1),
        ({"Error": "TooManyRequests", "Message": "Too Many Requests"}, 429, 1),
        ({"Error": "Forbidden", "Message": "Quota Exceeded"}, 403, 1),
        ({"Error": "InternalServerError", "Message": "?"}, 500, 1),
        (b"<html>no JSON at all", 400, 1),
    ],
)
def test_f07_f08_what_proves_nothing_is_unknown(body: Any, status: int, wanted: int) -> None:
    assert isinstance(placed(body, status, wanted), Unknown)


def test_what_speaks_of_a_duplicate_is_never_a_rejection() -> None:
    assert isinstance(placed({"Errors": [{**FAILED, "Message": "Duplicate OrderConfirmID"}]}), Exists)


@pytest.mark.parametrize(
    ("status", "error", "message", "kind", "code"),
    [
        (401, "Unauthorized", "Unauthorized", NotSent, Code.SESSION_EXPIRED),
        (403, "Forbidden", "Invalid Account ID.", Rejected, Code.FORBIDDEN),
        (400, "BadRequest", "Missing field", Rejected, Code.ORDER_REJECTED),
    ],
)
def test_a_definite_status_is_a_definite_outcome(status: int, error: str, message: str, kind: type, code: Code) -> None:
    outcome = placed({"Error": error, "Message": message}, status)
    assert isinstance(outcome, kind)
    assert isinstance(outcome, Rejected | NotSent)
    assert outcome.error.code is code


def test_a_receipt_about_another_order_proves_nothing() -> None:
    def outcome(told: str) -> Outcome:
        body = json.dumps({"Message": "Cancel request sent", "OrderID": told}).encode()
        return classify("tradestation", receipt(HttpResponse(200, (), body), "1-23"), AMEND_SIGNS)

    assert isinstance(outcome("123"), Accepted)
    assert isinstance(outcome("124"), Unknown)


# Market data.


def line(text: str) -> QuoteLine:
    return decode(QuoteLine, text.encode())


def test_changes_are_merged_and_a_rise_of_the_volume_is_a_trade() -> None:
    merger = QuoteMerger("ESZ25", NAMES)
    whole = '{"Symbol":"ESZ25","Last":"6900.25","Ask":"6900.50","AskSize":"31","Bid":"6900.25","BidSize":"22","Volume":"512345"}'
    assert merger.merge(line(whole), 1) == (
        Quote("ESZ25", Decimal("6900.25"), Decimal("6900.50"), Decimal(22), Decimal(31), 1),
    )
    (quote,) = merger.merge(line('{"Symbol":"esz25","Bid":"6900.50"}'), 2)
    assert quote == Quote("ESZ25", Decimal("6900.50"), Decimal("6900.50"), Decimal(22), Decimal(31), 2)
    traded = '{"Symbol":"ESZ25","Last":"6900.75","LastSize":"3","TradeTime":"2025-12-01T14:30:02Z","Volume":"512348"}'
    assert merger.merge(line(traded), 3) == (Trade("ESZ25", Decimal("6900.75"), Decimal(3), 1764599402 * 10**9),)
    assert merger.merge(line(traded), 4) == ()


@pytest.mark.parametrize("field", ['"Bid":"NaN"', '"Bid":"1e99"', '"BidSize":"-1"', '"Volume":"-Infinity"'])
def test_a_bad_quote_line_changes_nothing(field: str) -> None:
    merger = QuoteMerger("ESZ25", NAMES)
    merger.merge(line('{"Symbol":"ESZ25","Bid":"1","Ask":"2","BidSize":"1","AskSize":"1","Volume":"5"}'), 1)
    with pytest.raises(BadPayload):
        merger.merge(line(f'{{"Symbol":"ESZ25","Ask":"9",{field}}}'), 2)
    (quote,) = merger.merge(line('{"Symbol":"ESZ25","BidSize":"2"}'), 3)
    assert isinstance(quote, Quote)
    assert quote.ask == 2


def test_only_closed_bars_count() -> None:
    raw = {"High": "3", "Low": "1", "Open": "2", "Close": "2", "TimeStamp": "2025-12-01T14:31:00Z", "TotalVolume": "7"}
    told = decode(wire.Bars, json.dumps({"Bars": [raw, {**raw, "BarStatus": "Open"}]}).encode())
    (bar,) = bars_of(told.bars or (), "ES", Interval.parse("1m"), NAMES)
    assert (str(bar.volume), bar.time_ns) == ("7", 1764599460 * 10**9)
    wrong = decode(wire.Bars, json.dumps({"Bars": [{**raw, "Low": "5"}]}).encode())
    with pytest.raises(BadPayload):
        list(bars_of(wrong.bars or (), "ES", Interval.parse("1m"), NAMES))


def test_bars_are_asked_for_in_parts_that_the_broker_gives() -> None:
    minute = Interval.parse("1m")
    targets = list(bar_targets("@ES", minute, 0, minute.nanoseconds * 100_000))
    assert len(targets) == 2
    assert targets[0].startswith("/v3/marketdata/barcharts/@ES?unit=Minute&interval=1&firstdate=1970-01-01T00:00:00Z")


# Accounts.


@pytest.mark.parametrize(
    ("quantity", "way", "expected"), [("2", "Long", 2), ("-2", "Short", -2), ("2", "Short", -2), ("-2", "Long", None)]
)
def test_a_position_s_sign_is_cross_checked(quantity: str, way: str, expected: int | None) -> None:
    raw = {"AccountID": "A", "Symbol": "ESZ25", "Quantity": quantity, "LongShort": way, "AveragePrice": "6890.25"}
    told = decode(PositionRecord, json.dumps(raw).encode())
    if expected is None:
        with pytest.raises(BadPayload):
            position_of(told, "ESZ25", "USD", NAMES, 1)
    else:
        assert position_of(told, "ESZ25", "USD", NAMES, 1).quantity == expected


def test_a_futures_account_tells_two_margins_and_an_equity_account_one() -> None:
    def margin(detail: dict[str, str]) -> tuple[str, str]:
        raw = {"AccountID": "A", "CashBalance": "1", "Equity": "1", "BalanceDetail": detail}
        told = summary_of(decode(wire.Balance, json.dumps(raw).encode()), "USD", 1).margin
        return str(told.initial), str(told.maintenance)

    assert margin({"InitialMargin": "12650", "MaintenanceMargin": "11500"}) == ("12650", "11500")
    assert margin({"RequiredMargin": "7"}) == ("7", "7")


# Whatever comes.

KINDS = [
    kind
    for kind in vars(wire).values()
    if isinstance(kind, type) and issubclass(kind, wire.Payload) and kind is not wire.Payload
]
scraps = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["NaN", "-1", "1e999", "Infinity", "0", "2025-12-01T14:30:05Z", "ESZ25", "ACK", "Buy"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RECORD, *LEG]), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150 * NIGHTLY)
@given(st.sampled_from(KINDS), st.binary(max_size=60) | scraps.map(lambda value: json.dumps(value).encode()))
def test_f36_bytes_are_a_payload_or_a_bad_payload(kind: type[Any], data: bytes) -> None:
    said = ""
    try:
        decode(kind, data)
    except BadPayload as bad:
        said = str(bad)
    assert len(said) < 1_000


@settings(max_examples=200 * NIGHTLY)
@given(
    st.dictionaries(st.sampled_from([*RECORD]), scraps, max_size=3),
    st.dictionaries(st.sampled_from([*LEG]), scraps, max_size=3),
)
def test_f39_a_damaged_record_is_read_or_refused(damage: dict[str, Any], to_leg: dict[str, Any]) -> None:
    raw = {**RECORD, "Legs": [{**LEG, **to_leg}], **damage}
    try:
        seen = seen_of(decode(OrderRecord, json.dumps(raw).encode()), NAMES)
    except (BadPayload, Foreign):
        return
    assert seen.filled >= 0
    assert seen.order.quantity > 0


@pytest.mark.parametrize(
    "data",
    [
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"Bid":' + b"9" * 5_000 + b"}",
        b'{"Symbol":"\xff"}',
        b'{"Bid":NaN}',
        b"\x00",
        b'{"Symbol":"' + b"a" * (wire.MAX_LINE + 1) + b'"}',
    ],
)
def test_f36_hostile_lines_are_refused_in_time(data: bytes) -> None:
    with pytest.raises(BadPayload):
        QuoteMerger("ESZ25", NAMES).merge(decode(QuoteLine, data, wire.MAX_LINE), 1)


def test_all_payloads_pass_over_fields_that_are_new() -> None:
    for kind in KINDS:
        assert not msgspec.structs.fields(kind) or kind.__struct_config__.forbid_unknown_fields is False
