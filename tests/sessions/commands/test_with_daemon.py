"""One day with a real daemon: every question asked, a session started, an order placed, the switch pulled, the end."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

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
        assert (refused.exit_code, "price_band" in refused.stderr) == (3, True)
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
