"""Opens a database, whatever the state of its file."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from jobdeck.access import explain_access, explain_file
from jobdeck.domain.scope import Scope
from jobdeck.store.errors import NewerSchemaError, StoreCorruptError, StoreError, StoreReadOnlyError
from jobdeck.store.models import Notice, NoticeKind
from jobdeck.store.sqlite.checking import check, check_tables
from jobdeck.store.sqlite.connect import (
    DAMAGED,
    cause,
    connect,
    connect_memory,
    connect_read_only,
    connect_reader,
    translate_error,
)
from jobdeck.store.sqlite.database import Connections, Database
from jobdeck.store.sqlite.files import (
    companions,
    create_private,
    damage_marker,
    exclusive_lock,
    prepare,
    quarantine,
    require_files,
)
from jobdeck.store.sqlite.memory_fallback import carry_over
from jobdeck.store.sqlite.migrate import Migration, load_migrations, migrate, schema_of
from jobdeck.store.sqlite.store import SqliteStore
from jobdeck.store.sqlite.watchlist import adopt_watches

_QUICK_CHECK_BYTES = 4 * 1024 * 1024
"""Files up to this size are checked in full at every start, in 10 ms. Damage in a larger file shows when a query meets
it; then the store goes on in memory, and the next start checks the file and sets it aside."""


def system_now_us() -> int:
    """Return the system's time in microseconds since the epoch."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Opened:
    """An open store, with notices about how it was opened."""

    store: SqliteStore
    notices: tuple[Notice, ...] = ()


def open_store(
    path: Path | None,
    client: str,
    *,
    keep_results: bool = False,
    fallback: bool = True,
    now_us: Callable[[], int] = system_now_us,
    migrations: tuple[Migration, ...] | None = None,
    scopes: Mapping[str, Scope] | None = None,
) -> Opened:
    """Open the database at `path`, or a new one there; None keeps everything in memory.

    `client` says who writes and is unique to this run; `scopes` are those of the configured profiles by name. A profile
    that is not among them has a scope of its own name, without an origin. A damaged file is renamed aside with its
    time and a new one begun; an older schema is migrated after a copy was made. When the file cannot be used at all
    (newer, full, locked, not writable), the store is in memory with what could be read, and a notice says why;
    without `fallback` that raises `StoreError`.
    """
    opening = _Opening(
        client,
        keep_results,
        now_us,
        load_migrations() if migrations is None else migrations,
        scopes or {},
    )
    if path is None:
        return Opened(opening.in_memory(None))
    try:
        return opening.in_file(path)
    except (StoreError, apsw.Error, OSError, ValueError) as error:
        why = _explained(error, path)
        if not fallback:
            raise why from error
        message = f"{why}. Continuing in memory; nothing will be saved."
        readable = None if isinstance(error, NewerSchemaError) else path
        return Opened(opening.in_memory(readable), (Notice(NoticeKind.IN_MEMORY, message, path, str(why)),))


def open_read_only(path: Path, client: str, scopes: Mapping[str, Scope]) -> Opened:
    """Open a database that cannot be written, as on a full or read-only disk, for reading alone; raises `StoreError`.

    Everything in it can be asked for, which is more than a store in memory takes along. A notice says when its newest
    part cannot be read.
    """
    migrations = load_migrations()
    try:
        require_files(path)
        reader, whole = connect_read_only(path)
        known, found = migrations[-1].version, schema_of(reader)
        if found > known:
            raise NewerSchemaError(path, found, known)
        if found < known:
            raise StoreReadOnlyError(
                f"{path} has schema version {found} and cannot be migrated to {known}: it is read-only"
            )
    except (apsw.Error, OSError) as error:
        raise _explained(error, path) from error
    connections = Connections(None, reader)
    database = Database(
        path,
        connections,
        client,
        now_us=system_now_us,
        keep_results=False,
        make_memory=connect_memory,
        scopes=scopes,
    )
    log = path.with_name(f"{path.name}-wal")
    if whole or not log.exists() or not log.stat().st_size:
        return Opened(SqliteStore(database))
    message = f"Its newest part, {log.name}, cannot be read here"
    return Opened(SqliteStore(database), (Notice(NoticeKind.STALE, message, log),))


@dataclass(frozen=True, slots=True)
class _Opening:
    client: str
    keep_results: bool
    now_us: Callable[[], int]
    migrations: tuple[Migration, ...]
    scopes: Mapping[str, Scope]

    def in_memory(self, path: Path | None) -> SqliteStore:
        memory = self._memory()
        if path is not None:
            carry_over(memory, path)
        return self._store(None, Connections(memory, memory, in_file=False))

    def in_file(self, path: Path) -> Opened:
        connections, notices = self._connections(path)
        try:
            return Opened(self._store(path, connections), tuple(notices))
        except apsw.SQLError as error:
            # Our own statements do not fit the schema, so it is damaged: the full check sets the file aside.
            _close(connections)
            create_private(damage_marker(path))
            connections, notices = self._connections(path)
            if not notices:
                raise translate_error(error, str(path)) from error
            return Opened(self._store(path, connections), tuple(notices))
        except BaseException:
            _close(connections)
            raise

    def _connections(self, path: Path) -> tuple[Connections, list[Notice]]:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        notices: list[Notice] = []
        with exclusive_lock(path.parent):
            try:
                opened = self._open(path, notices)
            except (*DAMAGED, StoreCorruptError) as error:
                why = translate_error(error, str(path))
                aside = quarantine(path, self.now_us())
                damage_marker(path).unlink(missing_ok=True)
                message = f"{why}. It was renamed to {aside.name} and a new database was created."
                notices.append(Notice(NoticeKind.CORRUPT, message, aside))
                opened = self._open(path, notices)
        return opened, notices

    def _open(self, path: Path, notices: list[Notice]) -> Connections:
        if prepare(path):
            message = f"{path.name} was readable by other users: permissions fixed"
            notices.append(Notice(NoticeKind.PERMISSIONS, message, path))
        writer = connect(path)
        try:
            suspected = damage_marker(path).exists()
            if suspected or path.stat().st_size <= _QUICK_CHECK_BYTES:
                check(writer, path)
            backup = migrate(writer, path, self.migrations, self.now_us())
            if suspected:
                check_tables(writer, self._memory(), path)
                damage_marker(path).unlink(missing_ok=True)
            reader = connect_reader(path)
        except BaseException:
            writer.close()
            raise
        if backup is not None:
            message = f"{path.name} was migrated to a newer schema; the old database was saved as {backup.name}"
            notices.append(Notice(NoticeKind.MIGRATED, message, backup))
        return Connections(writer, reader)

    def _store(self, path: Path | None, connections: Connections) -> SqliteStore:
        database = Database(
            path,
            connections,
            self.client,
            now_us=self.now_us,
            keep_results=self.keep_results,
            make_memory=self._memory,
            scopes=self.scopes,
            reopen=None if path is None else lambda: self._connections(path)[0],
        )
        if path is not None:
            database.write(adopt_watches)
        return SqliteStore(database)

    def _memory(self) -> apsw.Connection:
        memory = connect_memory()
        migrate(memory, None, self.migrations, self.now_us())
        return memory


def _explained(error: Exception, path: Path) -> StoreError:
    """Return why a database cannot be opened, with the remedy where the directory or a file is in the way."""
    why = cause(error, path)
    if not isinstance(error, NotADirectoryError | FileExistsError) and not isinstance(why, StoreReadOnlyError):
        return why
    explanation = explain_access(path.parent) or next(filter(None, map(explain_file, companions(path))), "")
    if not explanation:
        return why
    return StoreReadOnlyError(f"{path} cannot be written: {explanation}, or set JOBDECK_DATA_DIR to another directory")


def _close(connections: Connections) -> None:
    for connection in (connections.writer, connections.reader):
        if connection is not None:
            connection.close()
