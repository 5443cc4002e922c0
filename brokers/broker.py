"""The facade: one struct a broker, in which data and behaviour travel together; callers never look inside.

    report = await broker.submit_order(account, order)
    root = broker.to_root_symbol("@ES")
    bars = await broker.historical_bars("ESZ26", Interval.parse("1m"), start_ns, end_ns)

Four behaviours stand behind it: the record of what the broker can do, the symbol adapter, the account manager and
the market-data source. A broker without one of the last two is normal: whatever needs it raises Unsupported,
and whoever asks the record sees it beforehand.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from brokers.account_books import AccountBooks, books_name
from brokers.account_manager import AccountManager
from brokers.connection import Connection
from brokers.connection_check import ConnectionCheck
from brokers.guards.health import HealthMoved, Rhythm
from brokers.guards.timeline import SECOND_NS
from brokers.market import Bar, Interval
from brokers.market_data import MarketDataSource
from brokers.model import AccountSummary, Change, Order, OrderGroup, OrderReport, Position
from brokers.order_log import OrderLog
from brokers.reconciliation import Policy
from brokers.symbol_refresh import SymbolRefresh
from runtime import Backoff, Child, Name, Ref

Account = Ref[AccountManager] | Name[AccountManager]
Source = Ref[MarketDataSource] | Name[MarketDataSource]


@attrs.frozen(eq=False)
class Broker(Connection):
    """One broker as one login sees it."""

    # Symbols.

    def supports_symbol(self, symbol: str) -> bool:
        """Whether the broker trades or shows a root or contract."""
        return self.symbols.supports_symbol(symbol)

    def to_broker_symbol(self, symbol: str) -> str:
        """The broker's name of a canonical symbol; raises SymbolError."""
        return self.symbols.to_broker_symbol(symbol)

    def to_root_symbol(self, broker_symbol: str) -> str:
        """The canonical root behind one of the broker's names; raises SymbolError."""
        return self.symbols.to_root_symbol(broker_symbol)

    def to_canonical_symbol(self, broker_symbol: str, reference: dt.date) -> str:
        """The canonical symbol behind one of the broker's names; raises SymbolError."""
        return self.symbols.to_canonical_symbol(broker_symbol, reference)

    # Orders, through the account manager of whoever calls.

    async def submit_order(self, account: Account, order: Order | OrderGroup) -> tuple[OrderReport, ...]:
        """Places an order or a group once and returns what is known of each order, UNKNOWN included.

        Raises InvalidOrder before anything is sent, another BrokerError for a definite no.
        """
        return await account.call(AccountManager.submit, order)

    async def modify_order(self, account: Account, change: Change) -> OrderReport:
        """Asks for new terms of a live order; raises InvalidOrder, or another BrokerError for a definite no."""
        return await account.call(AccountManager.modify, change)

    async def cancel_order(self, account: Account, key: str) -> OrderReport:
        """Asks for the end of a live order; raises BrokerError for a definite no."""
        return await account.call(AccountManager.cancel, key)

    async def flatten(self, account: Account, symbol: str | None = None) -> tuple[OrderReport, ...]:
        """Cancels what is open and closes what is held, in one symbol or all; returns the closing orders."""
        return await account.call(AccountManager.flatten, symbol)

    async def account_orders(self, account: Account) -> tuple[OrderReport, ...]:
        """The orders that the account manager knows, open ones and the latest finished."""
        return await account.call(AccountManager.orders)

    async def account_positions(self, account: Account) -> tuple[Position, ...]:
        """The positions from the account manager's own fills."""
        return await account.call(AccountManager.positions)

    async def account_summary(self, account: Account) -> AccountSummary:
        """The money of the whole account as the broker tells it; raises BrokerError."""
        return await account.call(AccountManager.summary)

    # Market data.

    async def historical_bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """Finished bars whose close lies in (start, end], oldest first; raises BrokerError."""
        return await self.bars(symbol, interval, start_ns, end_ns)

    async def subscribe(self, source: Source, symbol: str) -> None:
        """Begins a symbol's stream on the market topic; raises BrokerError."""
        await source.call(MarketDataSource.subscribe, symbol)

    async def unsubscribe(self, source: Source, symbol: str) -> None:
        """Ends one subscription; the stream ends with the last; raises BrokerError."""
        await source.call(MarketDataSource.unsubscribe, symbol)

    # What a connection and its sessions are built of.

    def account_books(
        self, account: str, *, log: OrderLog | None = None, policy: Policy | None = None
    ) -> Child[AccountBooks]:
        """The child that keeps an account's books, outside all sessions; raises Unsupported."""
        self.need_orders()
        return Child(
            f"books-{account}",
            lambda: AccountBooks(self, account, log=log, policy=policy),
            name=books_name(self.name, account),
            backoff=Backoff(first=0.1, most=15),
        )

    def account_manager(
        self, account: str, *, session: str | None = None, epoch: int = 0, name: str | None = None
    ) -> Child[AccountManager]:
        """The child that manages a session's orders in one account; raises Unsupported."""
        self.need_orders()
        return Child(
            "account-manager",
            lambda: AccountManager(self, account, session=session, epoch=epoch),
            name=name,
        )

    def data_source(self, *, name: str | None = None) -> Child[MarketDataSource]:
        """The child that carries market data; raises Unsupported."""
        self.need_feed()
        return Child("data-source", lambda: MarketDataSource(self), name=name)

    def connection_check(self, tell: Callable[[HealthMoved], None], every_s: int) -> Child[ConnectionCheck]:
        """The child that asks now and then whether the broker answers; raises Unsupported."""
        self.need_orders()
        rhythm = Rhythm(every_ns=every_s * SECOND_NS)
        return Child("check", lambda: ConnectionCheck(self, tell, rhythm), backoff=Backoff(first=1, most=60))

    def symbol_refresh(self, file: Path | None = None, *, name: tuple[str, ...] | None = None) -> Child[SymbolRefresh]:
        """The child that keeps the instrument table as the broker has it, every night; raises Unsupported."""
        self.need_feed()
        return Child(
            "symbol-refresh",
            lambda: SymbolRefresh(self, file),
            name=name,
            backoff=Backoff(first=1, most=60),
        )
