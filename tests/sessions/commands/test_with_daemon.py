"""One day with a real daemon: every question asked, a session started, an order placed, the switch pulled, the end."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from sessions.control.commands.all import ENTRIES
from tests.sessions.commands.fake_daemon import GROUP
from tests.sessions.daemon.life import STRATEGY, Home, session


def pitboss(home: Home, *words: str) -> Result:
    environ = {
        "HOME": str(home.folder),
        "XDG_STATE_HOME": str(home.state.parent),
        "XDG_RUNTIME_DIR": str(home.folder / "run"),
        "XDG_CONFIG_HOME": None,
        "PITBOSS_SOCKET": None,
    }
    return CliRunner().invoke(GROUP, [*words], env=environ)


def told(home: Home, *words: str) -> Any:
    done = pitboss(home, *words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_day_with_the_daemon_from_its_first_status_to_its_shutdown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.configure(session("a"))
    assert pitboss(home, "status").exit_code == 4
    with home.up() as process:
        home.wait_for("running")
        assert "all is well" in pitboss(home, "status").stdout
        told(
            home, "start", "b", "--broker", "paper", "--symbol", "ETH-USD", "--strategy", STRATEGY, "--param", "fast=3"
        )
        home.submit({"session": "a", "symbol": "BTC-USD", "side": "buy", "type": "market", "quantity": "0.1"})
        assert [row["report"]["order"]["quantity"] for row in told(home, "orders")] == ["0.1"]
        for words in (["tree"], ["top"], ["sessions"], ["positions"], ["fills"], ["equity"], ["bars", "BTC-USD"], ["events"], ["crashes"], ["logs"], ["doctor"]):  # fmt: skip
            done = pitboss(home, *words)
            assert done.exit_code == 0, (words, done.stderr)
            assert done.stdout, words
        refused = pitboss(home, "submit", "a", "buy", "1", "BTC-USD", "--limit", "1")
        assert (refused.exit_code, "price_band" in refused.stderr) == (3, True), refused.stderr
        told(home, "flatten", "a")
        assert "holds" in told(home, "halt")["text"]
        halted = pitboss(home, "status")
        assert (halted.exit_code, "trading is stopped" in halted.stdout) == (1, True)
        told(home, "resume")
        entries = told(home, "audit", "verify")["entries"]
        assert told(home, "audit", "show", "--count", "1000")[-1]["seq"] >= entries
        told(home, "backup", str(tmp_path / "copy"))
        told(home, "shutdown")
        assert process.wait(20) == 0
    assert told(home, "audit", "verify")["entries"] >= entries


def test_a_daily_loss_that_struck_is_lifted_by_name_and_only_then(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.configure(session("a") + '[sessions.a.risk]\nmax_daily_loss = "0.01"\n')
    with home.up():
        home.wait_for("running")
        early = pitboss(home, "resume", "a")
        assert (early.exit_code, "did not strike" in early.stderr) == (3, True)
        home.submit({"session": "a", "symbol": "BTC-USD", "side": "buy", "type": "market", "quantity": "1"})
        told(home, "flatten", "a")
        home.until(lambda: "daily loss" in pitboss(home, "status").stdout)
        assert "`pitboss resume a` lifts it" in pitboss(home, "status").stdout
        assert "no session 'b' runs" in pitboss(home, "resume", "b").stderr
        told(home, "resume", "a", "--reason", "I have looked", "--by", "ann")
        home.until(lambda: pitboss(home, "status").exit_code == 0)
        assert pitboss(home, "resume", "a").exit_code == 3
        (kept,) = [
            row["body"]
            for row in told(home, "audit", "show", "--kind", "command.begun")
            if "I have looked" in row["body"]
        ]
        assert "ann" in kept


# Every help ends with an example; here they all run, in this order after the rest, in one day of one daemon.

LAST = ("halt", "resume", "stop", "start", "move", "restart", "backup", "shutdown")
ELSEWHERE = {"up", "demo", "bench", "emulate", "keys", "login", "rehearse"}  # need a terminal, a vault or a while
REFUSED = {
    "arm": "no broker 'tradestation'",
    "disarm": "no broker 'tradestation'",
    "cancel": "00009GmM1U4PKT4zAKWPh6",
    "modify": "00009GmM1U4PKT4zAKWPh6",
    "resolve": "KEY",
    "restore": "expected to be the only daemon here",
}


def examples() -> list[str]:
    texts = {name: GROUP.get_command(click.Context(GROUP), name) for name in ENTRIES if name not in ELSEWHERE}
    found = [one for name, command in texts.items() if command is not None for one in _examples(command)]
    return sorted(found, key=lambda words: LAST.index(words.split()[0]) if words.split()[0] in LAST else -1)


def _examples(command: click.Command) -> list[str]:
    inner = command.commands.values() if isinstance(command, click.Group) else (command,)
    return [(one.epilog or "").removeprefix("Example: pitboss ") for one in inner]


def test_every_example_of_a_help_runs_against_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    brokers = '[brokers.paper]\nkind = "paper"\naccounts = ["paper-1", "paper-2"]\nmarket.symbols = ["ES", "BTC-USD"]\n'
    home.configure(brokers + session("es-trend", "ES"))
    monkeypatch.chdir(tmp_path)
    with home.up() as process:
        home.wait_for("running")
        home.submit({"session": "es-trend", "symbol": "ES", "side": "buy", "type": "market", "quantity": "1"})
        for example in examples():
            words = example.replace("/var/backups", str(tmp_path)).split()
            words = [word for word in words if word not in {"--live", "--follow"}]
            done = pitboss(home, *words, *(("--yes",) if words[0] == "arm" else ()))
            expected = REFUSED.get(words[0])
            assert done.exit_code == (0 if expected is None else 3), (example, done.output, done.exception)
            assert (expected or "") in done.stderr, (example, done.stderr)
        assert process.wait(30) == 0
