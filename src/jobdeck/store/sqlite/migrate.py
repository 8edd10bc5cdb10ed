"""Numbered SQL files bring a database to the newest schema, after it was copied."""

from dataclasses import dataclass
from pathlib import Path

import apsw

from jobdeck.store.errors import NewerSchemaError
from jobdeck.store.sqlite.files import create_private, free_name, stamp


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the SQL that leads from schema `version` - 1 to `version`."""

    version: int
    sql: str


def load_migrations() -> tuple[Migration, ...]:
    """Return the shipped migrations in order, numbered from 1."""
    folder = Path(__file__).with_name("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(Migration(int(name[:4]), (folder / name).read_text("utf-8")) for name in names)


def schema_of(connection: apsw.Connection) -> int:
    """Return the schema version of a database; 0 when it is new."""
    version = connection.pragma("user_version")
    return version if isinstance(version, int) else 0


def migrate(
    connection: apsw.Connection, path: Path | None, migrations: tuple[Migration, ...], now_us: int
) -> Path | None:
    """Bring a database to the newest schema, each step in a transaction of its own.

    Returns the path of the copy made before, None when none was needed. Raises `NewerSchemaError`. The caller holds the
    lock on the directory, so that no two processes migrate at once.
    """
    found = schema_of(connection)
    known = migrations[-1].version if migrations else 0
    if found > known and path is not None:
        raise NewerSchemaError(path, found, known)
    if found == known:
        return None
    backup = _copy(connection, path, found, now_us) if path is not None and found > 0 else None
    for migration in migrations[found:]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(migration.sql)
            connection.pragma("user_version", migration.version)
            connection.execute("COMMIT")
        except apsw.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return backup


def _copy(connection: apsw.Connection, path: Path, version: int, now_us: int) -> Path:
    backup = free_name(path.with_name(f"{path.name}.schema-{version}-{stamp(now_us)}"))
    # VACUUM INTO accepts an empty file, and would make one that others can read.
    create_private(backup)
    connection.execute("VACUUM INTO ?", (str(backup),))
    return backup
