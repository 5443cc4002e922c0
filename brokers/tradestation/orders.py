"""The order gateway: requests that end in an outcome, and questions about orders, positions and money."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import attrs

from brokers.catalogue import Catalogue
from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.gateway import Leave, News
from brokers.instruments import Kind
from brokers.market import MarketStatus
from brokers.model import AccountSummary, Change, Fill, Order, OrderGroup, OrderReport, Position
from brokers.outcome import Accepted, Answer, NoAnswer, NotSent, Outcome, Sign, Unknown, classify
from brokers.sides import Side
from brokers.tradestation import answers
from brokers.tradestation.hub import Hub
from brokers.tradestation.order_lists import OrderLists
from brokers.tradestation.order_memory import OrderMemory
from brokers.tradestation.rest import Rest
from brokers.tradestation.settings import BROKER, TradeStationSettings
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import Accounts, BadPayload, Balances, Fault, Positions
from brokers.tradestation.wire_accounts import position_of, summary_of
from brokers.tradestation.wire_orders import Seen, change_body, group_body, order_body, written
from runtime.wire.http_messages import HttpResponse
from runtime.world import Clock

ORDERS: Final = "/v3/orderexecution/orders"
MOST_ACCOUNTS: Final = 25  # in one question, and in one stream
GROUPS: Final = "/v3/orderexecution/ordergroups"
Said = HttpResponse | NoAnswer | NotSent
_GONE: Final = frozenset({"Closed", "Inactive"})


class TradeStationOrders:
    """One login's way to its accounts."""

    def __init__(
        self,
        settings: TradeStationSettings,
        rest: Rest,
        lists: OrderLists,
        memory: OrderMemory,
        hub: Hub,
        names: Names,
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._rest = rest
        self._lists = lists
        self._memory = memory
        self._hub = hub
        self._names = names
        self._catalogue = catalogue
        self._clock = clock
        self._currencies: dict[str, str] = {}

    async def accounts(self) -> Sequence[str]:
        """The ids of the accounts that are not closed, or those of the settings; raises BrokerError."""
        told = await self._rest.get(Accounts, "accounts", "/v3/brokerage/accounts")
        self._currencies = {one.account_id: one.currency for one in told.accounts}
        wanted = self._settings.accounts
        if strange := [account for account in wanted if account not in self._currencies]:
            there = ", ".join(self._currencies)
            raise broker_error(BROKER, Code.FORBIDDEN, f"no account {strange[0]!r} at this login; there are {there}")
        usable = [one.account_id for one in told.accounts if one.status not in _GONE]
        chosen = tuple(account for account in usable if not wanted or account in wanted)
        if len(chosen) > MOST_ACCOUNTS:
            text = f"expected at most {MOST_ACCOUNTS} accounts, this login has {len(chosen)}; name those to trade in"
            raise broker_error(BROKER, Code.UNSUPPORTED, text)
        return chosen

    def market_status(self, symbol: str) -> MarketStatus | None:
        """Halted where the quote stream says so; else only the calendar can say, of an emulator not even that."""
        if symbol in self._hub.halted:
            return MarketStatus.HALTED
        return MarketStatus.OPEN if self._settings.emulated else None

    def listen(self, account: str, hear: Callable[[News], None]) -> Leave:
        """Hands the account's news to hear from now on."""
        return self._hub.listen(account, hear)

    # Requests.

    async def place(self, account: str, order: Order | OrderGroup) -> Outcome:
        """Sends an order or a group once; never repeats it."""
        members = (order,) if isinstance(order, Order) else order.orders
        try:
            actions = await self._actions(account, order)
            if isinstance(order, Order):
                body = order_body(account, order, actions[order.key], self._names)
            else:
                body = group_body(account, order, actions, self._names)
        except BrokerError as refused:
            return NotSent(refused)
        path = GROUPS if isinstance(order, OrderGroup) and order.parent is None else ORDERS
        with self._hub.placing(account):
            outcome = self._outcome(
                await self._rest.command("POST", path, written(body), order.key),
                answers.PLACE_SIGNS,
                lambda answer: answers.placement(answer, len(members)),
            )
            if isinstance(outcome, Accepted) and len(members) > 1:
                outcome = await self._told_apart(account, members, outcome)
            if isinstance(outcome, Accepted):
                for member, order_id in zip(members, (outcome.broker_order_id, *outcome.legs), strict=True):
                    self._hub.tell_orders(self._memory.expect(order_id, member, self._clock.wall_ns()))
        return outcome

    async def change(self, account: str, change: Change, broker_order_id: str | None) -> Outcome:
        """Asks for new terms of a live order."""
        order_id = broker_order_id or self._memory.id_of(change.key)
        try:
            seen = await self._need(account, order_id)
        except BrokerError as refused:
            return NotSent(refused)
        body = written(change_body(seen.order.symbol, change, self._names))
        return await self._amend("PUT", seen.order_id, body, change.key)

    async def cancel(self, account: str, key: str, broker_order_id: str | None) -> Outcome:
        """Asks for the end of a live order; asked again at once if only the token was refused."""
        order_id = broker_order_id or self._memory.id_of(key)
        if order_id is None:
            return NotSent(_no_id(key))
        outcome = await self._amend("DELETE", order_id, b"", key)
        if isinstance(outcome, NotSent) and outcome.error.code is Code.SESSION_EXPIRED:
            outcome = await self._amend("DELETE", order_id, b"", key)
        return outcome

    async def _amend(self, method: str, order_id: str, body: bytes, key: str) -> Outcome:
        path = f"{ORDERS}/{answers.plain_id(order_id)}"
        said = await self._rest.command(method, path, body, key)
        return self._outcome(said, answers.AMEND_SIGNS, lambda answer: answers.receipt(answer, order_id))

    def _outcome(self, said: Said, signs: Sequence[Sign], read: Callable[[HttpResponse], Answer]) -> Outcome:
        self._lists.forget()
        if isinstance(said, NotSent):
            return said
        if isinstance(said, NoAnswer):
            return classify(BROKER, said, signs)
        wait_ns = said.retry_after_ns(self._clock.wall_ns())
        return classify(BROKER, attrs.evolve(read(said), retry_after_ns=wait_ns), signs)

    async def _told_apart(self, account: str, members: Sequence[Order], outcome: Accepted) -> Outcome:
        """The ids in the order of the members: the reply lists them in any order, so their records are asked for."""
        ids = (outcome.broker_order_id, *outcome.legs)
        try:
            found = answers.aligned(members, await self._lists.some(account, ids))
        except BrokerError as error:
            found, why = None, str(error)
        else:
            why = "their records do not match the orders of the group"
        if found is not None:
            return Accepted(found[0], tuple(found[1:]), outcome.evidence)
        text = f"all {len(ids)} orders were taken as {', '.join(ids)}, but not which is which: {why}"
        return Unknown(broker_error(BROKER, Code.API_ERROR, text, certainty=Certainty.UNKNOWN), outcome.evidence)

    async def _actions(self, account: str, order: Order | OrderGroup) -> dict[str, str]:
        """What each order is called; for a stock that depends on the position, which is asked for."""
        members = (order,) if isinstance(order, Order) else order.orders
        first = members[0]
        self._names.tradable(first.symbol)
        if self._catalogue.record(first.symbol).kind != Kind.STOCK.value:
            return {one.key: one.side.name for one in members}
        held = sum((one.quantity for one in await self.positions(account) if one.symbol == first.symbol), Decimal(0))
        actions = {first.key: stock_action(first, held)}
        if isinstance(order, OrderGroup) and order.parent is not None:
            held += first.quantity * first.side.sign  # the children come after it
        return actions | {one.key: stock_action(one, held) for one in members[1:]}

    # Questions.

    async def order(self, account: str, key: str, broker_order_id: str | None) -> OrderReport | None:
        """One order, open or finished; None where there is no such. Raises BrokerError, also for one without an id."""
        order_id = broker_order_id or self._memory.id_of(key)
        if order_id is None:
            text = "an order is found by the broker's id only, and this one has none yet"
            raise broker_error(BROKER, Code.UNSUPPORTED, text)
        seen = await self._find(account, order_id)
        return None if seen is None else self._report(seen)

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        """The orders that live at the broker; raises BrokerError."""
        return tuple(self._report(seen) for seen in await self._lists.today(account) if not seen.final)

    async def orders_since(self, account: str, time_ns: int) -> Sequence[OrderReport]:
        """All orders touched since then, and more; raises BrokerError."""
        finished = {seen.order_id: seen for seen in await self._lists.finished(account, time_ns)}
        today = {seen.order_id: seen for seen in await self._lists.today(account)}
        return tuple(self._report(seen) for seen in (finished | today).values())

    async def fills_since(self, account: str, time_ns: int) -> Sequence[Fill]:
        """The executions that the order's counts have shown while we watched; raises BrokerError."""
        await self._lists.today(account)
        return self._memory.fills_since(account, time_ns)

    async def positions(self, account: str) -> Sequence[Position]:
        """The net positions that are not flat; raises BrokerError."""
        told = await self._rest.get(Positions, "positions", f"/v3/brokerage/accounts/{account}/positions")
        self._check(told.errors, account)
        now_ns, found = self._clock.wall_ns(), []
        for record in told.positions:
            symbol = self._names.canonical(record.symbol)
            if symbol is None:
                self._hub.put_aside(f"position in {record.symbol}", "it is not in the instrument table")
                continue
            currency = self._catalogue.record(symbol).currency
            try:
                position = position_of(record, symbol, currency, self._names, now_ns)
            except BadPayload as bad:
                raise self._bad(f"position in {record.symbol}", bad) from bad
            if position.quantity:
                found.append(position)
        return tuple(found)

    async def summary(self, account: str) -> AccountSummary:
        """The account's money; raises BrokerError."""
        if account not in self._currencies:
            await self.accounts()
        told = await self._rest.get(Balances, "balances", f"/v3/brokerage/accounts/{account}/balances")
        self._check(told.errors, account)
        balance = next((one for one in told.balances if one.account_id == account), None)
        if balance is None:
            raise self._bad(f"balance of {account}", BadPayload("balances", f"those of {account}", told))
        try:
            return summary_of(balance, self._currencies.get(account, "USD"), self._clock.wall_ns())
        except BadPayload as bad:
            raise self._bad(f"balance of {account}", bad) from bad

    async def _need(self, account: str, order_id: str | None) -> Seen:
        if order_id is None:
            raise _no_id("")
        seen = self._memory.seen(order_id) or await self._find(account, order_id)
        if seen is None:
            raise broker_error(BROKER, Code.ORDER_NOT_FOUND, f"the broker has no order {order_id}")
        return seen

    async def _find(self, account: str, order_id: str) -> Seen | None:
        try:
            found = await self._lists.some(account, [order_id])
        except BrokerError as error:
            if error.code is not Code.ORDER_NOT_FOUND:
                raise
            found = []
        found = found or await self._lists.finished(account, 0)
        return next((one for one in found if one.order_id == order_id), None)

    def _report(self, seen: Seen) -> OrderReport:
        return seen.report(self._memory.key_of(seen.order_id))

    def _check(self, errors: Sequence[Fault] | None, account: str) -> None:
        for fault in errors or ():
            if fault.account_id in ("", account):
                raise broker_error(BROKER, Code.FORBIDDEN, f"{fault.error}: {fault.message}")

    def _bad(self, what: str, bad: BadPayload) -> BrokerError:
        self._hub.put_aside(what, str(bad))
        return broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE)


def stock_action(order: Order, held: Decimal) -> str:
    """What TradeStation calls an order for a stock of which so much is held; raises OrderRefused where it crosses."""
    if held * order.side.sign >= 0:
        return "BUY" if order.side is Side.BUY else "SELLSHORT"
    if order.quantity > abs(held):
        text = f"{order.side.value} {order.quantity} {order.symbol} crosses the position of {held}; send two orders"
        raise broker_error(BROKER, Code.POSITION_SIZE_EXCEEDED, text)
    return "BUYTOCOVER" if order.side is Side.BUY else "SELL"


def _no_id(key: str) -> BrokerError:
    text = f"the broker's id of order {key!r} is not known yet; nothing was sent"
    return broker_error(BROKER, Code.ORDER_NOT_FOUND, text)
