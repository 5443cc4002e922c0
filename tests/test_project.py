"""The project around the code: pinned dependencies, reasons, licence, and one place for private names."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "constraints" / name).read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements} - {"pitboss"}


@pytest.mark.parametrize(("name", "extras"), [("run.txt", []), ("test.txt", ["test", "parquet"])])
def test_s50_every_dependency_is_pinned_with_its_hashes_and_names_no_host(name: str, extras: list[str]) -> None:
    text = (ROOT / "constraints" / name).read_text()
    requirements = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in extras:
        requirements += PROJECT["project"]["optional-dependencies"][extra]
    assert wanted(requirements) <= set(pins(name))
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"://|--index|--find-links|file:", text)


def test_the_tests_run_with_the_versions_of_the_daemon() -> None:
    run, test = pins("run.txt"), pins("test.txt")
    assert {name: test.get(name) for name in run} == run


def test_each_direct_dependency_has_its_reason_on_its_line() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    listed = [line for line in lines if re.match(r'^  "[\w-]+(\[\w+\])?[<>=]', line)]
    assert len(listed) >= len(PROJECT["project"]["dependencies"])
    assert [line for line in listed if not re.search(r"# \w+", line) and "pytest>=" not in line] == []


def test_the_licence_is_mit() -> None:
    assert PROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


def test_time_and_chance_come_from_the_world_alone() -> None:
    """Nobody but the real world itself reads a clock, a random source or a fresh id."""
    banned = re.compile(
        r"\btime\.(time|monotonic|perf_counter|sleep)\w*\(|datetime\.(now|utcnow|today)\(|date\.today\("
        r"|\buuid[14]\(|os\.urandom\(|\bsecrets\.\w|\brandom\.(random|choice|randint|shuffle|uniform|getrandbits)\("
    )
    allowed = {"runtime/real.py", "runtime/simulation/run.py"}
    found = []
    for package in ("runtime", "brokers", "config", "sessions"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name in allowed or name.startswith("sessions/control/bench/"):
                continue
            found += [f"{name}: {line.strip()}" for line in path.read_text().splitlines() if banned.search(line)]
    assert found == []
