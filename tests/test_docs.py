"""README and docs do what they say: their Python blocks run, their links lead somewhere, their commands work."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)#:]+)\)")


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text()), start=1):
            if kind == language:
                found.append((f"{page.name}:{number}", text))
    return found


def commands() -> list[str]:
    lines = [line.strip() for _, text in blocks("sh") for line in text.splitlines()]
    return [line for line in lines if line.startswith("pitboss ")]


@pytest.mark.parametrize(("where", "text"), blocks("python"), ids=[where for where, _ in blocks("python")])
def test_every_python_block_runs_as_it_stands(where: str, text: str, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(text)
    done = subprocess.run(  # noqa: S603 - the project's own text
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, f"{where}\n{done.stderr}"


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_readme_works(line: str, tmp_path: Path) -> None:
    words = shlex.split(line)[1:]
    # A benchmark's bars may be missed on a busy machine; one round shows that the command works.
    quick = ["--rounds", "1"] if words[0] == "bench" else []
    done = subprocess.run(  # noqa: S603 - the project's own command
        [sys.executable, "-m", "sessions.control.cli", *words, *quick],
        capture_output=True, text=True, check=False, timeout=240, cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
    )  # fmt: skip
    assert done.returncode in ({0, 1} if quick else {0}), done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def test_the_quick_start_is_two_one_line_commands() -> None:
    starts = [line for _, text in blocks("sh") for line in text.splitlines() if line.startswith("python3 -m venv")]
    assert len(starts) == 2
    assert starts[0].endswith("pitboss demo")
    assert starts[1].endswith("pytest -q -n auto")
