"""The commands that need no daemon: settings, brokers, symbols, and the journal's files, in folders of the test's own."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from brokers.listing import broker_names
from brokers.vault import SYSTEM_ENTROPY
from runtime.real import DurableDisk, real_world
from sessions.control.daemon.lock import sole_owner
from sessions.journal import Chain
from sessions.journal.store import JournalSettings, Store
from tests.sessions.commands.fake_daemon import GROUP
from tests.sessions.journal.desk import entries


class Home:
    """One user's folders and the commands in them."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self.folder = folder
        self.state = folder / ".local" / "state" / "pitboss"
        self.config = folder / ".config" / "pitboss" / "pitboss.toml"
        self.environ: dict[str, str | None] = dict.fromkeys(
            ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PITBOSS_SOCKET")
        )
        self.environ["HOME"] = str(folder)

    def run(self, *words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(GROUP, [*words], input=typed, env=self.environ)

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        assert done.stdout.count("\n") == 1
        return json.loads(done.stdout)

    def journal(self, count: int) -> None:
        """A journal of so many entries and those of its own, as a daemon leaves it; a second one goes on with the first."""
        key = self.state / "audit.key"
        if not key.exists():
            DurableDisk().write(key, SYSTEM_ENTROPY(32))
        place = JournalSettings(self.state / "journal", self.state / "journal.head")
        store = Store(place, Chain(key.read_bytes()), real_world())
        store.open()
        try:
            store.append(entries(*range(count)))
        finally:
            store.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_every_broker_is_shown_with_what_it_can_do_from_its_own_record(home: Home) -> None:
    found = home.json("brokers")
    assert tuple(found) == broker_names()
    assert found["thinkorswim"]["orders"] == "no"
    assert found["paper"]["trades"] == "yes"
    assert list(home.json("brokers", "paper")) == ["paper"]
    unknown = home.run("brokers", "nobody")
    assert (unknown.exit_code, "paper, tradestation" in unknown.stderr) == (2, True)


def test_symbols_are_found_by_part_of_their_root_with_the_front_contract(home: Home) -> None:
    rows = {row["root"]: row for row in home.json("symbols", "es")}
    assert rows["ES"]["front"].startswith("ES")
    assert len(rows["ES"]["front"]) > 2
    assert rows["ES"]["tick"] == "0.25"
    assert all("ES" in root for root in rows)
    assert "E-mini S&P 500" in home.run("symbols", "ES").stdout


def test_init_writes_a_private_file_that_loads_and_never_overwrites_one(home: Home) -> None:
    done = home.run("init", "--set", "session=trend", "--set", "symbols=ES,NQ", "--defaults")
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600
    assert home.json("config", "check") == {"ok": True, "problems": []}
    shown = home.json("config", "show")
    assert shown["settings"]["sessions"]["trend"]["symbols"] == ["ES", "NQ"]
    assert shown["origins"]["sessions.trend.symbols"].startswith(f"{home.config}:")
    before = home.config.read_bytes()
    again = home.run("init", "--defaults")
    assert (again.exit_code, "expected nothing there" in again.stderr) == (3, True)
    assert home.config.read_bytes() == before


def test_init_asks_until_an_answer_fits_and_keeps_its_questions_off_standard_output(home: Home) -> None:
    typed = "gremlins\npaper\n\n\n\ndebug\n"
    done = home.run("init", "--json", typed=typed)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["answers"]["kind"] == "paper"
    assert json.loads(done.stdout)["answers"]["log_level"] == "debug"
    assert "expected one of paper" in done.stderr


@pytest.mark.parametrize("given", ["kind=gremlins", "nonsense=1", "kind"])
def test_an_answer_that_does_not_fit_writes_nothing(home: Home, given: str) -> None:
    done = home.run("init", "--set", given, "--defaults")
    assert (done.exit_code, home.config.exists()) == (2, False)


def test_every_problem_of_the_settings_is_told_with_file_line_and_key(home: Home) -> None:
    file = home.folder / "bad.toml"
    file.write_text('[daemon]\ndrain_s = "soon"\nnonsense = 1\n')
    file.chmod(0o600)
    done = home.run("config", "check", "--config", str(file), "--json")
    assert done.exit_code == 1
    problems = json.loads(done.stdout)["problems"]
    assert [(one["file"], one["line"], one["key"]) for one in problems] == [
        (str(file), 2, "daemon.drain_s"),
        (str(file), 3, "daemon.nonsense"),
    ]
    people = home.run("config", "check", "--config", str(file))
    assert (people.exit_code, "2 problems" in people.stdout) == (1, True)
    refused = home.run("config", "show", "--config", str(file))
    assert (refused.exit_code, refused.stdout, f"{file}:2" in refused.stderr) == (3, "", True)


# The journal's files.


def test_the_journal_is_verified_without_a_daemon_and_one_changed_byte_exits_with_1(home: Home) -> None:
    home.journal(20)
    found = home.json("audit", "verify")
    assert found["entries"] >= 20
    assert len(found["hash"]) == 64
    (database,) = (home.state / "journal").glob("*.db")
    data = database.read_bytes()
    place = data.rindex(b'{"n":7}')
    database.write_bytes(data[:place] + b'{"n":8}' + data[place + 7 :])
    broken = home.run("audit", "verify")
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "is not what was written" in broken.stderr


def test_entries_are_shown_by_kind_stream_and_key_the_last_ones_first_in_count(home: Home) -> None:
    home.journal(20)
    rows = home.json("audit", "show", "--kind", "order.intent", "--count", "3")
    assert [json.loads(row["body"])["n"] for row in rows] == [17, 18, 19]
    (row,) = home.json("audit", "show", "--key", "k4", "--stream", "order/paper/A1")
    assert (row["body"], row["kind"]) == ('{"n":4}', "order.intent")
    assert "order.intent" in home.run("audit", "show", "--count", "5").stdout


def test_an_export_holds_every_entry_with_the_hash_that_chains_it_and_overwrites_nothing(home: Home) -> None:
    home.journal(5)
    target = home.folder / "out.ndjson"
    done = home.json("audit", "export", str(target))
    rows = [json.loads(one) for one in target.read_text().splitlines()]
    assert len(rows) == done["entries"] == rows[-1]["seq"]
    assert [row["previous"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    again = home.run("audit", "export", str(target))
    assert (again.exit_code, "nothing was written" in again.stderr) == (3, True)
    part = home.folder / "part.ndjson"
    assert home.json("audit", "export", str(part), "--after", str(rows[-2]["seq"]))["entries"] == 1


def test_B22_a_backup_is_brought_back_whole_and_what_it_lacks_is_told(home: Home) -> None:
    home.journal(5)
    before = home.json("audit", "verify")
    copy = home.folder / "copy"
    assert f"{before['entries']} entries" in home.json("backup", str(copy))["text"]
    refused = home.run("restore", str(copy))
    assert (refused.exit_code, "nothing was overwritten" in refused.stderr) == (3, True)
    home.journal(4)
    (home.state / "journal").rename(home.folder / "lost")
    told = home.json("restore", str(copy))["text"]
    assert f"entries {before['entries'] + 1} to " in told
    assert "are lost" in told
    (home.state / "journal.head").unlink()
    assert home.json("audit", "verify") == before


def test_O06_a_running_daemon_keeps_its_files_to_itself(home: Home) -> None:
    home.journal(2)
    home.run("backup", str(home.folder / "copy"))
    with sole_owner(home.state, home.state / "run"):
        for words in (["restore", str(home.folder / "copy")], ["backup", str(home.folder / "other")]):
            done = home.run(*words)
            assert (done.exit_code, "only daemon here" in done.stderr) == (3, True)
    assert not (home.folder / "other").exists()


@pytest.mark.parametrize("words", ["audit verify", "audit show", "audit export out", "backup copy"])
def test_where_there_is_no_journal_that_is_said_and_nothing_is_made(
    home: Home, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.folder)
    done = home.run(*words.split())
    assert (done.exit_code, "expected a journal, got none" in done.stderr) == (3, True)
    assert not (home.state / "journal").exists()


def test_without_its_key_a_journal_is_neither_called_sound_nor_broken(home: Home) -> None:
    home.journal(2)
    (home.state / "audit.key").unlink()
    done = home.run("audit", "verify")
    assert (done.exit_code, "expected the key of the journal" in done.stderr) == (3, True)
