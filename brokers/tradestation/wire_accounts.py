"""Positions and money on the wire."""

from decimal import Decimal
from typing import Final

from brokers.model import AccountSummary, Margin, Position
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import BadPayload, Balance, PositionRecord, money, price, quantity

_SIGNS: Final = {"long": 1, "short": -1}
_ZERO: Final = Decimal(0)


def position_of(record: PositionRecord, symbol: str, currency: str, names: Names, now_ns: int) -> Position:
    """A position with its sign; raises BadPayload, also where the sign and the word contradict each other."""
    average, last = price(record.average_price, "AveragePrice"), price(record.last, "Last")
    return Position(
        account=record.account_id,
        symbol=symbol,
        quantity=_signed(record),
        average_price=None if average is None else names.inward(symbol, average),
        mark=None if last is None else names.inward(symbol, last),
        unrealised=money(record.unrealized_profit_loss or _ZERO, "UnrealizedProfitLoss"),
        realised=_ZERO,
        currency=currency,
        time_ns=now_ns,
    )


def _signed(record: PositionRecord) -> Decimal:
    """The documented minus of a short may be missing, but a long has none."""
    sign, told = _SIGNS.get(record.long_short.lower()), record.quantity
    if told is None or sign is None or (sign > 0 > told):
        raise BadPayload("position", "a Quantity that agrees with LongShort", (record.long_short, told))
    return quantity(abs(told), "Quantity") * sign


def summary_of(balance: Balance, currency: str, now_ns: int) -> AccountSummary:
    """An account's money; raises BadPayload. An equity account tells one margin, a futures account two."""
    detail = balance.balance_detail
    required = detail.required_margin or _ZERO
    initial = required if detail.initial_margin is None else detail.initial_margin
    maintenance = required if detail.maintenance_margin is None else detail.maintenance_margin
    return AccountSummary(
        account=balance.account_id,
        currency=currency,
        cash=money(balance.cash_balance, "CashBalance"),
        equity=money(balance.equity, "Equity"),
        realised=money(detail.realized_profit_loss, "RealizedProfitLoss"),
        unrealised=money(detail.unrealized_profit_loss, "UnrealizedProfitLoss"),
        fees=money(balance.commission, "Commission"),
        margin=Margin(money(initial, "InitialMargin"), money(maintenance, "MaintenanceMargin")),
        buying_power=money(balance.buying_power, "BuyingPower"),
        time_ns=now_ns,
    )
