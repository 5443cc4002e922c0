"""The paper exchange alone, with short words for what is done to it."""

import random
from decimal import Decimal
from typing import Any

from brokers.catalogue import Catalogue
from brokers.market import MarketStatus, Quote
from brokers.matching import VenueRules
from brokers.model import Order, OrderType
from brokers.paper import PaperAccount, PaperFaults, PaperSettings
from brokers.paper.exchange import Cascade, PaperExchange
from brokers.sides import Side

D = Decimal
ES, AAPL, SPOT, PERP, INVERSE = "ESZ26", "AAPL", "BTC-USD", "BTC-PERP", "BTCUSD-INV"
A, B = "paper-1", "paper-2"
CATALOGUE = Catalogue.shipped()
START = 1_767_625_200_000_000_000
SECOND = 1_000_000_000


class Floor:
    """An exchange, its clock, and a number for the next order."""

    def __init__(self, *, symbols: tuple[str, ...] = (ES, AAPL, SPOT), **settings: Any) -> None:
        settings.setdefault("accounts", (PaperAccount(A), PaperAccount(B)))
        settings.setdefault("rules", VenueRules(standing_ns=None))
        self.settings = PaperSettings(symbols=symbols, faults=PaperFaults.none(), **settings)
        self.now = START
        instruments = [CATALOGUE.instrument(symbol) for symbol in symbols]
        self.exchange = PaperExchange(self.settings, instruments, random.Random(1), self.now)
        for symbol in symbols:
            self.exchange.set_status(symbol, MarketStatus.OPEN, self.now)
        self.number = 0

    def quote(self, bid: Any, ask: Any = None, size: int = 100, symbol: str = ES) -> tuple[Cascade, ...]:
        """Two seconds pass, and a quote is shown."""
        self.now += 2 * SECOND
        shown = D(str(bid)), D(str(bid if ask is None else ask))
        return self.exchange.market(Quote(symbol, *shown, D(size), D(size), self.now), self.now)

    def order(self, side: Side, quantity: Any, **terms: Any) -> Order:
        """A market order for ES unless the terms say otherwise."""
        self.number += 1
        for name in {"limit_price", "stop_price", "trail_offset"} & terms.keys():
            terms[name] = D(str(terms[name]))
        kinds = {
            (True, True): OrderType.STOP_LIMIT,
            (True, False): OrderType.LIMIT,
            (False, True): OrderType.STOP,
            (False, False): OrderType.MARKET,
        }
        terms.setdefault("type", kinds["limit_price" in terms, "stop_price" in terms])
        symbol, key = terms.pop("symbol", ES), terms.pop("key", f"k{self.number}")
        return Order(key, symbol, side, quantity=D(str(quantity)), **terms)

    def send(self, account: str, order: Order) -> Cascade:
        """Submits an order and returns what that did to its account."""
        self.now += 1_000_000
        (cascade,) = self.exchange.submit(account, order, self.now)
        return cascade

    def buy(self, quantity: Any, account: str = A, **terms: Any) -> Cascade:
        return self.send(account, self.order(Side.BUY, quantity, **terms))

    def sell(self, quantity: Any, account: str = A, **terms: Any) -> Cascade:
        return self.send(account, self.order(Side.SELL, quantity, **terms))

    def held(self, account: str = A, symbol: str = ES) -> Decimal:
        return self.exchange.ledger(account).position(symbol).quantity

    def holds(self) -> bool:
        """Whether the money identity holds in every account and currency."""
        return all(one.holds for account in self.exchange.accounts for one in self.exchange.ledger(account).identity())
