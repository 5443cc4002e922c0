"""Orders, balances and positions as TradeStation writes them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.instruments import Instrument, Kind
from brokers.model import AccountSummary, Fill, Position
from brokers.tradestation.emulator.names import asset_type
from brokers.tradestation.emulator.tickets import Ticket
from brokers.tradestation.emulator.words import SECOND_NS, date_stamp, number, stamp

DESCRIPTIONS: Final = {
    "PLA": "Sending",
    "OPN": "Sent",
    "ACK": "Received",
    "DON": "Queued",
    "OSO": "OSO Order",
    "STP": "Stop Hit",
    "RJR": "Change Request Rejected",
    "UCN": "Cancel Sent",
    "FPR": "Partial Fill (Alive)",
    "FLL": "Filled",
    "FLP": "Partial Fill (UROut)",
    "OUT": "UROut",
    "EXP": "Expired",
    "REJ": "Rejected",
    "BRO": "Broken",
    "COR": "Fill Corrected",
}
CLOSED: Final = frozenset({"FLL", "FLP", "OUT", "EXP", "REJ", "BRO"})
_GOOD_NS: Final = 90 * 86_400 * SECOND_NS

Stamp = Callable[[int], int]


@attrs.define(eq=False)
class Record:
    """One order as the broker keeps it."""

    order_id: str
    ticket: Ticket
    instrument: Instrument
    opened_ns: int
    quantity: Decimal
    limit: Decimal | None
    stop: Decimal | None
    type: str
    closes: bool
    status: str = "PLA"
    relations: tuple[tuple[str, str], ...] = ()
    group: tuple[str, str] | None = None  # its type and number
    reason: str = ""
    closed_ns: int | None = None
    moved_ns: int | None = None  # when it was replaced or triggered last: its fill is told by an ACK first
    fills: dict[str, Fill] = attrs.field(factory=dict)
    shown: str | None = None  # a status that is told instead of the true one
    last: dict[str, Any] | None = None  # the record at the last update
    before: dict[str, Any] | None = None  # and at the one before

    @property
    def open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status not in CLOSED

    @property
    def filled(self) -> Decimal:
        """How much has traded."""
        return sum((fill.quantity for fill in self.fills.values()), Decimal(0))

    @property
    def average(self) -> Decimal | None:
        """The average price of what has traded."""
        if not self.fills:
            return None
        cost = sum((fill.quantity * fill.price for fill in self.fills.values()), Decimal(0))
        return (cost / self.filled).quantize(Decimal("1e-8"))

    @property
    def fees(self) -> Decimal:
        """What its fills cost."""
        return sum((fill.fee for fill in self.fills.values()), Decimal(0))

    def write(self, at: Stamp, status: str | None = None) -> dict[str, Any]:
        """The record; a `STP` frame looks closed although it is not, as the real one does."""
        status = status or self.shown or self.status
        hidden = self.shown is not None
        filled = Decimal(0) if hidden else self.filled
        average = None if hidden else self.average
        written: dict[str, Any] = {
            "AccountID": self.ticket.account,
            "CommissionFee": "0" if hidden else number(self.fees),
            "Currency": self.instrument.currency,
            "Duration": self.ticket.duration_shown,
            "FilledPrice": number(average or 0),
            "GoodTillDate": date_stamp_of(at(self.opened_ns), self.ticket),
            "Legs": [self._leg(status, filled, average)],
            "OpenedDateTime": stamp(at(self.opened_ns)),
            "OrderID": self.order_id,
            "OrderType": self.type,
            "Routing": "CME" if self.instrument.kind is Kind.FUTURE else self.ticket.route,
            "Status": status,
            "StatusDescription": DESCRIPTIONS[status],
            "UnbundledRouteFee": "0",
        }
        return written | self._terms() | self._ties() | self._end(at, status)

    def _leg(self, status: str, filled: Decimal, average: Decimal | None) -> dict[str, Any]:
        looks_done = status in CLOSED or (status == "STP" and self.type == "StopLimit")
        leg = {
            "AssetType": asset_type(self.instrument),
            "BuyOrSell": self.ticket.action,
            "ExecQuantity": number(filled),
            "OpenOrClose": "Close" if self.closes else "Open",
            "QuantityOrdered": number(self.quantity),
            "QuantityRemaining": "0" if looks_done else number(self.quantity - filled),
            "Symbol": self.ticket.symbol,
        }
        if average is not None:
            leg["ExecutionPrice"] = number(average)
        if self.instrument.expiry is not None:
            leg["ExpirationDate"] = date_stamp(self.instrument.expiry)
        return leg

    def _terms(self) -> dict[str, Any]:
        written: dict[str, Any] = {}
        if self.limit is not None:
            written["LimitPrice"] = number(self.limit)
            written["PriceUsedForBuyingPower"] = number(self.limit)
        if self.stop is not None:
            written["StopPrice"] = number(self.stop)
        if self.ticket.trail_amount is not None:
            written["TrailingStop"] = {"Amount": number(self.ticket.trail_amount)}
        elif self.ticket.trail_percent is not None:
            written["TrailingStop"] = {"Percent": number(self.ticket.trail_percent)}
        return written

    def _ties(self) -> dict[str, Any]:
        written: dict[str, Any] = {}
        packed = ""
        if self.ticket.trail_amount is not None:
            packed += f"TRL={number(self.ticket.trail_amount)};"
        elif self.ticket.trail_percent is not None:
            packed += f"TRL={number(self.ticket.trail_percent)}%;"
        if self.group is not None:
            kind, serial = self.group
            packed += f"OCA={serial};"
            written["GroupName"] = f"{kind} {serial}"
        if packed:
            written["AdvancedOptions"] = packed
        if self.relations:
            written["ConditionalOrders"] = [{"Relationship": kind, "OrderID": one} for kind, one in self.relations]
        return written

    def _end(self, at: Stamp, status: str) -> dict[str, Any]:
        written: dict[str, Any] = {}
        if self.closed_ns is not None or status == "STP":
            written["ClosedDateTime"] = stamp(at(self.closed_ns or self.moved_ns or self.opened_ns))
        if self.reason and status == "REJ":
            written["RejectReason"] = self.reason
        return written


def date_stamp_of(opened_ns: int, ticket: Ticket) -> str:
    """The day until which an order is good."""
    if ticket.expires is not None:
        return f"{ticket.expires[:10]}T00:00:00Z"
    last_ns = opened_ns + (_GOOD_NS if ticket.duration_shown.startswith("GTC") else 0)
    return f"{stamp(last_ns)[:10]}T00:00:00Z"


def account_record(account: str, kind: str) -> dict[str, Any]:
    """An account; those for futures have no detail."""
    record: dict[str, Any] = {"AccountID": account, "Currency": "USD", "Status": "Active", "AccountType": kind}
    if kind != "Futures":
        record["AccountDetail"] = {
            "IsStockLocateEligible": False,
            "EnrolledInRegTProgram": True,
            "RequiresBuyingPowerWarning": True,
            "DayTradingQualified": True,
            "OptionApprovalLevel": 1,
            "PatternDayTrader": False,
        }
    return record


def balance_record(summary: AccountSummary, kind: str, value: Decimal) -> dict[str, Any]:
    """An account's money; `value` is what its positions are worth."""
    today = number(summary.realised + summary.unrealised - summary.fees)
    record: dict[str, Any] = {
        "AccountID": summary.account,
        "AccountType": kind,
        "CashBalance": number(summary.cash),
        "BuyingPower": number(summary.buying_power),
        "Equity": number(summary.equity),
        "MarketValue": number(value),
        "TodaysProfitLoss": today,
        "UnclearedDeposit": "0",
        "Commission": number(summary.fees),
    }
    results = {"RealizedProfitLoss": number(summary.realised), "UnrealizedProfitLoss": number(summary.unrealised)}
    if kind != "Futures":
        record["BalanceDetail"] = _equity_detail(summary, value) | results
        return record
    margins = {
        "InitialMargin": number(summary.margin.initial),
        "MaintenanceMargin": number(summary.margin.maintenance),
    }
    record["BalanceDetail"] = (
        results
        | margins
        | {
            "DayTradeExcess": number(summary.buying_power),
            "DayTradeOpenOrderMargin": "0",
            "OpenOrderMargin": "0",
            "DayTradeMargin": number(summary.margin.initial),
            "TradeEquity": today,
            "SecurityOnDeposit": "0",
            "TodayRealTimeTradeEquity": number(summary.unrealised),
        }
    )
    record["CurrencyDetails"] = [
        results
        | margins
        | {
            "Currency": summary.currency,
            "Commission": number(summary.fees),
            "CashBalance": number(summary.cash),
            "AccountConversionRate": "1",
        }
    ]
    return record


def _equity_detail(summary: AccountSummary, value: Decimal) -> dict[str, Any]:
    return {
        "CostOfPositions": number(value - summary.unrealised),
        "DayTrades": "0",
        "MaintenanceRate": "0",
        "OptionBuyingPower": number(summary.buying_power),
        "OptionsMarketValue": "0",
        "OvernightBuyingPower": number(summary.buying_power),
        "RequiredMargin": number(summary.margin.initial),
    }


def position_record(
    position: Position,
    position_id: str,
    name: str,
    instrument: Instrument,
    market: dict[str, str],
    now_ns: int,
) -> dict[str, Any]:
    """A position; its quantity is negative for a short. `market` has Last, Bid and Ask."""
    average = position.average_price or Decimal(0)
    mark = position.mark or average
    size = position.quantity * instrument.multiplier
    cost = size * average
    initial, maintenance = (
        margin * abs(position.quantity if instrument.kind is Kind.FUTURE else size * mark)
        for margin in (instrument.initial_margin, instrument.maintenance_margin)
    )
    share = position.unrealised / abs(cost) * 100 if cost else Decimal(0)
    record = {
        "AccountID": position.account,
        "AssetType": asset_type(instrument),
        "AveragePrice": number(average.quantize(Decimal("1e-8"))),
        **market,
        "ConversionRate": "1",
        "DayTradeRequirement": number(initial),
        "InitialRequirement": number(initial),
        "MaintenanceMargin": number(maintenance),
        "PositionID": position_id,
        "LongShort": "Long" if position.quantity > 0 else "Short",
        "Quantity": number(position.quantity),
        "Symbol": name,
        "Timestamp": stamp(now_ns),
        "TodaysProfitLoss": number(position.unrealised),
        "TotalCost": number(cost.quantize(Decimal("0.01"))),
        "MarketValue": number((size * mark).quantize(Decimal("0.01"))),
        "MarkToMarketPrice": number(average.quantize(Decimal("1e-8"))),
        "UnrealizedProfitLoss": number(position.unrealised),
        "UnrealizedProfitLossPercent": number(share.quantize(Decimal("0.001"))),
        "UnrealizedProfitLossQty": number((position.unrealised / abs(position.quantity)).quantize(Decimal("0.01"))),
    }
    if instrument.expiry is not None:
        record["ExpirationDate"] = date_stamp(instrument.expiry)
    return record


def untrue(word: str, written: dict[str, Any]) -> dict[str, Any]:
    """An order record with a fact in it that cannot be."""
    leg = dict(written["Legs"][0])
    match word:
        case "negative-quantity":
            leg["ExecQuantity"] = "-1"
        case "zero-price":
            leg["ExecutionPrice"] = "0"
            written["FilledPrice"] = "0"
        case "unknown-status":
            written |= {"Status": "ZZZ", "StatusDescription": "Unheard Of"}
        case "unknown-symbol":
            leg["Symbol"] = "XXZZ99"
        case "wrong-side":
            leg["BuyOrSell"] = "Sell" if leg["BuyOrSell"].startswith("Buy") else "Buy"
        case _:
            leg["ExecQuantity"] = number(Decimal(leg["QuantityOrdered"]) + 1)
    return written | {"Legs": [leg]}
