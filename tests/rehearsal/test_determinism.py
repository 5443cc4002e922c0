"""R01: the same seed is the same run in another process with another hash seed; .ci/run proves it for fifty."""

from pathlib import Path

from tests.rehearsal.volume import hashes


def test_the_same_seeds_are_the_same_runs_in_two_processes(tmp_path: Path) -> None:
    first, second = hashes(2, 0.01, tmp_path, first=6)
    assert first == second
    assert set(first) == {6, 7}
    assert len(set(first.values())) == 2
