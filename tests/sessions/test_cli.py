"""The command line, run as a person or a script would run it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sessions.control import cli
from sessions.control.bench import command
from sessions.control.bench.report import Measurements
from sessions.control.commands.all import ENTRIES, FAMILIES
from sessions.control.commands.reference import page


def pitboss(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "sessions.control.cli", *args], capture_output=True, text=True, check=False
    )


def modules_after(*words: str) -> set[str]:
    """What a command has imported when it ends."""
    program = (
        "import sys; from sessions.control.cli import main\n"
        f"try: main({list(words)!r}, standalone_mode=True)\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("--help",), ("demo", "--help"), ("bench", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    heavy = {"trio", "rich", "httpx", "msgspec", "attrs", "brokers", "starlette", "sqlite3"}
    assert modules_after(*words) & heavy == set()


def test_the_help_of_all_commands_imports_none_of_them() -> None:
    loaded = modules_after("--help")
    ours = {one for one in loaded if one.startswith("sessions.")}
    names = ("control", "control.cli", "control.commands", "control.commands.all", "control.commands.options")
    assert ours == {f"sessions.{name}" for name in names}
    assert len(loaded) < 150


def every(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The words of every command, those of groups too."""
    context = click.Context(group)
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        assert one is not None
        yield (*path, name), one
        if isinstance(one, click.Group):
            yield from every(one, (*path, name))


EVERY = dict(every(cli.main))


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_help_tells_the_exit_codes_and_ends_with_an_example_that_is_understood(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(cli.main, [*path, "--help"]).output
    assert "Exit codes: 0" in text
    (example,) = [line.strip() for line in text.splitlines() if line.strip().startswith("Example: pitboss")]
    words = example.removeprefix("Example: pitboss ").split()
    assert tuple(words[: len(path)]) == path
    assert "--json" in text
    parsed = EVERY[path].make_context(path[-1], words[len(path) :])
    if not isinstance(EVERY[path], click.Group):
        assert parsed.params["as_json"] is ("--json" in words)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_command_is_listed_with_the_sentence_that_its_own_help_begins_with(name: str) -> None:
    assert EVERY[name,].name == name
    assert ENTRIES[name].sentence == EVERY[name,].get_short_help_str(limit=1000)


def test_help_lists_the_commands_in_families_and_nothing_is_cut() -> None:
    text = CliRunner().invoke(cli.main, ["--help"], terminal_width=200).output
    for title, family in FAMILIES.items():
        section = text.split(f"{title}:\n")[1].split("\n\n")[0]
        assert [line.split()[0] for line in section.splitlines() if line.startswith("  ") and line[2] != " "] == list(
            family
        )
    assert "..." not in text.partition("Options:")[2]


def test_the_page_of_commands_is_what_the_commands_say_now() -> None:
    written = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    assert written == page(), "python -m sessions.control.commands.reference > docs/commands.md"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(shell: str) -> None:
    def told(instruction: str, **more: str) -> str:
        env = {"_PITBOSS_COMPLETE": f"{shell}_{instruction}", **more}
        return CliRunner().invoke(cli.main, [], prog_name="pitboss", env=env).output

    def completed(*words: str) -> str:
        last = words[-1] if shell == "fish" else str(len(words) - 1)
        return told("complete", COMP_WORDS=" ".join(words[:-1] if shell == "fish" else words), COMP_CWORD=last)

    assert "status" in completed("pitboss", "sta")
    assert "--live" in completed("pitboss", "status", "--l")
    assert f"_PITBOSS_COMPLETE={shell}_complete" in told("source")


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
