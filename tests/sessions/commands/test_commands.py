"""The commands against a control interface of the test's own: what they send, print and exit with."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import folders
from sessions.control.api import records
from sessions.control.api.app import QUESTIONS
from sessions.control.api.deeds import DEEDS
from sessions.control.api.reasons import judged
from sessions.control.commands.place import socket_path
from tests.sessions.commands import samples
from tests.sessions.commands.fake_daemon import Fake, lines, serving
from tests.sessions.commands.samples import STATUS, wire

PROGRAM = "from tests.sessions.commands.fake_daemon import GROUP; GROUP(prog_name='pitboss')"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    with serving(tmp_path / "s") as found:
        yield found


DONE = (200, {"text": "it is done"})
REPORTS = (200, [wire(samples.REPORT)])

SENT: list[tuple[str, type[Any], Any, dict[str, Any]]] = [
    ("start a", records.Start, DONE, {"session": "a"}),
    ("stop a", records.Stop, DONE, {"session": "a"}),
    ("restart a", records.Restart, DONE, {"session": "a"}),
    ("reload", records.Reload, (200, wire(samples.RELOADED)), {}),
    ("reload a", records.Reload, DONE, {"session": "a"}),
    ("move a --account b", records.Move, DONE, {"session": "a", "account": "b", "flatten": False}),
    ("shutdown --by me --drain 3", records.Shutdown, DONE, {"by": "me", "drain_s": 3}),
    ("cancel a K1", records.Cancel, REPORTS, {"session": "a", "key": "K1"}),
    ("modify a K1 --limit 2.50", records.Modify, REPORTS, {"session": "a", "key": "K1", "limit_price": "2.50"}),
    ("flatten a --by me", records.Flatten, REPORTS, {"session": "a", "by": "me", "reason": ""}),
    ("flatten --all --by me", records.Flatten, DONE, {"by": "me", "reason": ""}),
    ("halt --by me --cancel", records.Halt, DONE, {"by": "me", "reason": "", "cancel_only": True}),
    ("resume --by me", records.Resume, DONE, {"by": "me"}),
    ("resume a --by me --reason seen", records.Resume, DONE, {"by": "me", "session": "a", "reason": "seen"}),
    ("resume --portfolio --by me", records.Resume, DONE, {"by": "me", "portfolio": True}),
    ("arm ts --yes --by me --minutes 5", records.Arm, (200, wire(samples.ARMING)), {"by": "me", "broker": "ts", "minutes": 5}),
    ("disarm ts --by me", records.Disarm, DONE, {"by": "me", "broker": "ts"}),
    ("backup /tmp/x", records.Backup, DONE, {"folder": "/tmp/x"}),
    (
        "start n --broker p --account q --symbol ES --symbol NQ --strategy m:C --param k=1 --data none",
        records.Start,
        DONE,
        {"session": "n", "new": {"broker": "p", "account": "q", "symbols": ["ES", "NQ"], "strategy": "m:C", "data": "none", "interval": "1m", "params": ["k=1"]}},
    ),
    (
        "submit a sell 0.10 ES --limit 5 --stop 4.75 --tif gtc --reduce-only",
        records.Submit,
        REPORTS,
        {"session": "a", "symbol": "ES", "side": "sell", "type": "stop_limit", "quantity": "0.10", "limit_price": "5", "stop_price": "4.75", "time_in_force": "gtc", "reduce_only": True},
    ),
    (
        "resolve K1 --broker p --account q --state filled --filled 1 --average-price 2.5 --by me",
        records.Resolve,
        REPORTS,
        {"by": "me", "broker": "p", "account": "q", "key": "K1", "state": "filled", "filled": "1", "average_price": "2.5"},
    ),
    ("resolve K1 --broker p --account q --absent --by me", records.Resolve, REPORTS, {"by": "me", "broker": "p", "account": "q", "key": "K1"}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "kind", "answer", "fields"), SENT, ids=[one[0] for one in SENT])
def test_a_command_sends_exactly_what_was_said_and_the_daemon_understands_it(
    fake: Fake, words: str, kind: type[Any], answer: Any, fields: dict[str, Any]
) -> None:
    fake.answers[f"/v1/{records.command_of(kind)}"] = answer
    result = fake.run(*words.split())
    assert result.exit_code == 0, result.output
    assert fake.post() == fields
    assert isinstance(records.decode(json.dumps(fake.asked[-1].body), kind), kind)
    assert result.stdout


def test_every_command_of_the_interface_can_be_given() -> None:
    kinds = {kind for _, kind, _, _ in SENT}
    assert kinds == set(DEEDS)


CURVE = [{"broker": "p", "account": "q", "points": [{"time_ns": 1, "equity": "100001.5"}]}]
ASKED = [
    ("status", "status", wire(STATUS), "all is well"),
    ("tree", "tree", [wire(row) for row in samples.TREE], "├─ sessions"),
    ("top --count 1", "tree", [wire(row) for row in samples.TREE], "/sessions/a"),
    ("sessions", "sessions", [wire(samples.SESSION)], "running"),
    ("orders --open", "orders", [wire(row) for row in samples.ORDERS], "unknown"),
    ("orders", "orders", [], "no orders"),
    ("positions", "positions", [wire(row) for row in samples.POSITIONS], "-0.10"),
    ("results", "results", [wire(row) for row in samples.RESULTS], "12.50  -2.25   10.25"),
    ("results", "results", [], "nothing was traded"),
    ("fills", "fills", [wire(row) for row in samples.FILLS], "90000.5"),
    ("equity", "equity", [wire(row) for row in samples.EQUITY], "99,991.28"),
    ("equity --history", "curve", CURVE, "100,001.50"),
    ("bars ES --chart", "bars", [wire(row) for row in samples.BARS], "█"),
    ("events", "events", [wire(samples.EVENT)], "boom"),
    ("crashes --trace", "crashes", [wire(samples.CRASH)], "line 3"),
    ("crashes", "crashes", [], "nothing crashed"),
    ("logs", "logs", ["one", "two"], "one\ntwo"),
    ("doctor", "doctor", [{"name": "log", "fine": True, "text": "well"}], "fine  log: well"),
    ("metrics", "metrics", wire(samples.METRICS), 'pitboss_broker_open{broker="paper"} 1.0'),
    ("audit verify", "audit", {"entries": 3, "hash": "ab"}, "3 entries"),
]


@pytest.mark.parametrize(("words", "what", "record", "shown"), ASKED, ids=[one[0] for one in ASKED])
def test_a_question_is_answered_for_people_and_as_the_daemons_own_record_for_machines(
    fake: Fake, words: str, what: str, record: Any, shown: str
) -> None:
    fake.answers[f"/v1/{what}"] = (200, record)
    told = fake.run(*words.split())
    assert told.exit_code == 0, told.output
    assert shown in told.stdout
    assert "\x1b" not in told.stdout, "plain when piped"
    machine = fake.run(*words.split(), "--json")
    assert json.loads(machine.stdout) == ([{"line": one} for one in record] if what == "logs" else record)
    assert machine.stdout.count("\n") == 1


def test_every_question_of_the_interface_can_be_asked() -> None:
    assert {what for _, what, _, _ in ASKED} | {"brokers", "symbols", "progress"} == set(QUESTIONS)


@pytest.mark.parametrize("words", [one[0] for one in (*ASKED, *SENT) if not one[0].startswith(("audit", "backup"))])
def test_without_a_daemon_one_sentence_says_how_to_start_one_and_the_exit_code_is_4(words: str, tmp_path: Path) -> None:
    result = Fake(tmp_path / "nobody").run(*words.split())
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "expected a daemon to answer" in result.stderr
    assert "pitboss up" in result.stderr


def test_a_refusal_is_one_sentence_with_its_remedy_code_and_id_and_the_exit_code_is_3(fake: Fake) -> None:
    problem = {"id": "77", "code": "risk", "text": "too \x1b[2Jbig", "next": "make it smaller"}
    fake.answers["/v1/submit"] = (409, problem)
    result = fake.run("submit", "a", "buy", "1", "ES", "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: too \\x1b[2Jbig; make it smaller [risk 77]\n"


@pytest.mark.parametrize(
    ("words", "what", "record"),
    [
        ("status", "status", wire(judged(attrs.evolve(STATUS, halted="halt by me")))),
        ("doctor", "doctor", [{"name": "log", "fine": False, "text": "lines were lost"}]),
    ],
)
def test_what_is_not_well_exits_with_1(fake: Fake, words: str, what: str, record: Any) -> None:
    fake.answers[f"/v1/{what}"] = (200, record)
    for more in ([], ["--json"]):
        assert fake.run(words, *more).exit_code == 1


def test_a_journal_that_the_daemon_finds_broken_exits_with_1(fake: Fake) -> None:
    fake.answers["/v1/audit"] = (503, {"code": "journal", "text": "entry 7 is not what was written"})
    result = fake.run("audit", "verify")
    assert (result.exit_code, "entry 7" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n{", b"HTTP/1.0 200 OK\r\n\r\n{]"]
)
def test_I23_a_daemon_that_dies_while_it_answers_is_never_told_as_nothing_done(fake: Fake, answer: bytes) -> None:
    fake.answers["/v1/halt"] = answer
    result = fake.run("halt")
    assert result.exit_code == 4
    assert "may still" in result.stderr
    assert "nothing was done" not in result.stderr


def test_I23_a_command_has_an_id_of_its_own_unless_one_is_given(fake: Fake) -> None:
    fake.answers["/v1/halt"] = DONE
    for more in ([], [], ["--id", "mine"], ["--id", "mine"]):
        assert fake.run("halt", *more).exit_code == 0
    first, second, *given_ids = [one.body["id"] for one in fake.asked]
    assert first != second
    assert given_ids == ["mine", "mine"]


def test_S42_arming_asks_for_the_name_again_and_a_slip_arms_nothing(fake: Fake) -> None:
    fake.answers["/v1/arm"] = (200, wire(samples.ARMING))
    slipped = fake.run("arm", "live", typed="life\n")
    assert (slipped.exit_code, fake.asked) == (2, [])
    assert "nothing was armed" in slipped.stderr
    armed = fake.run("arm", "live", typed="live\n")
    assert armed.exit_code == 0
    assert "LIVE TRADING IS ARMED" in armed.stdout


@pytest.mark.parametrize(
    "words",
    [
        "flatten",
        "flatten a --all",
        "modify a K1",
        "resolve K1 --broker p --account q",
        "resolve K1 --broker p --account q --absent --state filled",
        "start a --param k=1",
        "submit a hold 1 ES",
        "orders --count 0",
    ],
)
def test_what_is_not_clear_is_asked_back_and_never_sent(fake: Fake, words: str) -> None:
    result = fake.run(*words.split())
    assert (result.exit_code, fake.asked) == (2, [])
    assert "Error:" in result.stderr


def test_a_new_session_takes_the_only_account_of_its_broker_and_never_chooses_among_several(fake: Fake) -> None:
    fake.answers["/v1/start"] = DONE
    words = ["start", "n", "--broker", "paper", "--symbol", "ES", "--strategy", "m:C"]
    fake.answers["/v1/brokers"] = (200, [wire(samples.BROKER)])
    assert fake.run(*words).exit_code == 0
    assert fake.post()["new"]["account"] == "paper-1"
    fake.answers["/v1/brokers"] = (200, [wire(attrs.evolve(samples.BROKER, accounts=("x", "y")))])
    several = fake.run(*words)
    assert (several.exit_code, "x, y" in several.stderr) == (2, True)
    unknown = fake.run(*words[:3], "nobody", *words[4:])
    assert (unknown.exit_code, "(paper)" in unknown.stderr) == (3, True)
    assert len([one for one in fake.asked if one.method == "POST"]) == 1


def test_following_prints_what_is_known_and_then_what_comes_until_the_daemon_ends(fake: Fake) -> None:
    class Turns(dict[str, Any]):
        """The first answer is the past, the second one goes on."""

        def get(self, key: str, default: Any = None) -> Any:
            follows = fake.asked[-1].path.endswith("follow=1")
            return lines({"line": "later"}, {"missed": 3}) if follows else (200, ["earlier"])

    fake.answers = Turns()
    told = fake.run("logs", "--follow")
    assert told.exit_code == 0
    assert told.stdout.splitlines()[:2] == ["earlier", "later"]
    assert "3 lines were missed" in told.stdout
    machine = fake.run("logs", "--follow", "--json").stdout.splitlines()
    assert [json.loads(one) for one in machine] == [{"line": "earlier"}, {"line": "later"}, {"missed": 3}]


def test_bars_are_followed_from_the_last_ones_on(fake: Fake) -> None:
    rows = [wire(row) for row in samples.BARS]
    fake.answers["/v1/bars"] = lines(*rows, {"missed": 2})
    told = fake.run("bars", "ES", "--follow", "--interval", "5m", "--count", "3")
    assert told.exit_code == 0
    assert fake.asked[-1].path == "/v1/bars?symbol=ES&broker=paper&interval=5m&count=3&follow=1"
    assert [line.rpartition("Z  ")[2] for line in told.stdout.splitlines()[:2]] == [
        f"open 1  high 9  low 1  close {close}  volume 2.5" for close in (3, 1)
    ]
    assert "2 lines were missed" in told.stdout
    machine = fake.run("bars", "ES", "--follow", "--json").stdout.splitlines()
    assert [json.loads(one) for one in machine] == [*rows, {"missed": 2}]


# In a terminal.


def test_a_terminal_gets_colours_unless_it_wants_none(fake: Fake) -> None:
    fake.answers["/v1/status"] = (200, wire(STATUS))
    assert b"\x1b[32mall is well" in in_terminal(fake, "status")
    assert b"\x1b[3" not in in_terminal(fake, "status", environ={"NO_COLOR": "1"})


def test_the_live_screen_follows_what_changes_waits_for_a_daemon_that_is_away_and_ends_well(fake: Fake) -> None:
    class Life(dict[str, Any]):
        """Well, then gone, then not well."""

        def get(self, key: str, default: Any = None) -> Any:
            turn = len(fake.asked)
            return [(200, wire(STATUS)), b"", (200, wire(attrs.evolve(STATUS, well=False)))][min(turn, 3) - 1]

    fake.answers = Life()
    seen = in_terminal(fake, "status", "--live", until=b"not all is well")
    assert seen.index(b"all is well") < seen.index(b"expected a whole answer") < seen.index(b"not all is well")


class Working(dict[str, Any]):
    """A daemon that answers when it was asked twice how far it is, and then still loads a session's history."""

    def __init__(self, fake: Fake, answer: tuple[int, Any]) -> None:
        super().__init__()
        self.fake = fake
        self.answer = answer
        self.looked = threading.Event()
        self.histories = iter([{"what": "a loads its history", "done": 700, "total": 5200}] * 4)

    def get(self, key: str, default: Any = None) -> Any:
        if key != "/v1/progress":
            assert self.looked.wait(10)
            return self.answer
        if "history" in self.fake.asked[-1].path:
            return (200, next(self.histories, None))
        if sum("/v1/progress" in one.path for one in list(self.fake.asked)) > 1:
            self.looked.set()
        return (200, {"what": "entries are checked", "done": 40, "total": 100})


def test_what_the_daemon_works_on_for_a_command_is_a_bar_with_a_total(fake: Fake) -> None:
    fake.answers = Working(fake, (200, {"entries": 100, "hash": "ab"}))
    seen = in_terminal(fake, "audit", "verify")
    assert b"entries are checked" in seen
    assert b"40/100" in seen
    assert b"100 entries are what was written" in seen
    (asked,) = {one.path.partition("=")[2] for one in fake.asked}
    assert asked, "the audit and its progress go by one id"


def test_the_history_that_a_session_loads_once_it_is_started_is_a_bar_too(fake: Fake) -> None:
    fake.answers = Working(fake, (200, {"text": "a is running"}))
    seen = in_terminal(fake, "start", "a")
    assert b"700/5200" in seen
    assert seen.index(b"a is running") < seen.index(b"700/5200")


def test_in_a_pipe_nobody_asks_how_far_it_is(fake: Fake) -> None:
    fake.answers["/v1/start"] = (200, {"text": "a is running"})
    assert fake.run("start", "a").stdout == "a is running\n"
    assert [one.path for one in fake.asked] == ["/v1/start"]


def in_terminal(fake: Fake, *words: str, environ: dict[str, str] | None = None, until: bytes | None = None) -> bytes:
    """What a terminal gets; with `until` the command is interrupted as soon as that is seen, and must end with 0."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "PITBOSS_SOCKET": str(fake.path), "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    env = {key: value for key, value in env.items() if key != "NO_COLOR"} | (environ or {})
    command = [sys.executable, "-c", PROGRAM, *words]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=ROOT)  # noqa: S603 - our own
    os.close(theirs)
    guard = threading.Timer(20, process.kill)
    guard.start()
    seen, interrupted = b"", False
    try:
        while True:
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break
            if until is not None and until in seen and not interrupted:
                interrupted = True
                process.send_signal(signal.SIGINT)
    finally:
        guard.cancel()
        os.close(ours)
    assert process.wait(10) == 0, seen
    return seen


# Quick.


QUICK = (
    "import sys; from sessions.control.cli import main\n"
    "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    "print(*sys.modules, file=sys.stderr)"
)


def test_status_is_made_of_click_json_and_the_standard_http_client(fake: Fake) -> None:
    fake.answers["/v1/status"] = (200, wire(STATUS))
    env = {**os.environ, "PITBOSS_SOCKET": str(fake.path)}
    command = [sys.executable, "-c", QUICK, "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=ROOT)  # noqa: S603 - our own
    assert "all is well" in done.stdout
    loaded = set(done.stderr.split())
    assert {one for one in loaded if one.split(".")[0] in {"sessions", "runtime", "brokers", "config"}} == {
        "sessions",
        "sessions.control",
        "sessions.control.api",
        "sessions.control.api.client",
        "sessions.control.cli",
        "sessions.control.commands",
        *(f"sessions.control.commands.{name}" for name in ("all", "options", "output", "speaking", "watching")),
        "sessions.control.view",
        *(f"sessions.control.view.{name}" for name in ("lines", "status", "tables", "words")),
    }
    assert loaded & {"trio", "rich", "httpx", "msgspec", "attr", "starlette", "sqlite3"} == set()
    assert len(loaded) < 230


# Where the daemon is.

VARIABLES = ("HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")


@given(st.fixed_dictionaries({"HOME": st.just("/nowhere/home")}, optional=dict.fromkeys(VARIABLES[1:], st.sampled_from(["", "relative", "/nowhere/a", "/nowhere/b"]))))  # fmt: skip
def test_the_socket_is_looked_for_where_the_settings_put_it(environ: dict[str, str]) -> None:
    assert socket_path(environ) == folders(environ).runtime / "pitboss.sock"


def test_the_socket_of_a_configuration_that_moves_it_is_found(tmp_path: Path) -> None:
    file = tmp_path / ".config" / "pitboss" / "pitboss.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[daemon]\nruntime_folder = "~/elsewhere"\n')
    file.chmod(0o600)
    environ = {"HOME": str(tmp_path)}
    assert socket_path(environ) == tmp_path / "elsewhere" / "pitboss.sock"
    environ["PITBOSS__DAEMON__RUNTIME_FOLDER"] = "/run/p"
    assert socket_path(environ) == Path("/run/p/pitboss.sock")
    file.unlink()
    assert socket_path(environ) == Path("/run/p/pitboss.sock")
    with pytest.raises(click.ClickException, match="set HOME"):
        socket_path({})
