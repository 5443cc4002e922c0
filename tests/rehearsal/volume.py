"""What is rehearsed before anything is merged: many seeds without a violation, and each of them the same run twice.

python -m tests.rehearsal.volume seeds          R03: up to SEEDS runs of HOURS under all faults, as many as begin in time;
                                                a failed one leaves its file
python -m tests.rehearsal.volume determinism    R01: TWICE seeds in two processes with different hash seeds
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Final

SEEDS: Final = 200
BATCH: Final = 20
HOURS: Final = 0.05  # R03 wants 1
SECONDS: Final = 120.0  # R03 allows 300; all gates together stay under ten minutes
TWICE: Final = 50
TWICE_HOURS: Final = 0.005
HASH_SEEDS: Final = ("0", "4711")
ROOT: Final = Path(__file__).parents[2]
WRONG: Final = 2


def command(*words: object) -> list[str]:
    """`pitboss rehearse` of this tree."""
    return [sys.executable, "-m", "sessions.control.cli", "rehearse", *map(str, words)]


def surroundings(home: Path, hash_seed: str) -> dict[str, str]:
    """The environment of somebody who has configured nothing."""
    kept = {name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}


def hashes(runs: int, hours: float, home: Path, first: int = 1) -> tuple[Mapping[int, str], ...]:
    """The trace hash of each seed, from one process a hash seed, side by side."""
    words = ("--seed", first, "--runs", runs, "--hours", hours, "--jobs", 1, "--tries", 0, "--keep", home, "--json")
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(  # noqa: S603 - our own command
                    command(*words), env=surroundings(home, hash_seed), stdout=subprocess.PIPE, text=True, cwd=ROOT
                )
            )
            for hash_seed in HASH_SEEDS
        ]
        told = [process.communicate()[0] for process in processes]
    return tuple(_by_seed(text.splitlines()) for text in told)


def _by_seed(lines: Sequence[str]) -> Mapping[int, str]:
    records = [json.loads(line) for line in lines]
    return {one["seed"]: one["trace_hash"] for one in records if "trace_hash" in one}


def determinism() -> int:
    """Says which seeds were not the same run twice."""
    began = perf_counter()
    with tempfile.TemporaryDirectory() as home:
        first, second = hashes(TWICE, TWICE_HOURS, Path(home))
    differing = [seed for seed in range(1, TWICE + 1) if first.get(seed) is None or first[seed] != second.get(seed)]
    print(f"{TWICE - len(differing)} of {TWICE} seeds were the same run twice, in {perf_counter() - began:.0f} s")  # noqa: T201
    if differing:
        print(f"not the same: {', '.join(map(str, differing))}")  # noqa: T201
    return 1 if differing else 0


def seeds() -> int:
    """Plays batches of them while another one fits the time; the files of failed runs stay in the present folder."""
    began, played, took = perf_counter(), 0, 0.0
    while played < SEEDS and perf_counter() - began + took <= SECONDS:
        before = perf_counter()
        if code := batch(played + 1):
            return code
        played, took = played + BATCH, perf_counter() - before
    print(f"{played} seeds of {HOURS} h were sound, in {perf_counter() - began:.0f} s; R03 wants 200 of 1 h in 300 s")  # noqa: T201
    return 0


def batch(first: int) -> int:
    """Plays the next seeds and returns the exit code."""
    with tempfile.TemporaryDirectory() as home:
        words = command("--seed", first, "--runs", BATCH, "--hours", HOURS, "--tries", 10)
        return subprocess.run(words, env=surroundings(Path(home), "0"), check=False).returncode  # noqa: S603 - as above


CHECKS: Final = {"seeds": seeds, "determinism": determinism}


def main(words: Sequence[str]) -> int:
    """Runs the named check."""
    if len(words) != 1 or words[0] not in CHECKS:
        sys.stderr.write(f"expected one of {', '.join(CHECKS)}, got {' '.join(words) or 'nothing'}\n")
        return WRONG
    return CHECKS[words[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
