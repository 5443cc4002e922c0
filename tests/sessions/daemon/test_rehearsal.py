"""The whole daemon in a world of memory and virtual time: its tree, its commands, its health, its second key."""

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from brokers.catalogue import Catalogue
from brokers.guards.breaker import Phase, Transition
from brokers.guards.health import Readiness
from brokers.guards.ladder import Cause, Rung
from brokers.guards.lag import LagStatistics
from brokers.guards.operation import Kind, Pause
from brokers.guards.skew import ClockMoved, Skew
from brokers.guards.timeline import SECOND_NS
from brokers.listing import BrokerPlan, broker_plan
from brokers.paper import CAPABILITY, PaperAccount, PaperSettings, open_paper
from brokers.vault import Keyholder
from config.instruments import parse_instruments
from config.settings import Folders, HealthSettings
from runtime.simulation import EPOCH_NS, SimulatedDisk, SimulatedWorld, simulate
from sessions.control.api.app import control_app
from sessions.control.api.deeds import Hands
from sessions.control.api.once import STREAM, Answer, Begun, Once
from sessions.control.daemon import opening
from sessions.control.daemon.configuration import Configuration
from sessions.control.daemon.connections import CONNECTIONS
from sessions.control.daemon.daemon import Daemon, run_daemon
from sessions.control.daemon.drain import drain
from sessions.control.daemon.guard_memory import guard_stream
from sessions.control.daemon.house import HEALTH, House
from sessions.control.daemon.memory import JournalStream
from sessions.health import Health, Signs, findings
from sessions.journal.index import read_index
from sessions.journal.writer import JournalStatistics, State
from tests.sessions.daemon.life import STRATEGY, session

LIVE = '[brokers.tv]\nkind = "tradovate"\naccounts = ["A1"]\nenvironment = "live"\n'
PAPER = '[brokers.paper]\nkind = "paper"\naccounts = ["paper-1", "paper-2"]\n'


@attrs.define(eq=False)
class Stage:
    """A daemon that is up, and its interface without a socket."""

    house: House
    app: Any
    ids: Iterator[int] = attrs.field(factory=itertools.count)

    async def ask(self, method: str, path: str, body: bytes = b"", uid: int = 0) -> tuple[int, Any]:
        status, _, answer = await self.raw(method, path, body, uid)
        return status, json.loads(answer)

    async def raw(self, method: str, path: str, body: bytes = b"", uid: int = 0) -> tuple[int, str, bytes]:
        """The status, the type of the answer, and the answer."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        address, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": address, "raw_path": address.encode(), "root_path": "",
            "query_string": query.encode(), "headers": [], "http_version": "1.1", "scheme": "http",
            "extensions": {"peercred": {"uid": uid}},
        }  # fmt: skip
        await self.app(scope, receive, send)
        kind = dict(sent[0]["headers"])[b"content-type"].decode()
        return sent[0]["status"], kind, b"".join(one.get("body", b"") for one in sent[1:])

    async def get(self, what: str) -> Any:
        status, answer = await self.ask("GET", f"/v1/{what}")
        assert status == 200, answer
        return answer

    async def post(self, command: str, **fields: object) -> tuple[int, Any]:
        return await self.ask(
            "POST", f"/v1/{command}", json.dumps({"id": f"command {next(self.ids)}", **fields}).encode()
        )

    async def running(self, *sessions: str) -> None:
        with trio.fail_after(300):
            while True:
                rows = {row["session"]: row["condition"] for row in await self.get("sessions")}
                if all(rows[one] == "running" for one in sessions):
                    return
                await trio.sleep(0.1)


Play = Callable[[Stage], Awaitable[object]]


def rehearse(
    folder: Path,
    text: str,
    *plays: Play,
    disk: SimulatedDisk | None = None,
    epoch_ns: int = EPOCH_NS,
    apart_ns: int = 0,
) -> None:
    """Lives of one daemon after another, on one disk, from `epoch_ns` on and so far apart."""
    config = folder / "pitboss.toml"
    config.touch(mode=0o600)
    config.write_text(text)
    place = Folders(folder, folder, folder)
    disk = disk or SimulatedDisk()
    try:
        for number, play in enumerate(plays):
            begins_ns = epoch_ns + number * apart_ns
            simulate(life, Configuration((config,), {}), place, play, seed=3, disk=disk, epoch_ns=begins_ns).unwrap()
    finally:
        disk.close()


async def life(world: SimulatedWorld, configuration: Configuration, place: Folders, play: Play) -> None:
    settings = configuration.whole(place, world.disk).settings
    daemon = Daemon(world, configuration, settings, place, Keyholder(()))
    async with trio.open_nursery() as nursery:
        house: House = await nursery.start(run_daemon, daemon)
        once = Once(JournalStream(house.journal, world, STREAM), nursery.start_soon)
        await once.load()
        app = control_app(Hands(house, configuration), once, 0, lambda: "error-id", lambda _, error: failed(error))
        try:
            await play(Stage(house, app))
        finally:
            house.end("the rehearsal is over", 1)


def failed(error: BaseException) -> None:
    raise AssertionError("nobody expected this") from error


def test_the_tree_stands_in_the_order_of_what_rests_on_what(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        rows = await stage.get("tree")
        assert [row["id"] for row in rows if row["depth"] == 2] == [
            "journal", "vault", "risk", "connections", "sessions", "health", "months", "curve", "control",
        ]  # fmt: skip
        paths = {row["path"] for row in rows}
        assert {"/pitboss/sessions/pool/a/trader", "/pitboss/connections/pool/paper"} <= paths
        for what in (
            "status",
            "orders",
            "positions",
            "fills",
            "equity",
            "events",
            "crashes",
            "logs",
            "brokers",
            "symbols",
            "doctor",
        ):
            await stage.get(what)
        assert await stage.get("bars?broker=paper&symbol=BTC-USD&count=3")

    rehearse(tmp_path, session("a"), play)


def test_refusals_have_a_code_a_sentence_a_next_step_and_no_stack(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        status, problem = await stage.post("stop", session="nobody")
        assert (status, problem["code"]) == (404, "unknown_session")
        assert all(problem[field] for field in ("id", "text", "next"))
        assert (await stage.ask("POST", "/v1/stop", b"{"))[0] == 400
        status, problem = await stage.ask("POST", "/v1/stop", b'{"id": "1", "session": 3, "x": 1}')
        assert (status, "$.session" in problem["text"], "$.x" in problem["text"]) == (400, True, True)
        assert (await stage.ask("GET", "/v1/nothing"))[1]["code"] == "no_such_route"
        assert (await stage.ask("GET", "/v1/bars?broker=paper&symbol=ES&interval=soon"))[0] == 400
        assert (await stage.ask("GET", "/v1/status", uid=12))[0] == 403

    rehearse(tmp_path, "", play)


def test_F21_I23_the_same_command_twice_has_one_effect_and_the_same_answer(tmp_path: Path) -> None:
    """The rule behind a webhook that is delivered twice, at the seam that there is: a command with its sender's key."""
    order = {
        "id": "once",
        "session": "a",
        "symbol": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "quantity": "0.1",
        "limit_price": "90000",
    }

    async def play(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(30)
        body = json.dumps(order).encode()
        answers: list[Any] = []

        async def send() -> None:
            answers.append(await stage.ask("POST", "/v1/submit", body))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(send)
        assert answers[0][0] == 200, answers
        assert answers[0] == answers[1] == answers[2]
        assert len(await stage.get("orders")) == 1
        other = json.dumps({**order, "quantity": "0.2"}).encode()
        assert (await stage.ask("POST", "/v1/submit", other))[1]["code"] == "id_taken"

    rehearse(tmp_path, session("a"), play)


def test_I23_a_command_whose_answer_was_lost_with_the_daemon_is_not_done_again(tmp_path: Path) -> None:
    asked, done = Begun("submit", "{}"), list[str]()

    async def first(stage: Stage) -> None:
        stream = JournalStream(stage.house.journal, stage.house.world, "commands-test")
        async with trio.open_nursery() as nursery:
            once = Once(stream, nursery.start_soon)

            async def work() -> Answer:
                done.append("fine")
                return Answer(200, '"fine"')

            await once.perform("finished", asked, work, urgent=False)
            await stream.keep("command.begun", "lost", asked)

    async def second(stage: Stage) -> None:
        once = Once(
            JournalStream(stage.house.journal, stage.house.world, "commands-test"), lambda *_: pytest.fail("done again")
        )
        await once.load()

        async def never() -> Answer:
            raise AssertionError

        assert await once.perform("finished", asked, never, urgent=False) == Answer(200, '"fine"')
        with pytest.raises(Exception, match="not done again"):
            await once.perform("lost", asked, never, urgent=False)

    rehearse(tmp_path, "", first, second)
    assert done == ["fine"]


def test_the_results_are_those_of_the_fills_session_by_session_and_survive_the_daemon(tmp_path: Path) -> None:
    told: list[Any] = []

    async def first(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(30)
        for side in ("buy", "sell"):
            order = {"symbol": "BTC-USD", "side": side, "type": "market", "quantity": "0.1"}
            assert (await stage.post("submit", session="a", **order))[0] == 200
            await trio.sleep(10)
        assert {row["position"]["quantity"] for row in await stage.get("positions")} == set()
        fills = [row["fill"] for row in await stage.get("fills")]
        signs = {"buy": Decimal(-1), "sell": Decimal(1)}
        earned = sum(
            signs[one["side"]] * Decimal(one["quantity"]) * Decimal(one["price"]) - Decimal(one["fee"]) for one in fills
        )
        (row,) = await stage.get("results")
        trades = row["result"]["trades"]
        assert (row["account"], row["result"]["session"], trades["trades"]) == ("paper-1", "a", 1)
        assert Decimal(trades["won"]) + Decimal(trades["lost"]) == earned
        assert Decimal(trades["fees"]) == sum(Decimal(one["fee"]) for one in fills)
        told.append(row)

    async def second(stage: Stage) -> None:
        await stage.running("a")
        assert await stage.get("results") == told

    rehearse(tmp_path, session("a"), first, second)


def test_a_session_is_started_without_a_file_moved_and_still_known_to_the_next_daemon(tmp_path: Path) -> None:
    new = {
        "broker": "paper",
        "account": "paper-1",
        "symbols": ["BTC-USD"],
        "strategy": "sessions.strategies.ema_cross:EmaCross",
        "params": ["fast=3", "quantity=0.5"],
    }

    async def first(stage: Stage) -> None:
        assert (await stage.post("start", session="b", new={**new, "params": ["fats=3"]}))[1]["code"] == "bad_strategy"
        assert (await stage.post("start", session="b", new={**new, "account": "nobody"}))[1]["code"] == "bad_settings"
        assert await stage.get("sessions") == []
        assert (await stage.post("start", session="b", new=new))[0] == 200
        assert (await stage.post("start", session="b", new=new))[1]["code"] == "name_taken"
        status, answer = await stage.post("move", session="b", account="paper-2")
        assert status == 200, answer
        assert [row["account"] for row in await stage.get("sessions")] == ["paper-2"]

    async def second(stage: Stage) -> None:
        await stage.running("b")
        assert [row["account"] for row in await stage.get("sessions")] == ["paper-2"]

    rehearse(tmp_path, PAPER, first, second)


def test_a_move_that_is_refused_leaves_the_session_where_it_was(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(30)
        status, answer = await stage.post(
            "submit", session="a", symbol="BTC-USD", side="buy", type="market", quantity="0.1"
        )
        assert status == 200, answer
        await trio.sleep(5)
        assert (await stage.post("move", session="a", account="paper-2"))[1]["code"] == "not_flat"
        assert [row["account"] for row in await stage.get("sessions")] == ["paper-1"]
        assert (await stage.post("flatten", by="me", session="a"))[0] == 200
        await trio.sleep(10)
        assert await stage.get("positions") == []

    rehearse(tmp_path, PAPER + session("a"), play)


def test_S45_a_halt_stops_submits_at_once_and_a_resume_needs_a_name(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        began = trio.current_time()
        assert (await stage.post("halt", by="me", reason="test"))[0] == 200
        assert trio.current_time() - began < 0.1
        assert stage.house.gate.rung("a") is Rung.HALTED
        assert (await stage.get("status"))["halted"] == "halt by me: test"
        assert (await stage.post("resume", by=" "))[1]["code"] == "resume_refused"
        assert (await stage.post("resume", by="me"))[0] == 200
        assert (await stage.get("status"))["halted"] == ""

    rehearse(tmp_path, session("a"), play)


def test_S45_a_halt_by_signal_in_the_last_moment_still_stops_the_next_daemon(tmp_path: Path) -> None:
    async def first(stage: Stage) -> None:
        stage.house.switch.on_signal(10)
        stage.house.end("at once", 0)

    async def second(stage: Stage) -> None:
        assert (await stage.get("status"))["halted"]

    rehearse(tmp_path, "", first, second)


def test_S42_with_one_key_a_live_broker_is_not_even_asked_and_its_sessions_wait(tmp_path: Path) -> None:
    text = PAPER + LIVE + session("a") + session("b").replace('"paper"', '"tv"').replace("paper-1", "A1")

    async def play(stage: Stage) -> None:
        await stage.running("a")
        rows = {row["broker"]: row for row in await stage.get("brokers")}
        assert (rows["tv"]["open"], rows["tv"]["attempts"], rows["tv"]["armed"]) == (False, 0, False)
        assert "pitboss arm tv" in rows["tv"]["why_not"]
        failed = {row["session"]: row for row in await stage.get("sessions")}["b"]
        assert (failed["condition"], "armed" in failed["why"]) == ("failed", True)
        assert (await stage.post("arm", by="me", broker="paper"))[1]["code"] == "not_live"
        assert (await stage.post("arm", by="me", broker="tv", minutes=1))[0] == 200
        assert (await stage.get("status"))["live"]
        assert any("LIVE TRADING IS ARMED: tv, by me" in line for line in await stage.get("logs?count=50"))
        (until_ns,) = {arming.until_ns for arming in stage.house.arms.held.values()}
        await trio.sleep(60.5)
        assert not (await stage.get("status"))["live"], "an arming ends by itself"
        looked = await stage.house.runtime.name(HEALTH, Health).call(Health.latest)
        assert looked is not None
        assert abs(looked.signs.time_ns - until_ns) < 10_000_000, "and its sessions hear of it at once"

    rehearse(tmp_path, text, play)


def test_S60_a_clock_that_is_half_a_minute_off_disarms_what_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @attrs.frozen
    class HouseSettings:
        accounts: tuple[str, ...]

    async def open_house(runtime: Any, said: HouseSettings, *, catalogue: Catalogue, tell: Any) -> Any:
        tells.append(tell)
        settings = PaperSettings(accounts=tuple(map(PaperAccount, said.accounts)), symbols=("ES",))
        return await open_paper(runtime, settings, catalogue=catalogue, name="house")

    tells: list[Callable[[object], None]] = []
    plan = BrokerPlan("house", CAPABILITY, open_house, HouseSettings)
    monkeypatch.setattr(opening, "broker_plan", lambda kind: plan if kind == "house" else broker_plan(kind))

    async def play(stage: Stage) -> None:
        assert (await stage.post("arm", by="me", broker="house"))[0] == 200
        with trio.fail_after(60):
            while not tells:  # noqa: ASYNC110 - it tells no event
                await trio.sleep(0.1)
        for skew, live in ((Skew.NOTICED, True), (Skew.FAR, False), (Skew.NONE, False)):
            tells[0](ClockMoved("house", skew, 40 * SECOND_NS))
            await trio.sleep(1)
            assert (await stage.get("status"))["live"] is live
        alerts = [line for line in await stage.get("logs?count=200") if "CLOCK_SKEW" in line]
        assert ["disarmed" in line for line in alerts] == [False, True]

    async def later(stage: Stage) -> None:
        assert not (await stage.get("status"))["live"], "a person has to look first"

    text = PAPER + '[brokers.house]\nkind = "house"\naccounts = ["h-1"]\nenvironment = "live"\n'
    rehearse(tmp_path, text, play, later)


def test_a_connection_that_gives_up_is_opened_anew_and_its_sessions_run_again(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        before = stage.house.brokers["paper"]
        stage.house.pool(CONNECTIONS).supervisor("paper").kill("test")
        with trio.fail_after(120):
            while stage.house.brokers.get("paper") in (None, before):  # noqa: ASYNC110 - it tells no event
                await trio.sleep(0.1)
        await stage.running("a")
        await trio.sleep(60)
        rows = (await stage.get("status"))["accounts"]
        assert [row["reconciled"] for row in rows] == [True]
        assert "the market-data stream is down" not in (await stage.get("sessions"))[0]["causes"]

    rehearse(tmp_path, session("a"), play)


async def kept(stage: Stage) -> list[tuple[str, str | None]]:
    """What the journal knows of the guards, once it is quiet."""
    await trio.sleep(1)
    rows = await guard_stream(stage.house.journal, stage.house.world, "paper").load()
    return [(row.entry.kind, row.entry.key) for row in rows]


def test_B16_the_next_daemon_leaves_a_broker_alone_that_banned_this_one_until_the_ban_is_over(tmp_path: Path) -> None:
    async def banned(stage: Stage) -> None:
        await stage.running("a")
        host = stage.house.brokers["paper"].guard.host
        host.pause(Pause(3600 * SECOND_NS, "418"), host.timeline.now_ns())
        host.pause(Pause(1800 * SECOND_NS, "429"), host.timeline.now_ns())
        assert await kept(stage) == [("guard.pause", "pause/paper/")], "what ends sooner changes nothing"
        assert Cause.PAUSED in {cause for cause, _ in stage.house.gate.ladder("a").causes}

    async def later(stage: Stage) -> None:
        (row,) = await stage.get("brokers")
        assert (row["open"], row["attempts"]) == (False, 1)
        assert "paper wants to be left alone for 3000 s more (418)" in row["why_not"]
        await trio.sleep(2990)
        assert [row["attempts"] for row in await stage.get("brokers")] == [1]
        await trio.sleep(20)
        await stage.running("a")
        assert stage.house.gate.rung("a") is Rung.FULL
        assert await kept(stage) == [("guard.pause", "pause/paper/")]

    rehearse(tmp_path, session("a"), banned, later, apart_ns=600 * SECOND_NS)


def test_B10_a_breaker_is_open_for_the_next_daemon_too_and_each_move_is_journalled_once(tmp_path: Path) -> None:
    told = [("guard.pause", "pause/paper/commands"), ("guard.breaker", "breaker/paper/submit")]

    async def broken(stage: Stage) -> None:
        await stage.running("a")
        guard = stage.house.brokers["paper"].guard
        now_ns = guard.host.timeline.now_ns()
        guard.host.pause(Pause(120 * SECOND_NS, "the quota is used up", "commands"), now_ns)
        guard.moved(Kind.SUBMIT, Transition(Phase.CLOSED, Phase.OPEN, now_ns, now_ns + 180 * SECOND_NS, 3))
        assert await kept(stage) == told

    async def later(stage: Stage) -> None:
        await stage.running("a")
        guard = stage.house.brokers["paper"].guard
        assert {kind for kind, one in guard.breakers.items() if one.phase is Phase.OPEN} == {Kind.SUBMIT}
        assert {cause for cause, _ in stage.house.gate.ladder("a").causes} == {Cause.PAUSED, Cause.SUBMIT_BREAKER_OPEN}
        assert await kept(stage) == told, "what was told before is not told again"
        ((waits, submit),) = (row["troubles"] for row in await stage.get("brokers"))
        assert "commands waits" in waits
        assert submit == "submit keeps failing"
        assert f"broker paper: {submit}" in (await stage.get("status"))["reasons"]
        await trio.sleep(140)
        assert stage.house.gate.rung("a") is Rung.FULL

    rehearse(tmp_path, session("a"), broken, later, apart_ns=60 * SECOND_NS)


SLOW = PAPER + '[brokers.paper.market.faults]\nslow_ack = "1"\nslow_ack_ms = 20000\nreject = "0"\n'


ORDER = {"session": "a", "symbol": "BTC-USD", "side": "buy", "type": "limit", "quantity": "0.1", "limit_price": "90000"}


@asynccontextmanager
async def order_on_its_way(stage: Stage) -> AsyncIterator[None]:
    """An order whose acknowledgement takes 20 s."""
    await stage.running("a")
    await trio.sleep(30)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: stage.post("submit", **ORDER))
        await trio.sleep(1)
        yield


def test_a_drain_waits_for_orders_on_their_way_but_not_beyond_its_limit(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async with order_on_its_way(stage):
            began = trio.current_time()
            assert len(await drain(stage.house, 2)) == 1
            assert trio.current_time() - began == pytest.approx(2, abs=0.2)
            assert stage.house.gate.rung("a") is Rung.NO_NEW_RISK
            assert await drain(stage.house, 60) == ()
            assert trio.current_time() - began < 40

    rehearse(tmp_path, SLOW + session("a"), play)


def test_a_drain_ends_at_once_when_somebody_hurries(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async with order_on_its_way(stage), trio.open_nursery() as nursery:
            stage.house.end("first")
            began, left = trio.current_time(), list[tuple[str, ...]]()

            async def wait() -> None:
                left.append(await drain(stage.house, 60))

            nursery.start_soon(wait)
            await trio.sleep(1)
            assert not left
            stage.house.end("again", 0)
            await trio.sleep(0.1)
            assert [len(one) for one in left] == [1]
            assert trio.current_time() - began < 2

    rehearse(tmp_path, SLOW + session("a"), play)


def test_a_reload_opens_a_changed_broker_anew_and_restarts_only_its_sessions(tmp_path: Path) -> None:
    more = PAPER.replace('"paper-2"]', '"paper-2", "paper-3"]')

    async def play(stage: Stage) -> None:
        await stage.running("a")
        before = stage.house.brokers["paper"]
        (tmp_path / "pitboss.toml").write_text(more + session("a"))
        status, told = await stage.post("reload")
        assert (status, told["brokers"], told["restarted"]) == (200, ["paper"], ["a"]), told
        await stage.running("a")
        assert stage.house.brokers["paper"] is not before
        assert len((await stage.get("status"))["accounts"]) == 3
        (tmp_path / "pitboss.toml").write_text(more + session("a").replace("EmaCross", "Nothing"))
        assert (await stage.post("reload"))[1]["code"] == "bad_strategy"
        await stage.running("a")

    rehearse(tmp_path, PAPER + session("a"), play)


# Health.


def signs(**changes: Any) -> Signs:
    journal = JournalStatistics(State.READY, 1, 1, 0, 0, 0, 0, 0, 0)
    well = Signs(
        0, True, LagStatistics(1, 0, 0, 0), 10**12, journal, {"a": Readiness(True, True, True, True)}, frozenset()
    )
    return attrs.evolve(well, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"alive": False}, [("", None), ("a", "LOOP_LAG")]),
        ({"lag": LagStatistics(1, 0, 251_000_000, 0)}, [("", None), ("a", "LOOP_LAG")]),
        ({"free_bytes": 1}, [("", None), ("a", "HELD_BACK")]),
        ({"free_bytes": None}, [("", None), ("a", "HELD_BACK")]),
        ({"journal": None}, [("", None)]),
        ({"unarmed": frozenset({"a"})}, [("a", "HELD_BACK")]),
        ({"readiness": {"a": Readiness(True, False, True, True)}}, [("a", None)]),
    ],
)
def test_B21_B22_what_is_ill_takes_down_whom_it_concerns(
    changes: dict[str, Any], told: list[tuple[str, str | None]]
) -> None:
    found = findings(signs(**changes), HealthSettings())
    assert [(one.session, one.cause and one.cause.name) for one in found] == told
    assert Decimal(len(found)) == len(set(found))


# By the calendar.

MARGIN = Decimal(31_000)
SATURDAY_NS = 1_768_068_000_000_000_000  # 2026-01-10 18:00 UTC
OPENING = "sessions.strategies.opening_range:OpeningRange"


def test_on_a_weekend_the_paper_market_is_open_and_a_strategy_that_looks_at_hours_trades(tmp_path: Path) -> None:
    market = PAPER + 'market.symbols = ["AAPL"]\n'
    breakout = session("a", "AAPL").replace(STRATEGY, OPENING) + "params = { minutes = 2 }\n"

    async def play(stage: Stage) -> None:
        await stage.running("a")
        with trio.fail_after(3600):
            while not await stage.get("fills"):  # noqa: ASYNC110 - they are asked for, as a person would
                await trio.sleep(60)

    rehearse(tmp_path, market + breakout, play, epoch_ns=SATURDAY_NS)


ONE_MARKET = PAPER + 'market.symbols = ["BTC-USD"]\n'
EARLY_NS = 1_767_585_000_000_000_000  # 2026-01-05 03:50 UTC
MONTHS_END_NS = 1_769_903_400_000_000_000  # 2026-01-31 23:50 UTC


def test_the_turn_of_a_month_begins_a_new_file_that_knows_armings_commands_and_orders(tmp_path: Path) -> None:
    resting = {
        "id": "once", "session": "a", "symbol": "BTC-USD", "side": "buy", "type": "limit", "quantity": "0.1",
        "limit_price": "90000",
    }  # fmt: skip
    body = json.dumps(resting).encode()

    def sealed(stage: Stage) -> list[tuple[str, bool]]:
        index = read_index(stage.house.world.disk, tmp_path / "journal")
        return [(segment.month, segment.archive is not None) for segment in index.segments]

    async def before(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(60)
        status, told = await stage.ask("POST", "/v1/submit", body)
        assert status == 200, told
        assert (await stage.post("arm", by="me", broker="tv", minutes=60))[0] == 200
        assert sealed(stage) == []
        await trio.sleep(600)
        assert sealed(stage) == [("2026-01", False)], "within the second that the month turns"
        await stage.running("a")
        await trio.sleep(600)
        assert sealed(stage) == [("2026-01", True)], "and packed when nobody reads it any more"
        assert await stage.ask("POST", "/v1/submit", body) == (200, told), "known, without a second order"

    async def after(stage: Stage) -> None:
        await stage.running("a")
        assert (await stage.get("status"))["live"], "armed before the turn of the month"
        assert (await stage.ask("POST", "/v1/submit", body))[0] == 200
        prices = [row["report"]["order"]["limit_price"] for row in await stage.get("orders")]
        assert prices.count("90000") == 1
        assert sealed(stage) == [("2026-01", True)]

    epoch_ns, apart_ns = MONTHS_END_NS, 1_800_000_000_000
    rehearse(tmp_path, ONE_MARKET + LIVE + session("a"), before, after, epoch_ns=epoch_ns, apart_ns=apart_ns)


def test_a_month_that_turned_while_no_daemon_ran_is_sealed_by_the_next_one(tmp_path: Path) -> None:
    async def before(stage: Stage) -> None:
        await stage.running("a")

    async def after(stage: Stage) -> None:
        await stage.running("a")
        index = read_index(stage.house.world.disk, tmp_path / "journal")
        assert [segment.month for segment in index.segments] == ["2026-01"]

    epoch_ns, apart_ns = MONTHS_END_NS, 86_400_000_000_000
    rehearse(tmp_path, ONE_MARKET + session("a"), before, after, epoch_ns=epoch_ns, apart_ns=apart_ns)


def test_each_night_a_broker_is_asked_what_it_trades_and_another_brokers_table_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @attrs.frozen
    class HouseSettings:
        accounts: tuple[str, ...]

    async def open_house(runtime: Any, said: HouseSettings, *, catalogue: Catalogue, name: str) -> Any:
        settings = PaperSettings(accounts=tuple(map(PaperAccount, said.accounts)), symbols=("ES",))
        broker = await open_paper(runtime, settings, catalogue=catalogue, name=name)
        feed = broker.need_feed()
        dearer = [attrs.evolve(one, initial_margin=MARGIN) for one in await feed.instruments()]

        async def instruments() -> Any:
            asked.append(runtime.world.clock.wall_ns())
            return dearer

        monkeypatch.setattr(type(feed), "instruments", lambda _: instruments())
        return broker

    asked: list[int] = []
    plan = BrokerPlan("house", CAPABILITY, open_house, HouseSettings)
    monkeypatch.setattr(opening, "broker_plan", lambda kind: plan if kind == "house" else broker_plan(kind))

    async def night(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(1200)
        assert len(asked) == 2, "at the start and at night"
        assert 4 * 3600 <= asked[1] // 10**9 % 86_400 <= 4 * 3600 + 600
        house, paper = stage.house.brokers["house"], stage.house.brokers["paper"]
        assert house.catalogue.table["ES"].initial_margin == MARGIN
        assert paper.catalogue.table["ES"].initial_margin != MARGIN
        kept = parse_instruments(stage.house.world.disk.read(tmp_path / "house.symbols.toml").decode(), "kept")
        assert kept["ES"].initial_margin == MARGIN
        (told,) = (
            one["samples"] for one in await stage.get("metrics") if one["name"] == "pitboss_symbols_refreshed_seconds"
        )
        assert [(one["labels"], round(one["value"])) for one in told] == [
            ({"broker": "house"}, round(asked[1] / 10**9))
        ]

    text = ONE_MARKET + '[brokers.house]\nkind = "house"\naccounts = ["h-1"]\n'
    rehearse(tmp_path, text + session("a"), night, epoch_ns=EARLY_NS)


def test_what_the_accounts_were_worth_is_known_for_each_minute_over_a_restart(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(301)
        curves = {row["account"]: row["points"] for row in await stage.get("curve")}
        assert curves.keys() == {"paper-1", "paper-2"}
        times = [point["time_ns"] for point in curves["paper-1"]]
        assert len(times) == 6
        assert all(abs(later - earlier - 60 * 10**9) < 10**9 for earlier, later in itertools.pairwise(times))
        assert {point["equity"] for point in curves["paper-2"]} == {"100000"}

    async def another_day(stage: Stage) -> None:
        await stage.running("a")
        await trio.sleep(61)
        curves = {row["account"]: row["points"] for row in await stage.get("curve")}
        assert [len(curves[account]) for account in ("paper-1", "paper-2")] == [8, 8]
        assert curves["paper-1"] == sorted(curves["paper-1"], key=lambda point: int(point["time_ns"]))

    rehearse(tmp_path, ONE_MARKET + session("a"), play, another_day, apart_ns=3600 * 10**9)


def test_while_one_broker_does_not_answer_people_are_told_and_sessions_elsewhere_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket is not kept shut by a broker that is down; READY comes when each broker has had its time."""
    opens_at = {"slow": 40.0, "paper": 0.0}
    opened = opening.open_broker

    async def open_late(house: House, name: str, *rest: Any) -> Any:
        await trio.sleep(max(opens_at[name] - house.runtime.now(), 0))
        return await opened(house, name, *rest)

    monkeypatch.setattr("sessions.control.daemon.connections.open_broker", open_late)
    slow = '[brokers.slow]\nkind = "paper"\naccounts = ["s-1"]\n'
    late = session("late").replace('"paper"', '"slow"').replace("paper-1", "s-1")

    async def play(stage: Stage) -> None:
        told = await stage.get("status")
        began_ns = told["started_ns"]
        assert 14e9 < told["time_ns"] - began_ns < 17e9
        assert told["well"] is False
        assert any(one.startswith("broker slow: not connected") for one in told["reasons"])
        ready = {row["path"]: row["time_ns"] for row in await stage.get("events?count=1000") if row["kind"] == "ready"}
        assert ready["/pitboss/control"] - began_ns < 3e9
        assert ready["/pitboss/sessions/pool/quick"] - began_ns < 3e9
        assert "/pitboss/sessions/pool/late" not in ready
        await stage.running("late", "quick")
        starts = [row for row in await stage.get("events?count=1000") if row["path"] == "/pitboss/sessions/pool/late"]
        assert [row["kind"] for row in starts] == ["started", "ready"]

    rehearse(tmp_path, PAPER + slow + session("quick") + late, play)
