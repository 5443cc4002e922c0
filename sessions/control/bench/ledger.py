"""How many fills a second one ledger books: one account, five instruments, three sessions each.

The second is one of a core's time: a ledger waits for nothing, so what others do to the machine is not its pace.
"""

import random
import time
from decimal import Decimal

from brokers.instruments import Instrument, Kind
from brokers.ledger import AccountTerms, Ledger
from brokers.model import Fill
from brokers.sides import Side

_MILLISECOND = 1_000_000
_BROKER, _ACCOUNT = "paper", "A1"


def _instruments() -> dict[str, Instrument]:
    tick = Decimal("0.25")
    table = [
        Instrument("ESZ26", "ES", Kind.FUTURE, "USD", tick, multiplier=Decimal(50)),
        Instrument("NQZ26", "NQ", Kind.FUTURE, "USD", tick, multiplier=Decimal(20)),
        Instrument("AAPL", "AAPL", Kind.STOCK, "USD", Decimal("0.01")),
        Instrument("BTC-USD", "BTC", Kind.SPOT, "USD", Decimal("0.01"), lot=Decimal("0.00001"), base="BTC"),
        Instrument("ETH-PERP", "ETH", Kind.PERPETUAL, "USD", Decimal("0.01"), lot=Decimal("0.001")),
    ]
    return {instrument.symbol: instrument for instrument in table}


def _fills(count: int, instruments: dict[str, Instrument], chance: random.Random) -> list[Fill]:
    """Fills around a walking price, one to ten lots each, every one with a fee."""
    listed = list(instruments.values())
    prices = {instrument.symbol: 20_000 for instrument in listed}
    sides, sessions = list(Side), ["trend", "revert", "carry"]
    fills = []
    for number in range(count):
        instrument = chance.choice(listed)
        prices[instrument.symbol] += chance.randint(-3, 3)
        fills.append(
            Fill(
                id=f"x{number:09}",
                broker=_BROKER,
                account=_ACCOUNT,
                symbol=instrument.symbol,
                side=chance.choice(sides),
                quantity=instrument.lot * chance.randint(1, 10),
                price=instrument.tick * prices[instrument.symbol],
                time_ns=number * _MILLISECOND,
                fee=Decimal("2.25"),
                session=chance.choice(sessions),
            )
        )
    return fills


def measure_ledger(rounds: int, fills: int) -> list[float]:
    """Fills a second of each round; the same fills go into a new ledger every time."""
    instruments = _instruments()
    batch = _fills(fills, instruments, random.Random(1))
    samples = []
    for _ in range(rounds):
        apply = Ledger(AccountTerms(_BROKER, _ACCOUNT, "USD"), instruments).apply
        begin = time.process_time()
        for fill in batch:
            apply(fill)
        samples.append(fills / (time.process_time() - begin))
    return samples
