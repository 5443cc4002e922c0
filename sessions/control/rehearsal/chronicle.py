"""What a run was like, for people to look at afterwards: its trades, its money and its prices along the time."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import trio

from brokers.emulation.emulator import Emulator
from brokers.emulation.log import ACCEPTED, Entry
from brokers.paper.exchange import Cascade

STEP_SECONDS: Final = 15.0  # between two looks at money and prices where nothing trades

Watch = Callable[[float], object]


@attrs.frozen
class Trade:
    """One execution at a broker."""

    at_s: float
    broker: str
    symbol: str
    signed_quantity: Decimal
    price: Decimal


@attrs.frozen
class Money:
    """What all accounts of a broker were worth together, in one currency, beyond what they began with."""

    at_s: float
    broker: str
    currency: str
    profit: Decimal


@attrs.frozen
class Price:
    """The middle of a quote."""

    at_s: float
    broker: str
    symbol: str
    price: Decimal


@attrs.frozen
class Story:
    """A whole run, oldest first."""

    orders: tuple[float, ...] = ()
    trades: tuple[Trade, ...] = ()
    money: tuple[Money, ...] = ()
    prices: tuple[Price, ...] = ()

    @property
    def profit(self) -> Mapping[str, Decimal]:
        """What was earned at last, by currency."""
        last = {(one.broker, one.currency): one.profit for one in self.money}
        total: dict[str, Decimal] = {}
        for (_, currency), profit in last.items():
            total[currency] = total.get(currency, Decimal(0)) + profit
        return total


class Chronicle:
    """Listens to the brokers without touching anything: a run goes the same way with it and without."""

    def __init__(self, watch: Watch = lambda _: None) -> None:
        """`watch` is told the time of each look at money and prices."""
        self.watch = watch
        self._orders: list[float] = []
        self._trades: list[Trade] = []
        self._money: list[Money] = []
        self._prices: list[Price] = []
        self._looks: list[Callable[[], None]] = []

    def attend(self, emulators: Mapping[str, Emulator]) -> None:
        """Listens from now on."""
        for name, emulator in emulators.items():
            seat = _Seat(self, name, emulator)
            emulator.desk.hear(seat.cascade)
            emulator.log.listen(seat.entry)
            self._looks.append(seat.look)

    def story(self) -> Story:
        """All of it so far, with a last look at everything."""
        for look in self._looks:
            look()
        return Story(tuple(self._orders), tuple(self._trades), tuple(self._money), tuple(self._prices))

    def order(self) -> None:
        """An order was taken."""
        self._orders.append(trio.current_time())

    def trade(self, trade: Trade) -> None:
        """An execution."""
        self._trades.append(trade)

    def seen(self, money: Money | Price) -> None:
        """A figure."""
        if isinstance(money, Money):
            self._money.append(money)
        else:
            self._prices.append(money)


class _Seat:
    """One broker as the chronicle sees it."""

    def __init__(self, chronicle: Chronicle, name: str, emulator: Emulator) -> None:
        self._chronicle = chronicle
        self._name = name
        self._exchange = emulator.desk.exchange
        self._looked = 0.0
        self._began = self._worth()

    def entry(self, entry: Entry) -> None:
        if entry.kind == ACCEPTED:
            self._chronicle.order()
        if trio.current_time() - self._looked >= STEP_SECONDS:
            self.look()

    def cascade(self, cascade: Cascade) -> None:
        now = trio.current_time()
        for fill in cascade.executions:
            self._chronicle.trade(Trade(now, self._name, fill.symbol, fill.signed_quantity, fill.price))
        if cascade.executions:
            self.look()

    def look(self) -> None:
        now = self._looked = trio.current_time()
        self._chronicle.watch(now)
        for currency, worth in self._worth().items():
            self._chronicle.seen(Money(now, self._name, currency, worth - self._began[currency]))
        for symbol in self._exchange.instruments:
            price = self._exchange.last_price(symbol)
            if price is not None:
                self._chronicle.seen(Price(now, self._name, symbol, price))

    def _worth(self) -> dict[str, Decimal]:
        """What all accounts are worth together, by currency."""
        total: dict[str, Decimal] = {}
        for account in self._exchange.accounts:
            summary = self._exchange.summary(account)
            total[summary.currency] = total.get(summary.currency, Decimal(0)) + summary.equity
        return total
