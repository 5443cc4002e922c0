"""A small daemon that trades at the embedded broker, for tests that kill it: journal, books, one session, one loop.

It notes in files of its own, which a kill cannot take back, what the broker acknowledged and which fills it was told.
At its next start it judges whether venue and books still know all of it, and agree, before it trades on.
"""

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from brokers.account_books import account_topic
from brokers.account_desk import AccountDesk
from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.errors import BrokerError
from brokers.lifecycle import LifecycleError
from brokers.market import Quote
from brokers.matching import DuplicateKeys, VenueRules
from brokers.model import Fill, GroupKind, Order, OrderGroup, OrderType
from brokers.paper import PaperFaults, PaperSettings, open_paper
from brokers.paper.exchange import PaperExchange
from brokers.paper.orders import PaperOrders
from brokers.sides import Side
from runtime import Child, Runtime, Supervisor, open_runtime
from runtime.real import real_world
from sessions.journal import Chain, Journal, JournalSettings
from sessions.order_journal import JournalOrderLog

ACCOUNT, SESSION, SYMBOL = "paper-1", "s1", "BTC-USD"
PATIENCE = 10.0  # seconds within which a start has to come to one truth: R25
BROKER_TIME = 10.0  # after which the broker itself can say for sure that it never got an order
KEEP = 2_000
IN_A_ROW = 20  # kills on the same files
OPEN_NS = 1_794_405_600_000_000_000  # when the market of the recording began
# A second order under a known key would live beside the first, and be seen.
RULES = VenueRules(standing_ns=None, duplicates=DuplicateKeys.ACCEPT, keep_finished=KEEP)
SETTINGS = PaperSettings(faults=PaperFaults.none(), rules=RULES, keep=KEEP)


def market() -> list[Quote]:
    """A hundred seconds of a price that wanders, a quote every five milliseconds."""
    chance, price, size, quotes = random.Random(5), 50_000, Decimal(1), []
    for number in range(20_000):
        price += chance.choice((-1, 0, 1))
        time_ns = OPEN_NS + number * 5_000_000
        quotes.append(Quote(SYMBOL, Decimal(price), Decimal(price + 1), size, size, time_ns))
    return quotes


def say(text: str) -> None:
    """One line that is out of the process when this returns."""
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


MARKET = market()


@attrs.define(eq=False)
class Diary:
    """What this process was told, in a file that outlives it."""

    path: Path

    def add(self, kind: str, *words: object) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(f"{kind} {' '.join(map(str, words))}\n".encode())

    def read(self, kind: str) -> list[list[str]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [words for head, *words in map(str.split, lines) if head == kind]


@attrs.define(eq=False)
class House:
    """Everything of one life."""

    broker: Broker
    runtime: Runtime
    diary: Diary
    chance: random.Random

    @property
    def exchange(self) -> PaperExchange:
        assert isinstance(self.broker.orders, PaperOrders)
        return self.broker.orders._exchange

    @property
    def account(self) -> Any:
        return self.runtime.name("account", AccountManager)

    @property
    def manager(self) -> AccountManager:
        actor: AccountManager = self.account.cell().actor
        return actor


# What must hold.


def faults_of(house: House, *, all_resolved: bool) -> Iterator[str]:
    """Everything in which venue, books and diary differ."""
    exchange, desk = house.exchange, house.manager.desk
    yield from _lost(house, desk)
    for symbol in exchange.instruments:
        venue, books = exchange.ledger(ACCOUNT).quantity(symbol), desk.ledger.quantity(symbol)
        if venue != books or venue != exchange.engine.position(ACCOUNT, symbol):
            yield f"the venue holds {venue} {symbol}, the books {books}"
    venue_open = {report.order.key for report in exchange.engine.open_orders(ACCOUNT)}
    books_open = {key for key, entry in desk.open.items() if not entry.life.uncertain}
    if not venue_open <= set(desk.open) or not books_open <= venue_open:
        yield f"open at the venue {venue_open}, in the books {books_open}"
    if all_resolved and desk.doubted:
        yield f"in doubt: {sorted(desk.doubted)}"
    if desk.problems:
        yield f"problem: {desk.last_problem}"
    if not all(one.holds for one in exchange.ledger(ACCOUNT).identity()):
        yield "the venue's money does not add up"


def _lost(house: House, desk: AccountDesk) -> Iterator[str]:
    exchange = house.exchange
    for (_, key), orders in exchange.engine._desk.registry._by_key.items():
        if len(orders) != 1:
            yield f"{len(orders)} orders with the key {key}"
    for key, *ids in house.diary.read("ack"):
        report = exchange.engine.order(ACCOUNT, key)
        if report is None or list(report.broker_order_ids) != ids:
            yield f"the venue does not know the order {key} {ids} that it acknowledged"
    fills = {fill.id for fill in exchange.fills_since(ACCOUNT, 0)}
    yield from (
        f"the venue does not know the fill {id_} that it told"
        for (id_,) in house.diary.read("fill")
        if id_ not in fills
    )
    yield from (f"the books lack the fill {id_}" for id_ in sorted(fills - set(desk.fill_ids)))


async def judge(house: House, began: float, *, all_resolved: bool) -> None:
    """Says `sound` and how long it took, or what is wrong when time is up."""
    while faults := list(faults_of(house, all_resolved=all_resolved)):
        if time.monotonic() - began > PATIENCE + (BROKER_TIME if all_resolved else 0):
            say(f"broken {'; '.join(faults)}")
            return
        await trio.sleep(0.01)
    say(f"sound {time.monotonic() - began:.3f}")
    house.diary.path.unlink(missing_ok=True)


# Its life.


async def live(folder: Path, seed: int, orders: int | None, *, all_resolved: bool = False) -> None:
    """Starts, judges, and trades so many orders, or until it is killed."""
    began = time.monotonic()
    world = real_world(random.Random())
    async with open_runtime(world) as runtime:
        settings = JournalSettings(folder / "journal", folder / "head")
        journal = Child("journal", lambda: Journal(settings, Chain(b"a key for tests only")), name="journal")
        await runtime.start(Supervisor([journal]), "records")
        name = runtime.name("journal", Journal)
        broker = await open_paper(
            runtime,
            SETTINGS,
            recording=MARKET,
            store=folder / "paper.jsonl",
            logs=lambda account: JournalOrderLog(name, "paper", account, world),
        )
        manager = broker.account_manager(ACCOUNT, session=SESSION, name="account")
        await runtime.start(Supervisor([manager]), "session")
        house = House(broker, runtime, Diary(folder / "diary"), random.Random(seed))
        await judge(house, began, all_resolved=all_resolved)
        await _price(house)
        with runtime.topics.subscribe(account_topic("paper", ACCOUNT, SESSION), capacity=10_000) as heard:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen, house, heard)
                async with trio.open_nursery() as traders:
                    for _ in range(3):
                        traders.start_soon(trade, house, orders)
                nursery.cancel_scope.cancel()
    say("closed")


async def listen(house: House, heard: Any) -> None:
    async for told in heard:
        if isinstance(told, Fill):
            house.diary.add("fill", told.id)


async def trade(house: House, orders: int | None) -> None:
    """Orders of all kinds, one after another; some are canceled."""
    for _ in itertools.count() if orders is None else range(orders):
        request = draw(house)
        try:
            for report in await house.broker.submit_order(house.account, request):
                if report.broker_order_ids:
                    house.diary.add("ack", report.order.key, *report.broker_order_ids)
                if house.chance.random() < 0.5 and not report.state.final:
                    await house.broker.cancel_order(house.account, report.order.key)
        except LifecycleError:
            pass  # the order was done before its cancel
        except BrokerError as error:
            say(f"refused {type(error).__name__} {error}")
        await trio.sleep(house.chance.random() * 0.003)


async def _price(house: House) -> Decimal:
    while (price := house.exchange.last_price(SYMBOL)) is None:  # noqa: ASYNC110 - the exchange has no event for it
        await trio.sleep(0.001)
    return price


def draw(house: House) -> Order | OrderGroup:
    """One request near the market; sales and purchases in turn, so that the position stays small."""
    chance, price = house.chance, (house.exchange.last_price(SYMBOL) or Decimal(1)).quantize(Decimal(1))
    held = house.exchange.ledger(ACCOUNT).quantity(SYMBOL)
    side = Side.SELL if held >= Decimal("0.01") else Side.BUY
    size = chance.randrange(100, 1_000) * Decimal("0.00001")  # hardly ever the same: in doubt none is like it
    match chance.randrange(4):
        case 0:
            return _order(house, side, size, OrderType.LIMIT, limit_price=price + chance.randrange(-3, 4))
        case 1 if side is Side.BUY:
            target = _order(house, Side.SELL, size, OrderType.LIMIT, limit_price=price + 5)
            stop = _order(house, Side.SELL, size, OrderType.STOP, stop_price=price - 50)
            key, entry = str(house.manager.new_key()), _order(house, side, size)
            return OrderGroup(key, GroupKind.BRACKET, entry, (target, stop))
        case _:
            return _order(house, side, size)


def _order(house: House, side: Side, size: Decimal, kind: OrderType = OrderType.MARKET, **prices: Decimal) -> Order:
    return Order(str(house.manager.new_key()), SYMBOL, side, kind, size, **prices)  # type: ignore[arg-type]  # by name


# Kills.


def kills(folder: Path, count: int) -> None:
    """Lives, each killed at a random moment of its start or of its trading; so many in a row share their files."""
    chance = random.Random(1)
    for number in range(count):
        (folder / str(number // IN_A_ROW)).mkdir(exist_ok=True)
        output, ours = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(ours, sys.stdout.fileno())
            trio.run(live, folder / str(number // IN_A_ROW), number, None)
        os.close(ours)
        with os.fdopen(output) as lines:
            said = []
            if chance.random() < 0.8:  # the others are killed while they start
                said.append(lines.readline())
            time.sleep(chance.random() * 0.25)
            os.kill(pid, signal.SIGKILL)
            said.append(lines.read())
        os.waitpid(pid, 0)
        say("".join(said).strip() or "killed before it was up")


def main(mode: str, folder: Path, *arguments: str) -> None:
    match mode:
        case "kills":
            kills(folder, int(arguments[0]))
        case "live":
            trio.run(live, folder, 1, int(arguments[0]))
        case "judge":
            trio.run(lambda: live(folder, 1, 0, all_resolved=arguments == ("wholly",)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
