"""Claims about canonical names and their translation to a broker's."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.symbols import Contract, NameForms, SymbolAdapter, SymbolError, SymbolMap, full_year
from config.instruments import MONTH_CODES, shipped_instruments

TABLE = shipped_instruments()
TRADESTATION = SymbolMap(
    "tradestation",
    TABLE,
    NameForms(
        dated="{root}{month}{yy}",
        continuous="@{root}",
        plain={"stock": "{root}"},
        renames={
            "6E": "EC",
            "6J": "JY",
            "6B": "BP",
            "6A": "AD",
            "6C": "CD",
            "6S": "SF",
            "ZC": "C",
            "ZS": "S",
            "ZW": "W",
        },
        also_dated=("@{root}{month}{yy}", "@{root}{month}{yy}.D"),
        also_continuous=("@{root}.D",),
    ),
)
TRADOVATE = SymbolMap("tradovate", TABLE, NameForms(dated="{root}{month}{y}", continuous="{root}"))
SCHWAB = SymbolMap(
    "thinkorswim",
    TABLE,
    NameForms(dated="/{root}{month}{yy}", continuous="/{root}", plain={"stock": "{root}"}),
)
ALPACA = SymbolMap("alpaca", TABLE, NameForms(plain={"stock": "{root}", "spot": "{base}/{quote}"}))
BINANCE = SymbolMap("binance", TABLE, NameForms(plain={"perpetual": "{base}{quote}", "inverse": "{base}{quote}_PERP"}))
MAPS = [TRADESTATION, TRADOVATE, SCHWAB, ALPACA, BINANCE]

references = st.dates(dt.date(2005, 1, 1), dt.date(2085, 12, 31))
maps = st.sampled_from(MAPS)


@pytest.mark.parametrize(
    ("adapter", "canonical", "theirs"),
    [
        (TRADESTATION, "ES", "@ES"),
        (TRADESTATION, "6E", "@EC"),
        (TRADESTATION, "6EZ26", "ECZ26"),
        (TRADESTATION, "ZCZ26", "CZ26"),
        (TRADESTATION, "AAPL", "AAPL"),
        (TRADOVATE, "ES", "ES"),
        (TRADOVATE, "6EZ26", "6EZ6"),
        (SCHWAB, "ES", "/ES"),
        (SCHWAB, "6EZ26", "/6EZ26"),
        (ALPACA, "BTC-USD", "BTC/USD"),
        (BINANCE, "BTC-PERP", "BTCUSDT"),
        (BINANCE, "BTCUSD-INV", "BTCUSD_PERP"),
    ],
)
def test_a_name_is_translated_both_ways(adapter: SymbolMap, canonical: str, theirs: str) -> None:
    reference = dt.date(2026, 11, 21)
    assert adapter.to_broker_symbol(canonical) == theirs
    assert adapter.to_canonical_symbol(theirs, reference) == canonical
    assert adapter.to_canonical_symbol(theirs.lower(), reference) == canonical
    assert adapter.supports_symbol(canonical)


@given(maps, st.data())
def test_every_supported_root_returns_from_its_round_trip(adapter: SymbolMap, data: st.DataObject) -> None:
    root = data.draw(st.sampled_from([root for root in TABLE.roots() if adapter.supports_symbol(root)]))
    assert adapter.to_root_symbol(adapter.to_broker_symbol(root)) == root


@given(
    st.sampled_from([TRADESTATION, TRADOVATE, SCHWAB]),
    st.sampled_from(TABLE.roots("future")),
    st.sampled_from(MONTH_CODES),
    references,
    st.integers(-1, 8),
)
def test_every_contract_in_a_brokers_horizon_returns_from_its_round_trip(
    adapter: SymbolMap, root: str, code: str, reference: dt.date, ahead: int
) -> None:
    symbol = Contract(root, reference.year + ahead, MONTH_CODES.index(code) + 1).symbol
    theirs = adapter.to_broker_symbol(symbol)
    assert adapter.to_canonical_symbol(theirs, reference) == symbol
    assert adapter.to_root_symbol(theirs) == root


def test_no_two_roots_share_a_brokers_name() -> None:
    for adapter in MAPS:
        names = [adapter.to_broker_symbol(root) for root in TABLE.roots() if adapter.supports_symbol(root)]
        assert len(names) == len(set(names)) > 0


def test_a_broker_supports_only_the_kinds_it_has_names_for() -> None:
    assert not ALPACA.supports_symbol("ES")
    assert not ALPACA.supports_symbol("ESZ26")
    assert not TRADOVATE.supports_symbol("AAPL")
    assert not TRADESTATION.supports_symbol("BTC-USD")
    assert not TRADESTATION.supports_symbol("ECZ26")  # the broker's own name is not canonical


def test_a_future_without_a_continuous_name_is_supported_but_has_only_contracts() -> None:
    adapter = SymbolMap("x", TABLE, NameForms(dated="{root}{month}{yyyy}"), only=["ES"])
    assert adapter.supports_symbol("ES")
    assert adapter.to_broker_symbol("ESZ26") == "ESZ2026"
    assert adapter.to_canonical_symbol("ESZ2026", dt.date(2026, 1, 1)) == "ESZ26"
    with pytest.raises(SymbolError):
        adapter.to_broker_symbol("ES")
    assert not adapter.supports_symbol("NQ")


def test_spellings_that_are_only_read_are_understood() -> None:
    reference = dt.date(2026, 1, 1)
    assert TRADESTATION.to_canonical_symbol("@ECH26", reference) == "6EH26"
    assert TRADESTATION.to_canonical_symbol("@ESH26.D", reference) == "ESH26"
    assert TRADESTATION.to_root_symbol("@ES.D") == "ES"


def test_two_roots_with_one_name_are_refused_when_the_map_is_made() -> None:
    with pytest.raises(SymbolError, match="one root, not both"):
        SymbolMap("x", TABLE, NameForms(plain={"spot": "{base}{quote}", "inverse": "{base}{quote}"}))
    with pytest.raises(SymbolError, match="one root, not both"):
        SymbolMap("x", TABLE, NameForms(dated="{root}{month}{y}", renames={"6E": "ES"}))


@given(maps, st.text(max_size=12), references)
def test_any_text_is_translated_or_refused_by_name(adapter: SymbolAdapter, text: str, reference: dt.date) -> None:
    for translate in (adapter.to_root_symbol, lambda name: adapter.to_canonical_symbol(name, reference)):
        try:
            assert translate(text)
        except SymbolError as error:
            assert error.symbol == text  # noqa: PT017 - either outcome is right, anything else is raised
    assert adapter.supports_symbol(text) in {True, False}


@pytest.mark.parametrize(
    ("text", "reference", "symbol"),
    [
        ("ESZ6", "2026-11-21", "ESZ26"),
        ("ESZ5", "2026-01-02", "ESZ25"),  # expired two weeks ago
        ("ESH4", "2026-11-21", "ESH34"),
        ("ESH0", "2029-12-31", "ESH30"),
        ("M2KZ6", "2026-11-21", "M2KZ26"),
    ],
)
def test_a_short_year_is_read_by_the_reference_date(text: str, reference: str, symbol: str) -> None:
    assert TRADOVATE.to_canonical_symbol(text, dt.date.fromisoformat(reference)) == symbol


@given(st.integers(2001, 2090), st.integers(0, 9))
def test_one_digit_means_a_year_from_the_last_one_to_eight_ahead(year: int, digit: int) -> None:
    found = full_year(str(digit), dt.date(year, 6, 1))
    assert found % 10 == digit
    assert year - 1 <= found <= year + 8


@given(st.builds(Contract, st.sampled_from(TABLE.roots("future")), st.integers(2000, 2099), st.integers(1, 12)))
def test_a_canonical_contract_is_read_back(contract: Contract) -> None:
    assert Contract.parse(contract.symbol) == contract


@pytest.mark.parametrize("text", ["ES", "ESZ6", "ESA26", "esz26", "Z26", "ES:adjusted", "ESZ\uff12\uff16", ""])
def test_what_is_no_canonical_contract_is_refused(text: str) -> None:
    with pytest.raises(SymbolError, match="a contract such as ESZ26"):
        Contract.parse(text)


def test_contracts_sort_by_delivery() -> None:
    assert min(Contract("ES", 2027, 3), Contract("ES", 2026, 12)).symbol == "ESZ26"
