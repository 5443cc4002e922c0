"""The order gateway: requests that end in an outcome, and questions about orders, positions and money."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from brokers.catalogue import Catalogue
from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.gateway import Leave, Lists, News
from brokers.guards.operation import Priority
from brokers.instruments import sane
from brokers.market import MarketStatus
from brokers.model import AccountSummary, Change, Fill, Margin, Order, OrderGroup, OrderReport, Position
from brokers.outcome import Accepted, Answer, NoAnswer, NotSent, Outcome, classify
from brokers.symbols import SymbolMap
from brokers.tradovate import answers
from brokers.tradovate.blotter import Blotter
from brokers.tradovate.directory import Directory
from brokers.tradovate.hub import Hub
from brokers.tradovate.order_lists import OrderLists, PositionList
from brokers.tradovate.rest import Rest
from brokers.tradovate.settings import BROKER, TradovateSettings
from brokers.tradovate.symbols import Contracts, broker_name
from brokers.tradovate.wire import BadPayload
from brokers.tradovate.wire_entities import MoneyRow, PositionRow
from brokers.tradovate.wire_orders import change_body, group_body, order_body
from runtime.wire.http_messages import HttpResponse
from runtime.world import Clock

CURRENCY: Final = "USD"  # all accounts of this broker are kept in it


class TradovateOrders:
    """One login's way to its accounts."""

    def __init__(
        self,
        settings: TradovateSettings,
        rest: Rest,
        directory: Directory,
        lists: OrderLists,
        blotter: Blotter,
        hub: Hub,
        symbols: SymbolMap,
        contracts: Contracts,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self.link_up = False
        """Whether the user socket keeps the blotter up to date."""
        self._settings = settings
        self._rest = rest
        self._directory = directory
        self._lists = lists
        self._blotter = blotter
        self._hub = hub
        self._symbols = symbols
        self._contracts = contracts
        self._catalogue = catalogue
        self._clock = clock
        self._ids: Mapping[str, int] = {}
        self._positions = PositionList(rest, clock)

    async def accounts(self) -> Sequence[str]:
        """The names of the accounts that can be traded in, or those of the settings; raises BrokerError."""
        found = await self._directory.accounts(self._settings.accounts)
        self._ids = {**self._ids, **found}  # one that is not told for a moment may have orders
        self._blotter.names = {number: name for name, number in self._ids.items()}
        return tuple(found)

    def market_status(self, symbol: str) -> MarketStatus | None:
        """The broker does not tell, only the calendar can say; an emulator's market moves whenever it runs."""
        return MarketStatus.OPEN if self._settings.emulated else None

    def listen(self, account: str, hear: Callable[[News], None]) -> Leave:
        """Hands the account's news to hear from now on."""
        return self._hub.listen(account, hear)

    # Requests.

    async def place(self, account: str, order: Order | OrderGroup) -> Outcome:
        """Sends an order or a group once; never repeats it."""
        members = (order,) if isinstance(order, Order) else order.orders
        try:
            number, name = self._number(account), broker_name(self._symbols, members[0].symbol)
            if isinstance(order, Order):
                endpoint, body = "order/placeorder", order_body(account, number, order, name)
            else:
                endpoint, body = _group_endpoint(order), group_body(account, number, order, name)
        except BrokerError as refused:
            return NotSent(refused)
        with self._hub.placing(account):
            said = await self._rest.command(endpoint, body, members[0].key)
            outcome = _outcome(said, lambda answer: answers.placement(answer, len(members)))
            if isinstance(outcome, Accepted):
                for member, order_id in zip(members, (outcome.broker_order_id, *outcome.legs), strict=True):
                    self._blotter.expect(int(order_id), member.key)
        return outcome

    async def change(self, account: str, change: Change, broker_order_id: str | None) -> Outcome:
        """Asks for new terms of a live order; the broker wants all of them, so those in force are looked up."""
        try:
            order_id = await self._order_id(change.key, broker_order_id)
            order = await self._in_force(account, order_id)
        except BrokerError as refused:
            return NotSent(refused)
        body = change_body(order_id, change.applied_to(order))
        said = await self._rest.command("order/modifyorder", body, change.key)
        return _outcome(said, lambda answer: answers.receipt(answer, str(order_id)))

    async def cancel(self, account: str, key: str, broker_order_id: str | None) -> Outcome:
        """Asks for the end of a live order."""
        try:
            order_id = await self._order_id(key, broker_order_id)
        except BrokerError as refused:
            return NotSent(refused)
        body = {"orderId": order_id, "isAutomated": True}
        said = await self._rest.command("order/cancelorder", body, key, Priority.REDUCE)
        return _outcome(said, lambda answer: answers.receipt(answer, str(order_id)))

    async def _order_id(self, key: str, broker_order_id: str | None) -> int:
        found = int(broker_order_id) if broker_order_id is not None else await self._lists.id_of(key)
        if found is None:
            text = f"no command at the broker carries the key {key!r}; nothing was sent"
            raise broker_error(BROKER, Code.ORDER_NOT_FOUND, text)
        return found

    async def _in_force(self, account: str, order_id: int) -> Order:
        """The terms that hold: as the socket told them, or else asked for."""
        shown = self._blotter.settled(order_id) if self.link_up else None
        if shown is not None and shown.account == account:
            return shown.order
        report = await self._lists.one(account, order_id)
        if report is None:
            raise broker_error(BROKER, Code.ORDER_NOT_FOUND, f"the broker has no order {order_id} in {account}")
        return report.order

    # Questions.

    async def order(self, account: str, key: str, broker_order_id: str | None) -> OrderReport | None:
        """One order, found by the broker's id or else by the command that carries our key; None where there is none.

        Raises BrokerError.
        """
        self._number(account)
        order_id = int(broker_order_id) if broker_order_id is not None else await self._lists.id_of(key)
        return None if order_id is None else await self._lists.one(account, order_id)

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        """The orders that live at the broker; raises BrokerError."""
        self._number(account)
        return tuple(report for report in await self._lists.reports(account) if not report.state.final)

    async def orders_since(self, account: str, time_ns: int) -> Sequence[OrderReport]:
        """All orders touched since then, and more; raises BrokerError."""
        self._number(account)
        return tuple(await self._lists.reports(account))

    async def fills_since(self, account: str, time_ns: int) -> Sequence[Fill]:
        """All executions since then, oldest first; raises BrokerError."""
        self._number(account)
        return tuple(await self._lists.fills(account, time_ns))

    async def lists(self, account: str, time_ns: int) -> Lists:
        """Orders and executions of one reading: each asked for alone costs as much; raises BrokerError."""
        self._number(account)
        reports, fills = await self._lists.both(account, time_ns)
        return Lists(tuple(report for report in reports if not report.state.final), tuple(reports), tuple(fills))

    async def positions(self, account: str) -> Sequence[Position]:
        """The net positions that are not flat; the broker does not tell what they are worth. Raises BrokerError."""
        held = [row for row in await self._positions.of(self._number(account)) if row.net_pos]
        await self._directory.learn(row.contract_id for row in held)
        found = (self._position(account, row) for row in held)
        return tuple(position for position in found if position is not None)

    def _position(self, account: str, row: PositionRow) -> Position | None:
        symbol = self._contracts.symbol(row.contract_id)
        if symbol is None:
            self._hub.put_aside(f"position in contract {row.contract_id}", "it is not in the instrument table")
            return None
        if not (sane(row.net_pos) and (row.net_price is None or sane(row.net_price))):
            raise self._unreadable(BadPayload(f"position {row.id}", "a quantity and a price", row))
        return Position(
            account=account,
            symbol=symbol,
            quantity=row.net_pos,
            average_price=row.net_price,
            mark=None,
            unrealised=Decimal(0),
            realised=Decimal(0),
            currency=self._catalogue.record(symbol).currency,
            time_ns=self._clock.wall_ns(),
        )

    async def summary(self, account: str) -> AccountSummary:
        """The account's money; raises BrokerError."""
        row = await self._rest.post(MoneyRow, "cashBalance/getcashbalancesnapshot", accountId=self._number(account))
        if row.total_cash_value is None or row.net_liq is None:
            raise broker_error(BROKER, Code.FORBIDDEN, f"money of {account}: {row.error_text or 'not told'}")
        figures: Mapping[str, Any] = {
            "cash": row.total_cash_value,
            "equity": row.net_liq,
            "realised": row.realized_pnl,
            "unrealised": row.open_pnl,
            "buying_power": row.net_liq - row.initial_margin,
        }
        if not all(map(sane, (*figures.values(), row.maintenance_margin))):
            raise self._unreadable(BadPayload(f"money of {account}", "finite amounts", row))
        return AccountSummary(
            account=account,
            currency=CURRENCY,
            fees=Decimal(0),
            margin=Margin(row.initial_margin, row.maintenance_margin),
            time_ns=self._clock.wall_ns(),
            **figures,
        )

    def _number(self, account: str) -> int:
        if account not in self._ids:
            known = ", ".join(self._ids) or "none"
            raise broker_error(BROKER, Code.FORBIDDEN, f"no account {account!r} at this login; there are {known}")
        return self._ids[account]

    def _unreadable(self, bad: BadPayload) -> BrokerError:
        self._hub.put_aside(bad.what, str(bad))
        return broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE)


def _group_endpoint(group: OrderGroup) -> str:
    return "order/placeOCO" if group.parent is None else "order/placeOSO"


def _outcome(said: HttpResponse | NoAnswer | NotSent, read: Callable[[HttpResponse], Answer]) -> Outcome:
    if isinstance(said, NotSent):
        return said
    return classify(BROKER, said if isinstance(said, NoAnswer) else read(said), answers.SIGNS)
