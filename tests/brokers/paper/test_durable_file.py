"""The file of a paper broker: torn tails are cut off, other damage is refused, and it stays as small as its content."""

import os
import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.ledger import CashFlow, FlowKind
from brokers.paper import PaperAccount, StoreDamaged, StoreMismatch
from brokers.paper import store as store_module
from brokers.paper.keep import Step
from brokers.paper.store import PaperStore
from runtime.simulation import PowerCut, SimulatedDisk
from tests.brokers.paper.floor import START, A, B
from tests.brokers.paper.lives import PATH, Life
from tests.brokers.paper.lives import settings as paper_settings

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))


def paid(number: int, account: str = A) -> Step:
    """A step that pays a dollar."""
    flow = CashFlow(f"pay/{number}", "paper", account, FlowKind.INTEREST, Decimal(1), "USD", START + number)
    return Step(START + number, flows=(flow,))


def cash(store: PaperStore) -> Decimal:
    return store.memory.accounts[A].ledger.summary().cash - 100_000


def filled(disk: SimulatedDisk, appends: int = 3) -> bytes:
    """A file with so many appends of one payment each."""
    store = Life(disk).store
    for number in range(appends):
        store.write((paid(number),))
    return disk.read(PATH)


def put(disk: SimulatedDisk, data: bytes) -> None:
    disk.write(PATH, data)


@settings(max_examples=100 * NIGHTLY, deadline=None)
@given(st.integers(0, 2**30))
def test_a_tear_anywhere_in_the_last_append_costs_that_append_alone(cut: int) -> None:
    with SimulatedDisk() as disk:
        data = filled(disk)
        last = data.rindex(b"\n", 0, -1) + 1
        put(disk, data[: last + cut % (len(data) - last)])
        assert cash(Life(disk).store) == 2
        assert cash(Life(disk).store) == 2


def test_pages_of_the_last_append_that_never_reached_the_disk_are_a_tear() -> None:
    with SimulatedDisk() as disk:
        data = filled(disk)
        last = data.rindex(b"\n", 0, -1) + 1
        put(disk, data[: last + 9] + b"\0" * (len(data) - last - 10) + b"\n")
        assert cash(Life(disk).store) == 2


@settings(max_examples=150 * NIGHTLY, deadline=None)
@given(st.integers(0, 2**30), st.integers(1, 255))
def test_a_changed_byte_is_refused_with_its_line_and_the_file_is_left_alone(place: int, change: int) -> None:
    with SimulatedDisk() as disk:
        data = bytearray(filled(disk))
        place %= len(data) - 1  # without the last newline, whose loss is a tear
        data[place] ^= change
        put(disk, bytes(data))
        line = data[:place].count(b"\n") + 1
        is_tear = bytes(data).rindex(b"\n", 0, -1) < place and data[place] == 0
        if is_tear:
            return
        with pytest.raises(StoreDamaged) as refused:
            Life(disk)
        assert refused.value.line == line
        assert "move it away" in str(refused.value)
        assert disk.read(PATH) == bytes(data)


def test_a_memory_that_is_cut_short_is_refused_because_it_was_written_whole() -> None:
    with SimulatedDisk() as disk:
        Life(disk)
        lines = disk.read(PATH).splitlines(keepends=True)
        assert len(lines) > 2
        for kept in range(1, len(lines)):
            put(disk, b"".join(lines[:kept]))
            with pytest.raises(StoreDamaged, match=f"line {kept + 1}: expected {len(lines)} lines"):
                Life(disk)


def test_lines_in_another_order_are_refused() -> None:
    with SimulatedDisk() as disk:
        lines = filled(disk).splitlines(keepends=True)
        put(disk, b"".join([lines[1], lines[0], *lines[2:]]))
        with pytest.raises(StoreDamaged, match="line 1: expected a head"):
            Life(disk)


def test_an_account_that_the_settings_lack_or_hold_in_another_currency_is_a_mismatch() -> None:
    with SimulatedDisk() as disk:
        data = filled(disk)
        with pytest.raises(StoreMismatch, match=r"paper-2.*put it back into the settings"):
            Life(disk, given=paper_settings(accounts=(PaperAccount(A),)))
        with pytest.raises(StoreMismatch, match="EUR"):
            Life(disk, given=paper_settings(accounts=(PaperAccount(A, "EUR"), PaperAccount(B))))
        assert disk.read(PATH) == data


def test_a_format_of_another_version_is_a_mismatch(monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatedDisk() as disk:
        filled(disk)
        monkeypatch.setattr(store_module, "FORMAT", 2)
        with pytest.raises(StoreMismatch, match="expected format 2, got 1"):
            Life(disk)


def test_the_file_stays_within_twice_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LEAST", 10_000)
    with SimulatedDisk() as disk:
        store = Life(disk).store
        sizes = []
        for number in range(600):
            store.write((paid(number),))
            sizes.append(len(disk.read(PATH)))
        whole = len(b"".join(map(store_module._encoded, store.memory.lines())))
        assert max(sizes) < 2 * max(whole, 10_000) + 1_000
        assert cash(Life(disk).store) == 600


@pytest.mark.parametrize("fault", ["disk.full", "disk.sync"])
def test_after_a_failed_append_the_file_is_written_whole_and_nothing_counts_twice(fault: str) -> None:
    with SimulatedDisk() as disk:
        store = Life(disk).store
        store.write((paid(0),))
        for _ in range(3):
            disk.faults.arm(fault)
            with pytest.raises(OSError, match=r"Input/output|No space"):
                store.write((paid(1),))
        assert store.written == 1
        store.write((paid(1), paid(2)))
        assert store.written == 3
        disk.power_cut()
        disk.power_on()
        assert cash(Life(disk).store) == 3


@settings(max_examples=60 * NIGHTLY, deadline=None)
@given(st.lists(st.sampled_from(["ok", "ok", "disk.full", "disk.sync", "disk.power_cut"]), max_size=12), st.integers())
def test_what_was_written_survives_any_mix_of_faults(plan: list[str], seed: int) -> None:
    with SimulatedDisk(random.Random(seed)) as disk:
        store = Life(disk).store
        done, number = 0, 0
        waiting: list[Step] = []
        for fault in plan:
            waiting.append(paid(number))
            number += 1
            if fault != "ok":
                disk.faults.arm(fault)
            try:
                store.write(tuple(waiting))
            except OSError:
                continue
            except PowerCut:
                disk.power_on()
                store = Life(disk).store
                survived = int(cash(store))
                assert done <= survived <= done + len(waiting)
                done, waiting = survived, []
                continue
            done += len(waiting)
            waiting = []
        disk.power_on()
        assert int(cash(Life(disk).store)) >= done
