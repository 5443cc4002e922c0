"""Every codec of the brokers' wires as a function from bytes to neutral values, with a few good words of each.

A codec may answer with values or refuse with its own error; anything else that it raises is a defect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from brokers import codec as neutral
from brokers.catalogue import Catalogue
from brokers.errors import BrokerError
from brokers.instruments import Kind
from brokers.market import Interval
from brokers.order_events import Event
from brokers.strict_json import InvalidJson
from brokers.symbols import SymbolError
from brokers.thinkorswim import wire as thinkorswim
from brokers.thinkorswim import wire_rest as thinkorswim_rest
from brokers.thinkorswim.board import Board
from brokers.tokens.credentials import Credential, LoginId
from brokers.tokens.flow import Flow, FlowResponse, LoginFailure, Wait
from brokers.tokens.oauth2 import TRADESTATION
from brokers.tokens.password import TRADOVATE_DEMO
from brokers.tokens.token_set import TokenSet
from brokers.tradestation import answers as tradestation_answers
from brokers.tradestation import wire as tradestation
from brokers.tradestation import wire_accounts as accounts
from brokers.tradestation.symbols import Names, tradestation_symbols
from brokers.tradestation.wire_market import QuoteMerger, bars_of
from brokers.tradestation.wire_orders import Foreign, seen_of
from brokers.tradovate import answers as tradovate_answers
from brokers.tradovate import wire as tradovate
from brokers.tradovate import wire_entities as entities
from brokers.tradovate import wire_market as tradovate_market
from brokers.tradovate import wire_orders as tradovate_orders
from runtime.wire.http_messages import HttpResponse
from runtime.wire.secret import Secret

NOW_NS = 1_767_625_200_000_000_000
SHIPPED = Catalogue.shipped()
MINUTE = Interval.parse("1m")


@attrs.frozen
class Codec:
    """One codec: what reads, what it may refuse with, and examples to begin from."""

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    words: Sequence[bytes]


def _tradestation_quotes() -> Callable[[bytes], object]:
    names = Names(tradestation_symbols(SHIPPED.table))

    def read(data: bytes) -> object:
        merger = QuoteMerger("ESH26", names)
        lines = [tradestation.decode(tradestation.QuoteLine, line) for line in data.split(b"\n") if line.strip()]
        return [merger.merge(line, NOW_NS) for line in lines]

    return read


def _tradestation_orders(data: bytes) -> object:
    names = Names(tradestation_symbols(SHIPPED.table))
    return seen_of(tradestation.decode(tradestation.OrderRecord, data), names).report(None)


def _tradestation_bars(data: bytes) -> object:
    names = Names(tradestation_symbols(SHIPPED.table))
    return list(bars_of(tradestation.decode(tradestation.Bars, data).bars or (), "ESH26", MINUTE, names))


def _every_kind(module: Any, payload: type, decode: Callable[..., object], bad: type[Exception]) -> list[object]:
    """What each kind of payload makes of the bytes."""
    found: list[object] = []
    for kind in [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, payload)]:
        try:
            found.append(decode(kind))
        except bad as refusal:
            found.append(str(refusal))
    return found


def _tradestation_documents(data: bytes) -> object:
    return _every_kind(
        tradestation, tradestation.Payload, lambda kind: tradestation.decode(kind, data), tradestation.BadPayload
    )


def _tradestation_accounts(data: bytes) -> object:
    names = Names(tradestation_symbols(SHIPPED.table))
    balances = tradestation.decode(tradestation.Balances, data).balances
    positions = tradestation.decode(tradestation.Positions, data).positions
    return [accounts.summary_of(one, "USD", NOW_NS) for one in balances], [
        accounts.position_of(one, "ESH26", "USD", names, NOW_NS) for one in positions
    ]


def _tradestation_answers(data: bytes) -> object:
    answer = HttpResponse(200, body=data)
    return tradestation_answers.placement(answer, 2), tradestation_answers.receipt(answer, "1")


def _tradovate_answers(data: bytes) -> object:
    answer = HttpResponse(200, body=data)
    return tradovate_answers.placement(answer, 2), tradovate_answers.receipt(answer, "1")


def _tradovate_charts(data: bytes) -> object:
    packets = tradovate.decode(tradovate_market.Charts, data).charts
    calendar = SHIPPED.calendar("ESH26")
    return [list(tradovate_market.drawn(one.bars, "ESH26", MINUTE, calendar)) for one in packets]


def _tradovate_orders(data: bytes) -> object:
    """An order, its terms and its fill, one a line."""
    order, version, fill = [*data.split(b"\n"), b"", b""][:3]
    row = tradovate.decode(entities.OrderRow, order)
    terms = tradovate.decode(entities.VersionRow, version)
    execution = tradovate.decode(entities.FillRow, fill)
    shown = tradovate_orders.shown_of("DEMO1", row, terms, "ESH26", None)
    tradovate_orders.fill_of(execution, "DEMO1", "ESH26", None, execution.qty)
    return shown.report((execution,))


def _answered(flow: Flow, data: bytes) -> object:
    """What a login makes of the same answer to all that it asks."""
    try:
        step: Any = next(flow)
        for _ in range(3):
            answer = HttpResponse(200, body=data)
            step = flow.send(None if isinstance(step, Wait) else FlowResponse(answer, NOW_NS))
    except StopIteration as end:
        return end.value
    return step


def _tokens(data: bytes) -> object:
    fields = {name: Secret(name) for name in ("client_id", "client_secret", "username", "password", "cid", "sec")}
    fields |= {"device_id": Secret("device"), "name": Secret("name")}
    credential = Credential(LoginId("b", "l", "sim"), fields)
    tokens = TokenSet(Secret("access"), Secret("refresh"), NOW_NS, NOW_NS + 10**12)
    found: list[object] = []
    for flow in (
        TRADESTATION.renew(credential, tokens),
        TRADOVATE_DEMO.log_in(credential),
        TRADOVATE_DEMO.renew(credential, tokens),
    ):
        try:
            found.append(_answered(flow, data))
        except LoginFailure as refusal:
            found.append(str(refusal))
    return found


def _neutral(data: bytes) -> object:
    return neutral.encode(neutral.decode(data, Event), Event)


def _tradovate_frames(data: bytes) -> object:
    return tradovate.read_frame(data)


def _tradovate_quotes(data: bytes) -> object:
    merger = tradovate_market.QuoteMerger("ESH26")
    text = data.decode(errors="replace")
    return [merger.merge(row) for row in tradovate_market.quotes_in(text) or ()]


def _tradovate_rows(data: bytes) -> object:
    return _every_kind(entities, tradovate.Payload, lambda kind: tradovate.decode(kind, data), tradovate.BadPayload)


def _thinkorswim_frames(data: bytes) -> object:
    board = Board(lot_shares=100, delayed_data=False)
    board.watch("/ESH26", "ESH26", Kind.FUTURE)
    board.watch("AMD", "AMD", Kind.STOCK)
    return [board.take(batch, NOW_NS) for batch in thinkorswim.decode_frame(data).data or ()]


_TS = (tradestation.BadPayload, BrokerError, Foreign, SymbolError)
_TO = (tradovate.BadPayload,)
_SW = (thinkorswim.Malformed,)
_BAR = (
    b'{"Bars":[{"High":"6860","Low":"6850.25","Open":"6855","Close":"6858.5","TimeStamp":"2026-01-05T15:01:00Z",'
    b'"TotalVolume":"897","BarStatus":"Closed","Epoch":1767625260000}]}'
)
_QUOTE = (
    b'{"Symbol":"ESH26","Bid":"6858.25","Ask":"6858.5","BidSize":"12","AskSize":"9","Last":"6858.5","Volume":"100"}\n'
    b'{"Symbol":"ESH26","Bid":"6858.5"}\n{"Heartbeat":1,"Timestamp":"2026-01-05T15:01:00Z"}'
)
_ORDER = (
    b'{"AccountID":"SIM1","OrderID":"948679459","Status":"FLL","OrderType":"Limit","LimitPrice":"6858","Duration":"DAY",'
    b'"OpenedDateTime":"2026-01-05T15:01:00Z","FilledPrice":"6858","Legs":[{"Symbol":"ESH26","BuyOrSell":"Buy",'
    b'"QuantityOrdered":"2","ExecQuantity":"2","QuantityRemaining":"0","ExecutionPrice":"6858"}]}'
)
_FOREIGN = _ORDER.replace(b'"Symbol":"ESH26"', b'"Symbol":"ESH+6"')
_MD = (
    b'a[{"e":"md","d":{"quotes":[{"timestamp":"2025-12-01T14:30:05.100Z","contractId":1,"entries":{"Bid":'
    b'{"price":6858.25,"size":3},"Offer":{"price":6858.5,"size":4},"Trade":{"price":6858.5,"size":1},'
    b'"TotalTradeVolume":{"size":100}}}]}}]'
)
_LEVEL = (
    b'{"data":[{"service":"LEVELONE_FUTURES","timestamp":1767625200000,"command":"SUBS","content":'
    b'[{"key":"/ESH26","1":6900.25,"2":6900.5,"3":6900.25,"4":22,"5":31,"8":512345,"10":1767625199000}]}]}'
)
_ACTIVITY = (
    b'{"data":[{"service":"ACCT_ACTIVITY","timestamp":1767625200000,"command":"SUBS","content":[{"seq":1,"key":'
    b'"Account Activity","1":"12345678","2":"OrderCreated","3":"{\\"SchwabOrderID\\":\\"7\\"}"}]}]}'
)
_CANDLES = (
    b'{"candles":[{"open":1.5,"high":2,"low":1,"close":1.75,"volume":10,"datetime":1767625200000}],"symbol":"AMD"}'
)

_BALANCES = (
    b'{"Balances":[{"AccountID":"SIM1","CashBalance":"100000","Equity":"100010.5","BalanceDetail":'
    b'{"RealizedProfitLoss":"10.5"}}],"Positions":[{"AccountID":"SIM1","PositionID":"7","Symbol":"ESH26",'
    b'"LongShort":"Short","Quantity":"-2","AveragePrice":"6858.25","Last":"6858","UnrealizedProfitLoss":"25"}]}'
)
_CHART = (
    b'{"charts":[{"id":9,"td":20260105,"bars":[{"timestamp":"2026-01-05T15:00:00.000Z","open":6855,"high":6860.25,'
    b'"low":6850.5,"close":6858,"upVolume":7,"downVolume":3,"upTicks":2,"downTicks":1}]},{"id":9,"eoh":true}]}'
)
_ROWS = (
    b'{"id":1,"accountId":2,"contractId":3,"timestamp":"2026-01-05T15:01:00Z","action":"Buy","ordStatus":"Filled"}\n'
    b'{"id":4,"orderId":1,"orderQty":2,"orderType":"Limit","price":6858.25,"timeInForce":"GTC"}\n'
    b'{"id":5,"orderId":1,"contractId":3,"timestamp":"2026-01-05T15:01:01Z","action":"Buy","qty":2,"price":6858.25}'
)
_TOKENS = (
    b'{"access_token":"a","refresh_token":"r","expires_in":1200,"token_type":"Bearer"}',
    b'{"accessToken":"a","mdAccessToken":"m","expirationTime":"2026-01-05T16:30:00Z","userId":7,"hasLive":true}',
    b'{"p-ticket":"t","p-time":15,"p-captcha":false}',
    b'{"errorText":"Two-factor authentication is required"}',
)
_NEUTRAL = (
    b'{"type":"filled","fill":{"id":"1","broker":"paper","account":"SIM","symbol":"ESH26","side":"buy","quantity":"1",'
    b'"price":"5","time_ns":7,"order_key":null,"broker_order_id":null,"fee":"0","fee_currency":"","liquidity":"unknown",'
    b'"session":null}}'
)

CODECS: Mapping[str, Codec] = {
    "tradestation-quotes": Codec(_tradestation_quotes(), _TS, (_QUOTE,)),
    "tradestation-orders": Codec(_tradestation_orders, _TS, (_ORDER, _FOREIGN)),
    "tradestation-bars": Codec(_tradestation_bars, _TS, (_BAR,)),
    "tradestation-documents": Codec(_tradestation_documents, _TS, (_ORDER, _BAR)),
    "tradestation-accounts": Codec(_tradestation_accounts, _TS, (_BALANCES,)),
    "tradestation-answers": Codec(
        _tradestation_answers,
        _TS,
        (b'{"Orders":[{"OrderID":"1","Message":"Sent"}]}', b'{"OrderID":"1","Error":"FAILED"}'),
    ),
    "tradovate-answers": Codec(
        _tradovate_answers, _TO, (b'{"orderId":1,"oso1Id":2}', b'{"failureReason":"TooLate","violations":[{}]}')
    ),
    "tradovate-charts": Codec(_tradovate_charts, _TO, (_CHART,)),
    "tradovate-orders": Codec(_tradovate_orders, _TO, (_ROWS,)),
    "tokens": Codec(_tokens, (), _TOKENS),
    "neutral-model": Codec(_neutral, (InvalidJson,), (_NEUTRAL,)),
    "tradovate-frames": Codec(
        _tradovate_frames, _TO, (b"o", b"h", b'c[3000,"Go away!"]', b'a[{"s":200,"i":2,"d":{}}]', _MD)
    ),
    "tradovate-quotes": Codec(_tradovate_quotes, _TO, (_MD,)),
    "tradovate-rows": Codec(
        _tradovate_rows,
        _TO,
        (b'{"id":1,"accountId":2,"contractId":3,"timestamp":"2026-01-05T15:01:00Z","action":"Buy"}',),
    ),
    "thinkorswim-frames": Codec(
        _thinkorswim_frames, _SW, (_LEVEL, _ACTIVITY, b'{"notify":[{"heartbeat":"1764599410000"}]}')
    ),
    "thinkorswim-history": Codec(thinkorswim_rest.decode_history, _SW, (_CANDLES,)),
    "thinkorswim-preferences": Codec(
        thinkorswim_rest.decode_preferences, (*_SW, BrokerError), (b'{"streamerInfo":[]}',)
    ),
    "thinkorswim-facts": Codec(thinkorswim_rest.decode_facts, _SW, (b'{"AMD":{"quote":{}}}',)),
}

REFUSED = (_FOREIGN, b'{"streamerInfo":[]}')
"""Good words that are refused all the same: they are about what nobody trades, or hold too little."""


def survives(codec: Codec, data: bytes) -> object:
    """What a codec makes of bytes, or its refusal; whatever else it raises passes through."""
    try:
        return codec.read(data)
    except codec.refuses as refusal:
        return refusal


def hostile() -> Sequence[bytes]:
    """Input that breaks careless parsers, none of it large on purpose but the last."""
    any_json: Sequence[Any] = ({}, [], None, True, 0, -1, "x", [[]], {"": {}}, {"data": [None]}, {"Bars": [{}]})
    return (
        *(msgspec.json.encode(one) for one in any_json),
        b"",
        b"\x00",
        b"\xff\xfe\xc3(",
        b'{"Bid":NaN}',
        b'{"Bid":"NaN","Volume":"Infinity","Last":"-sNaN"}',
        b'{"Bid":1e999999,"Ask":"1E+999999999"}',
        b'{"access_token":"a","expires_in":1e99999999999999999999,"Bid":1e-99999999999999999999}',
        _MD.replace(b"6858.25", b"1e99999999999999999999").replace(b":3}", b":1e99999999999999999999}"),
        b'{"Symbol":"ES\\u0000Z26","Bid":"1"}',
        b'{"OrderID":"1","OrderID":"2"}',
        b'{"Quantity":' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"data":' * 20_000,
        b'a[{"e":"md","d":{"quotes":' + b"[" * 50_000,
        b'{"Padding":"' + b"x" * (8 << 20) + b'"}',
    )
