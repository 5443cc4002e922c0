"""Account activity as the streamer tells it: one event of one order each, its decimals in two words; pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from brokers.model import Fill
from brokers.sides import Side
from brokers.thinkorswim.emulator.market import cusip
from brokers.thinkorswim.emulator.records import At, Record
from brokers.thinkorswim.emulator.words import local_stamp

SCALE: Final = 6
_MILLION: Final = 10**SCALE
_TYPES: Final = {
    "MARKET": "Market",
    "LIMIT": "Limit",
    "STOP": "Stop",
    "STOP_LIMIT": "StopLimit",
    "TRAILING_STOP": "TrailingStop",
}
_LIVES: Final = {"DAY": "Day", "GOOD_TILL_CANCEL": "GoodTillCancel"}
_SIZES: Final = frozenset({"Quantity", "LeavesQuantity", "CumulativeQuantity", "ExecutionQuantity"})
_PRICES: Final = frozenset({"LimitPrice", "StopPrice", "AveragePrice", "ExecutionPrice"})

Event = dict[str, Any]


def decimal(value: Decimal) -> dict[str, Any]:
    """A number as an integer with its places, twice, and its sign in the lowest bit; nought has no integer."""
    whole = int(abs(value) * _MILLION)
    scale = SCALE * 2 + (value < 0)
    return {"lo": str(whole), "signScale": scale} if whole else {"signScale": scale}


def created(record: Record, at: At) -> Event:
    """An order is there."""
    return _event(record, "OrderCreated", "OrderCreatedEventEquityOrder", {"Order": _order(record, at)})


def accepted(record: Record, at: At) -> Event:
    """The broker has taken it."""
    said = {
        "CreatedTimeStamp": _time(at(record.entered_ns)),
        "ExpiryTimeStamp": {"DateTimeString": local_stamp(at(record.entered_ns))[:10]},
        "Status": "Open",
        "TradingSessionCodeOnOrderEntry": "REG",
    }
    return _event(record, "OrderAccepted", "OrderAcceptedEvent", said)


def monitored(record: Record, stage: str, time_ns: int) -> Event:
    """The broker watches the price for a stop; stage is Created or Completed."""
    return _event(record, f"OrderMonitor{stage}", f"OrderMonitor{stage}Event", {"TimeStamp": _time(time_ns)})


def routed(record: Record, what: str, time_ns: int) -> list[Event]:
    """The order, or its cancel, is sent to a venue, which answers; the answer is a word or a number."""
    answer: str | int = "Accepted" if what == "New" else 7
    asked = {"RouteRequestedType": what, "RouteStatus": "Sent", "TimeStamp": _time(time_ns)}
    done = {"RouteRequestedType": what, "ResponseType": answer, "RouteStatus": 8, "TimeStamp": _time(time_ns)}
    return [
        _event(record, "ExecutionRequested", "ExecutionRequestedEvent", asked),
        _event(record, "ExecutionRequestCompleted", "ExecutionRequestCompletedEvent", done),
    ]


def filled(record: Record, fill: Fill, number: int, at: At) -> Event:
    """An execution; despite its name it comes for parts too."""
    leaves, name = record.quantity - record.filled, execution_id(record, number, at)
    said = {
        "LegId": str(record.order_id),
        "LegStatus": "LegOpen" if leaves else "LegClosed",
        "QuantityInfo": {
            "ExecutionID": name,
            "CumulativeQuantity": decimal(record.filled),
            "LeavesQuantity": decimal(leaves),
            "AveragePrice": decimal(record.average),
        },
        "LegSubStatus": "LegSubStatusPartiallyFilled" if leaves else "LegSubStatusFilled",
        "ExecutionInfo": _execution(fill, number, name, "Fill", at),
        "OrderInfoForTransactionPosting": _posting(record),
    }
    return _event(record, "OrderFillCompleted", "OrderFillCompletedEventOrderLegQuantityInfo", said)


def restated(record: Record, fill: Fill, number: int, what: str, at: At) -> Event:
    """An execution is taken back (Bust) or given another price (Correct)."""
    said = {"ExecutionInfo": _execution(fill, number, execution_id(record, number, at), what, at)}
    return _event(record, "ExecutionCreated", "ExecutionCreatedEvent", said)


def cancel_accepted(record: Record, time_ns: int) -> Event:
    """A cancel is taken."""
    said = {"LegId": str(record.order_id), "CancelAcceptedTimeStamp": _time(time_ns)}
    return _event(record, "CancelAccepted", "CancelAcceptedEvent", said)


def out(record: Record, kind: str, time_ns: int, why: str = "") -> Event:
    """An order is out of the market: canceled by somebody, or, as SystemReject, refused."""
    said: dict[str, Any] = {
        "LegId": str(record.order_id),
        "ExecutionId": f"{local_stamp(time_ns)[:10].replace('-', '')}-EST-ngOMS-{record.order_id}",
        "LeavesQuantity": decimal(Decimal(0)),
        "CancelQuantity": decimal(record.quantity - record.filled),
        "LegStatus": "LegClosed",
        "LegSubStatus": "LegSubStatusCancelled",
        "OutCancelType": kind,
        "VenueExecutionTimeStamp": _time(time_ns),
        "ExecutionTimeStamp": _time(time_ns),
    }
    if why:
        said["ValidationDetail"] = [{"NgOMSRuleName": "OrderValidation", "NgOMSRuleDescription": why}]
    return _event(record, "OrderUROutCompleted", "OrderUROutCompletedEvent", said)


def uro(record: Record, time_ns: int) -> Event:
    """What the venue says to a cancel, before the order is told as out."""
    said = {"ExecutionInfo": {"ExecutionTransType": "UROut", "ExecutionTimeStamp": _time(time_ns)}}
    return _event(record, "ExecutionCreated", "ExecutionCreatedEvent", said)


def expired(record: Record, time_ns: int) -> Event:
    """An order's time is up."""
    said = {"LegId": str(record.order_id), "LegStatus": "LegClosed", "ExpiredTimeStamp": _time(time_ns)}
    return _event(record, "OrderExpired", "OrderExpiredEvent", said)


def change_created(record: Record, replaced: Record, at: At) -> Event:
    """An order that is to take another's place is there, under its new id."""
    said = {"ParentSchwabOrderID": str(replaced.order_id), "Order": _order(record, at)}
    return _event(record, "ChangeCreated", "ChangeCreatedEventEquityOrder", said)


def change_accepted(record: Record, replaced: Record, time_ns: int) -> Event:
    """It has taken that place."""
    said = {"ParentSchwabOrderID": str(replaced.order_id), "TimeStamp": _time(time_ns)}
    return _event(record, "ChangeAccepted", "ChangeAcceptedEvent", said)


def untrue(word: str, event: Event) -> Event:
    """An event with a fact in it that cannot be."""
    told: Event = _untrue(word, event)
    if word == "unknown-status":
        told["BaseEvent"] = {**told["BaseEvent"], "EventType": "OrderTeleported"}
    return told


def _untrue(word: str, value: Any, name: str = "") -> Any:
    match word, value:
        case "negative-quantity", {"lo": lo, "signScale": scale} if name in _SIZES:
            return {"lo": lo, "signScale": scale | 1}
        case "overfill", {"signScale": scale} if name in {"ExecutionQuantity", "CumulativeQuantity"}:
            return {"lo": str(1_000_000 * _MILLION), "signScale": scale}
        case "zero-price", {"signScale": scale} if name in _PRICES:
            return {"signScale": scale}
        case "unknown-symbol", str() if name == "Symbol":
            return "XXZZ"
        case "wrong-side", str() if name == "BuySellCode":
            return "Sell" if value == "Buy" else "Buy"
        case _, dict():
            return {key: _untrue(word, one, key) for key, one in value.items()}
        case _, list():
            return [_untrue(word, one, name) for one in value]
        case _:
            return value


# Pieces.


def _event(record: Record, kind: str, key: str, said: Mapping[str, Any]) -> Event:
    return {
        "SchwabOrderID": str(record.order_id),
        "AccountNumber": record.account,
        "BaseEvent": {"EventType": kind, key: {"EventType": kind, **said}},
    }


def _order(record: Record, at: At) -> dict[str, Any]:
    ticket = record.ticket
    assert ticket is not None  # noqa: S101 - an OCO is told by its children only
    kind = _TYPES[ticket.type]
    strategy: dict[str, Any] = {"Type": f"ES_{kind}"}
    if ticket.price is not None:
        limit = {"Type": f"ES_{kind}", "LimitPrice": decimal(ticket.price), "LimitPriceUnitCode": "Units"}
        strategy["LimitExecutionStrategy"] = limit
    if ticket.stop is not None:
        strategy["StopExecutionStrategy"] = {"Type": f"ES_{kind}", "StopPrice": decimal(ticket.stop)}
    leg = {
        "LegID": str(record.order_id),
        "LegParentSchwabOrderID": str(record.order_id),
        "Quantity": decimal(record.quantity),
        "LeavesQuantity": decimal(record.quantity - record.filled),
        "BuySellCode": _side(ticket.side),
        "Security": {
            "Symbol": ticket.symbol,
            "MajorAssetType": "MajorAssetType_Equity",
            "CUSIP": cusip(ticket.symbol),
        },
    }
    inner = {
        "LifecycleSchwabOrderID": str(record.root.order_id),
        "EntryTimestamp": _time(at(record.entered_ns)),
        "AssetOrderEquityOrderLeg": {
            "OrderInstruction": {"ExecutionStrategy": strategy},
            "AssetType": "MajorAssetType_Equity",
            "TimeInForce": _LIVES.get(ticket.duration, ticket.duration),
            "OrderTypeCode": kind,
            "OrderLegs": [leg],
        },
    }
    return {"SchwabOrderID": str(record.order_id), "AccountNumber": record.account, "Order": inner}


def _execution(fill: Fill, number: int, name: str, kind: str, at: At) -> dict[str, Any]:
    return {
        "ExecutionSequenceNumber": number,
        "ExecutionId": name,
        "ExecutionQuantity": decimal(fill.quantity),
        "ExecutionPrice": decimal(fill.price),
        "ExecutionTimeStamp": _time(at(fill.time_ns)),
        "ExecutionTransType": kind,
        "ExecutionCapacityCode": "Agency",
        "ActualChargedCommissionAmount": decimal(fill.fee),
    }


def _posting(record: Record) -> dict[str, Any]:
    ticket = record.ticket
    assert ticket is not None  # noqa: S101 - what trades has an order
    return {
        "LimitPrice": {} if ticket.price is None else decimal(ticket.price),
        "StopPrice": {} if ticket.stop is None else decimal(ticket.stop),
        "OrderTypeCode": _TYPES[ticket.type],
        "BuySellCode": _side(ticket.side),
        "Quantity": decimal(record.quantity),
        "Symbol": ticket.symbol,
    }


def execution_id(record: Record, number: int, at: At) -> str:
    """The name of an execution in the stream; lists have another."""
    return f"{local_stamp(at(record.entered_ns))[:10].replace('-', '')}-EST-ngOMS-{number}"


def _side(side: Side) -> str:
    return "Buy" if side is Side.BUY else "Sell"


def _time(time_ns: int) -> dict[str, str]:
    return {"DateTimeString": local_stamp(time_ns)}
