"""Facts that cannot be, put into what is told of an order."""

from decimal import Decimal
from typing import Any, Final

from brokers.tradovate.emulator.store import Entity, Prop

_SIZES: Final = ("qty", "orderQty", "cumQty", "lastQty")
_PRICES: Final = ("price", "stopPrice", "avgPx", "lastPx")
_NOWHERE: Final = 99_999_999


def untrue(word: str, batch: dict[str, Any]) -> dict[str, Any]:
    """The same messages with something in each that cannot be."""
    return {"props": [_spoilt(word, one) for one in batch["props"]]}


def _spoilt(word: str, told: Prop) -> Prop:
    row = dict(told["entity"])
    match word:
        case "negative-quantity":
            row |= {name: Decimal(-1) for name in _SIZES if name in row}
        case "zero-price":
            row |= {name: Decimal(0) for name in _PRICES if name in row}
        case "unknown-status":
            row |= {"ordStatus": "Dreaming"} if "ordStatus" in row else {}
        case "unknown-symbol":
            row |= {"contractId": _NOWHERE} if "contractId" in row else {}
        case "wrong-side":
            row |= _turned(row)
        case _:
            row |= {name: row[name] + 1_000 for name in ("qty", "cumQty", "lastQty") if name in row}
    return told | {"entity": row}


def _turned(row: Entity) -> Entity:
    if "action" not in row:
        return {}
    return {"action": "Sell" if row["action"] == "Buy" else "Buy"}
