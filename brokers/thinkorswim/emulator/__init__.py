"""The other side of ThinkOrSwim's wire, which is Schwab's: sign-in, accounts, orders, market data and the streamer.

Futures are data only, as with the real broker: they are quoted and streamed, and orders are for stocks. What it says
follows what is known of the real interface; words that nobody has recorded are its own.
"""

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import trio

from brokers.catalogue import Catalogue
from brokers.emulation.catalogue import Part
from brokers.emulation.desk import Desk
from brokers.emulation.duplex import Sockets
from brokers.emulation.emulator import LOOPBACK, Emulator, open_house, run_emulator
from brokers.emulation.house import House
from brokers.emulation.web import Application
from brokers.market import MarketEvent
from brokers.matching import VenueRules
from brokers.matching.rules import OutsideHours
from brokers.paper.settings import PaperAccount, PaperFaults, PaperSettings
from brokers.thinkorswim.emulator.accounts import Accounts
from brokers.thinkorswim.emulator.board import Board
from brokers.thinkorswim.emulator.book import OrderBook
from brokers.thinkorswim.emulator.counter import Counter
from brokers.thinkorswim.emulator.market import MarketData
from brokers.thinkorswim.emulator.names import Names, listed
from brokers.thinkorswim.emulator.oauth import App, SignIn
from brokers.thinkorswim.emulator.service import Schwab
from brokers.thinkorswim.emulator.streamer import Identity, Manners, Streamer
from brokers.thinkorswim.emulator.words import new_uuid
from runtime.wire.host import HostLimits
from runtime.world import World

BROKER: Final = "thinkorswim"
PARTS: Final = frozenset(
    {
        Part.LINE,
        Part.REPLIES,
        Part.FRAMES,
        Part.ORDER_FRAMES,
        Part.ORDER_LISTS,
        Part.TOKENS,
        Part.REFRESH,
        Part.SEQUENCES,
        Part.SNAPSHOTS,
        Part.GO_AWAY,
        Part.HEARTBEATS,
    }
)
ACCOUNTS: Final[Mapping[str, str]] = {"12345678": "MARGIN", "87654321": "CASH"}
APP: Final = App("emulated-app-key-0000000000000000", "emulated-secret-", "https://127.0.0.1")
SOCKET_PATH: Final = "/ws"
_DEPOSIT: Final = Decimal(1_000_000)
_LIMITS: Final = HostLimits(
    ping_interval_seconds=3600.0,  # its clients ping, it does not
    write_seconds=600.0,  # a slow client is ended by the streamer, with a word
    websocket_backlog_bytes=64 * 1024,
)


async def emulate(
    world: World,
    *,
    port: int = 0,
    seed: int = 1,
    faults: Sequence[str] = (),
    latency: float = 0.0,
    symbols: Sequence[str] = (),
    recording: Sequence[MarketEvent] = (),
    manners: Manners = Manners(),  # noqa: B008 - frozen
    task_status: trio.TaskStatus[Emulator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves Schwab's protocol on loopback until cancelled; `latency` is in seconds, each way.

    Without canonical `symbols` the front contracts of a few roots, the next one of ES and two stocks are traded.
    Raises FaultError for a switch that the protocol cannot have, and OSError for a port that is taken, LookupError
    or ValueError for a symbol that is none.
    """
    async with open_house(world, PARTS, port=port, seed=seed, faults=faults, latency=latency) as house:
        catalogue = Catalogue.shipped()
        settings = PaperSettings(
            symbols=tuple(symbols) or listed(catalogue, house.now_ns()),
            accounts=tuple(PaperAccount(account, deposit=_DEPOSIT) for account in ACCOUNTS),
            rules=VenueRules(standing_ns=None, outside_hours=OutsideHours.HOLD, legs_wait_for_full_fill=True),
            faults=PaperFaults.none(),
            fees_by_kind={},
            seed=seed,
        )
        desk = Desk(settings, catalogue, random.Random(f"{seed}/exchange"), house.timeline, house.log, recording)
        await run_emulator(_emulator(house, desk, seed, manners), task_status, _LIMITS)


def _emulator(house: House, desk: Desk, seed: int, manners: Manners) -> Emulator:
    """Everything that is behind the door."""
    chance, address = random.Random(f"{seed}/tokens"), f"{LOOPBACK}:{house.door.port}"
    sign_in = SignIn(APP, chance, house.faults, house.now_ns())
    identity = Identity(f"{chance.getrandbits(32):08x}", new_uuid(chance))
    names, board, book = Names(desk.instruments.values()), Board(desk), OrderBook(house, desk)
    counter = Counter(house, desk, names, book, ACCOUNTS)
    socket_url = f"ws://{address}{SOCKET_PATH}"
    routes = (
        *Accounts(house, desk, names, book, counter, ACCOUNTS, identity, socket_url).routes(),
        *MarketData(house, desk, names, board).routes(),
    )
    streamer = Streamer(house, desk, names, board, book, sign_in, identity, manners)
    web = Application(Schwab(house, sign_in, tuple(ACCOUNTS), routes), house)
    return Emulator(
        broker=BROKER,
        http=f"http://{address}",
        ws=socket_url,
        credentials={
            "client_id": APP.key,
            "client_secret": APP.secret,
            "redirect_uri": APP.callback,
            "refresh_token": sign_in.refresh_token,
        },
        accounts=tuple(ACCOUNTS),
        futures=frozenset(),
        app=Sockets(web, SOCKET_PATH, streamer.serve, streamer.farewell, house),
        log=house.log,
        faults=house.faults,
        desk=desk,
        house=house,
    )


__all__ = ["ACCOUNTS", "APP", "BROKER", "PARTS", "Manners", "emulate"]
