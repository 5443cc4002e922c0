"""Positions and cash of the accounts as rows that change with each fill."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any, Final

import attrs

from brokers.emulation.desk import Desk
from brokers.model import AccountSummary, Fill
from brokers.sides import Side
from brokers.tradovate.emulator.names import Names
from brokers.tradovate.emulator.store import Prop, Store
from brokers.tradovate.emulator.words import date_object, plain, stamp

_FIRST_POSITION: Final = 7_001
_FIRST_BALANCE: Final = 4_410
_AVERAGE: Final = Decimal("1e-9")


@attrs.define
class _Day:
    """What was bought and sold of one contract on one trade date."""

    position_id: int
    date: dt.date
    previous: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))  # the position at its beginning, and its price
    average: Decimal = Decimal(0)
    bought: Decimal = Decimal(0)
    bought_value: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)
    sold_value: Decimal = Decimal(0)

    def add(self, fill: Fill, times: int) -> None:
        """A fill comes, or for -1 goes."""
        size, value = times * fill.quantity, times * fill.quantity * fill.price
        if fill.side is Side.BUY:
            self.bought, self.bought_value = self.bought + size, self.bought_value + value
        else:
            self.sold, self.sold_value = self.sold + size, self.sold_value + value


class Holdings:
    """The books of all accounts, in the broker's rows."""

    def __init__(self, desk: Desk, store: Store, names: Names, wall_ns: Callable[[], int]) -> None:
        self._desk = desk
        self._store = store
        self._names = names
        self._wall_ns = wall_ns
        self._days: dict[tuple[str, str], _Day] = {}
        self._positions = count(_FIRST_POSITION)
        self._balances = {account: _FIRST_BALANCE + n for n, account in enumerate(desk.exchange.accounts)}
        for account in self._balances:
            self._cash(account)

    def traded(self, fill: Fill) -> list[Prop]:
        """A fill: what is told of position and cash."""
        key, date = (fill.account, fill.symbol), self.trade_day(fill.symbol)
        day = self._days.get(key)
        if day is None:
            day = self._days[key] = _Day(next(self._positions), date)
        elif day.date != date:
            held = self._desk.exchange.ledger(fill.account).position(fill.symbol).quantity - fill.signed_quantity
            day = self._days[key] = _Day(day.position_id, date, (held, day.average))
        day.add(fill, 1)
        return [self._position(*key), self._cash(fill.account)]

    def corrected(self, before: Fill, after: Fill | None) -> list[Prop]:
        """A fill that was told is taken back, or replaced."""
        key = before.account, before.symbol
        self._days[key].add(before, -1)
        if after is not None:
            self._days[key].add(after, 1)
        return [self._position(*key), self._cash(before.account)]

    def trade_day(self, symbol: str | None = None) -> dt.date:
        """The exchange's trade date now."""
        symbol = symbol or next(iter(self._desk.instruments))
        return self._desk.catalogue.calendar(symbol).trading_day(self._desk.now_ns() + self._desk.source.offset_ns)

    def snapshot(self, account: str) -> dict[str, Any]:
        """An account's money now."""
        summary = self._desk.exchange.summary(account)
        figures = {
            "totalCashValue": summary.cash,
            "totalPnL": summary.realised + summary.unrealised,
            "initialMargin": summary.margin.initial,
            "maintenanceMargin": summary.margin.maintenance,
            "netLiq": summary.equity,
            "openPnL": summary.unrealised,
            "realizedPnL": summary.realised,
            "weekRealizedPnL": summary.realised,
        }
        return {name: plain(value) for name, value in figures.items()}

    def _position(self, account: str, symbol: str) -> Prop:
        day, held = self._days[account, symbol], self._desk.exchange.ledger(account).position(symbol)
        row = {
            "id": day.position_id,
            "accountId": int(account),
            "contractId": self._names.contract_id(symbol),
            "timestamp": stamp(self._wall_ns()),
            "tradeDate": date_object(day.date),
            "netPos": plain(held.quantity),
            "bought": plain(day.bought),
            "boughtValue": plain(day.bought_value),
            "sold": plain(day.sold),
            "soldValue": plain(day.sold_value),
            "prevPos": plain(day.previous[0]),
            "prevPrice": plain(day.previous[1]),
        }
        day.average = (held.average_price or Decimal(0)).quantize(_AVERAGE)
        if held.quantity:
            row["netPrice"] = plain(day.average)
        return self._store.put("position", row)

    def _cash(self, account: str) -> Prop:
        summary: AccountSummary = self._desk.exchange.summary(account)
        row = {
            "id": self._balances[account],
            "accountId": int(account),
            "timestamp": stamp(self._wall_ns()),
            "tradeDate": date_object(self.trade_day()),
            "currencyId": 1,
            "amount": plain(summary.cash),
            "realizedPnL": plain(summary.realised),
            "weekRealizedPnL": plain(summary.realised),
        }
        return self._store.put("cashBalance", row)
