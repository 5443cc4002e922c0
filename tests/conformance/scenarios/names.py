"""Names and the record: what a broker calls things, and whether its facade does what its record says."""

import datetime as dt
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import Unsupported
from brokers.symbols import Contract, SymbolError
from config.days import shift_month
from tests.conformance.floor import Floor
from tests.conformance.scenario import scenario

TODAY = dt.date(2026, 1, 5)
MONTHS_LISTED = 24


def _roots(floor: Floor) -> Iterator[str]:
    return (root for root in floor.broker.catalogue.table.roots() if floor.broker.supports_symbol(root))


def _contracts(floor: Floor) -> list[str]:
    futures = floor.broker.catalogue.table.roots("future")
    months = [shift_month(TODAY.year, TODAY.month, number) for number in range(MONTHS_LISTED)]
    return [
        symbol
        for root in _roots(floor)
        if root in futures
        for symbol in (Contract(root, *month).symbol for month in months)
        if floor.broker.supports_symbol(symbol)
    ]


@scenario("names.every-symbol-round-trips")
async def round_trips(floor: Floor) -> None:
    everything = [*_contracts(floor), *_roots(floor)]
    assert everything

    @given(st.sampled_from(everything))
    def holds(symbol: str) -> None:
        try:
            theirs = floor.broker.to_broker_symbol(symbol)
        except SymbolError:  # a future's root without a continuous name is known and cannot be said
            assert symbol in floor.broker.catalogue.table.roots("future")
            return
        assert floor.broker.to_canonical_symbol(theirs, TODAY) == symbol

    holds()


@scenario("names.a-root-is-found-behind-each-contract")
async def roots(floor: Floor) -> None:
    for symbol in _contracts(floor):
        theirs = floor.broker.to_broker_symbol(symbol)
        assert floor.broker.to_root_symbol(theirs) == Contract.parse(symbol).root


@scenario("names.no-two-symbols-share-a-name")
async def one_to_one(floor: Floor) -> None:
    contracts = _contracts(floor)
    assert len({floor.broker.to_broker_symbol(symbol) for symbol in contracts}) == len(contracts)


@scenario("names.a-stranger-is-refused-in-both-directions")
async def strangers(floor: Floor) -> None:
    @given(st.text(max_size=12).filter(lambda text: not any(one.isalnum() for one in text)))
    def holds(text: str) -> None:
        assert not floor.broker.supports_symbol(text)
        with pytest.raises(SymbolError):
            floor.broker.to_broker_symbol(text)
        with pytest.raises(SymbolError):
            floor.broker.to_canonical_symbol(text, TODAY)

    holds()


@scenario("names.what-is-traded-is-named")
async def traded(floor: Floor) -> None:
    for symbol in floor.candidate.symbols:
        theirs = floor.broker.to_broker_symbol(symbol)
        assert floor.broker.to_canonical_symbol(theirs, TODAY) == symbol


@scenario("record.the-facade-does-what-the-record-says")
async def record(floor: Floor) -> None:
    broker = floor.broker
    assert broker.capability == floor.candidate.capability
    assert (broker.orders is not None) == (broker.capability.orders is not None)
    assert (broker.feed is not None) == (broker.capability.data is not None)
    if broker.orders is None:
        with pytest.raises(Unsupported):
            broker.account_manager("any")
        with pytest.raises(Unsupported):
            broker.account_books("any")
    if broker.feed is None:
        with pytest.raises(Unsupported):
            broker.data_source()


@scenario("record.limits-and-key-class-are-whole")
async def complete(floor: Floor) -> None:
    record = floor.broker.capability
    assert record.environments
    if record.orders is not None:
        assert record.orders.effect_ns > 0
        assert record.orders.sessions
        assert record.orders.keys.kind.value in "ABCN"
    if floor.candidate.parts:
        assert record.limits, "a broker on a wire states its rate limits"
