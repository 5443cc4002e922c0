"""What a person sees of an order on the broker's own screen: whether it is there, and what became of it."""

from collections.abc import Sequence
from decimal import Decimal

from brokers.emulation.emulator import Emulator
from brokers.emulation.log import ACCEPTED, FILLED, Entry
from brokers.instruments import EXACT
from brokers.model import OrderState
from brokers.reconciliation.resolve import Absent, Found

_ZERO = Decimal(0)


def on_screen(emulator: Emulator, key: str) -> Found | Absent:
    """The order that came under our key."""
    taken = emulator.log.of(ACCEPTED, client=key)
    if not taken:
        return Absent()
    order = str(taken[0].facts["key"])
    fills = emulator.log.of(FILLED, key=order)
    filled = sum((one.facts["quantity"] for one in fills), _ZERO)
    return Found(_state(emulator, order, fills), order, filled, _average(fills, filled))


def _state(emulator: Emulator, order: str, fills: Sequence[Entry]) -> OrderState:
    exchange = emulator.desk.exchange
    if any(one.order.key == order for account in exchange.accounts for one in exchange.engine.open_orders(account)):
        return OrderState.PARTIALLY_FILLED if fills else OrderState.WORKING
    return OrderState.FILLED if fills and not fills[-1].facts["left"] else OrderState.CANCELED


def _average(fills: Sequence[Entry], filled: Decimal) -> Decimal | None:
    worth = sum((EXACT.multiply(one.facts["quantity"], one.facts["price"]) for one in fills), _ZERO)
    return worth / filled if filled else None
