"""Both sides of the demo's trading: what the broker did, heard at its own exchange, and what the journal holds of it.

The broker lives in the demo's process and is never killed; the journal is read from the daemon's files, while it runs
as well as when it is dead. Neither knows of the other, so what they agree on is what happened.
"""

import contextlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs

from brokers.emulation.desk import Desk
from brokers.instruments import Instrument
from brokers.ledger import AccountTerms, Ledger
from brokers.market import MarketEvent, Quote, Trade
from brokers.matching.events import Accepted
from brokers.model import Fill
from brokers.order_events import Filled, Reconciled, Said
from brokers.order_log import Intended
from brokers.paper.exchange import Cascade
from brokers.reconciliation import Adopted, ExternalFill, LateAcceptance, OrderEvent
from sessions.journal import Entry, JournalError, Reader
from sessions.order_journal import PREFIX, from_entry
from sessions.order_snapshot import KIND as SNAPSHOT

_DATABASES: Final = "entries-*.db"
_CURRENCY: Final = "USD"  # of all accounts of the emulated broker


@attrs.define(eq=False)
class BrokerSide:
    """What the broker did; accounts by the names that clients use for them."""

    names: Mapping[str, str]  # of accounts, by the exchange's own
    desk: Desk
    ticks: int = 0
    orders: dict[str, tuple[str, str]] = attrs.field(factory=dict)  # account and symbol by the broker's id
    fills: list[Fill] = attrs.field(factory=list)
    traded: dict[tuple[str, str], int] = attrs.field(factory=dict)  # orders by account and symbol

    def attach(self) -> None:
        """Begins to listen."""
        self.desk.hear(self._hear)
        self.desk.watch(self._watch)

    def _hear(self, cascade: Cascade) -> None:
        account = self.names[cascade.account]
        for event in cascade.events:
            if isinstance(event, Accepted):
                where = (account, event.symbol)
                self.orders[event.key] = where
                self.traded[where] = self.traded.get(where, 0) + 1
        self.fills += [
            attrs.evolve(fill, account=account, broker_order_id=fill.order_key) for fill in cascade.executions
        ]

    def _watch(self, event: MarketEvent) -> None:
        self.ticks += isinstance(event, Quote | Trade)

    def realised(self) -> Mapping[str, Decimal]:
        """What each account has earned before fees, by the broker's own ledger."""
        return {name: self.desk.exchange.summary(number).realised for number, name in self.names.items()}

    def fees(self) -> Mapping[str, Decimal]:
        """What each account has paid, by the broker's own ledger."""
        return {name: self.desk.exchange.summary(number).fees for number, name in self.names.items()}

    def holdings(self) -> Iterator[str]:
        """A sentence for each account that holds something, or has an order open."""
        exchange = self.desk.exchange
        for number, name in self.names.items():
            open_ = exchange.engine.open_orders(number)
            held = {one.symbol: one.quantity for one in exchange.positions(number) if one.quantity}
            if open_ or held:
                parts = (*(f"{quantity} {symbol}" for symbol, quantity in held.items()), f"{len(open_)} open orders")
                yield f"{name} has {', '.join(parts)}"


@attrs.define(eq=False)
class JournalSide:
    """What the journal holds of the orders, folded from its files; reading on costs what is new."""

    folder: Path
    broker: str
    instruments: Mapping[str, Instrument]
    sessions: dict[str, str | None] = attrs.field(factory=dict)  # of each order that was meant, by key
    ids: dict[str, set[str]] = attrs.field(factory=dict)  # keys by the broker's id
    fills: dict[tuple[str, str], Fill] = attrs.field(factory=dict)  # by account and id
    earned: dict[str, Ledger] = attrs.field(factory=dict)  # by session
    ledgers: dict[str, Ledger] = attrs.field(factory=dict)  # by account
    _read: dict[str, int] = attrs.field(factory=dict)  # the last row by file

    def read(self) -> None:
        """Takes up what was written since; blocks. A file that cannot be read now is read the next time."""
        for file in sorted(self.folder.glob(_DATABASES)):
            with contextlib.suppress(JournalError), Reader(str(file)) as reader:  # the next start mends a killed file
                for row in reader.since(self._read.get(file.name, 0)):
                    self._read[file.name] = row.seq
                    self._take(row.entry)

    def _take(self, entry: Entry) -> None:
        if not (entry.stream or "").startswith(f"{PREFIX}{self.broker}/") or entry.kind == SNAPSHOT:
            return
        match from_entry(entry.kind, entry.body, entry.wall_ns).what:
            case Intended(session=session) as intended:
                self.sessions.update((order.key, session) for order in intended.orders)
            case OrderEvent(key=key, event=event):
                self._told(key, event)
            case Adopted(key=key, life=life) | LateAcceptance(key=key, life=life):
                for id_ in life.broker_order_ids:
                    self.ids.setdefault(id_, set()).add(key)
            case ExternalFill(fill=fill):
                self._book(fill)
            case _:
                pass

    def _told(self, key: str, event: object) -> None:
        match event:
            case Said(broker_order_id=str(id_)) | Reconciled(broker_order_id=str(id_)):
                self.ids.setdefault(id_, set()).add(key)
            case Filled(fill=fill):
                self.ids.setdefault(str(fill.broker_order_id), set()).add(key)
                self._book(fill, self.sessions.get(key))
            case _:
                pass

    def _book(self, fill: Fill, session: str | None = None) -> None:
        self.fills[fill.account, fill.id] = fill
        self._ledger(self.ledgers, fill.account, fill.account).apply(fill)
        if session is not None:
            self._ledger(self.earned, session, fill.account).apply(fill)

    def _ledger(self, ledgers: dict[str, Ledger], name: str, account: str) -> Ledger:
        found = ledgers.get(name)
        if found is None:
            found = ledgers[name] = Ledger(AccountTerms(self.broker, account, _CURRENCY), self.instruments)
        return found

    def realised(self, account: str) -> Decimal:
        """What an account has earned before fees."""
        return realised(self.ledgers.get(account))

    def earnings(self, session: str) -> Decimal:
        """What a session has earned before fees."""
        return realised(self.earned.get(session))


def realised(ledger: Ledger | None) -> Decimal:
    """What a ledger has booked as earned, before fees."""
    return Decimal(0) if ledger is None else sum((one.realised for one in ledger.statements()), Decimal(0))
