"""The daemon as a process: alone, private, told by signals, back after a kill with what ran."""

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sessions.control.api.client import NoDaemon, Refusal
from tests.sessions.daemon.life import ROOT, STRATEGY, Home, end, session

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def status_of(pid: int, field: str) -> str:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{field}:\s*(.*)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def test_O06_S14_without_configuration_one_daemon_runs_for_its_own_user_until_it_is_told_to_end(home: Home) -> None:
    with home.up() as process:
        told = home.client.get("status")
        assert (told["well"], told["halted"], told["sessions"]) == (True, "", [])
        assert [row["kind"] for row in told["brokers"]] == ["paper"]
        code, said = home.run()
        assert (code, str(process.pid) in said) == (4, True)
        if os.geteuid() == 0:
            assert not reachable_by(65534, home)
        code, said = end(process)
    assert code == 0
    assert "ends: signal SIGTERM" in said
    assert not home.socket.exists()


def reachable_by(uid: int, home: Home) -> bool:
    """Whether another user's process gets an answer."""
    child = os.fork()
    if child == 0:
        os.setuid(uid)
        try:
            home.client.get("status")
        except NoDaemon:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_S06_S14_S15_S49_D17_the_process_and_all_its_files_are_for_its_owner_alone(home: Home) -> None:
    home.configure(session("a"))
    with home.up() as process:
        home.wait_for("running")
        assert stat.S_ISSOCK(home.socket.lstat().st_mode)
        assert (mode(home.socket), mode(home.socket.parent)) == (0o600, 0o700)
        for path in (*home.state.rglob("*"), *home.socket.parent.rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # a file that is written anew is renamed once it is whole
                assert mode(path) == (0o700 if path.is_dir() else 0o600), path
        assert status_of(process.pid, "Umask") == "0077"
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0", limits)
        assert {row["name"]: row["fine"] for row in home.client.get("doctor")}["process"]
        assert not listening_tcp(process.pid)
        assert {path.name for path in home.folder.iterdir()} <= {"state", "run", "pitboss.toml", ".config"}


def listening_tcp(pid: int) -> list[str]:
    """The listening TCP sockets that this process holds."""
    held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()]
    return [row[1] for row in rows[1:] if row[3] == "0A" and f"socket:[{row[9]}]" in held]


def test_O06_R25_after_kill_9_the_next_daemon_takes_over_within_5_s_and_resumes_what_ran(home: Home) -> None:
    home.configure(session("a") + session("b", "ETH-USD") + session("c"))
    with home.up() as process:
        home.wait_for("running")
        home.client.post("stop", session="b")
        home.client.post(
            "start",
            session="by-hand",
            new={
                "broker": "paper",
                "account": "paper-1",
                "symbols": ["BTC-USD"],
                "strategy": STRATEGY,
                "params": ["fast=3"],
            },
        )
        first = home.client.get("status")
        order = {
            "session": "a",
            "symbol": "BTC-USD",
            "side": "buy",
            "type": "limit",
            "quantity": "0.1",
            "limit_price": "90000",
        }
        home.submit(order)
        process.kill()
        process.wait()
    (home.state / "pitboss.lock").write_text("1\n")  # a process id that lives and is none of ours
    began = time.monotonic()
    with home.up():
        home.wait_for("running")
        took = time.monotonic() - began
        second = home.client.get("status")
        conditions = {row["session"]: row["condition"] for row in second["sessions"]}
        assert conditions == {"a": "running", "b": "stopped", "c": "running", "by-hand": "running"}
        assert second["epoch"] == first["epoch"] + 1
        assert len(home.client.get("orders")) == 1
    assert took <= 5


def test_hup_restarts_only_what_changed_and_bad_settings_change_nothing(home: Home) -> None:
    home.configure(session("a") + session("b"))
    with home.up() as process:
        home.wait_for("running")
        home.configure(session("a") + session("b", interval="5m") + session("c"))
        process.send_signal(signal.SIGHUP)
        assert process.stdout is not None
        assert "reloaded" in process.stdout.readline()
        home.wait_for("running")
        starts = [row["path"] for row in home.client.get("events", count=1000) if row["kind"] == "ready"]
        traders = {name: sum(f"/{name}/trader" in path for path in starts) for name in "abc"}
        assert traders == {"a": 1, "b": 2, "c": 1}
        home.configure("[sessions.a]\nnonsense = 1\n")
        process.send_signal(signal.SIGHUP)
        assert "not reloaded" in process.stdout.readline()
        assert len(home.client.get("sessions")) == 3


def test_S45_usr1_pulls_the_kill_switch_and_the_next_start_stays_stopped(home: Home) -> None:
    home.configure(session("a"))
    with home.up() as process:
        home.wait_for("running")
        process.send_signal(signal.SIGUSR1)
        until = time.monotonic() + 5
        while not home.client.get("status")["halted"]:
            assert time.monotonic() < until
        with pytest.raises(Refusal, match="stands on HALTED") as refused:
            home.client.post("submit", session="a", symbol="BTC-USD", side="buy", type="market", quantity="0.1")
        assert refused.value.code == "risk_limit_exceeded"
        end(process)
    with home.up():
        assert home.client.get("status")["halted"]
        home.client.post("resume", by="me")
        assert not home.client.get("status")["halted"]


def test_the_service_manager_hears_ready_signs_of_life_and_the_end(home: Home) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(home.folder / "notify"))
        manager.settimeout(10)
        home.environ = {"NOTIFY_SOCKET": str(home.folder / "notify"), "WATCHDOG_USEC": "100000"}
        with home.up() as process:
            assert manager.recv(4096).startswith(b"READY=1\nSTATUS=")
            assert manager.recv(4096) == b"WATCHDOG=1"
            end(process)
            said = [manager.recv(4096) for _ in range(1)]
            while not said[-1].startswith(b"STOPPING=1"):
                said.append(manager.recv(4096))


SLOW = """
[brokers.paper]
kind = "paper"
accounts = ["paper-1"]
[brokers.paper.market]
symbols = ["BTC-USD"]
[brokers.paper.market.faults]
slow_ack = "1"
slow_ack_ms = 60000
"""


def test_an_interrupt_waits_for_the_orders_on_their_way_and_a_second_one_for_nothing(home: Home) -> None:
    home.configure(SLOW + session("a"))
    order = {
        "session": "a",
        "symbol": "BTC-USD",
        "side": "buy",
        "type": "limit",
        "quantity": "0.1",
        "limit_price": "90000",
    }

    def submit() -> None:
        with contextlib.suppress(Refusal, ConnectionError):  # the daemon ends before it answers
            home.submit(order)

    with home.up() as process:
        home.wait_for("running")
        asking = threading.Thread(target=submit)
        asking.start()
        until = time.monotonic() + 20
        while not home.client.get("orders") and time.monotonic() < until:  # it waits for a price to be judged by
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert "ends: signal SIGINT" in process.stdout.readline()
        assert [row["report"]["state"] for row in home.client.get("orders")] == ["pending_new"], (
            "it drains, and still answers"
        )
        process.send_signal(signal.SIGINT)
        assert "1 orders are in doubt" in process.stdout.readline()
        assert process.wait(timeout=10) == 0
        asking.join(timeout=10)


def test_that_nobody_reads_what_it_says_any_more_ends_no_daemon_and_spoils_no_end(home: Home) -> None:
    with home.up() as process:
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGHUP)
        home.client.get("status")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdout = None


def test_a_daemon_loads_its_interface_after_its_sessions_and_what_it_never_needs_not_at_all() -> None:
    program = "import sys, sessions.control.daemon.process as _; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - ours
    loaded = set(done.stdout.split())
    later = {"starlette", "wsproto", "sessions.control.api.face", "sessions.control.api.records"}
    never = {"rich", "pygments", "brokers.tradovate", "brokers.tradestation", "brokers.thinkorswim"}
    assert loaded & (later | never | {"brokers.tokens.token_store"}) == set()
    assert len(loaded) < 800


def test_D17_S14_what_others_can_read_or_have_put_in_the_way_is_refused(home: Home) -> None:
    home.state.mkdir(mode=0o700)
    key = home.state / "audit.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    code, said = home.run()
    assert (code, "chmod 600" in said) == (3, True)
    key.chmod(0o600)
    home.socket.parent.mkdir(mode=0o700, exist_ok=True)
    home.socket.symlink_to(key)
    code, said = home.run()
    assert (code, "expected no file, or our own old socket, got a link" in said) == (1, True)
    assert home.socket.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as root")
def test_S49_root_is_refused_unless_told(home: Home) -> None:
    code, said = home.run("--config", "/dev/null")
    assert code == 3
    assert "--allow-root" in said


def test_many_sessions_are_up_soon(home: Home) -> None:
    """Ten by default; nightly fifty, within three times the bar of 2 s, because others use the machine too."""
    count = 50 if NIGHTLY > 1 else 10
    home.configure("".join(session(f"s{number}") for number in range(count)))
    began = time.monotonic()
    with home.up():
        home.wait_for("running", 30)
        took = time.monotonic() - began
    print(f"{count} sessions after {took:.2f} s")  # noqa: T201 - the figure that was asked for
    assert took < 6
