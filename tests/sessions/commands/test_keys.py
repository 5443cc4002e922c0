"""`pitboss keys` and `pitboss login`, run as a person runs them, with a vault of their own each time."""

import base64
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from brokers.vault.unlock import KEY_FILE_NAME

CANARY = "cAnArY+/=client~Secret"


class Person:
    """Somebody with a home folder, a key file or, dearer by a second each time, a passphrase file, and a shell."""

    def __init__(self, home: Path, *, passphrase: bool = False) -> None:
        self.home = home
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        self.output = ""
        if passphrase:
            self.environ["PITBOSS_PASSPHRASE_FILE"] = str(home / "phrase")
            self.write("phrase", "correct horse battery staple")
        else:
            self.environ["CREDENTIALS_DIRECTORY"] = str(home)
            self.write(KEY_FILE_NAME, base64.b64encode(bytes(range(32))).decode())

    def write(self, name: str, text: str) -> None:
        (self.home / name).write_text(text + "\n")
        (self.home / name).chmod(0o600)

    @property
    def vault(self) -> Path:
        return self.home / ".local/state/pitboss/vault.pitboss"

    def run(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "sessions.control.cli", *words],
            input=stdin, capture_output=True, text=True, check=False, env=self.environ, timeout=60,
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        self.output += done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A person who has stored both fields of a client."""
    person = Person(tmp_path_factory.mktemp("home"))
    for field, value in (("client_id", "client-one"), ("client_secret", CANARY)):
        done = person.run("keys", "set", "tradestation", "--field", field, "--json", stdin=f"{value}\n")
        assert (done.returncode, json.loads(done.stdout)) == (0, {"ok": True}), done.stderr
    return person


def test_what_was_set_is_listed_without_its_value(stored: Person) -> None:
    (row,) = json.loads(stored.run("keys", "list", "--json").stdout)
    assert row == {
        "broker": "tradestation",
        "login": "main",
        "environment": "paper",
        "fields": ["client_id", "client_secret"],
        "missing": [],
        "logged_in": False,
    }
    assert "client_id, client_secret; not logged in" in stored.run("keys", "list").stdout


def test_the_status_says_why_there_is_no_token_and_what_to_do(stored: Person) -> None:
    (row,) = json.loads(stored.run("keys", "status", "--json").stdout)
    assert row["expires_ns"] is None
    assert row["why_not"] == "nobody has logged in; run `pitboss login tradestation`"
    assert "why not" in stored.run("keys", "status").stdout


def test_s08_after_a_rotation_to_a_passphrase_the_old_key_opens_nothing(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.run("keys", "set", "tradestation", "--field", "client_id", stdin="one\n")
    person.write("phrase", "a new one")
    person.environ["PITBOSS_PASSPHRASE_FILE"] = str(tmp_path / "phrase")
    done = person.run("keys", "rotate", "--to", "passphrase", "--json")
    assert json.loads(done.stdout) == {"ok": True, "key_version": 2}, done.stderr
    assert json.loads(person.run("keys", "list", "--json").stdout)[0]["fields"] == ["client_id"]
    del person.environ["PITBOSS_PASSPHRASE_FILE"]
    assert "expected a master key from the 'passphrase'" in _refused(person, "keys", "list")


def test_a_removed_field_and_a_removed_credential_are_gone(tmp_path: Path) -> None:
    person = Person(tmp_path)
    for field in ("client_id", "client_secret"):
        person.run("keys", "set", "tradestation", "--field", field, stdin="value\n")
    assert person.run("keys", "remove", "tradestation", "--field", "client_id").returncode == 0
    assert json.loads(person.run("keys", "list", "--json").stdout)[0]["fields"] == ["client_secret"]
    assert person.run("keys", "remove", "tradestation").returncode == 0
    assert "The vault is empty" in person.run("keys", "list").stdout


def _refused(person: Person, *words: str, stdin: str = "") -> str:
    """The one sentence of a command that must change nothing."""
    before = person.vault.read_bytes() if person.vault.exists() else None
    done = person.run(*words, stdin=stdin)
    after = person.vault.read_bytes() if person.vault.exists() else None
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert before == after
    return done.stderr


def test_a_wrong_passphrase_is_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    person = Person(tmp_path, passphrase=True)
    person.run("keys", "set", "tradestation", "--field", "client_id", stdin="one\n")
    person.write("phrase", "wrong")
    assert "did not open" in _refused(person, "keys", "list")
    assert "did not open" in _refused(person, "keys", "set", "tradestation", "--field", "client_id", stdin="x\n")


@pytest.mark.parametrize("how", ["a flipped bit", "a truncated store"])
def test_a_damaged_vault_is_one_sentence_and_changes_nothing(stored: Person, how: str) -> None:
    whole = stored.vault.read_bytes()
    middle = len(whole) // 2
    damaged = whole[:middle] if how == "a truncated store" else bytearray(whole)
    if isinstance(damaged, bytearray):
        damaged[middle] ^= 1
    stored.vault.write_bytes(damaged)
    try:
        assert "did not open" in _refused(stored, "keys", "list")
    finally:
        stored.vault.write_bytes(whole)


def test_an_unknown_broker_field_or_login_says_what_there_is(stored: Person) -> None:
    assert "tradestation, tradovate, thinkorswim" in _refused(
        stored, "keys", "set", "nobody", "--field", "x", stdin="1\n"
    )
    assert "client_id, client_secret" in _refused(stored, "keys", "set", "tradestation", "--field", "pin", stdin="1\n")
    assert "pitboss keys set tradovate" in _refused(stored, "login", "tradovate", "--no-browser")
    assert "tradestation, tradovate, thinkorswim" in _refused(stored, "login", "nobody", "--no-browser")
    assert "use --environment live" in _refused(
        stored, "keys", "set", "thinkorswim", "--field", "client_id", stdin="1\n"
    )
    assert "expected a value" in _refused(stored, "keys", "set", "tradestation", "--field", "client_id")


def test_s05_a_secret_is_never_taken_from_the_command_line(stored: Person) -> None:
    done = stored.run("keys", "set", "tradestation", "--field", "client_id", CANARY)
    assert done.returncode == 2
    assert "unexpected extra argument" in done.stderr
    stored.output = stored.output.replace(done.stderr, "")  # click quotes what came, and that was our doing


def test_s04_s09_i13_the_secret_is_in_no_output_and_no_file(stored: Person) -> None:
    forms = [
        CANARY,
        base64.b64encode(CANARY.encode()).decode().rstrip("="),
        CANARY.encode().hex(),
        quote(CANARY, safe=""),
        CANARY[::-1],
    ]
    stored.run("keys", "list")
    stored.run("keys", "status")
    written = [path.read_bytes() for path in stored.home.rglob("*") if path.is_file()]
    assert written
    for form in forms:
        assert form not in stored.output
        assert all(form.encode() not in data for data in written)


def test_s07_without_a_way_to_a_key_the_sentence_names_all_ways(tmp_path: Path) -> None:
    person = Person(tmp_path)
    del person.environ["CREDENTIALS_DIRECTORY"]
    said = _refused(person, "keys", "set", "tradestation", "--field", "client_id", stdin="x\n")
    assert "PITBOSS_PASSPHRASE_FILE" in said
    assert "keyring" in said


def test_s06_while_the_vault_is_open_the_process_leaves_no_core_and_no_file_for_others(tmp_path: Path) -> None:
    person = Person(tmp_path)
    program = (
        "import os, resource\n"
        "from sessions.control import credentials\n"
        "from sessions.control.daemon.hardening import is_dumpable\n"
        "async def look(keys):\n"
        "    mask = os.umask(0o077)\n"
        "    return [is_dumpable(), resource.getrlimit(resource.RLIMIT_CORE)[0], mask]\n"
        "print(credentials.run(look, print))\n"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=person.environ,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.stdout.strip() == str([False, 0, 0o077])


def test_commands_at_the_same_time_lose_nothing_of_each_other(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.run("keys", "set", "tradestation", "--field", "client_id", stdin="one\n")
    names = [f"login-{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        runs = [
            pool.submit(person.run, "keys", "set", "tradestation", "--field", "client_id", "--login", name, stdin="x\n")
            for name in names
        ]
    assert [run.result().returncode for run in runs] == [0] * 4, person.output
    stored = {row["login"] for row in json.loads(person.run("keys", "list", "--json").stdout)}
    assert stored == {"main", *names}
