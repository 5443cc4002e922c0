"""`pitboss demo` as a person runs it: it keeps its promises, says so, and leaves nothing; a broken one is exit code 1."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
DEMO = [sys.executable, "-m", "sessions.control.cli", "demo"]
BROKEN = "import sys; from sessions.control.demo.screen import run_demo; sys.exit(run_demo(1, 1, as_json=True, faults=['external-order']))"
SECONDS = 120


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name short enough for sockets in it."""
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        yield Path(folder)


def environ(folder: Path) -> dict[str, str]:
    """An environment without a home, in which only this folder is for files that come and go."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


def run(command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, timeout=SECONDS, env=environ(folder), cwd=folder
    )


def daemons(folder: Path) -> list[str]:
    """The processes that have this folder in their command."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = place.read_text().replace("\0", " ")
        except OSError:
            continue  # it ended meanwhile
        found += [text] if str(folder) in text else []
    return found


def test_without_any_configuration_it_survives_three_crashes_and_leaves_nothing(short: Path) -> None:
    done = run([*DEMO, "--duration", "1", "--json"], short)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.count("\n") == 1
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["ok"], told["broken"], told["duplicates"], told["lost"], told["invented"]) == (True, [], 0, 0, 0)
    assert min(told["ticks"], told["orders"], told["fills"]) > 0
    assert [one["what"] for one in told["restarts"]] == ["stream", "actor", "process"]
    assert all(one["whole_after_ms"] > 0 for one in told["restarts"])
    money = told["profit_and_loss"]
    assert (money["reconciled"], money["journal"]) == (True, money["broker"])
    assert list(short.iterdir()) == []
    assert daemons(short) == []


def test_a_broken_promise_is_named_and_the_exit_code_is_1(short: Path) -> None:
    """The broker has an order in the account that the daemon never meant."""
    done = run([sys.executable, "-c", BROKEN], short)
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["duplicates"]) == (1, False, 1), told
    assert any("at the broker too many" in sentence for sentence in told["broken"])


def test_an_interruption_leads_to_the_audit_and_leaves_nothing(short: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - our own command
        [*DEMO, "--duration", "600"], stdout=subprocess.PIPE, text=True, env=environ(short), cwd=short
    ) as demo:
        assert demo.stdout is not None
        while "the demo trades" not in demo.stdout.readline():
            assert demo.poll() is None
        demo.send_signal(signal.SIGINT)
        said = demo.stdout.read()
        assert demo.wait(SECONDS) == 0
    assert "every promise was kept" in said
    assert "\x1b" not in said, "plain when piped"
    assert list(short.iterdir()) == []
    assert daemons(short) == []


def test_a_demo_that_is_killed_takes_its_daemon_with_it(short: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - our own command
        [*DEMO, "--duration", "600"], stdout=subprocess.PIPE, text=True, env=environ(short), cwd=short
    ) as demo:
        assert demo.stdout is not None
        while not daemons(short):
            assert demo.stdout.readline()
        demo.kill()
    until = time.monotonic() + 10
    while daemons(short) and time.monotonic() < until:
        time.sleep(0.02)
    assert daemons(short) == []
