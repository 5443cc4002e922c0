"""The paper broker: quotes through the matcher, fills through the ledger, an order from submit to fill and answer."""

import random
from collections.abc import Callable
from decimal import Decimal
from time import perf_counter

import attrs
import trio

from brokers.account_books import account_topic
from brokers.account_manager import AccountManager
from brokers.market import Quote
from brokers.matching import VenueRules
from brokers.model import Fill, Order, OrderType
from brokers.paper import PaperFaults, PaperSettings, open_paper
from brokers.sides import Side
from runtime import Supervisor, open_runtime
from runtime.real import real_world
from sessions.control.bench.ledger import measure_ledger
from sessions.control.bench.matching import measure_matching
from sessions.control.bench.report import Measurements

QUOTES = 200_000
FILLS = 100_000
LEDGERS = 3  # one after the other; the quickest counts, for others use the machine too
ORDERS = 400
SYMBOL = "ESZ26"


def run(rounds: int, tell: Callable[[str], None]) -> Measurements:
    """Measures all three in each round."""
    results = Measurements("paper")
    for number in range(1, rounds + 1):
        tell(f"round {number} of {rounds}")
        results.add("matching", measure_matching(1, QUOTES)[0], "quotes per s")
        results.add("ledger", max(measure_ledger(LEDGERS, FILLS)), "fills per s")
        filled, answered = trio.run(_orders)
        for name, seconds in (("order_to_fill", filled), ("order_to_answer", answered)):
            latencies = sorted(seconds)
            results.add(f"{name}_p50", latencies[ORDERS // 2] * 1e6, "us")
            results.add(f"{name}_p99", latencies[ORDERS * 99 // 100] * 1e6, "us")
    results.at_least("matching", 100_000)
    results.at_most("order_to_fill_p50", 150)
    results.at_least("ledger", 300_000)
    return results


async def _orders() -> tuple[list[float], list[float]]:
    """Seconds from each submit, through facade and account manager, until its fill is told, and until it is answered.

    The fill is heard as a session's trader hears it: on the account's topic, in the turn of whoever tells it.
    """
    settings = PaperSettings(symbols=(SYMBOL,), faults=PaperFaults.none(), rules=VenueRules(standing_ns=None))
    async with open_runtime(real_world(random.Random(1))) as runtime:
        first = Quote(SYMBOL, Decimal("6800.00"), Decimal("6800.25"), Decimal(10**6), Decimal(10**6), _OPEN_NS)
        broker = await open_paper(runtime, settings, recording=[first])
        await runtime.start(Supervisor([broker.account_manager("paper-1", session="bench", name="account")]))
        account = runtime.name("account", AccountManager)
        told_at: dict[str | None, float] = {}

        def hear(told: object) -> None:
            if isinstance(told, Fill):
                told_at[told.order_key] = perf_counter()

        leave = runtime.topics.attach(account_topic("paper", "paper-1", "bench"), hear)
        filled, answered = [], []
        for number in range(ORDERS + WARM_UP):
            order = _order(number)
            began = perf_counter()
            await broker.submit_order(account, order)
            ended = perf_counter()
            if number >= WARM_UP:
                filled.append(told_at[order.key] - began)
                answered.append(ended - began)
        leave()
        return filled, answered


WARM_UP = 50
_OPEN_NS = 1_794_405_600_000_000_000  # a Wednesday morning in New York, when every market is open
_TEMPLATE = Order("", SYMBOL, Side.BUY, OrderType.MARKET, Decimal(1))


def _order(number: int) -> Order:
    return attrs.evolve(_TEMPLATE, key=f"{number:022d}", side=Side.BUY if number % 2 else Side.SELL)
