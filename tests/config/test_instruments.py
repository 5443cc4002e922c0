"""Claims about the instrument table, its cache file and its refresh."""

import datetime as dt
import os
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.calendars import shipped_calendars
from config.instruments import (
    MONTH_CODES,
    InstrumentRecord,
    InstrumentTable,
    RollRecord,
    UnknownRootError,
    parse_instruments,
    shipped_instruments,
)
from config.reading import ConfigError
from config.refresh import FetchedRoot, refresh

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
TABLE = shipped_instruments()
DAY_NS = 86_400_000_000_000
NOW = (dt.date(2026, 12, 1) - dt.date(1970, 1, 1)).days * DAY_NS + 5

# Tick value in the instrument's currency: the figure that every trader knows by heart.
TICK_VALUES = {
    "ES": "12.50",
    "NQ": "5",
    "RTY": "5",
    "YM": "5",
    "MES": "1.25",
    "MNQ": "0.50",
    "M2K": "0.50",
    "MYM": "0.50",
    "6E": "6.25",
    "6J": "6.25",
    "6B": "6.25",
    "6A": "5",
    "6C": "5",
    "6S": "6.25",
    "CL": "10",
    "MCL": "1",
    "NG": "10",
    "GC": "10",
    "MGC": "1",
    "SI": "25",
    "HG": "12.50",
    "ZN": "15.625",
    "ZB": "31.25",
    "ZF": "7.8125",
    "ZT": "7.8125",
    "ZC": "12.50",
    "ZS": "12.50",
    "ZW": "12.50",
    "VX": "50",
    "BTC": "25",
    "MBT": "0.50",
}


@pytest.mark.parametrize(("root", "value"), TICK_VALUES.items())
def test_a_shipped_future_has_its_tick_value(root: str, value: str) -> None:
    assert TABLE[root].tick * TABLE[root].multiplier == Decimal(value)


def test_the_shipped_table_covers_every_kind_and_every_future_has_a_checked_tick_value() -> None:
    assert set(TABLE.roots("future")) == set(TICK_VALUES)
    assert {record.kind for record in TABLE.records.values()} == {"future", "stock", "spot", "perpetual", "inverse"}
    assert len(TABLE.records) >= 40


def test_every_shipped_record_names_a_shipped_calendar_and_margins_in_order() -> None:
    calendars = shipped_calendars().calendars
    for record in TABLE.records.values():
        assert record.calendar in calendars
        assert record.initial_margin >= record.maintenance_margin > 0
        assert record.source == "shipped with pitboss"


def test_an_unknown_root_is_named_with_its_neighbours() -> None:
    with pytest.raises(UnknownRootError, match=r"'MESS'.*MES") as caught:
        TABLE["MESS"]
    assert caught.value.root == "MESS"


FUTURE = """\
source = "me"
as_of = 2026-01-02

[instruments.XX]
kind = "future"
currency = "USD"
tick = "0.25"
months = "HMUZ"
expiry = "third_friday"
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ('tick = "0.25"', 'tick = "0"', 7, "instruments.XX.tick"),
        ('tick = "0.25"', "tick = 0.25", 7, "instruments.XX.tick"),
        ('months = "HMUZ"', 'months = "ZH"', 8, "instruments.XX.months"),
        ('months = "HMUZ"', "", 4, "instruments.XX.months"),
        ('"third_friday"', '"someday"', 9, "instruments.XX.expiry"),
        ('kind = "future"', 'kind = "stock"', 8, "instruments.XX.months"),
        ('kind = "future"', 'kind = "option"', 5, "instruments.XX.kind"),
        ("[instruments.XX]", "[instruments.xx]", 4, "instruments.xx.root"),
        ("as_of = 2026-01-02", "", None, "as_of"),
        ('"third_friday"', '"third_friday"\nexpiries = { ABZ26 = 2026-12-18 }', 10, "instruments.XX.expiries"),
        ('"third_friday"', '"third_friday"\nroll = { days = -1 }', 10, "instruments.XX.roll.days"),
        (
            '"third_friday"',
            '"third_friday"\nroll = { kind = "volume", confirm = 0 }',
            10,
            "instruments.XX.roll.confirm",
        ),
    ],
)
def test_a_wrong_record_is_refused_with_file_line_and_key(old: str, new: str, line: int | None, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_instruments(FUTURE.replace(old, new, 1), "mine.toml")
    assert ("mine.toml", line, key) in [(p.file, p.line, p.key) for p in caught.value.problems]


def test_a_record_inherits_the_provenance_of_its_file() -> None:
    record = parse_instruments(FUTURE, "mine.toml")["XX"]
    assert (record.root, record.source, record.as_of) == ("XX", "me", dt.date(2026, 1, 2))


some = settings(max_examples=40 * NIGHTLY, deadline=None)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
positive = st.decimals(min_value=Decimal("0.0000001"), max_value=10**9, places=7).filter(lambda value: value > 0)
days = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31))
roots = st.from_regex(r"[A-Z0-9]{1,5}", fullmatch=True)
month_sets = st.sets(st.sampled_from(MONTH_CODES), min_size=1).map(lambda codes: "".join(sorted(codes)))


@st.composite
def records(draw: st.DrawFn, root: str) -> InstrumentRecord:
    future = draw(st.booleans())
    contract = st.builds(lambda code, year: f"{root}{code}{year:02d}", st.sampled_from(MONTH_CODES), st.integers(0, 99))
    return InstrumentRecord(
        root=root,
        kind="future" if future else draw(st.sampled_from(("stock", "spot", "perpetual"))),
        currency=draw(texts),
        tick=draw(positive),
        source=draw(texts),
        as_of=draw(days),
        lot=draw(positive),
        base=draw(st.none() | texts),
        months=draw(month_sets) if future else None,
        expiry="crude_oil" if future else None,
        roll=draw(st.none() | st.builds(RollRecord, days=st.integers(0, 9), months=st.none() | month_sets)),
        expiries=draw(st.dictionaries(contract, days, max_size=3)) if future else {},
        max_quantity=draw(st.none() | positive),
        description=draw(texts),
        pinned=draw(st.booleans()),
    )


tables = st.builds(
    lambda source, as_of, found: InstrumentTable(source, as_of, {record.root: record for record in found}),
    texts,
    days,
    st.lists(roots.flatmap(records), max_size=4),
)


@some
@given(tables)
def test_a_table_written_as_a_cache_file_is_read_back_equal(table: InstrumentTable) -> None:
    assert parse_instruments(table.to_toml(), "cache.toml") == table


def test_the_shipped_table_survives_its_cache_file() -> None:
    assert parse_instruments(TABLE.to_toml(), "cache.toml") == TABLE


@some
@given(tables, tables)
def test_merging_keeps_every_root_and_what_is_newer_or_pinned(ours: InstrumentTable, theirs: InstrumentTable) -> None:
    merged = ours.merge(theirs)
    assert set(merged.records) == set(ours.records) | set(theirs.records)
    for root in set(ours.records) & set(theirs.records):
        best = max((ours[root], theirs[root]), key=lambda record: (record.pinned, record.as_of))
        assert (merged[root].pinned, merged[root].as_of) == (best.pinned, best.as_of)
    assert merged.merge(theirs).records == merged.records


def test_an_older_cache_file_does_not_undo_a_newer_table() -> None:
    stale = attrs.evolve(TABLE["ES"], as_of=TABLE.as_of - dt.timedelta(days=1), tick=Decimal("0.5"))
    fresh = attrs.evolve(stale, as_of=TABLE.as_of)
    pinned = attrs.evolve(stale, pinned=True)
    for other, tick in ((stale, "0.25"), (fresh, "0.5"), (pinned, "0.5")):
        merged = TABLE.merge(InstrumentTable("other", TABLE.as_of, {"ES": other}))
        assert merged["ES"].tick == Decimal(tick)
    assert InstrumentTable("mine", stale.as_of, {"ES": pinned}).merge(TABLE)["ES"] == pinned


def test_a_refresh_takes_a_brokers_facts_and_reports_each_change() -> None:
    stated = {"ESZ26": dt.date(2026, 12, 17)}
    facts = FetchedRoot("ES", "tradovate product/list", exchange="XCME", tick=Decimal("0.5"), expiries=stated)
    table, changes = refresh(TABLE, [facts], NOW)
    assert (table["ES"].tick, table["ES"].exchange, table["ES"].expiries) == (Decimal("0.5"), "XCME", stated)
    assert (table["ES"].source, table["ES"].as_of) == ("tradovate product/list", dt.date(2026, 12, 1))
    assert {(c.field, c.before, c.after, c.outcome) for c in changes} == {
        ("exchange", "CME", "XCME", "changed"),
        ("tick", "0.25", "0.5", "changed"),
        ("expiries", "", "ESZ26 2026-12-17", "changed"),
    }
    assert TABLE["ES"].tick == Decimal("0.25")  # the table given stays as it was


def test_the_same_facts_twice_change_nothing_the_second_time() -> None:
    facts = [FetchedRoot("ES", "x", expiries={"ESZ26": dt.date(2026, 12, 17), "ESH27": dt.date(2027, 3, 19)})]
    table, _ = refresh(TABLE, facts, NOW)
    again, changes = refresh(table, [attrs.evolve(facts[0], expiries={"ESZ26": dt.date(2026, 12, 17)})], NOW)
    assert changes == ()
    assert again == table


def test_a_scaled_price_grid_is_refused_whole_and_the_rest_is_taken() -> None:
    facts = FetchedRoot("6J", "ts", tick=Decimal("0.00005"), multiplier=Decimal(125000), exchange="X")
    table, changes = refresh(TABLE, [facts], NOW)
    assert (table["6J"].tick, table["6J"].multiplier) == (TABLE["6J"].tick, TABLE["6J"].multiplier)
    assert {(c.field, c.outcome) for c in changes} == {
        ("tick", "refused"),
        ("multiplier", "refused"),
        ("exchange", "changed"),
    }
    assert all("price scale" in c.reason for c in changes if c.outcome == "refused")


def test_a_tick_a_hundredfold_is_refused_without_a_multiplier_too() -> None:
    table, [change] = refresh(TABLE, [FetchedRoot("6J", "ts", tick=Decimal("0.00005"))], NOW)
    assert (table["6J"], change.field, change.outcome) == (TABLE["6J"], "tick", "refused")


def test_a_fact_that_makes_no_sense_leaves_its_record_alone() -> None:
    facts = [FetchedRoot("ES", "x", lot=Decimal(-1)), FetchedRoot("NQ", "x", exchange="XCME")]
    table, changes = refresh(TABLE, facts, NOW)
    assert table["ES"] == TABLE["ES"]
    assert table["NQ"].exchange == "XCME"
    assert [(c.root, c.outcome) for c in changes] == [("ES", "refused"), ("NQ", "changed")]


def test_a_pinned_record_is_never_refreshed() -> None:
    pinned = attrs.evolve(TABLE["ES"], pinned=True)
    ours = attrs.evolve(TABLE, records={**TABLE.records, "ES": pinned})
    table, [change] = refresh(ours, [FetchedRoot("ES", "x", exchange="XCME")], NOW)
    assert table["ES"] == pinned
    assert (change.outcome, change.reason) == ("refused", "the record is pinned")


def test_a_new_root_is_added_only_with_all_that_money_depends_on() -> None:
    part = FetchedRoot("HE", "x", kind="future", tick=Decimal("0.025"))
    table, [change] = refresh(TABLE, [part], NOW)
    assert "HE" not in table
    assert change.reason.startswith("a new root needs currency, multiplier, calendar")
    whole = attrs.evolve(
        part,
        currency="USD",
        multiplier=Decimal(400),
        calendar="cme_grains",
        months="GJKMNQVZ",
        expiry="before_the_15th",
    )
    table, [change] = refresh(TABLE, [whole], NOW)
    assert change.outcome == "added"
    assert table["HE"].tick == Decimal("0.025")
