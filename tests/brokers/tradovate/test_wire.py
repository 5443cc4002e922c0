"""The codecs: frames of the vendor's texts, hostile bytes, and the speed of a quote."""

import contextlib
import datetime as dt
import json
import timeit
import tracemalloc
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.catalogue import Catalogue
from brokers.market import Interval, Quote, Trade
from brokers.model import GroupKind, Order, OrderGroup, OrderState, OrderType, TimeInForce
from brokers.sides import Side
from brokers.symbols import SymbolError
from brokers.tradovate.symbols import Contracts, tradovate_symbols
from brokers.tradovate.wire import (
    BadPayload,
    Beat,
    Closing,
    Message,
    Opened,
    decode,
    read_frame,
    request_text,
    stamp,
    time_ns,
)
from brokers.tradovate.wire_entities import KINDS, ContractRow, FillRow, MaturityRow, OrderRow, Synced, VersionRow
from brokers.tradovate.wire_market import Charts, QuoteMerger, Quotes, chart_body, drawn, quotes_in
from brokers.tradovate.wire_orders import change_body, fill_of, group_body, order_body, shown_of, written
from config.instruments import MONTH_CODES

ES = 3570918
QUOTE = (
    'a[{"e":"md","d":{"quotes":[{"timestamp":"2025-12-01T14:30:05.100Z","contractId":3570918,"entries":{"Bid":'
    '{"price":6900.25,"size":22},"Offer":{"price":6900.5,"size":31},"Trade":{"price":6900.25,"size":1},'
    '"TotalTradeVolume":{"size":512345},"OpenInterest":{"size":2105000},"OpeningPrice":{"price":6895.0},'
    '"HighPrice":{"price":6905.25},"LowPrice":{"price":6880.0},"SettlementPrice":{"price":6893.75},"EmptyBook":{}}}]}}]'
)
AT_NS = 1764599405100000000
CATALOGUE = Catalogue.shipped()
NAMES = tradovate_symbols(CATALOGUE.table)


def events(text: str, merger: QuoteMerger) -> list[Quote | Trade]:
    """By the way for all frames; where the quick way takes the frame, it must read the same rows."""
    frame = read_frame(text)
    assert isinstance(frame, tuple)
    rows = [row for message in frame for row in decode(Quotes, message.d).quotes]
    quick = quotes_in(text)
    assert quick is None or list(quick) == rows
    return [one for row in rows for one in merger.merge(row)]


def quote(**entries: dict[str, Any]) -> str:
    row = {"timestamp": "2025-12-01T14:30:05.100Z", "contractId": ES, "entries": entries}
    return "a" + json.dumps([{"e": "md", "d": {"quotes": [row]}}], separators=(",", ":"))


# Frames.


def test_the_four_kinds_of_frames_are_told_apart() -> None:
    assert read_frame("o") == Opened()
    assert read_frame("h") == Beat()
    assert read_frame('c[3000,"Go away!"]') == Closing(3000, "Go away!")
    assert read_frame('a[{"s":200,"i":1}]') == (Message(i=1, s=200),)
    assert read_frame("a[]") == ()


def test_responses_and_events_share_a_frame() -> None:
    frame = read_frame(b'a[{"e":"props","d":{"entityType":"order"}},{"s":404,"i":7,"d":"Not found: order"}]')
    assert isinstance(frame, tuple)
    assert [(one.e, one.i, one.s, bytes(one.d)) for one in frame] == [
        ("props", -1, 0, b'{"entityType":"order"}'),
        ("", 7, 404, b'"Not found: order"'),
    ]


def test_a_request_is_four_lines_and_its_body_may_have_more() -> None:
    assert request_text("authorize", 1, "at_0001") == "authorize\n1\n\nat_0001"
    assert (
        request_text("tradingPermission/ldeps", 8, query="masterids=1") == "tradingPermission/ldeps\n8\nmasterids=1\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "hh",
        "a",
        "a{}",
        "a[1]",
        'a[{"i":"one"}]',
        "c",
        'c["a",3]',
        "c[3000]",
        b"\xff\xfe",
        "a" + "[" * 100_000,
        'a[{"d":' + "[" * 100_000,
        'a[{"i":' + "9" * 5_000 + "}]",
    ],
)
def test_what_is_no_frame_is_a_bad_payload_f36(text: str | bytes) -> None:
    with pytest.raises(BadPayload):
        read_frame(text)


@given(st.one_of(st.text(), st.binary(), st.text().map(lambda text: f"a[{text}]"), st.text().map("c".__add__)))
def test_no_frame_raises_anything_else(text: str | bytes) -> None:
    with contextlib.suppress(BadPayload):
        read_frame(text)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from([*KINDS.values(), Synced, Quotes, Charts]), _JSON | st.binary())
def test_no_document_raises_anything_else(kind: Any, value: Any) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    for document in (data, b"[" + data + b"]", b'{"id":1,"orderId":2,"quotes":' + data + b"}"):
        try:
            decode(kind, document)
        except BadPayload:
            continue


@given(st.dictionaries(st.sampled_from(["Bid", "Offer", "Trade", "TotalTradeVolume"]), _JSON))
def test_no_quote_raises_anything_else_f39(entries: dict[str, Any]) -> None:
    merger = QuoteMerger("ESZ25")
    try:
        for one in events(quote(**entries), merger):
            assert one.symbol == "ESZ25"
    except BadPayload:
        return


def test_a_huge_document_is_refused_before_it_is_read_f36() -> None:
    data = b"[" + b"1," * (8 << 20)
    tracemalloc.start()
    with pytest.raises(BadPayload, match="at most"):
        decode(tuple[int, ...], data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.integers(0, 4_102_444_800_000))
def test_stamps_survive_both_ways_to_the_millisecond(milliseconds: int) -> None:
    assert time_ns(stamp(milliseconds * 1_000_000), "t") == milliseconds * 1_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "2025-12-01T14:30:05", "9" * 5000])
def test_a_stamp_without_a_zone_or_a_sense_is_bad(text: str) -> None:
    with pytest.raises(BadPayload):
        time_ns(text, "t")


# Quotes.


def test_a_quote_is_exact_and_its_first_event_no_trade() -> None:
    (only,) = events(QUOTE, QuoteMerger("ESZ25"))
    assert only == Quote("ESZ25", Decimal("6900.25"), Decimal("6900.5"), Decimal(22), Decimal(31), AT_NS)


def test_missing_entries_are_unchanged_and_volume_tells_trades() -> None:
    merger = QuoteMerger("ESZ25")
    events(QUOTE, merger)
    assert events(quote(Bid={"price": 6900.0}), merger) == [
        Quote("ESZ25", Decimal("6900.0"), Decimal("6900.5"), Decimal(22), Decimal(31), AT_NS)
    ]
    traded = quote(Trade={"price": 6900.5, "size": 2}, TotalTradeVolume={"size": 512350})
    assert events(traded, merger) == [Trade("ESZ25", Decimal("6900.5"), Decimal(5), AT_NS)]
    assert events(traded, merger) == []
    (quoted,) = events(quote(Offer={"size": 0}), merger)
    assert isinstance(quoted, Quote)
    assert quoted.ask is None


def test_where_no_volume_is_told_each_trade_entry_is_a_trade() -> None:
    merger = QuoteMerger("ESZ25")
    assert events(quote(Trade={"price": 5, "size": 1}), merger) == []
    assert events(quote(Trade={"price": 5, "size": 3}), merger) == [Trade("ESZ25", Decimal(5), Decimal(3), AT_NS)]


def test_a_quote_that_cannot_be_changes_nothing_f39() -> None:
    merger = QuoteMerger("ESZ25")
    events(QUOTE, merger)
    for bad in ({"Bid": {"price": 1, "size": -5}}, {"Bid": {"size": 7}, "Offer": {"price": "1e999"}}):
        with pytest.raises(BadPayload):
            events(quote(**bad), merger)
    (after,) = events(quote(Offer={"size": 8}), merger)
    assert isinstance(after, Quote)
    assert (after.bid, after.bid_size, after.ask_size) == (Decimal("6900.25"), Decimal(22), Decimal(8))


def test_a_quote_takes_a_few_microseconds_from_bytes_to_our_model() -> None:
    mergers = {ES: QuoteMerger("ESZ25")}
    text = quote(Bid={"price": 6900.25, "size": 22}, Offer={"price": 6900.5, "size": 31})

    def once() -> None:
        for row in quotes_in(text) or ():
            mergers[row.contract_id].merge(row)

    def plain() -> None:
        json.loads(text[1:])

    rounds = [timeit.timeit(once, number=1_000) / timeit.timeit(plain, number=1_000) for _ in range(15)]
    assert min(rounds) < 3  # a ratio, for machines differ; the standard decoder makes of it dicts and floats


def test_a_frame_of_quotes_and_something_else_is_left_to_the_way_for_all_frames() -> None:
    assert quotes_in(QUOTE) is not None
    assert quotes_in(QUOTE[:-1] + ',{"s":200,"i":4,"d":{}}]') is None
    assert quotes_in(QUOTE[:-1] + ',{"e":"chart","d":{"charts":[]}}]') is None
    assert quotes_in(QUOTE[:-2]) is None
    assert quotes_in("h") is None


# Charts.


def test_bars_are_named_by_their_close_and_days_by_their_session() -> None:
    text = (
        b'{"charts":[{"id":32,"td":20251201,"bars":[{"timestamp":"2025-12-01T14:25:00.000Z","open":6899.5,'
        b'"high":6901.75,"low":6899.0,"close":6901.5,"upVolume":821,"downVolume":702,"upTicks":345,"downTicks":310}]},'
        b'{"id":32,"eoh":true}]}'
    )
    first, last = decode(Charts, text).charts
    (one,) = drawn(first.bars, "ESZ25", Interval.parse("5m"), CATALOGUE.calendar("ESZ25"))
    assert (one.bar.volume, one.bar.trades, one.bar.high) == (Decimal(1523), 655, Decimal("6901.75"))
    assert one.bar.time_ns == time_ns("2025-12-01T14:30:00Z", "t")
    assert last.eoh
    for start in ("2025-11-30T23:00:00Z", "2025-12-01T00:00:00Z", "2025-11-30T22:00:00Z"):
        row = msgspec.structs.replace(first.bars[0], timestamp=start)
        (day,) = drawn([row], "ESZ25", Interval.parse("1d"), CATALOGUE.calendar("ESZ25"))
        assert day.bar.time_ns == time_ns("2025-12-01T22:00:00Z", "t")


def test_a_bar_whose_high_is_below_its_low_is_bad_f39() -> None:
    row = decode(
        Charts,
        b'{"charts":[{"id":1,"bars":[{"timestamp":"2025-12-01T14:25:00Z","open":1,"high":1,"low":2,"close":1}]}]}',
    )
    with pytest.raises(BadPayload):
        list(drawn(row.charts[0].bars, "ESZ25", Interval.parse("1m"), CATALOGUE.calendar("ESZ25")))


def test_hours_are_asked_for_as_minutes() -> None:
    body = chart_body("ESZ5", Interval.parse("4h"), 0, AT_NS)
    assert body["chartDescription"]["underlyingType"] == "MinuteBar"
    assert body["chartDescription"]["elementSize"] == 240


# Orders.


def order(**changed: Any) -> Order:
    fields: dict[str, Any] = {
        "symbol": "ESZ25",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal(2),
    } | changed
    return Order("pb-1", **fields)


def test_an_order_is_written_with_numbers_our_key_and_the_sign_of_a_program() -> None:
    body = order_body("DEMO15460", 1009, order(limit_price=Decimal("6890.250")), "ESZ5")
    assert json.loads(written(body)) == {
        "accountSpec": "DEMO15460",
        "accountId": 1009,
        "clOrdId": "pb-1",
        "action": "Buy",
        "symbol": "ESZ5",
        "orderQty": 2,
        "orderType": "Limit",
        "price": 6890.25,
        "timeInForce": "Day",
        "isAutomated": True,
    }
    assert b"6890.250" in written(body)  # exact, not by way of a float


def test_a_price_of_zero_is_written() -> None:
    assert order_body("A", 1, order(limit_price=Decimal(0)), "CLZ5")["price"] == 0


def test_a_change_carries_all_terms() -> None:
    until_ns = time_ns("2025-12-05T21:00:00Z", "t")
    gtd = order(type=OrderType.STOP_LIMIT, limit_price=Decimal(2), stop_price=Decimal(1))
    gtd = attrs.evolve(gtd, time_in_force=TimeInForce.GTD, expires_ns=until_ns)
    assert json.loads(written(change_body(7, gtd))) == {
        "orderId": 7,
        "orderQty": 2,
        "orderType": "StopLimit",
        "price": 2,
        "stopPrice": 1,
        "timeInForce": "GTD",
        "expireTime": "2025-12-05T21:00:00.000Z",
        "isAutomated": True,
    }


def test_groups_that_the_broker_cannot_hold_together_are_not_sent() -> None:
    entry, leg = order(limit_price=Decimal(1)), order(side=Side.SELL, limit_price=Decimal(2))
    other = order(side=Side.SELL, quantity=Decimal(1), limit_price=Decimal(3))
    body = group_body("A", 1, OrderGroup("g", GroupKind.BRACKET, entry, (leg,)), "ESZ5")
    assert body["bracket1"]["clOrdId"] == leg.key
    assert "symbol" not in body["bracket1"]
    for group in (
        OrderGroup("g", GroupKind.BRACKET, entry, (leg, other)),
        OrderGroup("g", GroupKind.OCO, None, (leg, leg, leg)),
        OrderGroup("g", GroupKind.OTO, entry, (leg,)),
    ):
        with pytest.raises(Exception, match="expected"):
            group_body("A", 1, group, "ESZ5")


ROW = OrderRow(id=5, account_id=1, contract_id=ES, timestamp="2025-12-01T14:30:03.101Z", action="Buy")
VERSION = VersionRow(id=5, order_id=5, order_qty=Decimal(3), order_type="Limit", price=Decimal("6890.25"))


@pytest.mark.parametrize(
    ("status", "filled", "parent", "state"),
    [
        ("PendingNew", 0, None, OrderState.PENDING_NEW),
        ("Working", 0, None, OrderState.WORKING),
        ("Working", 1, None, OrderState.PARTIALLY_FILLED),
        ("PendingReplace", 0, None, OrderState.PENDING_REPLACE),
        ("PendingCancel", 1, None, OrderState.PENDING_CANCEL),
        ("Suspended", 0, 4, OrderState.HELD),
        ("Suspended", 0, None, OrderState.SUSPENDED),
        ("Filled", 3, None, OrderState.FILLED),
        ("Completed", 3, None, OrderState.FILLED),
        ("Completed", 1, None, OrderState.CANCELED),
        ("Canceled", 1, None, OrderState.CANCELED),
        ("Expired", 0, None, OrderState.EXPIRED),
        ("Rejected", 0, None, OrderState.REJECTED),
        ("Unknown", 0, None, OrderState.UNKNOWN),
        ("Levitating", 0, None, OrderState.UNKNOWN),
    ],
)
def test_every_status_has_its_neutral_word(status: str, filled: int, parent: int | None, state: OrderState) -> None:
    row = msgspec.structs.replace(ROW, ord_status=status, parent_id=parent)
    assert shown_of("A", row, VERSION, "ESZ25", "k").state(Decimal(filled)) is state


@pytest.mark.parametrize("bad", [{"order_qty": Decimal(-1)}, {"order_qty": Decimal(0)}, {"order_type": "Wish"}])
def test_an_order_that_cannot_be_is_a_bad_payload_f39(bad: dict[str, Any]) -> None:
    with pytest.raises(BadPayload):
        shown_of("A", ROW, msgspec.structs.replace(VERSION, **bad), "ESZ25", "k")


def test_a_fill_that_cannot_be_is_a_bad_payload_f39() -> None:
    good = FillRow(9, 5, ES, "2025-12-01T14:30:41.002Z", "Buy", Decimal(1), Decimal("6890.25"))
    assert fill_of(good, "A", "ESZ25", "k", Decimal(2)).fee == 2
    for bad in ({"qty": Decimal(-1)}, {"qty": Decimal(0)}, {"action": "Gift"}, {"timestamp": "soon"}):
        with pytest.raises(BadPayload):
            fill_of(msgspec.structs.replace(good, **bad), "A", "ESZ25", "k", Decimal(0))


# Names.

_FUTURES = sorted(root for root in CATALOGUE.table.roots() if CATALOGUE.table[root].kind == "future")


@given(st.sampled_from(_FUTURES), st.sampled_from(MONTH_CODES), st.integers(2001, 2090), st.integers(-1, 8))
def test_a_contract_survives_both_ways_as_seen_within_ten_years(root: str, month: str, year: int, ahead: int) -> None:
    symbol = f"{root}{month}{(year + ahead) % 100:02d}"
    name = NAMES.to_broker_symbol(symbol)
    assert name == f"{root}{month}{(year + ahead) % 10}"
    assert NAMES.to_canonical_symbol(name, dt.date(year, 6, 1)) == symbol
    assert NAMES.to_root_symbol(name) == root


@given(st.sampled_from(_FUTURES), st.integers(1, 12), st.integers(2000, 2099))
def test_the_maturity_tells_the_year_that_one_digit_cannot(root: str, month: int, year: int) -> None:
    contracts = Contracts(NAMES)
    name = f"{root}{MONTH_CODES[month - 1]}{year % 10}"
    contracts.learn([ContractRow(1, name, 2)], [MaturityRow(2, year * 100 + month)], dt.date(2025, 6, 1))
    assert contracts.symbol(1) == f"{root}{MONTH_CODES[month - 1]}{year % 100:02d}"
    assert contracts.missing([1, 3]) == [3]


def test_a_root_alone_is_supported_and_has_no_name_that_trades() -> None:
    assert NAMES.supports_symbol("ES")
    with pytest.raises(SymbolError):
        NAMES.to_broker_symbol("ES")


def test_a_contract_that_contradicts_its_maturity_or_is_unknown_stands_for_nothing() -> None:
    contracts = Contracts(NAMES)
    rows = [ContractRow(1, "ESZ5", 2), ContractRow(3, "WHATZ5", 2)]
    contracts.learn(rows, [MaturityRow(2, 202603)], dt.date(2025, 6, 1))
    assert (contracts.symbol(1), contracts.symbol(3), contracts.missing([1, 3])) == (None, None, [])
