"""`pitboss emulate`, and a login at what it serves, each in a process of its own."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from brokers.emulation.table import EMULATORS
from brokers.vault.unlock import KEY_FILE_NAME

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "sessions.control.cli"]


@contextmanager
def emulated(*words: str) -> Iterator[dict[str, Any]]:
    """What the emulator prints when it is ready; afterwards it is interrupted and must end well."""
    command = [*COMMAND, "emulate", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(20) == 0
            finally:
                process.kill()


@pytest.mark.parametrize("broker", sorted(EMULATORS))
def test_the_ready_line_tells_addresses_on_this_machine_credentials_and_accounts(broker: str) -> None:
    with emulated(broker, "--seed", "3") as ready:
        assert list(ready) == ["broker", "http", "ws", "credentials", "accounts"]
        assert ready["broker"] == broker
        assert ready["http"].startswith("http://127.0.0.1:")
        assert ready["ws"] is None or ready["ws"].startswith("ws://127.0.0.1:")
        assert ready["credentials"]
        assert ready["accounts"] or broker == "thinkorswim"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_script_that_has_its_children_ignore_interrupts_can_end_it_all_the_same(number: signal.Signals) -> None:
    command = ["env", "--ignore-signal=INT", *COMMAND, "emulate", "tradovate", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["broker"] == "tradovate"
            process.send_signal(number)
            assert process.wait(20) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nobody"], "choose one of thinkorswim, tradestation, tradovate"),
        (["tradestation", "--fault", "gremlins"], "there is no such fault"),
        (["tradestation", "--fault", "delay=soon"], "nothing was switched on"),
    ],
)
def test_what_cannot_be_emulated_is_said_in_one_sentence(words: list[str], sentence: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, "emulate", *words], capture_output=True, text=True, check=False, cwd=ROOT, timeout=30
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_fault_is_listed_with_its_row_and_what_it_does() -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, "emulate", "any", "--fault", "list"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    rows = {line.split()[0] for line in done.stdout.splitlines()}
    assert {f"F{number:02}" for number in range(1, 21)} - rows <= {"F12"}
    assert {"F36", "F39", "F40"} <= rows


def with_vault(tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose vault opens with a key file."""
    (tmp_path / KEY_FILE_NAME).write_text(base64.b64encode(bytes(range(32))).decode())
    (tmp_path / KEY_FILE_NAME).chmod(0o600)
    return {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }


def test_a_person_logs_in_at_the_emulator_and_the_tokens_are_kept(tmp_path: Path) -> None:
    environ = with_vault(tmp_path)

    def run(*words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, *words], input=stdin, capture_output=True, text=True, check=True, env=environ, cwd=ROOT
        )

    with emulated("tradestation") as ready:
        for field in ("client_id", "client_secret"):
            run("keys", "set", "tradestation", "--field", field, stdin=ready["credentials"][field] + "\n")
        command = [*COMMAND, "login", "tradestation", "--no-browser", "--at", ready["http"], "--json"]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environ, cwd=ROOT, **pipes) as login:  # noqa: S603 - our own
            assert login.stderr is not None
            login.stderr.readline()
            address = login.stderr.readline().strip()
            assert address.startswith(ready["http"])
            with urllib.request.urlopen(address, timeout=20) as page:  # noqa: S310 - at this machine
                assert "You are logged in here" in page.read().decode()
            told, _ = login.communicate(timeout=20)
        assert login.returncode == 0
        assert json.loads(told)["expires_ns"] > time.time_ns()
        (row,) = json.loads(run("keys", "status", "--json").stdout)
        assert row["why_not"] == ""
        assert row["expires_ns"] == json.loads(told)["expires_ns"]
        assert time.time_ns() < row["next_ns"] < row["expires_ns"]

        renewed = json.loads(run("login", "tradestation", "--renew", "--at", ready["http"], "--json").stdout)
        assert renewed["expires_ns"] > row["expires_ns"]
        before = (tmp_path / ".local/state/pitboss/vault.pitboss").read_bytes()
    with emulated("tradestation", "--fault", "refresh-revoked") as ready:
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, "login", "tradestation", "--renew", "--at", ready["http"]],
            capture_output=True, text=True, check=False, env=environ, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 3
        assert done.stderr.count("\n") == 1
        assert "run `pitboss login tradestation`" in done.stderr
        assert (tmp_path / ".local/state/pitboss/vault.pitboss").read_bytes() == before


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """A browser that stops where it is sent."""

    def redirect_request(self, *_: Any) -> None:
        return None


def where_the_browser_ends(address: str) -> str:
    """The address that a login page sends the browser to."""
    with pytest.raises(urllib.error.HTTPError) as sent:
        urllib.request.build_opener(Unfollowed).open(address, timeout=20)
    sent.value.close()
    return str(sent.value.headers["Location"])


def test_where_nobody_can_listen_the_person_pastes_the_address_and_no_other_one_is_taken(tmp_path: Path) -> None:
    environ = with_vault(tmp_path)
    live = ("thinkorswim", "--environment", "live")

    def log_in(http: str, change: Callable[[str], str]) -> tuple[int, str, str]:
        command = [*COMMAND, "login", *live, "--no-browser", "--at", http, "--json"]
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(command, env=environ, cwd=ROOT, text=True, **pipes) as login:  # noqa: S603 - our own
            assert login.stderr is not None
            login.stderr.readline()
            address = where_the_browser_ends(login.stderr.readline().strip())
            assert address.startswith("https://127.0.0.1")
            assert "paste" in login.stderr.readline()
            told, said = login.communicate(change(address) + "\n", timeout=20)
        assert address.split("?")[1] not in told + said
        return login.returncode, told, said

    with emulated("thinkorswim") as ready:
        for field in ("client_id", "client_secret"):
            subprocess.run(  # noqa: S603 - our own command
                [*COMMAND, "keys", "set", *live, "--field", field],
                input=ready["credentials"][field] + "\n", text=True, check=True, env=environ, cwd=ROOT,
            )  # fmt: skip
        code, told, said = log_in(ready["http"], lambda address: address.replace("127.0.0.1", "example.org"))
        assert (code, told, said.count("\n")) == (3, "", 1)
        assert "expected the address at which the browser ended" in said
        code, told, said = log_in(ready["http"], lambda _: "")
        assert (code, told, said.count("\n")) == (3, "", 1)
        code, told, said = log_in(ready["http"], str)
        assert (code, said) == (0, "")
        assert json.loads(told)["expires_ns"] > time.time_ns()


def test_a_login_goes_to_this_machine_or_to_the_broker_and_nowhere_else() -> None:
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, "login", "tradestation", "--at", "http://example.org"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert "expected an address like http://127.0.0.1:8080" in done.stderr
