"""The other side of Tradovate's wire: sign-in, entities, orders and the text sockets for user and market data.

It has one host where the real broker has several: a socket does what the token allows that it is authorized with.
What it says follows the vendor's published interface; where nobody has settled what the server does, `Habits` has
a choice.
"""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import trio

from brokers.catalogue import Catalogue
from brokers.emulation.catalogue import Part
from brokers.emulation.desk import Desk
from brokers.emulation.emulator import LOOPBACK, Emulator, open_house, run_emulator
from brokers.emulation.house import House
from brokers.emulation.web import Application
from brokers.instruments import Kind
from brokers.market import MarketEvent
from brokers.matching import VenueRules
from brokers.paper.settings import Fee, PaperAccount, PaperFaults, PaperSettings
from brokers.tradovate.emulator.habits import TWO_FACTOR, Habits, OnExpiry
from brokers.tradovate.emulator.logins import Logins, User
from brokers.tradovate.emulator.names import Names, listed
from brokers.tradovate.emulator.penalties import Penalties
from brokers.tradovate.emulator.service import Tradovate
from brokers.tradovate.emulator.socket import Socket
from brokers.tradovate.emulator.store import Store
from brokers.tradovate.emulator.words import stamp
from runtime.wire.host import Message, Receive, Send
from runtime.world import World

BROKER: Final = "tradovate"
PARTS: Final = frozenset(Part) - {Part.SEQUENCES}
USER: Final = User(
    id=15_460,
    name="pituser",
    password="emulated-password",  # noqa: S106 - the emulator's own
    app_id="pitboss",
    cid=8,
    sec="00000000-0000-4000-8000-00000000abcd",
    device_id="6f3b4c1a-9f3e-4f4e-8c55-1f0ad3f6f7d1",
)
APP_VERSION: Final = "1.0"
ACCOUNTS: Final = {4_031_009: "DEMO15460", 4_031_010: "DEMO15460B"}
READ_ONLY: Final = (4_031_011, "DEMO15460R")
_DEPOSIT: Final = Decimal(1_000_000)
_FEES: Final = {Kind.FUTURE: Fee(per_contract=Decimal("2.09"))}


class Front:
    """Sockets on their path, everything else as requests."""

    def __init__(self, house: House, application: Application) -> None:
        self._house = house
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One ASGI scope."""
        if scope["type"] != "websocket":
            await self._application(scope, receive, send)
            return
        await receive()
        if not scope["path"].lower().endswith("/websocket"):
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        await Socket(self._house, self._application, send).run(receive)


async def emulate(
    world: World,
    *,
    port: int = 0,
    seed: int = 1,
    faults: Sequence[str] = (),
    latency: float = 0.0,
    symbols: Sequence[str] = (),
    recording: Sequence[MarketEvent] = (),
    habits: Habits = Habits(),  # noqa: B008 - frozen
    task_status: trio.TaskStatus[Emulator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves Tradovate's protocol on loopback until cancelled; `latency` is in seconds, each way.

    Without canonical `symbols` the front contracts of a few roots and the next one of ES are traded. Raises FaultError
    for a switch that the protocol cannot have, OSError for a port that is taken, LookupError or ValueError for a
    symbol that is none, or no future.
    """
    async with open_house(world, PARTS, port=port, seed=seed, faults=faults, latency=latency) as house:
        catalogue = Catalogue.shipped()
        settings = PaperSettings(
            symbols=tuple(symbols) or listed(catalogue, house.now_ns()),
            accounts=tuple(PaperAccount(str(account), deposit=_DEPOSIT) for account in ACCOUNTS),
            rules=VenueRules(standing_ns=None),
            faults=PaperFaults.none(),
            fees_by_kind=_FEES,
            seed=seed,
        )
        desk = Desk(settings, catalogue, random.Random(f"{seed}/exchange"), house.timeline, house.log, recording)
        store = Store()
        names = Names(store, catalogue, desk.instruments.values())
        _introduce(store, house.wall_ns())
        penalties = Penalties(random.Random(f"{seed}/penalties"))
        logins = Logins(USER, habits, random.Random(f"{seed}/tokens"), house.faults, penalties, house.log)
        service = Tradovate(house, desk, store, names, habits, logins, penalties)
        emulator = Emulator(
            broker=BROKER,
            http=f"http://{LOOPBACK}:{house.door.port}/v1",
            ws=f"ws://{LOOPBACK}:{house.door.port}/v1/websocket",
            credentials={
                "name": USER.name,
                "password": USER.password,
                "appId": USER.app_id,
                "appVersion": APP_VERSION,
                "deviceId": USER.device_id,
                "cid": str(USER.cid),
                "sec": USER.sec,
            },
            accounts=tuple(ACCOUNTS.values()),
            futures=frozenset(ACCOUNTS.values()),
            app=Front(house, Application(service, house)),
            log=house.log,
            faults=house.faults,
            desk=desk,
            house=house,
            pardon=penalties.lift,
        )
        await run_emulator(emulator, task_status)


def _introduce(store: Store, wall_ns: int) -> None:
    """The user and the accounts; one of them can only be looked at."""
    store.put("user", {"id": USER.id, "name": USER.name, "status": "Active", "professional": False})
    for account, name in (*ACCOUNTS.items(), READ_ONLY):
        store.put(
            "account",
            {
                "id": account,
                "name": name,
                "userId": USER.id,
                "accountType": "Customer",
                "active": True,
                "clearingHouseId": 2,
                "riskCategoryId": 3,
                "autoLiqProfileId": account,
                "marginAccountType": "Speculator",
                "legalStatus": "Individual",
                "timestamp": stamp(wall_ns),
                "readonly": account == READ_ONLY[0],
            },
        )


__all__ = [
    "ACCOUNTS",
    "BROKER",
    "PARTS",
    "READ_ONLY",
    "TWO_FACTOR",
    "USER",
    "Habits",
    "OnExpiry",
    "Tradovate",
    "emulate",
]
