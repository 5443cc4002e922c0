"""The tables of one journal file and how they came to be: forward only, in one transaction, append only."""

from collections.abc import Callable
from typing import Final

from sqlite_utils import Database, Migrations

from sessions.journal.errors import NewerSchema

TABLES: Final = ("entries", "owners", "segment")

MIGRATIONS: Final = Migrations("pitboss.journal")


@MIGRATIONS()
def first_tables(db: Database) -> None:
    """Entries, the owners that wrote them, and where this file begins."""
    entries = db.table("entries").create(
        {
            "seq": int,
            "kind": str,
            "stream": str,
            "key": str,
            "body": str,
            "wall_ns": int,
            "monotonic_ns": int,
            "hash": bytes,
        },
        pk="seq",
        not_null={"kind", "stream", "body", "wall_ns", "monotonic_ns", "hash"},
        strict=True,
    )
    entries.create_index(["stream"])  # an index ends with the row's number: this is one over stream and seq
    db.execute("CREATE INDEX idx_entries_key ON entries (key) WHERE key IS NOT NULL")
    db.table("owners").create({"epoch": int, "wall_ns": int}, pk="epoch", not_null={"wall_ns"}, strict=True)
    db.table("segment").create(
        {"after_seq": int, "after_hash": bytes, "opened_ns": int},
        pk="after_seq",
        not_null={"after_hash", "opened_ns"},
        strict=True,
    )
    for table in TABLES:
        append_only(db, table)


def append_only(db: Database, table: str) -> None:
    """Lets a table only grow; with recursive_triggers this refuses REPLACE too, which deletes what it replaces."""
    for action in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {action} refused'); END"
        )


def check_version(db: Database, path: str, migrations: Migrations = MIGRATIONS) -> None:
    """Raises NewerSchema when the database knows migrations that we do not."""
    applied = [migration.name for migration in migrations.applied(db)]
    unknown = sorted(set(applied) - set(_names(migrations)))
    if unknown:
        raise NewerSchema(path, unknown)


def _names(migrations: Migrations) -> list[str]:
    with Database(memory=True, execute_plugins=False) as nothing:
        return [migration.name for migration in migrations.pending(nothing)]


def migrate(db: Database, path: str, backup: Callable[[str], None], migrations: Migrations = MIGRATIONS) -> None:
    """Brings the tables up to date, all steps or none; calls backup(first new step) first if there is any content.

    Raises NewerSchema, and then nothing was changed.
    """
    check_version(db, path, migrations)
    pending = migrations.pending(db)
    if not pending:
        return
    if migrations.applied(db):
        backup(pending[0].name)
    db.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(db)
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise
