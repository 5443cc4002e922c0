"""A paper exchange with a store, that can be ended at any moment and begun again from its file."""

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.ledger import Mark
from brokers.market import MarketStatus
from brokers.matching import VenueRules
from brokers.paper import PaperAccount, PaperFaults, PaperSettings
from brokers.paper.exchange import Cascade, PaperExchange
from brokers.paper.keep import PaperMemory
from brokers.paper.keeper import Keeper, open_accounts, restore, terms_of
from brokers.paper.source import SyntheticSource
from brokers.paper.store import PaperStore
from runtime.simulation import InlineThreads, SimulatedDisk
from runtime.world import Disk
from tests.brokers.paper.floor import CATALOGUE, ES, SPOT, START, A, B

PATH = Path("/paper/paper.jsonl")
SYMBOLS = (ES, SPOT)


def settings(**changes: Any) -> PaperSettings:
    changes.setdefault("accounts", (PaperAccount(A), PaperAccount(B)))
    changes.setdefault("rules", VenueRules(standing_ns=None))
    return PaperSettings(symbols=SYMBOLS, faults=PaperFaults.none(), **changes)


class Life:
    """One life of an exchange, from its file to its end; `now` is when it begins."""

    def __init__(self, disk: Disk, now: int = START, given: PaperSettings | None = None) -> None:
        given = given or settings()
        self.settings = given
        self.now = now
        keep = max(given.keep, given.rules.keep_finished)
        self.store = PaperStore(disk, PATH, PaperMemory(terms_of(given), CATALOGUE.instrument, keep))
        self.store.open(lambda memory: open_accounts(memory, given, now))
        instruments = [CATALOGUE.instrument(symbol) for symbol in given.symbols]
        self.exchange = PaperExchange(given, instruments, random.Random(1), now)
        self.keeper = Keeper(self.exchange, self.store, InlineThreads(random.Random(1), lambda _: None))
        self.source = SyntheticSource(CATALOGUE, given.symbols, 1, now)
        restore(self.keeper, self.exchange, self.source, self.store.memory, now)

    def open_markets(self) -> None:
        for symbol in self.settings.symbols:
            self.note(self.exchange.set_status(symbol, MarketStatus.OPEN, self.now))
            self.keeper.note_market(symbol)

    def note(self, cascades: tuple[Cascade, ...]) -> tuple[Cascade, ...]:
        if cascades:
            self.keeper.note(cascades)
        return cascades

    def sync(self) -> None:
        """Everything so far becomes durable."""
        self.keeper._note_trails()
        self.store.write(tuple(self.keeper._steps))
        self.keeper._settle(lambda _: None)

    def view(self) -> dict[str, Any]:
        """All that an owner can ask for; valued at the fills, because no market data is kept."""
        exchange, found = self.exchange, {}
        for account in exchange.accounts:
            ledger = exchange.ledger(account)
            for symbol in ledger.symbols():
                ledger.mark(Mark(symbol, 2 * START, Decimal(100), Decimal(100)))
            found[account] = {
                "summary": exchange.summary(account),
                "positions": exchange.positions(account),
                "open": exchange.engine.open_orders(account),
                "orders": sorted(exchange.orders_since(account, 0), key=lambda report: report.broker_order_ids),
                "fills": exchange.fills_since(account, 0),
                "engine": {symbol: exchange.engine.position(account, symbol) for symbol in SYMBOLS},
                "identity": [one.holds for one in ledger.identity()],
            }
        return found


def next_life(disk: SimulatedDisk, life: Life, after_ns: int = 0) -> Life:
    """The exchange as it begins again from the file."""
    return Life(disk, life.now + after_ns, life.settings)
