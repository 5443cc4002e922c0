"""Many runs side by side."""

import pytest

from sessions.control.rehearsal import company
from sessions.control.rehearsal.company import played
from sessions.control.rehearsal.programme import Programme


def test_every_seed_is_played_in_order_when_processes_have_done_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "RUNS_A_PROCESS", 2)
    programme = Programme(brokers=("thinkorswim",), seconds=1.0, faults=())
    assert [(one.seed, one.sound) for one in played(programme, range(1, 6), 2)] == [(n, True) for n in range(1, 6)]
