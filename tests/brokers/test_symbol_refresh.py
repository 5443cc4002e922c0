"""The nightly refresh of the instrument table from the broker's own list."""

import datetime as dt
import itertools
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from brokers.broker import Broker
from brokers.catalogue import Catalogue
from brokers.errors import Code, broker_error
from brokers.instruments import Instrument
from brokers.market import Quote
from brokers.paper import open_paper
from brokers.paper.feed import PaperFeed
from brokers.symbol_refresh import SymbolRefresh, SymbolsRefreshed, fetched, kept_table, refresh_topic
from config.instruments import shipped_instruments
from runtime import Supervisor, open_runtime
from runtime.simulation import SimulatedWorld, simulate
from tests.brokers.desk import CALM, ES, Desk, at_the_desk

FILE = Path("/state/instruments/paper.toml")
DAY = 86_400
D = Decimal


def listing(broker: Broker, *instruments: Instrument, failures: int = 0) -> list[float]:
    """Puts a list into the mouth of the broker; returns when it was asked."""
    asked: list[float] = []

    class Listing(PaperFeed):
        async def instruments(self) -> Sequence[Instrument]:
            asked.append(trio.current_time())
            if len(asked) <= failures:
                raise broker_error("paper", Code.TIMEOUT, "no answer")
            return instruments

    assert isinstance(broker.feed, PaperFeed)
    broker.feed.__class__ = Listing
    return asked


async def refreshed(desk: Desk) -> Any:
    return await desk.runtime.start(Supervisor([desk.broker.symbol_refresh(FILE)]), "refresh")


def test_what_the_broker_states_replaces_what_the_table_said_and_is_kept() -> None:
    async def play(desk: Desk) -> None:
        catalogue = desk.broker.catalogue
        dearer = attrs.evolve(catalogue.instrument(ES), initial_margin=Decimal(31_000))
        listing(desk.broker, dearer)
        with desk.runtime.topics.subscribe(refresh_topic("paper")) as heard:
            await refreshed(desk)
            await trio.sleep(1)
            (told,) = heard.take()
        assert isinstance(told, SymbolsRefreshed)
        assert [(c.root, c.field, c.after, c.outcome) for c in told.changes] == [
            ("ES", "initial_margin", "31000", "changed"),
            ("ES", "expiries", "ESZ26 2026-12-18", "changed"),
        ]
        assert desk.broker.catalogue.instrument(ES).initial_margin == Decimal(31_000)
        shipped = shipped_instruments()
        old = attrs.evolve(shipped["ES"], as_of=dt.date(2020, 1, 1))
        older = attrs.evolve(shipped, records={**shipped.records, "ES": old})
        kept = kept_table(desk.world.disk, FILE, older)
        assert kept["ES"].initial_margin == Decimal(31_000)

    at_the_desk(play)


def test_a_multiplier_that_moves_is_refused_and_told() -> None:
    async def play(desk: Desk) -> None:
        listing(desk.broker, attrs.evolve(desk.broker.catalogue.instrument(ES), multiplier=Decimal(5)))
        top = await refreshed(desk)
        await trio.sleep(1)
        statistics = await top.child("symbol-refresh").call(SymbolRefresh.statistics)
        assert statistics.refused == 1
        assert desk.broker.catalogue.instrument(ES).multiplier == Decimal(50)

    at_the_desk(play)


def test_it_asks_every_night_and_again_in_ten_minutes_after_a_failure() -> None:
    async def main(world: SimulatedWorld) -> None:
        async with open_runtime(world) as runtime:
            settings = attrs.evolve(CALM, accounts=())
            broker = await open_paper(
                runtime, settings, recording=[Quote(ES, None, None, D(0), D(0), world.clock.wall_ns())]
            )
            asked = listing(broker, broker.catalogue.instrument(ES), failures=20)
            await runtime.start(Supervisor([broker.symbol_refresh(FILE)]), "refresh")
            await trio.sleep(3 * DAY)
            tries = len([time for time in asked if time - asked[0] < 600])
            assert 1 < tries <= 20, "the guard repeats a question a few times"
            pauses = [after - before for before, after in itertools.pairwise(asked) if after - before > 60]
            assert all(599 < pause < 2 * DAY for pause in pauses)
            assert [pause > 0.9 * DAY for pause in pauses[-2:]] == [True, True]

    simulate(main, seed=1).unwrap()


def test_contracts_of_one_root_become_one_fact_with_their_expiries() -> None:
    catalogue = Catalogue.shipped()
    (facts,) = fetched([catalogue.instrument("ESZ26"), catalogue.instrument("ESH27")], "somebroker")
    assert facts.root == "ES"
    assert dict(facts.expiries) == {"ESZ26": dt.date(2026, 12, 18), "ESH27": dt.date(2027, 3, 19)}


def test_a_missing_or_damaged_file_leaves_the_shipped_table() -> None:
    async def play(desk: Desk) -> None:
        shipped = shipped_instruments()
        assert kept_table(desk.world.disk, FILE, shipped) is shipped
        desk.world.disk.write(FILE, b"\xff not toml [")
        assert kept_table(desk.world.disk, FILE, shipped) is shipped

    at_the_desk(play)
