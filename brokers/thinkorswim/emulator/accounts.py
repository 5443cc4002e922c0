"""The trading side of the interface: accounts with balances and positions, orders, transactions, preferences."""

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from brokers.emulation.catalogue import Where
from brokers.emulation.desk import Desk
from brokers.emulation.house import House
from brokers.emulation.web import Reply, Request
from brokers.model import AccountSummary, Fill, Position
from brokers.thinkorswim.emulator.book import OrderBook
from brokers.thinkorswim.emulator.counter import Counter
from brokers.thinkorswim.emulator.market import cusip
from brokers.thinkorswim.emulator.names import Names
from brokers.thinkorswim.emulator.records import Record, instrument_id
from brokers.thinkorswim.emulator.routes import Route, route
from brokers.thinkorswim.emulator.streamer import Identity
from brokers.thinkorswim.emulator.tickets import read_strategy
from brokers.thinkorswim.emulator.words import (
    SECOND_NS,
    RefusedError,
    cents,
    new_uuid,
    plain,
    read_json,
    read_stamp,
    reply,
    stamp,
)

ROOT: Final = "/trader/v1"
HOST: Final = "https://api.schwabapi.com"  # of the real broker: clients read ids from addresses that begin with it
_MOST_DAYS: Final = 60
_MOST: Final = 3000


def account_hash(account: str) -> str:
    """What stands for an account in paths."""
    return hashlib.sha256(f"account/{account}".encode()).hexdigest().upper()


class Accounts:
    """Answers questions about accounts, and takes orders for them."""

    def __init__(
        self,
        house: House,
        desk: Desk,
        names: Names,
        book: OrderBook,
        counter: Counter,
        kinds: Mapping[str, str],
        identity: Identity,
        socket_url: str,
    ) -> None:
        self._house = house
        self._desk = desk
        self._names = names
        self._book = book
        self._counter = counter
        self._kinds = kinds
        self._identity = identity
        self._socket_url = socket_url
        self._numbers = {account_hash(account): account for account in kinds}

    def routes(self) -> tuple[Route, ...]:
        """The endpoints."""
        query, command, of = Where.QUERY, Where.COMMAND, f"{ROOT}/accounts/{{}}"
        return (
            route("GET", f"{ROOT}/accounts/accountNumbers", query, self._account_numbers),
            route("GET", f"{ROOT}/accounts", query, self._all),
            route("GET", of, query, self._one),
            route("GET", f"{ROOT}/userPreference", query, self._preference),
            route("GET", f"{ROOT}/orders", query, self._all_orders),
            route("GET", f"{of}/orders", query, self._orders),
            route("GET", f"{of}/orders/{{}}", query, self._order),
            route("GET", f"{of}/transactions", query, self._transactions),
            route("POST", f"{of}/previewOrder", query, self._preview),
            route("POST", f"{of}/orders", command, self._place),
            route("PUT", f"{of}/orders/{{}}", command, self._replace),
            route("DELETE", f"{of}/orders/{{}}", command, self._cancel),
        )

    def _number(self, hashed: str) -> str:
        """The account behind a hash; its number is not accepted in a path. Raises RefusedError (404)."""
        if hashed not in self._numbers:
            raise RefusedError(404, "Invalid account number")
        return self._numbers[hashed]

    # Accounts.

    def _account_numbers(self, _: Request, __: list[str]) -> Reply:
        return reply([{"accountNumber": number, "hashValue": hashed} for hashed, number in self._numbers.items()])

    def _all(self, request: Request, _: list[str]) -> Reply:
        return reply([self._account(account, request) for account in self._kinds])

    def _one(self, request: Request, parts: list[str]) -> Reply:
        return reply(self._account(self._number(parts[0]), request))

    def _account(self, account: str, request: Request) -> dict[str, Any]:
        summary, held = self._desk.exchange.summary(account), self._desk.exchange.positions(account)
        worth = sum((one.quantity * (one.mark or Decimal(0)) for one in held), Decimal(0))
        written: dict[str, Any] = {
            "type": self._kinds[account],
            "accountNumber": account,
            "roundTrips": 0,
            "isDayTrader": False,
            "isClosingOnlyRestricted": False,
            "pfcbFlag": False,
        }
        if held and "positions" in request.query.get("fields", ""):
            written["positions"] = [self._position(one) for one in held]
        equity = {"currentLiquidationValue": cents(summary.equity), "liquidationValue": cents(summary.equity)}
        written |= balances(summary, worth, self._kinds[account])
        return {"securitiesAccount": written, "aggregatedBalance": equity}

    def _position(self, position: Position) -> dict[str, Any]:
        name, average = self._names.name(position.symbol), position.average_price or Decimal(0)
        size, mark = abs(position.quantity), position.mark or average
        long, short = (size, Decimal(0)) if position.quantity > 0 else (Decimal(0), size)
        average = plain(average.quantize(Decimal("1e-6")))
        share = position.unrealised / (size * average) * 100 if average else Decimal(0)
        side = "Long" if position.quantity > 0 else "Short"
        return {
            "shortQuantity": plain(short),
            "averagePrice": average,
            "currentDayProfitLoss": cents(position.unrealised),
            "currentDayProfitLossPercentage": cents(share),
            "longQuantity": plain(long),
            "settledLongQuantity": plain(long),
            "settledShortQuantity": plain(short),
            "instrument": {"assetType": "EQUITY", "cusip": cusip(name), "symbol": name, "netChange": 0},
            "marketValue": cents(position.quantity * mark),
            "maintenanceRequirement": cents(size * mark * Decimal("0.3")),
            f"average{side}Price": average,
            f"taxLotAverage{side}Price": average,
            f"{side.lower()}OpenProfitLoss": cents(position.unrealised),
            f"previousSession{side}Quantity": 0,
            "currentDayCost": cents(size * average),
        }

    def _preference(self, _: Request, __: list[str]) -> Reply:
        accounts = [
            {
                "accountNumber": account,
                "primaryAccount": number == 0,
                "type": "BROKERAGE",
                "nickName": kind.title(),
                "displayAcctId": f"...{account[-3:]}",
                "autoPositionEffect": True,
                "accountColor": "Green",
            }
            for number, (account, kind) in enumerate(self._kinds.items())
        ]
        streamer = {
            "streamerSocketUrl": self._socket_url,
            "schwabClientCustomerId": self._identity.customer_id,
            "schwabClientCorrelId": self._identity.correl_id,
            "schwabClientChannel": self._identity.channel,
            "schwabClientFunctionId": self._identity.function_id,
        }
        offers = [{"level2Permissions": True, "mktDataPermission": "NP"}]
        return reply({"accounts": accounts, "streamerInfo": [streamer], "offers": offers})

    # Orders.

    def _place(self, request: Request, parts: list[str]) -> Reply:
        account = self._number(parts[0])
        return self._located(self._counter.place(account, read_strategy(read_json(request.body))))

    def _replace(self, request: Request, parts: list[str]) -> Reply:
        account, order_id = self._number(parts[0]), _order_id(parts[1])
        return self._located(self._counter.replace(account, order_id, read_strategy(read_json(request.body))))

    def _cancel(self, _: Request, parts: list[str]) -> Reply:
        self._counter.cancel(self._number(parts[0]), _order_id(parts[1]))
        return Reply(200, b"")

    def _preview(self, request: Request, parts: list[str]) -> Reply:
        return reply(self._counter.preview(self._number(parts[0]), read_strategy(read_json(request.body))))

    def _located(self, record: Record) -> Reply:
        """The id of an order stands in the address only."""
        location = f"{HOST}{ROOT}/accounts/{account_hash(record.account)}/orders/{record.order_id}"
        headers = (("location", location), ("schwab-client-correlid", new_uuid(self._house.chance)))
        return Reply(201, b"", headers)

    def _all_orders(self, request: Request, _: list[str]) -> Reply:
        return self._listed(request, tuple(self._kinds))

    def _orders(self, request: Request, parts: list[str]) -> Reply:
        return self._listed(request, (self._number(parts[0]),))

    def _listed(self, request: Request, accounts: Sequence[str]) -> Reply:
        first, last = (read_stamp(request.query, name) for name in ("fromEnteredTime", "toEnteredTime"))
        if first < self._house.wall_ns() - _MOST_DAYS * 86_400 * SECOND_NS:
            raise RefusedError(400, f"fromEnteredTime must be within {_MOST_DAYS} days from today")
        most, status = request.query.get("maxResults", str(_MOST)), request.query.get("status")
        if not (most.isascii() and most.isdigit() and len(most) < 6 and int(most) > 0):
            raise RefusedError(400, "maxResults must be a number above 0")
        roots = [record for account in accounts for record in self._book.roots(account)]
        stale = self._house.faults.strikes("stale-snapshot") is not None
        write = self._book.write_old if stale else self._book.write
        found = [record for record in roots if first <= self._book.at(record.entered_ns) <= last]
        return reply([write(record) for record in found if status in (None, record.status)][: int(most)])

    def _order(self, _: Request, parts: list[str]) -> Reply:
        record = self._book.find(self._number(parts[0]), _order_id(parts[1]))
        if record is None:
            raise RefusedError(404, "Order not found")
        return reply(self._book.write(record))

    # Transactions.

    def _transactions(self, request: Request, parts: list[str]) -> Reply:
        account = self._number(parts[0])
        first, last = (read_stamp(request.query, name) for name in ("startDate", "endDate"))
        if "types" not in request.query:
            raise RefusedError(400, "types is required")
        wanted = "TRADE" in request.query["types"].split(",")
        symbol = request.query.get("symbol")
        found = [
            self._transaction(record, number, fill)
            for root in (self._book.roots(account) if wanted else ())
            for record in root.tree
            for number, fill in record.fills.values()
            if first <= self._book.at(fill.time_ns) <= last and symbol in (None, self._names.name(fill.symbol))
        ]
        return reply(found)

    def _transaction(self, record: Record, number: int, fill: Fill) -> dict[str, Any]:
        name, time = self._names.name(fill.symbol), stamp(self._book.at(fill.time_ns))
        cost = cents(-fill.signed_quantity * fill.price)
        money = {"assetType": "CURRENCY", "status": "ACTIVE", "symbol": "CURRENCY_USD", "description": "USD currency"}
        security = {"assetType": "EQUITY", "status": "ACTIVE", "symbol": name, "instrumentId": instrument_id(name)}
        opens = record.ticket is not None and record.ticket.opens
        return {
            "activityId": number,
            "time": time,
            "accountNumber": record.account,
            "type": "TRADE",
            "status": "VALID",
            "subAccount": self._kinds[record.account],
            "tradeDate": time,
            "positionId": instrument_id(name),
            "orderId": record.order_id,
            "netAmount": cost - cents(fill.fee),
            "transferItems": [
                {
                    "instrument": {**money, "instrumentId": 1, "closingPrice": 0},
                    "amount": cents(fill.fee),
                    "cost": -cents(fill.fee),
                    "feeType": "COMMISSION",
                },
                {
                    "instrument": {**security, "type": "COMMON_STOCK"},
                    "amount": plain(fill.signed_quantity),
                    "cost": cost,
                    "price": plain(fill.price),
                    "positionEffect": "OPENING" if opens else "CLOSING",
                },
            ],
        }


def balances(summary: AccountSummary, worth: Decimal, kind: str) -> dict[str, Any]:
    """An account's money, at the start of the day, now and to be; `worth` is that of its positions."""
    equity, cash, free = cents(summary.equity), cents(summary.cash), cents(summary.buying_power)
    needed = cents(summary.margin.maintenance)
    both = {"accruedInterest": 0, "cashBalance": cash, "liquidationValue": equity}
    if kind == "CASH":
        cash_only = {
            "cashAvailableForTrading": free,
            "cashAvailableForWithdrawal": free,
            "unsettledCash": 0,
            "totalCash": cash,
        }
        now = {**both, **cash_only, "longMarketValue": cents(worth)}
        return {"initialBalances": {**now, "accountValue": equity}, "currentBalances": now, "projectedBalances": now}
    power = {"buyingPower": free * 2, "dayTradingBuyingPower": free * 4, "maintenanceRequirement": needed}
    return {
        "initialBalances": {
            **both,
            **power,
            "cashAvailableForTrading": free,
            "equity": equity,
            "longStockValue": cents(worth),
            "marginBalance": 0,
            "accountValue": equity,
            "isInCall": False,
        },
        "currentBalances": {
            **both,
            **power,
            "longMarketValue": cents(worth),
            "availableFunds": free,
            "equity": equity,
            "equityPercentage": 100,
            "maintenanceCall": 0,
            "marginBalance": 0,
            "regTCall": 0,
            "shortBalance": 0,
            "sma": free,
        },
        "projectedBalances": {
            "availableFunds": free,
            "availableFundsNonMarginableTrade": free,
            "buyingPower": free * 2,
            "dayTradingBuyingPower": free * 4,
            "dayTradingBuyingPowerCall": 0,
            "maintenanceCall": 0,
            "regTCall": 0,
            "isInCall": False,
            "stockBuyingPower": free * 2,
        },
    }


def _order_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise RefusedError(400, "orderId must be a number")
    return int(text)
