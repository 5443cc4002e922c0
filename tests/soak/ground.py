"""What a soak runs on: emulators in this process, a daemon beside it, and what the daemon is told to trade."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import trio

from brokers.catalogue import Catalogue
from brokers.emulation.emulator import Emulator
from brokers.emulation.table import EMULATORS
from config.settings.writing import header, toml
from runtime.world import World
from sessions.control.demo.books import BrokerSide, JournalSide
from sessions.control.demo.stage import Stage
from sessions.control.emulated_login import accepted_by
from sessions.control.rehearsal.cast import HOSTS
from sessions.control.rehearsal.restless import Restless

ROOTS: Final = ("ES", "NQ", "MES", "MNQ")
PAPER: Final = "paper"
ACCOUNT: Final = "paper-1"
EVERY_SECONDS: Final[Mapping[str, int]] = {"tradovate": 20}  # with eight sessions about half of what an hour allows
OFTEN: Final = 5
_WIDE: Final = {"max_order_notional": "10000000", "max_exposure": "100000000", "max_daily_loss": "100000000"}
_STRATEGY: Final = f"{Restless.__module__}:{Restless.__qualname__}"


@attrs.frozen
class Seat:
    """One session: where it trades, what, and whose prices it trades by."""

    broker: str
    account: str
    root: str
    data: str = ""


@attrs.frozen(eq=False)
class Ground:
    """Everything of one soak."""

    emulators: Mapping[str, Emulator]
    stage: Stage
    seats: Sequence[Seat]
    sides: Mapping[str, tuple[BrokerSide, JournalSide]]

    @classmethod
    async def prepare(cls, world: World, nursery: trio.Nursery, folder: Path, seed: int, sessions: int) -> "Ground":
        """Puts up the emulators and writes what the daemon will read."""
        catalogue, now = Catalogue.shipped(), world.clock.wall_ns()
        symbols = [catalogue.front(root, catalogue.calendar(root).trading_day(now)).symbol for root in ROOTS]
        emulators: dict[str, Emulator] = {}
        for kind, emulate in EMULATORS.items():
            emulators[kind] = await nursery.start(partial(emulate, world, seed=seed, symbols=symbols))
        seats = tuple(islice(_seats(emulators), sessions))
        stage = Stage(folder, nursery)
        logins = [accepted_by(emulator, "main", now) for emulator in emulators.values()]
        stage.prepare(configuration(emulators, seats, symbols, seed), logins)
        sides = {kind: _sides(emulator, stage) for kind, emulator in emulators.items()}
        return cls(emulators, stage, seats, sides)


def _seats(emulators: Mapping[str, Emulator]) -> Iterator[Seat]:
    """As many as fit: by turns at each broker, in each account that takes futures, on each contract, then again."""
    places = [(kind, account, "") for kind, one in emulators.items() for account in sorted(one.futures)]
    places += [(PAPER, ACCOUNT, "thinkorswim"), (PAPER, ACCOUNT, "")]
    while True:
        yield from (Seat(kind, account, root, data) for root in ROOTS for kind, account, data in places)


def _sides(emulator: Emulator, stage: Stage) -> tuple[BrokerSide, JournalSide]:
    broker = BrokerSide(dict(zip(emulator.desk.exchange.accounts, emulator.accounts, strict=True)), emulator.desk)
    broker.attach()
    return broker, JournalSide(stage.journal, emulator.broker, emulator.desk.instruments)


def configuration(emulators: Mapping[str, Emulator], seats: Sequence[Seat], symbols: Sequence[str], seed: int) -> str:
    """The daemon's configuration file."""
    pace = {"orders_per_minute": 6_000, "order_burst": 600}
    tables: dict[tuple[str, ...], Mapping[str, Any]] = {
        ("daemon",): {"drain_s": 2},
        ("risk",): pace | _WIDE,
        ("brokers", PAPER): {"kind": PAPER, "accounts": [ACCOUNT]},
        ("brokers", PAPER, "market"): {"seed": seed, "symbols": symbols},
    }
    for kind, emulator in emulators.items():
        accounts = sorted({seat.account for seat in seats if seat.broker == kind})
        tables["brokers", kind] = {"kind": kind} | ({"accounts": accounts, "environment": PAPER} if accounts else {})
        tables["brokers", kind, "hosts"] = dict.fromkeys(HOSTS[kind], urlsplit(emulator.http).netloc)
    for number, seat in enumerate(seats):
        tables["sessions", f"s{number:02d}"] = {
            "broker": seat.broker,
            "account": seat.account,
            "symbols": [seat.root],
            "strategy": _STRATEGY,
            "params": {"seed": seed + number, "every_seconds": EVERY_SECONDS.get(seat.broker, OFTEN)},
            "risk": pace | _WIDE,
        } | ({"data": seat.data} if seat.data else {})
    return "\n".join(
        "\n".join((header(path), *(f"{key} = {toml(value)}" for key, value in table.items()), ""))
        for path, table in tables.items()
    )
