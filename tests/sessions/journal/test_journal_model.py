"""The journal against a list: whatever fails or crashes, it holds what was acknowledged, in order, and no more."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runtime.simulation.disk import SimulatedDisk
from runtime.simulation.faults import SimulatedFaults
from sessions.journal.audit import history, verify
from sessions.journal.errors import JournalFailed
from sessions.journal.segments import adopt, archive
from tests.sessions.journal.desk import CHAIN, FOLDER, HEAD, NIGHTLY, entries, memory_store, numbered


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk()
        self.faults = SimulatedFaults()
        self.store = memory_store(self.disk, self.faults)
        self.store.open()
        self.acknowledged: list[int] = []
        self.epochs = [1]
        self.next = 1

    def numbers(self, count: int) -> list[int]:
        self.next += count
        return list(range(self.next - count, self.next))

    @rule(count=st.integers(0, 5))
    def append(self, count: int) -> None:
        numbers = self.numbers(count)
        self.store.append(entries(*numbers))
        self.acknowledged += numbers

    @rule(count=st.integers(1, 3), point=st.sampled_from(["journal.full", "journal.sync"]), again=st.integers(0, 2))
    def fail_and_come_back(self, count: int, point: str, again: int) -> None:
        numbers = self.numbers(count)
        self.faults.arm(point)
        self._failing(lambda: self.store.append(entries(*numbers)))
        for _ in range(again):
            self.faults.arm("journal.full")
            self._failing(self.store.reopen)
        survived = self.store.reopen()
        assert survived is (point == "journal.sync")
        if survived:
            self.acknowledged += numbers

    @rule(count=st.integers(1, 3), point=st.sampled_from(["journal.full", "journal.sync"]))
    def fail_and_crash(self, count: int, point: str) -> None:
        numbers = self.numbers(count)
        self.faults.arm(point)
        self._failing(lambda: self.store.append(entries(*numbers)))
        if point == "journal.sync":
            self.acknowledged += numbers
        self.crash()

    @rule()
    def crash(self) -> None:
        self.store.abandon()
        self.store = memory_store(self.disk, self.faults)
        self.store.open()
        self.epochs.append(self.store.epoch)

    @rule()
    def close_and_open(self) -> None:
        self.store.close()
        self.crash()

    @rule(count=st.integers(0, 2))
    def roll(self, count: int) -> None:
        numbers = self.numbers(count)
        self.store.roll(entries(*numbers))
        self.acknowledged += numbers

    @rule()
    def roll_and_archive(self) -> None:
        adopt(self.store, archive(self.disk, FOLDER, self.store.roll([]), CHAIN))

    @rule()
    def save_head(self) -> None:
        self.store.save_head()

    @invariant()
    def holds_what_was_acknowledged(self) -> None:
        assert numbered(row.entry for row in history(self.disk, FOLDER)) == self.acknowledged
        assert verify(self.disk, FOLDER, CHAIN, HEAD) == self.store.head
        assert self.epochs == sorted(set(self.epochs))

    def _failing(self, work: Any) -> None:
        try:
            work()
        except JournalFailed:
            return
        raise AssertionError("expected the armed fault to fail the work")

    def teardown(self) -> None:
        self.store.abandon()
        self.disk.close()


JournalMachine.TestCase.settings = settings(max_examples=12 * NIGHTLY, stateful_step_count=20, deadline=None)
TestI08TheJournalAgainstAList = JournalMachine.TestCase
