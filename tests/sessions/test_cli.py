"""The command line, run as a person or a script would run it."""

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from sessions.control import cli
from sessions.control.bench import command
from sessions.control.bench.report import Measurements


def pitboss(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "sessions.control.cli", *args], capture_output=True, text=True, check=False
    )


def test_the_demo_with_json_prints_one_object_and_nothing_else() -> None:
    done = pitboss("demo", "--duration", "1.6", "--seed", "3", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert summary["ok"]
    assert summary["crashes"] >= 1
    assert summary["restarts"] >= summary["came_back"]
    assert all(crash["how"] in {"crash", "kill"} for crash in summary["details"])


def test_the_demo_for_people_ends_with_a_verdict() -> None:
    done = pitboss("demo", "--duration", "1")
    assert done.returncode == 0, done.stderr
    assert "all whole" in done.stdout
    assert "\x1b" not in done.stdout, "plain when piped"


@pytest.mark.parametrize("words", [("--help",), ("demo", "--help"), ("bench", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    program = (
        "import sys; from sessions.control.cli import main\n"
        f"try: main({list(words)!r}, standalone_mode=True)\n"
        "except SystemExit: pass\n"
        "print('|'.join(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    loaded = set(done.stderr.split("|"))
    heavy = {"trio", "rich", "httpx", "msgspec", "attrs", "brokers", "starlette", "sqlite3"}
    assert loaded & heavy == set()


def all_commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, those of groups too."""
    for name, one in group.commands.items():
        yield (*path, name)
        if isinstance(one, click.Group):
            yield from all_commands(one, (*path, name))


@pytest.mark.parametrize("path", sorted(all_commands(cli.main)), ids=" ".join)
def test_every_commands_help_ends_with_a_runnable_example(path: tuple[str, ...]) -> None:
    help_text = CliRunner().invoke(cli.main, [*path, "--help"]).output
    (example,) = [line.strip() for line in help_text.splitlines() if line.strip().startswith("Example: pitboss")]
    words = example.removeprefix("Example: pitboss ").split()
    assert tuple(words[: len(path)]) == path
    assert "--json" in help_text
    found: click.Command = cli.main
    for word in path:
        assert isinstance(found, click.Group)
        found = found.commands[word]
    parsed = found.make_context(path[-1], words[len(path) :])
    if not isinstance(found, click.Group):
        assert parsed.params["as_json"] is ("--json" in words)


@pytest.mark.parametrize("words", [["nonsense"], ["bench", "nonsense"], ["demo", "--duration", "0"], ["demo", "--no"]])
def test_what_is_not_understood_exits_with_2_and_says_what_is_allowed(words: list[str]) -> None:
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code == 2
    assert "Error:" in result.output


def test_bench_prints_one_object_of_the_promised_form(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class FakeBench:
        @staticmethod
        def run(rounds: int, tell: object) -> Measurements:
            results = Measurements("fake")
            for number in range(rounds):
                results.add("speed", 100.0 + number, "per s")
                results.add("delay", 3.0, "ms")
            results.at_least("speed", 101)
            results.at_most("delay", 2)
            return results

    monkeypatch.setattr(command, "import_module", lambda _: FakeBench)
    assert command.run_bench("fake", 3, as_json=True) == 1, "a missed bar is an error"
    printed = json.loads(capsys.readouterr().out)
    assert printed == {
        "bench": "fake",
        "metrics": {
            "speed": {"median": 101.0, "min": 100.0, "max": 102.0, "unit": "per s"},
            "delay": {"median": 3.0, "min": 3.0, "max": 3.0, "unit": "ms"},
        },
        "bars": [
            {"name": "speed", "value": 101.0, "unit": "per s", "limit": 101, "ok": True},
            {"name": "delay", "value": 3.0, "unit": "ms", "limit": 2, "ok": False},
        ],
    }
    assert command.run_bench("fake", 3, as_json=False) == 1
    assert "at most 2 ms" in capsys.readouterr().out
