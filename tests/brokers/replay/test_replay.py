"""Claims about reading recorded data and recording it."""

import datetime as dt
import io
import itertools
import os
import sys
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from brokers.calendar import Calendars
from brokers.catalogue import Catalogue
from brokers.market import Bar, BarUnit, Depth, Interval, Level, MarketEvent, Quote, Trade
from brokers.replay import (
    MissingExtraError,
    Progress,
    Replay,
    ReplayError,
    ReplaySettings,
    event_line,
    header_line,
    merged,
    record,
)
from brokers.sides import Side
from brokers.synthetic import SyntheticMarket

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
D = Decimal
MINUTE = Interval.parse("1m")
NOON = int(dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC).timestamp()) * 10**9


def read(text: str, **given: Any) -> list[MarketEvent]:
    return list(Replay(Path("data.csv"), ReplaySettings(**given), data=text.encode()))


def refused(text: str, **given: Any) -> ReplayError:
    with pytest.raises(ReplayError) as caught:
        read(text, **given)
    return caught.value


# --------------------------------------------------------------------------------------------------- what is read


def test_quotes_trades_and_bars_are_told_apart_by_their_columns() -> None:
    assert read(f"timestamp,ticker,Best Bid,best-ask,Bid Size,ask_qty\n{NOON},ES,1.50,,3,0.2\n") == [
        Quote("ES", D("1.50"), None, D(3), D("0.2"), NOON)
    ]
    assert read(f"ts_event,symbol,price,size,side\n{NOON},ES,-37.63,1,B\n{NOON},ES,1e-7,2,\n") == [
        Trade("ES", D("-37.63"), D(1), NOON, Side.BUY),
        Trade("ES", D("1E-7"), D(2), NOON, None),
    ]
    assert read(f"time,open,high,low,close,volume\n{NOON},1,3,0.5,2,10\n", symbol="ES", interval=MINUTE) == [
        Bar("ES", MINUTE, D(1), D(3), D("0.5"), D(2), D(10), NOON)
    ]


@pytest.mark.parametrize("factor", [1_000_000_000, 1_000_000, 1000, 1])
def test_integer_times_are_read_in_the_unit_of_their_magnitude(factor: int) -> None:
    [event] = read(f"time,symbol,price,size\n{NOON // factor},ES,1,1\n")
    assert event.time_ns == NOON


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-11-20T12:00:00Z", 0),
        ("2026-11-20 12:00:00+00:00", 0),
        ("2026-11-20T06:00:00.123456789-06:00", 123456789),
        ("2026-11-20T13:00:00,5+0100", 500000000),
        ("2026-11-20T12:00Z", 0),
        (str(NOON // 10**9) + ".000000007", 7),
    ],
)
def test_a_time_is_exact_to_the_nanosecond(text: str, ns: int) -> None:
    [event] = read(f'time,symbol,price,size\n"{text}",ES,1,1\n')
    assert event.time_ns == NOON + ns


def test_a_unit_in_a_columns_name_or_in_the_settings_decides() -> None:
    rows = "symbol,price,size\n"
    assert read(f"time_ms,{rows}{NOON // 10**6},ES,1,1\n")[0].time_ns == NOON
    assert read(f"time,{rows}{NOON // 10**6},ES,1,1\n", time_unit="ms")[0].time_ns == NOON
    assert refused(f"time_ms,{rows}{NOON},ES,1,1\n").expected == "a time in ms since 1970"


def test_a_time_without_zone_needs_one_named() -> None:
    text = "time,symbol,price,size\n2026-07-01 07:00:00,ES,1,1\n2026-11-20 06:00:00,ES,1,1\n"
    assert "name one in `zone`" in refused(text).expected
    summer, winter = read(text, zone="America/Chicago")
    assert dt.datetime.fromtimestamp(summer.time_ns // 10**9, dt.UTC).hour == 12
    assert winter.time_ns == NOON


def test_a_bare_date_is_the_close_of_its_trading_day() -> None:
    stocks = Calendars.shipped()["us_stocks"]
    text = "Date,Open,High,Low,Close,Volume\n2026-11-27,1,1,1,1,5\n"
    day = Interval(1, BarUnit.DAY)
    [bar] = read(text, symbol="SPY", interval=day, calendar=stocks)
    session = stocks.session_of(dt.date(2026, 11, 27))
    assert session is not None
    assert bar.time_ns == session.end_ns
    assert "bare date needs" in refused(text, symbol="SPY", interval=day).expected
    holiday = text.replace("11-27", "11-26")
    assert refused(holiday, symbol="SPY", interval=day, calendar=stocks).expected.startswith("a trading day of")


def test_bars_stamped_with_their_open_are_moved_to_their_close() -> None:
    text = f"time,open,high,low,close\n{NOON},1,1,1,1\n"
    given: dict[str, Any] = {"symbol": "ES", "bar_time": "open"}
    assert read(text, interval=MINUTE, **given)[0].time_ns == NOON + MINUTE.nanoseconds
    futures = Calendars.shipped()["cme_equity"]
    session = futures.next_session(NOON)
    assert read(text, interval=Interval.parse("1d"), calendar=futures, **given)[0].time_ns == session.end_ns
    with pytest.raises(ValueError, match="need a `calendar`"):
        ReplaySettings(interval=Interval.parse("1d"), bar_time="open")


def test_columns_can_be_named_and_the_symbol_replaced() -> None:
    text = f"when,raw,p1,q1\n{NOON},ESZ6,1,2\n"
    columns = {"time": "When", "symbol": "raw", "price": "p1", "size": "q1"}
    assert read(text, columns=columns)[0].symbol == "ESZ6"
    assert read(text, columns=columns, symbol="ESZ26")[0].symbol == "ESZ26"
    assert read(text.replace(",", ";"), columns=columns, delimiter=";")[0].symbol == "ESZ6"


def test_a_byte_order_mark_and_blank_lines_do_no_harm() -> None:
    text = f"\ufefftime,symbol,price,size\n\n{NOON},ES,1,1\r\n\n"
    assert len(read(text)) == 1


# ------------------------------------------------------------------------------------------------ what is refused

HEADER = "time,symbol,bid,ask,bid_size,ask_size\n"
ROW = f"{NOON},ES,1.25,1.50,3,4\n"


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        (f"{NOON},ES,abc,1.5,3,4\n", "bid", "a decimal number"),
        (f"{NOON},ES,NaN,1.5,3,4\n", "bid", "a finite decimal number"),
        (f"{NOON},ES,Infinity,1.5,3,4\n", "bid", "a finite decimal number"),
        (f"{NOON},ES,1_0,1.5,3,4\n", "bid", "a finite decimal number"),
        (f"{NOON},ES,\u0661,1.5,3,4\n", "bid", "a finite decimal number"),
        (f"{NOON},ES,1,1.5,-3,4\n", "bid_size", "a size of zero or more"),
        (f"{NOON},,1,1.5,3,4\n", "symbol", "a symbol"),
        ("noon,ES,1,1.5,3,4\n", "time", "a time in ns since 1970"),
        ("17,ES,1,1.5,3,4\n", "time", "a time in ns since 1970"),
        (f"{NOON - 1},ES,1,1.5,3,4\n", "time", "a time not before"),
        (f"{NOON},ES,1,1.5,3\n", None, "6 cells"),
        (f"{NOON},ES,1,1.5,3,4,5\n", None, "6 cells"),
        (f'{NOON},"ES"x,1,1.5,3,4\n', None, "a row of CSV"),
    ],
)
def test_a_bad_row_stops_with_file_line_column_expected_and_got(row: str, column: str | None, expected: str) -> None:
    error = refused(HEADER + ROW + row + ROW)
    assert (error.file, error.place, error.column) == ("data.csv", "line 3", column)
    if "a time in ns" in expected and "noon" in row:
        assert "a time in" in error.expected
    else:
        assert error.expected.startswith(expected)
    assert "data.csv, line 3" in str(error)


def test_bytes_that_are_no_text_are_refused_in_their_cell() -> None:
    data = (HEADER + ROW).encode() + ROW.encode().replace(b"1.25", b"1\xff5") + ROW.encode().replace(b"ES", b"E\xfe")
    replay = Replay(Path("data.csv"), ReplaySettings(bad_rows="skip"), data=data)
    assert len(list(replay)) == 1
    assert [(p.place, p.column) for p in replay.statistics().problems] == [("line 3", "bid"), ("line 4", "symbol")]


def test_a_bar_that_contradicts_itself_is_refused() -> None:
    head = "time,open,high,low,close\n"
    assert refused(f"{head}{NOON},1,0.5,0.5,1\n", symbol="ES", interval=MINUTE).column == "high"
    assert refused(f"{head}{NOON},1,2,1.5,1\n", symbol="ES", interval=MINUTE).column == "low"


def test_skipping_leaves_out_bad_rows_and_counts_them() -> None:
    bad = f"{NOON},ES,x,1.5,3,4\n"
    replay = Replay(
        Path("data.csv"), ReplaySettings(bad_rows="skip"), data=(HEADER + ROW + bad * 150 + ROW + "1,2\n").encode()
    )
    assert len(list(replay)) == 2
    statistics = replay.statistics()
    assert (statistics.progress.rows, statistics.progress.events, statistics.progress.skipped) == (153, 2, 151)
    assert len(statistics.problems) == 100
    assert statistics.problems[0].place == "line 3"


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("", {}, "a header"),
        ("foo,bar\n", {}, "columns of quotes"),
        ("time,symbol,price\n", {"kind": "trades"}, "a column for size"),
        ("time,Time,price,size\n", {}, "columns with different names"),
        ("time,price,size\n", {"columns": {"when": "time"}}, "fields of"),
        ("time,price,size\n", {"columns": {"time": "clock"}}, "a column for time of this name"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused_at_once(text: str, given: dict[str, Any], expected: str) -> None:
    assert refused(text, **given).expected.startswith(expected)


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(ReplayError, match=r"\.csv or \.parquet, got '\.xlsx'"):
        list(Replay(Path("data.xlsx"), data=b""))


def test_a_line_without_end_is_refused_and_not_swallowed() -> None:
    data = HEADER.encode() + b"1" * (3 << 20)
    replay = Replay(Path("data.csv"), ReplaySettings(bad_rows="skip"), data=data)
    assert list(replay) == []
    assert replay.statistics().progress.skipped > 0


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_replay_error(data: bytes) -> None:
    for policy in (ReplaySettings(), ReplaySettings(bad_rows="skip")):
        try:
            list(Replay(Path("data.csv"), policy, data=HEADER.encode() + data))
        except ReplayError as error:
            assert error.file == "data.csv"  # noqa: PT017 - either outcome is right, anything else is raised


# --------------------------------------------------------------------------------------------------- round trip

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)
sizes = st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.isprintable)
times = st.integers(10**18, 4 * 10**18)
levels = st.lists(st.builds(Level, decimals, sizes), max_size=3).map(tuple)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, one, other, high = sorted(draw(st.tuples(decimals, decimals, decimals, decimals)))
    interval = Interval(draw(st.integers(1, 99)), draw(st.sampled_from(BarUnit)))
    count = draw(st.integers(0, 10**6))
    return Bar(draw(names), interval, one, high, low, other, draw(sizes), draw(times), count)


events = st.one_of(
    st.builds(Quote, names, st.none() | decimals, st.none() | decimals, sizes, sizes, times),
    st.builds(Trade, names, decimals, sizes, times, st.none() | st.sampled_from(Side)),
    st.builds(Depth, names, levels, levels, times),
    bars(),
)
streams = st.lists(events, max_size=12).map(lambda found: sorted(found, key=lambda event: event.time_ns))


def written(found: list[MarketEvent]) -> bytes:
    out = io.StringIO()
    assert record(found, out) == len(found)
    return out.getvalue().encode()


@settings(max_examples=25 * NIGHTLY, deadline=None)
@given(streams)
def test_what_was_recorded_is_replayed_exactly(found: list[MarketEvent]) -> None:
    replayed = list(Replay(Path("data.csv"), data=written(found)))
    assert replayed == found
    assert list(map(repr, replayed)) == list(map(repr, found))  # decimals digit for digit


def test_lines_appended_one_by_one_are_a_recording_too() -> None:
    found: list[MarketEvent] = [Trade("E,S", D("1.50"), D(2), NOON, Side.SELL)]
    text = header_line() + "".join(map(event_line, found))
    assert text.encode() == written(found)


def test_a_synthetic_market_recorded_and_replayed_is_the_same_market() -> None:
    catalogue = Catalogue.shipped()
    found = [catalogue.instrument(symbol) for symbol in ("ESZ26", "BTC-USD")]
    made = list(itertools.islice(SyntheticMarket(3, found, NOON, catalogue.calendars, depth_levels=2), 3000))
    assert list(Replay(Path("data.csv"), data=written(made))) == made


def test_streams_are_merged_in_time_order_and_ties_in_argument_order() -> None:
    def trade(symbol: str, time_ns: int) -> Trade:
        return Trade(symbol, D(1), D(1), time_ns)

    one, two = [trade("A", 1), trade("A", 3)], [trade("B", 1), trade("B", 2)]
    assert [event.symbol for event in merged(one, two)] == ["A", "B", "B", "A"]


# ---------------------------------------------------------------------------------------- streaming and progress


def test_progress_is_reported_by_rows_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(HEADER + ROW * 25)
    seen: list[Progress] = []
    replay = Replay(path, ReplaySettings(progress=seen.append, progress_rows=10))
    assert len(list(replay)) == 25
    assert [progress.rows for progress in seen] == [10, 20, 25]
    assert seen[-1] == replay.statistics().progress
    assert seen[-1].bytes_read == seen[-1].total_bytes == path.stat().st_size
    assert len(list(replay)) == 25  # and again from the beginning


def peak_while_reading(path: Path) -> int:
    tracemalloc.start()
    try:
        for _ in Replay(path):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_file_ten_times_as_long_takes_no_more_memory(tmp_path: Path) -> None:
    short, long = tmp_path / "short.csv", tmp_path / "long.csv"
    short.write_text(HEADER + ROW * 1000)
    long.write_text(HEADER + ROW * 10000)
    list(Replay(short))  # what is kept for good is there before the measurement
    assert peak_while_reading(long) < 1.5 * peak_while_reading(short) + 50_000


def test_a_replay_that_is_left_early_closes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(HEADER + ROW * 3)
    stream = iter(Replay(path))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator; an open file would warn, and warnings are errors


# --------------------------------------------------------------------------------------------------------- Parquet


def parquet_of(columns: dict[str, Any], **given: Any) -> list[MarketEvent]:
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out)
    return list(Replay(Path("data.parquet"), ReplaySettings(**given), data=out.getvalue()))


PRICES = {"symbol": ["ES", "ES"], "size": [1, 2]}


def test_parquet_decimals_floats_and_nulls_are_read_exactly() -> None:
    times = pa.array([NOON, NOON + 1])
    exact = pa.array([D("1.50"), D("2.25")], pa.decimal128(12, 2))
    assert [e.price for e in parquet_of({"time": times, "price": exact, **PRICES})] == [D("1.50"), D("2.25")]  # type: ignore[union-attr]  # trades
    binary = pa.array([0.1, 6900.25])
    assert [e.price for e in parquet_of({"time": times, "price": binary, **PRICES})] == [D("0.1"), D("6900.25")]  # type: ignore[union-attr]  # trades
    quote = {"time": times, "bid": [1.5, None], "ask": [2, 3], "extra": ["x", "y"]}
    assert parquet_of(quote, symbol="ES")[1] == Quote("ES", None, D(3), D(0), D(0), NOON + 1)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_timestamps_of_every_unit_are_nanoseconds(unit: str) -> None:
    instants = (
        pa.array([NOON, NOON + 10**9]).cast(pa.timestamp("ns", "UTC")).cast(pa.timestamp(unit, "America/Chicago"))
    )
    found = parquet_of({"ts_event": instants, "price": [1, 1], **PRICES})
    assert [event.time_ns for event in found] == [NOON, NOON + 10**9]


def test_a_parquet_timestamp_without_zone_needs_one_named() -> None:
    wall = pa.array([NOON - 6 * 3600 * 10**9 + 7]).cast(pa.timestamp("ns"))
    columns = {"time": wall, "symbol": ["ES"], "price": [1], "size": [1]}
    assert parquet_of(columns, zone="America/Chicago")[0].time_ns == NOON + 7
    with pytest.raises(ReplayError, match="name one in the settings' `zone`"):
        parquet_of(columns)


def test_a_bad_parquet_row_is_named_by_its_number_and_can_be_skipped() -> None:
    columns = {"time": [NOON, NOON, NOON], "symbol": ["ES"] * 3, "price": [1.0, float("nan"), 2.0], "size": [1] * 3}
    with pytest.raises(ReplayError) as caught:
        parquet_of(columns)
    assert (caught.value.place, caught.value.column) == ("row 2", "price")
    assert len(parquet_of(columns, bad_rows="skip")) == 2


def test_parquet_progress_reaches_the_whole_file() -> None:
    seen: list[Progress] = []
    parquet_of({"time": [NOON] * 30, "symbol": ["ES"] * 30, "price": [1] * 30, "size": [1] * 30}, progress=seen.append)
    assert (seen[-1].rows, seen[-1].bytes_read) == (30, seen[-1].total_bytes)


def test_what_is_no_parquet_file_is_refused() -> None:
    with pytest.raises(ReplayError, match="expected a Parquet file"):
        list(Replay(Path("data.parquet"), data=b"PAR1 but no more"))


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pitboss\[parquet\]'") as caught:
        list(Replay(Path("data.parquet"), data=b""))
    assert caught.value.extra == "parquet"
    assert len(read(HEADER + ROW)) == 1  # CSV needs no extra
