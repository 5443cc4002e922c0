"""Entries, rows and the hash chain."""

import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.real import DurableDisk
from sessions.journal.audit import verify
from sessions.journal.chain import BrokenChain, Chain, read_head, write_head
from sessions.journal.errors import InvalidEntry, JournalCorrupt
from sessions.journal.rows import GENESIS, Entry, Head, Row
from tests.sessions.journal.desk import CHAIN, NIGHTLY, entries, entry, real_store

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TIMES = st.integers(0, 2**63 - 1)
ENTRIES = st.builds(
    Entry, TEXT, TEXT, st.none() | TEXT, st.text(st.characters(exclude_categories=["Cs"])), TIMES, TIMES
)


def linked(items: list[Entry]) -> list[Row]:
    head, rows = GENESIS, []
    for item in items:
        rows.append(CHAIN.link(head, item))
        head = Head(rows[-1].seq, rows[-1].hash)
    return rows


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", ""),
        ("stream", 5),
        ("key", ""),
        ("key", "x" * 513),
        ("body", "\ud800"),
        ("body", None),
        ("wall_ns", -1),
        ("wall_ns", 2**63),
        ("monotonic_ns", True),
        ("monotonic_ns", 1.5),
    ],
)
def test_an_entry_that_no_journal_can_hold_is_refused_where_it_is_made(field: str, value: object) -> None:
    fields = {"kind": "a", "stream": "b", "key": None, "body": "{}", "wall_ns": 1, "monotonic_ns": 1} | {field: value}
    with pytest.raises(InvalidEntry) as refused:
        Entry(**fields)  # type: ignore[arg-type]
    assert (refused.value.field, refused.value.value) == (field, value)


@given(st.lists(ENTRIES, min_size=1, max_size=5))
def test_d13_what_was_linked_verifies_and_every_other_key_refuses_it(items: list[Entry]) -> None:
    rows = linked(items)
    assert CHAIN.verify(rows, GENESIS) == Head(len(rows), rows[-1].hash)
    with pytest.raises(BrokenChain) as broken:
        Chain(b"another key, as long").verify(rows, GENESIS)
    assert broken.value.seq == 1


@given(ENTRIES, ENTRIES)
def test_d13_two_different_entries_never_have_the_same_hash(one: Entry, other: Entry) -> None:
    assert (CHAIN.hash(GENESIS.hash, 1, one) == CHAIN.hash(GENESIS.hash, 1, other)) == (one == other)


def test_d13_text_that_moves_from_one_field_to_the_next_changes_the_hash() -> None:
    one, other = Entry("ab", "c", None, "", 1, 1), Entry("a", "bc", None, "", 1, 1)
    nothing, empty = Entry("a", "b", None, "x", 1, 1), Entry("a", "b", "x", "", 1, 1)
    hashes = {CHAIN.hash(GENESIS.hash, 1, each) for each in (one, other, nothing, empty)}
    assert len(hashes) == 4


def test_the_key_is_never_shown_and_a_short_one_is_refused() -> None:
    assert "key" not in repr(CHAIN)
    with pytest.raises(ValueError, match="at least 16"):
        Chain(b"short")


@given(st.binary(max_size=60))
def test_a_head_file_is_read_back_or_refused_with_a_value_error(data: bytes) -> None:
    head = Head(7, bytes(32))
    assert read_head(write_head(head, 5)) == head
    with pytest.raises(ValueError, match="expected"):
        read_head(data)


# Edits in the file itself.

COUNT = 40


def unlocked(path: Path) -> sqlite3.Connection:
    """What somebody with the file's rights can do: the triggers are gone first."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    return connection


def edit(connection: sqlite3.Connection, chance: random.Random, rows: int) -> int:
    """Changes, deletes, inserts or swaps at random; returns the first number that is wrong now."""
    seq = chance.randint(2, rows - 1)  # the first and the last are the journal's own and have no key to change
    other = chance.choice([number for number in range(1, rows + 1) if number != seq])
    field = chance.choice(["kind", "stream", "key", "body", "wall_ns", "monotonic_ns", "hash"])
    match chance.choice(["change", "change", "change", "delete", "insert", "swap", "renumber"]):
        case "change" if field.endswith("_ns"):
            connection.execute(f"UPDATE entries SET {field} = {field} + ? WHERE seq = ?", (chance.randint(1, 9), seq))  # noqa: S608 - our own names
        case "change" if field == "hash":
            connection.execute("UPDATE entries SET hash = ? WHERE seq = ?", (chance.randbytes(32), seq))
        case "change" if field == "key" and chance.random() < 0.5:
            connection.execute("UPDATE entries SET key = NULL WHERE seq = ?", (seq,))
        case "change":
            connection.execute(f"UPDATE entries SET {field} = {field} || ' ' WHERE seq = ?", (seq,))  # noqa: S608 - our own names
        case "delete":
            connection.execute("DELETE FROM entries WHERE seq = ?", (seq,))
        case "insert":
            connection.execute(
                "INSERT INTO entries SELECT ?, kind, stream, key, body, wall_ns, monotonic_ns, hash "
                "FROM entries WHERE seq = ?",
                (rows + 1, seq),
            )
            seq = rows + 1
        case "swap":
            connection.execute("UPDATE entries SET seq = -1 WHERE seq = ?", (seq,))
            connection.execute("UPDATE entries SET seq = ? WHERE seq = ?", (seq, other))
            connection.execute("UPDATE entries SET seq = ? WHERE seq = -1", (other,))
            seq = min(seq, other)
        case "renumber":
            connection.execute("UPDATE entries SET seq = ? WHERE seq = ?", (rows + chance.randint(2, 9), seq))
    return seq


def test_d13_each_of_1000_random_edits_is_found_at_its_first_bad_entry(tmp_path: Path) -> None:
    store = real_store(tmp_path)
    store.open()
    store.append(entries(*range(1, COUNT + 1)))
    rows = store.head.seq
    store.close()
    path = Path(store.database)
    connection = unlocked(path)
    chance = random.Random(1)
    total = rows + 1  # the entry of the close
    for _ in range(1_000):
        connection.execute("BEGIN")
        first_bad = edit(connection, chance, total)
        with pytest.raises(BrokenChain) as broken:
            CHAIN.verify(_rows(connection), GENESIS)
        assert broken.value.seq == first_bad
        connection.rollback()
    connection.close()
    assert verify(DurableDisk(), tmp_path / "journal", CHAIN, tmp_path / "head").seq == total


def _rows(connection: sqlite3.Connection) -> list[Row]:
    found, previous = [], GENESIS.hash
    query = "SELECT seq, hash, kind, stream, key, body, wall_ns, monotonic_ns FROM entries ORDER BY seq"
    for seq, own, *fields in connection.execute(query):
        found.append(Row(seq, previous, own, Entry(*fields)))
        previous = own
    return found


@pytest.mark.parametrize("seed", range(30 * NIGHTLY))
def test_d13_a_flipped_byte_of_a_row_is_found(tmp_path: Path, seed: int) -> None:
    store = real_store(tmp_path)
    store.open()
    secret = "the content that must not change"
    store.append([entry(1, body=f'"{secret}"')])
    store.close()
    path = Path(store.database)
    data = bytearray(path.read_bytes())
    at = data.index(secret.encode()) + random.Random(seed).randrange(len(secret))
    data[at] ^= 1 << random.Random(seed).randrange(8)
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt) as found:
        verify(DurableDisk(), tmp_path / "journal", CHAIN)
    assert found.value.seq == 2
    with pytest.raises(JournalCorrupt):
        real_store(tmp_path).open()


def test_d13_rows_cut_off_at_the_end_are_found_through_the_head_outside(tmp_path: Path) -> None:
    store = real_store(tmp_path)
    store.open()
    store.append(entries(1, 2, 3))
    store.close()
    connection = unlocked(Path(store.database))
    connection.execute("DELETE FROM entries WHERE seq > 2")
    connection.close()
    folder, head = tmp_path / "journal", tmp_path / "head"
    assert verify(DurableDisk(), folder, CHAIN).seq == 2
    with pytest.raises(JournalCorrupt) as found:
        verify(DurableDisk(), folder, CHAIN, head)
    assert found.value.seq == 3
    with pytest.raises(JournalCorrupt, match="knows of 5"):
        real_store(tmp_path).open()
