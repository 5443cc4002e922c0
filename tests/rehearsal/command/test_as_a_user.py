"""docs/rehearsal.md as a new user works through it: the files where it says, the commands one after another."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.rehearsal.volume import ROOT, surroundings

PAGE = (ROOT / "docs" / "rehearsal.md").read_text()
FILE = re.compile(r"`~/(\S+)`[^`]*(?:\(`[^`]*`\)[^`]*)?```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK = {"--hours": "0.005", "--runs": "2", "--tries": "5"}  # in place of what the page says


def test_its_files_and_commands_work_as_they_stand(tmp_path: Path) -> None:
    written = dict(FILE.findall(PAGE))
    assert sorted(Path(name).name for name in written) == ["claims.py", "fade.py", "pitboss.toml"]
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    lines = [line for block in COMMANDS.findall(PAGE) for line in block.splitlines()]
    assert len(lines) == 6
    said = ""
    for line in lines:
        command, _, remark = line.partition("  # exit code ")
        done = subprocess.run(  # noqa: S603 - the project's own command
            [sys.executable, "-m", "sessions.control.cli", *quick(shlex.split(command)[1:])],
            capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path, env=surroundings(tmp_path, "0"),
        )  # fmt: skip
        said = done.stdout
        assert done.returncode == int(remark or 0), f"{line}\n{done.stdout}{done.stderr}"
    assert "the same run, event for event" in said
    assert {one.name for one in tmp_path.iterdir()} >= {"rehearsal.html", "rehearsal-1.json", "broken.html"}


def quick(words: list[str]) -> list[str]:
    """The command over a shorter time."""
    return [QUICK.get(before, word) for before, word in zip(["", *words], words, strict=False)]
