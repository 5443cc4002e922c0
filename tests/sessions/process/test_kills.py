"""Real processes: a daemon that trades at the embedded broker is killed, and the next one finds every order and fill."""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
STRACE = shutil.which("strace")
ROOT = Path(__file__).parents[3]
CALLS = ("fsync", "fdatasync", "pwrite64", "write", "rename", "ftruncate")

without_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed: crash points cannot be enumerated")


def daemon(mode: str, folder: Path, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.sessions.process.daemon", mode, str(folder), *map(str, arguments)]


def run(command: list[str], seconds: float = 60) -> tuple[int, list[str]]:
    """Runs to the end; gives the exit code and what was said."""
    done = subprocess.run(  # noqa: S603 - our own daemon, by our own interpreter
        command,
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout.splitlines()


def judged(folder: Path, *how: str) -> list[str]:
    """What the next start says; a sound one has said how long it took."""
    code, said = run(daemon("judge", folder, *how))
    assert code == 0
    return said


def assert_sound(said: list[str]) -> None:
    assert not [line for line in said if line.startswith("broken")], said
    assert re.fullmatch(r"sound \d+\.\d+", said[0]), said


def test_R11_R25_kills_at_random_moments_lose_no_fill_and_double_no_order(tmp_path: Path) -> None:
    """By default 20 kills on one daemon's files, nightly on several; each next start judges the one before, within 10 s."""
    count = 20 * NIGHTLY
    code, said = run(daemon("kills", tmp_path, count), seconds=30 + 3 * count)
    assert code == 0
    assert not [line for line in said if line.startswith("broken")], said
    starts = [float(line.split()[1]) for line in said if line.startswith("sound")]
    assert len(starts) >= count // 2
    assert max(starts) <= 10
    for house in range(NIGHTLY):
        folder = tmp_path / str(house)
        assert (folder / "paper.jsonl").read_bytes().count(b'"order"') >= 20, "hardly anything was traded"
        assert_sound(judged(folder, *["wholly"] * (NIGHTLY > 1 and house == 0)))
    print(f"{count} kills, slowest start {max(starts):.3f} s")  # noqa: T201 - the figure that was asked for


@without_strace
def test_R12_a_kill_at_any_write_or_sync_leaves_files_from_which_the_next_start_is_sound(tmp_path: Path) -> None:
    """Nightly at every such call of a scripted life; by default at two of them."""
    trace = tmp_path / "trace"
    options = ["-f", "-qq", "-o", str(trace), "-e", f"trace={','.join(CALLS)}"]
    code, _ = run([str(STRACE), *options, *daemon("live", tmp_path / "whole", 3)])
    assert code == 0
    text = trace.read_text()
    points = [(call, when) for call in CALLS for when in range(1, len(re.findall(rf" {call}\(", text)) + 1)]
    assert len(points) > 40
    killed = 0
    for call, when in points if NIGHTLY > 1 else random.Random(2).sample(points, 2):
        folder = tmp_path / f"{call}-{when}"
        inject = [
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            f"trace={call}",
            "-e",
            f"inject={call}:signal=SIGKILL:when={when}",
        ]
        code, said = run([str(STRACE), *inject, *daemon("live", folder, 3)])
        killed += code != 0
        assert code != 0 or said[-1] == "closed"
        assert_sound(judged(folder))
    print(f"{killed} of {len(points)} crash points")  # noqa: T201 - the figure that was asked for
    assert killed
