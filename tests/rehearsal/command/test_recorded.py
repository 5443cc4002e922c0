"""A recorded market in a rehearsal: its prices, its contracts and its time, and a sentence where it does not fit."""

from decimal import Decimal
from itertools import takewhile
from pathlib import Path

import attrs
import pytest

from brokers.catalogue import Catalogue
from brokers.market import MarketEvent, Quote, Trade
from brokers.replay import record
from brokers.synthetic import SyntheticMarket
from config.settings import Source, load
from runtime.simulation import EPOCH_NS
from sessions.control.rehearsal.programme import Programme
from sessions.control.rehearsal.recorded import lasts, recorded
from sessions.control.rehearsal.refusal import NotRehearsable
from sessions.control.rehearsal.run import SETTLE, rehearse
from sessions.control.rehearsal.selection import Wish, programme
from tests.rehearsal.command.test_selection import CONFIGURED

LATER_NS = EPOCH_NS + 91 * 86_400_000_000_000  # after the next roll, on a Monday too
SECONDS = 70


def written(path: Path, events: list[MarketEvent]) -> Path:
    with path.open("w") as out:
        record(events, out)
    return path


def market(symbol: str, begin_ns: int, seconds: int = SECONDS) -> list[MarketEvent]:
    catalogue = Catalogue.shipped()
    events = SyntheticMarket(5, [catalogue.instrument(symbol)], begin_ns, catalogue.calendars)
    return list(takewhile(lambda event: event.time_ns < begin_ns + seconds * 1_000_000_000, events))


def wished(path: Path, text: str = "") -> Programme:
    return programme(
        Wish(data=path, faults="none", broker="tradovate"), load((Source("a", text),), {}), Path("/home/me")
    )


def test_a_run_trades_what_was_recorded_at_its_prices_and_for_no_longer(tmp_path: Path) -> None:
    events = market("NQM26", LATER_NS)
    found = wished(written(tmp_path / "nq.csv", events))
    assert found.symbol == "NQM26"
    assert found.seconds == pytest.approx(lasts(events) - SETTLE)
    outcome = rehearse(found.plan(4))
    assert outcome.complaints == ()
    prices = [price for one in events if isinstance(one, Quote) for price in (one.bid, one.ask) if price is not None]
    assert outcome.story.trades
    assert {one.symbol for one in outcome.story.trades} == {"NQM26"}
    assert all(min(prices) - 20 <= one.price <= max(prices) + 20 for one in outcome.story.trades)
    assert outcome.trace_hash != rehearse(attrs.evolve(found, data="").plan(4)).trace_hash


def test_a_root_stands_for_the_contract_that_was_in_front_when_it_was_recorded(tmp_path: Path) -> None:
    for begin_ns, front in ((EPOCH_NS, "NQH26"), (LATER_NS, "NQM26")):
        events: list[MarketEvent] = [attrs.evolve(one, symbol="NQ") for one in market(front, begin_ns, 5)]
        found = recorded(written(tmp_path / f"{front}.csv", events), 60.0)
        assert {one.symbol for one in found} == {front}
        assert len(found) == len(events)


def test_only_what_is_played_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "nq.csv", market("NQH26", EPOCH_NS))
    assert lasts(recorded(path, 10.0)) <= 10.0 < lasts(recorded(path, 30.0)) <= 30.0


def test_a_recording_without_what_the_sessions_follow_is_refused_by_name(tmp_path: Path) -> None:
    nasdaq = written(tmp_path / "nq.csv", market("NQH26", EPOCH_NS, 5))
    with pytest.raises(
        NotRehearsable, match=r"nq\.csv: expected quotes of ESH26, which a session follows at tradovate"
    ):
        wished(nasdaq, CONFIGURED)
    trades: list[MarketEvent] = [Trade("ESH26", Decimal(6700), Decimal(1), EPOCH_NS)]
    with pytest.raises(NotRehearsable, match="got none"):
        wished(written(tmp_path / "trades.csv", trades))
    with pytest.raises(NotRehearsable, match="got an empty file"):
        wished(written(tmp_path / "empty.csv", []))
