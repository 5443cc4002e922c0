"""The other side of TradeStation's wire: sign-in, accounts, orders, market data and streams on loopback.

It has one host where the real broker has a live and a simulated one, and its accounts are simulated ones. What it says
follows the vendor's published interface; words that nobody has published are its own and are marked so in no reply.
"""

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import trio

from brokers.catalogue import Catalogue
from brokers.emulation.catalogue import Part
from brokers.emulation.desk import Desk
from brokers.emulation.emulator import LOOPBACK, Emulator, open_house, run_emulator
from brokers.emulation.web import Application
from brokers.instruments import Kind
from brokers.market import MarketEvent
from brokers.matching import VenueRules
from brokers.matching.rules import OutsideHours
from brokers.paper.settings import Fee, PaperAccount, PaperFaults, PaperSettings
from brokers.tradestation.emulator.names import Names, listed
from brokers.tradestation.emulator.oauth import Key, SignIn
from brokers.tradestation.emulator.service import QUOTAS, TradeStation
from runtime.world import World

BROKER: Final = "tradestation"
PARTS: Final = frozenset(
    {
        Part.LINE,
        Part.REPLIES,
        Part.FRAMES,
        Part.ORDER_FRAMES,
        Part.ORDER_LISTS,
        Part.TOKENS,
        Part.REFRESH,
        Part.SNAPSHOTS,
        Part.GO_AWAY,
        Part.HEARTBEATS,
        Part.REFUSAL_IN_200,
    }
)
ACCOUNTS: Final[Mapping[str, str]] = {"SIM2784990M": "Margin", "SIM2784991F": "Futures"}
KEY: Final = Key("emulated-client-id", "emulated-client-secret", "http://localhost:3000")
_DEPOSIT: Final = Decimal(1_000_000)
_FEES: Final = {Kind.FUTURE: Fee(per_contract=Decimal("2.3")), Kind.STOCK: Fee(per_contract=Decimal("0.005"))}


async def emulate(
    world: World,
    *,
    port: int = 0,
    seed: int = 1,
    faults: Sequence[str] = (),
    latency: float = 0.0,
    symbols: Sequence[str] = (),
    recording: Sequence[MarketEvent] = (),
    task_status: trio.TaskStatus[Emulator] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves TradeStation's protocol on loopback until cancelled; `latency` is in seconds, each way.

    Without canonical `symbols` the front contracts of a few roots, the next one of ES and two stocks are traded.
    Raises FaultError for a switch that the protocol cannot have, and OSError for a port that is taken, LookupError
    or ValueError for a symbol that is none.
    """
    async with open_house(world, PARTS, port=port, seed=seed, faults=faults, latency=latency) as house:
        catalogue = Catalogue.shipped()
        now = house.now_ns()
        settings = PaperSettings(
            symbols=tuple(symbols) or listed(catalogue, now),
            accounts=tuple(PaperAccount(account, deposit=_DEPOSIT) for account in ACCOUNTS),
            rules=VenueRules(standing_ns=None, outside_hours=OutsideHours.HOLD),
            faults=PaperFaults.none(),
            fees_by_kind=_FEES,
            seed=seed,
        )
        desk = Desk(settings, catalogue, random.Random(f"{seed}/exchange"), house.timeline, house.log, recording)
        sign_in = SignIn(KEY, random.Random(f"{seed}/tokens"), house.faults, now)
        service = TradeStation(house, desk, Names(desk.instruments.values()), sign_in, ACCOUNTS)
        emulator = Emulator(
            broker=BROKER,
            http=f"http://{LOOPBACK}:{house.door.port}",
            ws=None,
            credentials={
                "client_id": KEY.client_id,
                "client_secret": KEY.client_secret,
                "redirect_uri": KEY.redirect_uri,
                "refresh_token": sign_in.refresh_token,
            },
            accounts=tuple(ACCOUNTS),
            futures=frozenset(name for name, kind in ACCOUNTS.items() if kind == "Futures"),
            app=Application(service, house),
            log=house.log,
            faults=house.faults,
            desk=desk,
            house=house,
        )
        await run_emulator(emulator, task_status)


__all__ = ["ACCOUNTS", "BROKER", "KEY", "PARTS", "QUOTAS", "TradeStation", "emulate"]
