"""The metrics page: every figure an operator raises an alarm on, true, and there while parts of the daemon are not."""

import json
import re
from decimal import Decimal
from pathlib import Path

import trio
from prometheus_client.parser import text_string_to_metric_families

from brokers.guards.breaker import Phase
from brokers.guards.guard import GuardStatistics
from brokers.guards.limiter import LimiterStatistics, LimitUse
from brokers.guards.operation import Kind
from brokers.guards.pauses import Held
from brokers.guards.timeline import SECOND_NS
from brokers.symbol_refresh import RefreshStatistics
from brokers.tokens.credentials import LoginId
from brokers.tokens.token_store import TokenStatus
from runtime.inspection import resume, suspend
from sessions.control.api.figures import MEANINGS, Sheet, of_guard, of_refresh, of_token
from sessions.control.api.metrics import PATIENCE
from sessions.control.api.records import encode
from sessions.control.view.metrics import metrics_page
from sessions.session import trader_name
from tests.sessions.daemon.life import session
from tests.sessions.daemon.test_rehearsal import PAPER, Stage, rehearse

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]
NOT_OF_PAPER = {  # which nobody logs in to, whose instruments are ours, and which limits no rate
    *("pitboss_token_fresh", "pitboss_token_expires_seconds", "pitboss_login_ends_seconds"),
    *("pitboss_symbols_refreshed_seconds", "pitboss_symbols_refused_total", "pitboss_symbols_failures_total"),
    "pitboss_guard_limit_used_ratio",
}
DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


def values_of(page: str) -> Values:
    """Every value of a page, by its name and labels, as a scraper understands it."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(page)
        for one in family.samples
    }


def page_of(sheet: Sheet) -> str:
    return metrics_page(json.loads(encode(sheet.metrics())))


async def scraped(stage: Stage) -> Values:
    status, kind, body = await stage.raw("GET", "/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    return values_of(body.decode())


def test_the_page_agrees_with_what_the_commands_tell(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(70)  # the curve has looked at the account
        status, answer = await stage.post(
            "submit", session="a", symbol="BTC-USD", side="buy", type="market", quantity="0.1"
        )
        assert status == 200, answer
        await trio.sleep(5)
        found = await scraped(stage)
        here, book = (("session", "a"),), (("account", "paper-1"), ("broker", "paper"))
        told = await stage.get("status")
        (account,) = (row for row in told["accounts"] if row["account"] == "paper-1")
        assert found["pitboss_well", ()] == told["well"] == 1
        assert found["pitboss_info", (("version", told["version"]),)] == 1
        assert found["pitboss_session_running", here] == found["pitboss_session_wanted", here] == 1
        assert found["pitboss_session_rung", here] == 0
        assert found["pitboss_session_requests_total", here] >= 1
        assert found["pitboss_session_feed_events_total", here] > 0
        assert found["pitboss_account_fills_total", book] == account["fills"] > 0
        assert found["pitboss_account_reconciled", book] == 1
        assert found["pitboss_guard_admitted_total", (("broker", "paper"),)] > 0
        assert found["pitboss_journal_entries_total", ()] > 0
        curve = {row["account"]: row["points"] for row in await stage.get("curve")}
        assert found["pitboss_account_equity", book] == float(Decimal(curve["paper-1"][-1]["equity"]))
        assert found["pitboss_session_day_result", here] != 0
        assert {name for name, _ in found} <= set(MEANINGS)
        assert set(MEANINGS) - {name for name, _ in found} == NOT_OF_PAPER
        assert {row["name"] for row in await stage.get("metrics")} == {name for name, _ in found}

    rehearse(tmp_path, PAPER + session("a"), play)


def test_a_halt_and_a_crash_are_on_the_page(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        restarted = ("pitboss_tree_events_total", (("kind", "restarting"),))
        assert (await scraped(stage))[restarted] == 0
        trader = stage.house.runtime.registry.whereis(trader_name("a"))
        assert trader is not None
        trader.kill("test")
        await stage.post("halt", by="me")
        found = await scraped(stage)
        assert (found["pitboss_halted", ()], found["pitboss_well", ()]) == (1, 0)
        assert found["pitboss_session_rung", (("session", "a"),)] == 3
        assert found[restarted] == 1

    rehearse(tmp_path, session("a"), play)


def test_whoever_does_not_answer_is_left_out_and_holds_nobody_up_for_longer_than_the_patience(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        suspend(stage.house.journal)
        began = trio.current_time()
        found = await scraped(stage)
        assert trio.current_time() - began <= PATIENCE
        assert ("pitboss_journal_ready", ()) not in found
        assert found["pitboss_session_rung", (("session", "a"),)] == 0
        resume(stage.house.journal)
        assert (await scraped(stage))["pitboss_journal_ready", ()] == 1

    rehearse(tmp_path, session("a"), play)


def test_S18_the_page_is_for_the_owner_alone(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        assert (await stage.raw("GET", "/metrics", uid=12))[0] == 403

    rehearse(tmp_path, "", play)


def test_a_login_a_refresh_and_a_guard_that_keeps_back_are_told() -> None:
    sheet, login = Sheet(), LoginId("tradestation", "me", "live")
    of_token(
        sheet, TokenStatus(login, 3, 90 * SECOND_NS, None, None, None, refreshing=False, lost=True, why_not="gone")
    )
    of_refresh(sheet, "ts", RefreshStatistics(60 * SECOND_NS, changed=4, refused=1, failures=2, last_failure="no"))
    pauses = (Held("", 14 * SECOND_NS, "429"), Held("quotes", 9 * SECOND_NS, "429"))
    limits = LimiterStatistics(2, (LimitUse("orders", "A1", 30, 120),), pauses)
    phases = {Kind.READ: Phase.CLOSED, Kind.SUBMIT: Phase.HALF_OPEN}
    of_guard(sheet, "ts", GuardStatistics("ts", 5, 1, 0, phases, {}, limits), now_ns=10 * SECOND_NS)
    whose = (("broker", "tradestation"), ("environment", "live"), ("login", "me"))
    found, ours = values_of(page_of(sheet)), ("broker", "ts")
    assert found["pitboss_token_fresh", whose] == 0
    assert found["pitboss_symbols_refreshed_seconds", (ours,)] == 60
    assert (found["pitboss_symbols_refused_total", (ours,)], found["pitboss_symbols_failures_total", (ours,)]) == (1, 2)
    assert found["pitboss_token_expires_seconds", whose] == 90
    assert "pitboss_login_ends_seconds" not in {name for name, _ in found}
    assert found["pitboss_guard_pause_seconds", (ours,)] == 4
    assert found["pitboss_guard_waiting", (ours,)] == 2
    assert found["pitboss_guard_breaker_open", (ours, ("kind", Kind.SUBMIT.value))] == 1
    assert found["pitboss_guard_breaker_open", (ours, ("kind", Kind.READ.value))] == 0
    assert found["pitboss_guard_limit_used_ratio", (("account", "A1"), ours, ("limit", "orders"))] == 0.25


def test_a_label_cannot_break_the_page() -> None:
    sheet = Sheet()
    sheet.put("broker_open", 1, broker='a"b\\c\nd')
    assert values_of(page_of(sheet)) == {("pitboss_broker_open", (("broker", 'a"b\\c\nd'),)): 1}


def test_the_docs_tell_every_figure_and_alarm_on_none_that_is_not() -> None:
    text = DOCS.read_text()
    assert list(re.findall(r"^\| `(pitboss_\w+)` \| (.*) \|$", text, re.MULTILINE)) == [
        (name, meaning.help) for name, meaning in MEANINGS.items()
    ]
    assert set(re.findall(r"pitboss_[a-z_]+", text)) <= set(MEANINGS)
