"""Who takes part in a rehearsal: the brokers' emulators, what their doors accept, and settings that lead there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import trio

from brokers.catalogue import Catalogue
from brokers.emulation.catalogue import Part
from brokers.emulation.emulator import Emulate, Emulator
from brokers.market import MarketEvent
from brokers.vault import Keyholder, Vault
from brokers.vault.private import anybody, no_other
from brokers.vault.shelf import VaultShelf
from brokers.vault.unlock import KeyFileSource
from config.settings import BrokerSettings, SessionSettings, Settings, Source
from config.settings.writing import header, toml, toml_key
from runtime import Child, Ref, open_runtime
from runtime.simulation import Conditions, SimulatedWorld, fixed
from runtime.wire.secret import Secret
from runtime.world import World
from sessions.control.daemon.house import VAULT_FILE
from sessions.control.emulated_login import accepted_by

HOSTS: Final[Mapping[str, tuple[str, ...]]] = {  # which hosts of a broker its one emulator stands in for
    "tradestation": ("host", "sign_in"),
    "tradovate": ("host", "market_host"),
    "thinkorswim": ("api", "streamer"),
}
_KEY: Final = Secret("cmVoZWFyc2FsLXJlaGVhcnNhbC1yZWhlYXJzYWwtMDE=")  # of a vault that is never written anywhere
_SECRET: Final = frozenset({"client_secret", "refresh_token", "password", "sec"})
# All of the way lies behind the broker: what is sent too early is seen there before anything else can happen.
_FROM_BROKER: Final = Conditions(latency=fixed(0.03))

PAPER_SESSION = """
[brokers.{broker}]
kind = "{broker}"

[brokers.paper]
kind = "paper"
accounts = ["paper-1"]

[brokers.paper.market]
seed = {seed}
symbols = ["{symbol}"]

[sessions.thinkorswim]
broker = "paper"
account = "paper-1"
data = "thinkorswim"
symbols = ["{symbol}"]
strategy = "sessions.control.rehearsal.restless:Restless"
"""
ORDER_SESSION = """
[sessions.{broker}]
broker = "{broker}"
account = "main"
symbols = ["{symbol}"]
strategy = "sessions.control.rehearsal.restless:Restless"
params = {{ seed = {seed} }}
"""
BROKER_TABLE = '[brokers.{broker}]\nkind = "{broker}"\naccounts = ["main"]\n'


def usual_source(brokers: Iterable[str], symbol: str, seed: int) -> Source:
    """One session a broker, for who has configured none: what only has prices is traded on paper, at those prices."""
    text = ""
    for broker in brokers:
        form = PAPER_SESSION if broker == "thinkorswim" else BROKER_TABLE + ORDER_SESSION
        text += form.format(broker=broker, symbol=symbol, seed=seed)
    return Source("rehearsal", text)


@attrs.frozen(eq=False)
class Cast:
    """The emulators by the names of the brokers they stand in for, and the accounts as sessions know them."""

    emulators: Mapping[str, Emulator]
    settings: Settings
    catalogue: Catalogue

    @classmethod
    async def enter(
        cls,
        world: SimulatedWorld,
        nursery: trio.Nursery,
        settings: Settings,
        catalogue: Catalogue,
        recording: Sequence[MarketEvent] = (),
    ) -> "Cast":
        """Puts up an emulator for each broker that has one, on the recorded market if there is one.

        Raises what emulators do.
        """
        emulators = {}
        for name, broker in settings.brokers.items():
            if broker.kind not in HOSTS:
                continue
            emulate: Emulate = import_module(f"brokers.{broker.kind}.emulator").emulate
            symbols = symbols_at(settings, name, catalogue, world.clock.wall_ns())
            market = tuple(event for event in recording if event.symbol in symbols)
            emulators[name] = emulator = await nursery.start(
                partial(emulate, world, seed=world.seed, symbols=symbols, recording=market), name=f"emulator {name}"
            )
            world.network.shape("localhost", emulator.door.port, inward=_FROM_BROKER)
        return cls(emulators, settings, catalogue)

    def parts(self, name: str) -> frozenset[Part]:
        """What faults the protocol of a broker can have."""
        return parts_of(self.settings.brokers[name].kind)

    def account(self, broker: str, account: str) -> str:
        """The emulator's account in place of a configured one; raises TooManyAccounts."""
        emulator, configured = self.emulators.get(broker), self.settings.brokers[broker].accounts
        if emulator is None or account in emulator.accounts:
            return account
        traded = {symbol for one in self.settings.sessions.values() if one.broker == broker for symbol in one.symbols}
        futures = any(self.catalogue.record(symbol).kind == "future" for symbol in traded)
        fit = [one for one in emulator.accounts if (one in emulator.futures) == futures]
        place = configured.index(account)
        if place >= len(fit):
            raise TooManyAccounts(broker, configured, fit)
        return fit[place]

    def secrets(self) -> Iterator[str]:
        """What nobody may ever see: what the logins prove themselves with, and the tokens handed out so far."""
        for emulator in self.emulators.values():
            yield from (value for name, value in emulator.credentials.items() if name in _SECRET)
            yield from emulator.house.badges.tokens

    def source(self) -> Source:
        """Settings to be read after all others: they lead to the emulators, and nothing in them is live."""
        tables = [table for name in self.emulators for table in self._broker(name, self.settings.brokers[name])]
        tables += [self._session(name, one) for name, one in self.settings.sessions.items()]
        tables.append(_table(("daemon",), {"log_format": "json", "log_level": "debug"}))
        tables.append(_table(("journal",), {"capture": True}))
        return Source("rehearsal", "\n".join(tables))

    def _broker(self, name: str, broker: BrokerSettings) -> list[str]:
        place = urlsplit(self.emulators[name].http).netloc
        accounts = [self.account(name, one) for one in broker.accounts]
        return [
            _table(("brokers", name), {"accounts": accounts, "environment": "paper"}),
            _table(("brokers", name, "hosts"), dict.fromkeys(HOSTS[broker.kind], place)),
        ]

    def _session(self, name: str, session: SessionSettings) -> str:
        return _table(("sessions", name), {"account": self.account(session.broker, session.account)})

    async def credit(self, world: World, state: Path) -> None:
        """Puts what the emulators accept into the vault of a daemon that has not begun yet."""
        async with open_runtime(world) as runtime:
            vault = Vault(state / VAULT_FILE, keyholder(), world.chance.randbytes, anybody, no_other)
            ref: Ref[Vault] = await runtime.start(Child("vault", lambda: vault))
            shelf = VaultShelf(ref)
            for name, emulator in self.emulators.items():
                broker = self.settings.brokers[name]
                await shelf.put(accepted_by(emulator, broker.login, world.clock.wall_ns()))


class TooManyAccounts(ValueError):
    """More accounts of a broker are configured than its emulator has."""

    def __init__(self, broker: str, wanted: Iterable[str], there: Iterable[str]) -> None:
        super().__init__(
            f"expected at most {len(tuple(there))} accounts of {broker}, as many as its emulator has, "
            f"got {', '.join(wanted)}; nothing was rehearsed; rehearse the sessions on them one by one"
        )


def parts_of(kind: str) -> frozenset[Part]:
    """What faults the protocol of a kind of broker can have."""
    found: frozenset[Part] = import_module(f"brokers.{kind}.emulator").PARTS
    return found


def keyholder() -> Keyholder:
    """Who opens the vault of a rehearsal."""
    return Keyholder((KeyFileSource(lambda: _KEY),))


def symbols_at(settings: Settings, broker: str, catalogue: Catalogue, now_ns: int) -> tuple[str, ...]:
    """What the sessions on a broker trade or follow there, roots as their front contracts."""
    names = [symbol for one in settings.sessions.values() if broker in (one.broker, one.data) for symbol in one.symbols]
    return tuple(dict.fromkeys(_dated(catalogue, name, now_ns) for name in names))


def _dated(catalogue: Catalogue, name: str, now_ns: int) -> str:
    record = catalogue.record(name)
    if name != record.root:
        return name
    return catalogue.front(name, catalogue.calendar(name).trading_day(now_ns)).symbol


def _table(path: tuple[str, ...], values: Mapping[str, object]) -> str:
    lines = (f"{toml_key(key)} = {toml(value)}" for key, value in values.items())
    return "\n".join((header(path), *lines, ""))
