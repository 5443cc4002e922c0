"""The facade: brokers without orders or without data are normal, and say so clearly."""

import datetime as dt

import attrs
import pytest

from brokers.errors import Unsupported
from brokers.market import Interval
from brokers.model import Change
from brokers.paper import PaperFaults, PaperSettings
from tests.brokers.desk import ES, Desk, at_the_desk


def test_a_data_only_broker_refuses_orders_with_a_clear_sentence() -> None:
    async def play(desk: Desk) -> None:
        broker = attrs.evolve(desk.broker, orders=None)
        with pytest.raises(Unsupported, match="gives market data and takes no orders"):
            broker.account_manager("paper-1")
        for request in (
            broker.place("paper-1", desk.order()),
            broker.change("paper-1", Change("k"), None),
            broker.cancel("paper-1", "k", None),
        ):
            with pytest.raises(Unsupported, match="takes no orders"):
                await request
        assert broker.data_source().id == "data-source"

    at_the_desk(play)


def test_an_orders_only_broker_refuses_data_with_a_clear_sentence() -> None:
    async def play(desk: Desk) -> None:
        broker = attrs.evolve(desk.broker, feed=None)
        with pytest.raises(Unsupported, match="takes orders and gives no market data"):
            broker.data_source()
        with pytest.raises(Unsupported, match="gives no market data"):
            await broker.historical_bars(ES, Interval.parse("1m"), 0, 1)
        assert broker.account_manager("paper-1").id == "account-manager"

    at_the_desk(play)


def test_the_record_decides_as_much_as_the_gateway() -> None:
    async def play(desk: Desk) -> None:
        broker = attrs.evolve(desk.broker, capability=attrs.evolve(desk.broker.capability, orders=None))
        with pytest.raises(Unsupported):
            broker.need_orders()

    at_the_desk(play)


def test_symbols_are_the_adapters() -> None:
    async def play(desk: Desk) -> None:
        broker = desk.broker
        assert broker.supports_symbol(ES)
        assert not broker.supports_symbol("AAPL")
        assert broker.to_broker_symbol(ES) == ES
        assert broker.to_root_symbol(ES) == "ES"
        assert broker.to_canonical_symbol(ES, dt.date(2026, 1, 5)) == ES

    at_the_desk(play)


def test_historical_bars_come_through_the_facade_oldest_first() -> None:
    async def play(desk: Desk) -> None:
        now = desk.world.clock.wall_ns()
        bars = await desk.broker.historical_bars("ESH26", Interval.parse("1m"), now - 600 * 10**9, now)
        assert len(bars) == 10
        assert [bar.time_ns for bar in bars] == sorted(bar.time_ns for bar in bars)
        assert bars[-1].time_ns <= now

    at_the_desk(play, PaperSettings(symbols=("ESH26",), faults=PaperFaults.none()), quiet=False)
