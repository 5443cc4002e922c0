"""The nightly refresh: a broker's own list of what it trades, put into the instrument table of its connection."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

from brokers.connection import Connection
from brokers.errors import BrokerError
from brokers.instruments import Instrument, Kind
from brokers.symbols import Contract, SymbolError
from config.instruments import InstrumentTable, parse_instruments
from config.reading import ConfigError
from config.refresh import FetchedRoot, TableChange, refresh
from runtime import Actor
from runtime.world import Disk

HOUR: Final = 4  # of the day in UTC, when American markets rest
_SECOND_NS: Final = 1_000_000_000
_HOUR_NS: Final = 3600 * _SECOND_NS
_DAY_NS: Final = 24 * _HOUR_NS
_RETRY_SECONDS: Final = 600.0
_JITTER_SECONDS: Final = 600.0  # so that not every pitboss asks in the same second


def refresh_topic(broker: str) -> tuple[str, str]:
    """Where each refresh is told."""
    return ("symbols", broker)


@attrs.frozen
class SymbolsRefreshed:
    """What one refresh changed; refused differences are for a person to look at."""

    broker: str
    changes: tuple[TableChange, ...]
    time_ns: int


@attrs.frozen
class RefreshStatistics:
    """When the table was refreshed last, and why not since."""

    last_ns: int | None
    changed: int
    refused: int
    failures: int
    last_failure: str


class SymbolRefresh(Actor):
    """Keeps one connection's instrument table as the broker has it; `file` keeps the result for the next start."""

    def __init__(self, connection: Connection, file: Path | None = None, hour: int = HOUR) -> None:
        self.connection = connection
        self.file = file
        self.hour = hour
        self.last_ns: int | None = None
        self.changed = 0
        self.refused = 0
        self.failures = 0
        self.last_failure = ""

    async def on_start(self) -> None:
        """Asks at once, then every night."""
        self.continue_with(SymbolRefresh.look)

    async def look(self) -> None:
        """Asks the broker; a question that failed is asked again in ten minutes, and the table stays meanwhile."""
        try:
            listed = await self.connection.ask(self.connection.need_feed().instruments, "")
        except BrokerError as error:
            self.failures += 1
            self.last_failure = str(error)
            self.send_after(_RETRY_SECONDS, SymbolRefresh.look)
            return
        self.take(listed)
        self.send_after(self._until_night(), SymbolRefresh.look)

    def take(self, listed: Iterable[Instrument]) -> None:
        """Puts the broker's facts into the table, keeps the table, and tells what changed."""
        catalogue, now_ns = self.connection.catalogue, self.world.clock.wall_ns()
        catalogue.table, changes = refresh(catalogue.table, fetched(listed, self.connection.name), now_ns)
        self.last_ns = now_ns
        self.refused += sum(change.outcome == "refused" for change in changes)
        self.changed += sum(change.outcome != "refused" for change in changes)
        if self.file is not None:
            self.world.disk.write(self.file, catalogue.table.to_toml().encode())
        self.runtime.topics.publish(
            refresh_topic(self.connection.name), SymbolsRefreshed(self.connection.name, changes, now_ns)
        )

    def _until_night(self) -> float:
        now_ns = self.world.clock.wall_ns()
        wait_ns = (self.hour * _HOUR_NS - now_ns) % _DAY_NS or _DAY_NS
        return wait_ns / _SECOND_NS + self.world.chance.uniform(0, _JITTER_SECONDS)

    def statistics(self) -> RefreshStatistics:
        """How the refreshes went."""
        return RefreshStatistics(self.last_ns, self.changed, self.refused, self.failures, self.last_failure)


def kept_table(disk: Disk, file: Path, shipped: InstrumentTable) -> InstrumentTable:
    """The shipped table with what an earlier refresh kept; a missing or damaged file leaves the shipped one."""
    try:
        return shipped.merge(parse_instruments(disk.read(file).decode(), str(file)))
    except (OSError, UnicodeDecodeError, ConfigError):
        return shipped


def fetched(listed: Iterable[Instrument], broker: str) -> list[FetchedRoot]:
    """The broker's instruments as facts about their roots; of a future's contracts the last stated fact counts."""
    roots: dict[str, FetchedRoot] = {}
    for one in listed:
        expiries = dict(roots[one.root].expiries) if one.root in roots else {}
        if one.expiry is not None and _is_contract(one):
            expiries[one.symbol] = one.expiry
        roots[one.root] = _facts(one, broker, expiries)
    return list(roots.values())


def _facts(one: Instrument, broker: str, expiries: dict[str, dt.date]) -> FetchedRoot:
    return FetchedRoot(
        one.root,
        f"{broker} symbol list",
        kind=one.kind.value,
        currency=one.currency,
        base=one.base,
        exchange=one.exchange or None,
        tick=one.tick,
        lot=one.lot,
        multiplier=one.multiplier,
        min_quantity=one.min_quantity,
        max_quantity=one.max_quantity,
        min_notional=one.min_notional,
        initial_margin=one.initial_margin or None,
        maintenance_margin=one.maintenance_margin or None,
        description=one.description or None,
        expiries=expiries,
    )


def _is_contract(one: Instrument) -> bool:
    try:
        return one.kind is Kind.FUTURE and Contract.parse(one.symbol).root == one.root
    except SymbolError:
        return False
