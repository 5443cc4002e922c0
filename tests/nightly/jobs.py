"""What there is to do in a night, as commands that stand alone; each is done or not."""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from tests.fuzz.codecs import CODECS

ROOT: Final = Path(__file__).parents[2]
SEEDS: Final = 2_000  # R04
HOURS: Final = 6.5
CHUNK: Final = 20  # seeds of one command
TRIES: Final = "15"  # to shrink the first failed run of a command
TIMES: Final = 100  # the everyday size of a suite
SUITES: Final = {"tests/sessions/process/test_kills.py": 50}  # R11: 1,000 kills
FUZZ_SECONDS: Final = 600
SOAK_MINUTES: Final = 72 * 60  # R10
SWITCH: Final = "NIGHTLY"
_OWN: Final = frozenset({"nightly"})


@attrs.frozen
class Job:
    """One command; `skipped` is why it cannot be run here."""

    name: str
    words: tuple[str, ...]
    environ: Mapping[str, str] = attrs.field(factory=dict)
    skipped: str = ""

    @property
    def kind(self) -> str:
        """The first word of its name."""
        return self.name.partition(" ")[0]


def jobs(scale: float, hours: float = HOURS, keep: str = ".") -> tuple[Job, ...]:
    """Everything, each scaled; `hours` is how long a rehearsal lasts, `keep` where failed ones go."""
    return (*_rehearsals(scale, hours, keep), *_suites(scale), *_fuzz(scale), _soak(scale))


def _rehearsals(scale: float, hours: float, keep: str) -> Iterator[Job]:
    count = _scaled(SEEDS, scale)
    for first in range(1, count + 1, CHUNK):
        last = min(first + CHUNK - 1, count)
        size = ("--seed", str(first), "--runs", str(last - first + 1), "--hours", f"{hours:g}")
        words = (
            "-m",
            "sessions.control.cli",
            "rehearse",
            *size,
            "--jobs",
            "1",
            "--tries",
            TRIES,
            "--keep",
            keep,
            "--json",
        )
        yield Job(f"rehearse seeds {first}-{last}", (sys.executable, *words))


def _suites(scale: float) -> Iterator[Job]:
    for path in suites():
        times = max(_scaled(SUITES.get(path, TIMES), scale), 2)
        words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", path)
        yield Job(f"pytest {path}", (sys.executable, *words), {"PITBOSS_NIGHTLY": str(times)})


def suites() -> tuple[str, ...]:
    """Every file of tests that has a size for the night."""
    found = (path for path in (ROOT / "tests").rglob("test_*.py") if SWITCH in path.read_text())
    paths = (path.relative_to(ROOT) for path in found)
    return tuple(sorted(str(path) for path in paths if not _OWN & set(path.parts)))


def _fuzz(scale: float) -> Iterator[Job]:
    missing = "" if importlib.util.find_spec("atheris") else "atheris is not installed: pip install pitboss[fuzz]"
    for codec in CODECS:
        words = ("-m", "tests.fuzz", codec, f"-max_total_time={_scaled(FUZZ_SECONDS, scale)}")
        yield Job(f"fuzz {codec}", (sys.executable, *words), skipped=missing)


def _soak(scale: float) -> Job:
    minutes = f"{SOAK_MINUTES * scale:g}"
    return Job(f"soak {minutes} minutes", (sys.executable, "-m", "tests.soak", "--minutes", minutes, "--json"))


def _scaled(whole: int, scale: float) -> int:
    return max(round(whole * scale), 1)
