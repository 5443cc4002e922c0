"""Rows of the entities that the adapter reads, and the events that tell of them."""

from decimal import Decimal
from typing import Final

import msgspec

from brokers.tradovate.wire import Payload


class AccountRow(Payload, frozen=True):
    """An account of the login."""

    id: int
    name: str
    active: bool = True
    archived: bool = False
    readonly: bool = False


class ContractRow(Payload, frozen=True):
    """A contract: its number, its name with one digit of the year, and its maturity."""

    id: int
    name: str
    contract_maturity_id: int = 0


class MaturityRow(Payload, frozen=True):
    """When a contract matures, as yyyymm."""

    id: int
    expiration_month: int = 0


class ProductRow(Payload, frozen=True):
    """What contracts of a root have in common."""

    id: int
    name: str
    product_type: str = ""
    value_per_point: Decimal = Decimal(0)
    tick_size: Decimal = Decimal(0)


class PositionRow(Payload, frozen=True):
    """A position; a flat one stays in the list."""

    id: int
    account_id: int
    contract_id: int
    net_pos: Decimal = Decimal(0)
    net_price: Decimal | None = None


class MoneyRow(Payload, frozen=True):
    """An account's money now, or why it is not told."""

    error_text: str = ""
    total_cash_value: Decimal | None = None
    initial_margin: Decimal = Decimal(0)
    maintenance_margin: Decimal = Decimal(0)
    net_liq: Decimal | None = msgspec.field(default=None, name="netLiq")
    open_pnl: Decimal = msgspec.field(default=Decimal(0), name="openPnL")
    realized_pnl: Decimal = msgspec.field(default=Decimal(0), name="realizedPnL")


class OrderRow(Payload, frozen=True):
    """An order: what it is about and its status; its terms are in its versions."""

    id: int
    account_id: int
    contract_id: int = 0
    timestamp: str = ""
    action: str = ""
    ord_status: str = ""
    oco_id: int | None = None
    parent_id: int | None = None


class VersionRow(Payload, frozen=True):
    """The terms of an order since the command of the same id."""

    id: int
    order_id: int
    order_qty: Decimal = Decimal(0)
    order_type: str = ""
    price: Decimal | None = None
    stop_price: Decimal | None = None
    peg_difference: Decimal | None = None
    time_in_force: str = "Day"
    expire_time: str | None = None


class CommandRow(Payload, frozen=True):
    """Something that was asked about an order; `cl_ord_id` is our key, which the order itself does not show."""

    id: int
    order_id: int
    cl_ord_id: str | None = None
    command_type: str = ""
    command_status: str = ""


class CommandReportRow(Payload, frozen=True):
    """What became of a command."""

    id: int
    command_id: int
    command_status: str = ""
    reject_reason: str = ""
    text: str = ""


class ExecutionReportRow(Payload, frozen=True):
    """A word of the exchange about a command; `cum_qty` is what it counts as filled of the order by then."""

    id: int
    command_id: int = 0
    order_id: int = 0
    exec_type: str = ""
    cum_qty: Decimal | None = None


class FillRow(Payload, frozen=True):
    """An execution; one that was declared void is not active."""

    id: int
    order_id: int
    contract_id: int
    timestamp: str
    action: str
    qty: Decimal
    price: Decimal
    active: bool = True


class FeeRow(Payload, frozen=True):
    """The fees of the fill with the same id."""

    id: int
    clearing_fee: Decimal = Decimal(0)
    exchange_fee: Decimal = Decimal(0)
    nfa_fee: Decimal = Decimal(0)
    brokerage_fee: Decimal = Decimal(0)
    ip_fee: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    order_routing_fee: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """All of them together."""
        return (
            self.clearing_fee
            + self.exchange_fee
            + self.nfa_fee
            + self.brokerage_fee
            + self.ip_fee
            + self.commission
            + self.order_routing_fee
        )


class Moved(Payload, frozen=True):
    """Something about an account's positions or money."""

    account_id: int


class Prop(Payload, frozen=True):
    """The event that a row was created, updated or deleted; `entity` is one row or several."""

    entity_type: str = ""
    event_type: str = ""
    entity: msgspec.Raw = msgspec.Raw(b"")


class Shutdown(Payload, frozen=True):
    """The event that the socket will end."""

    reason_code: str = ""
    reason: str = ""


Row = OrderRow | VersionRow | CommandRow | CommandReportRow | ExecutionReportRow | FillRow | FeeRow

KINDS: Final[dict[str, type[Row]]] = {  # the entities that an order's life is told by
    "order": OrderRow,
    "orderVersion": VersionRow,
    "command": CommandRow,
    "commandReport": CommandReportRow,
    "executionReport": ExecutionReportRow,
    "fill": FillRow,
    "fillFee": FeeRow,
}
MONEY: Final = frozenset({"position", "cashBalance"})
"""The entities that tell that an account's positions or money moved."""


class Synced(Payload, frozen=True):
    """The state of things, or a piece of it, at the start of a synchronisation."""

    orders: tuple[OrderRow, ...] | None = None
    order_versions: tuple[VersionRow, ...] | None = None
    commands: tuple[CommandRow, ...] | None = None
    command_reports: tuple[CommandReportRow, ...] | None = None
    fills: tuple[FillRow, ...] | None = None
    contracts: tuple[ContractRow, ...] | None = None
    contract_maturities: tuple[MaturityRow, ...] | None = None
