"""Transactions of one writer and one reader, and the way on when the file can no longer be written."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw

from jobdeck.domain.scope import Scope
from jobdeck.store.columns import ROW_FAULTS
from jobdeck.store.errors import (
    StoreClosedError,
    StoreError,
    StoreIOError,
    StoreReadOnlyError,
)
from jobdeck.store.models import Notice, NoticeKind
from jobdeck.store.sqlite.connect import BUSY, DAMAGED, LOST, cause, translate_error
from jobdeck.store.sqlite.files import create_private, damage_marker
from jobdeck.store.sqlite.memory_fallback import carry_over, read_usage, write_usage
from jobdeck.store.sqlite.scopes import add_scopes, make_views

T = TypeVar("T")

_BUSY_TRIES = 2
"""Busy timeouts before the file counts as locked for good: 10 s, far longer than any transaction of ours."""

_MOST_REOPENED = 3
"""Most replaced files that one run follows: some file systems give a file another number at every call."""


@dataclass(frozen=True, slots=True)
class Session:
    """An operation's view of its transaction; `client` is the row of this run in `clients`, `name` its name.

    `decoded` are the rows of jobs that this run has decoded for an answer, and so knows to be sound: the digests of a
    damaged row may be as they were.
    """

    connection: apsw.Connection
    client: int
    name: str
    keep_results: bool
    now_us: Callable[[], int]
    decoded: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Connections:
    """A connection that writes (None: nothing can be written) and one for queries, which may be the same."""

    writer: apsw.Connection | None
    reader: apsw.Connection
    in_file: bool = True


class Database:
    """Runs work in transactions, from any thread, one writer at a time.

    When the file is full, broken, read-only or locked for good, the store goes on in memory with a copy of the readable
    rows, `degraded` says why, and the work that failed runs again there. When the file is deleted or replaced, the
    store uses the file that is there now, or a new one, and `incident` says so. Without a `writer`, nothing can be
    written. Raises `StoreError`.
    """

    def __init__(
        self,
        path: Path | None,
        connections: Connections,
        client: str,
        *,
        now_us: Callable[[], int],
        keep_results: bool,
        make_memory: Callable[[], apsw.Connection],
        scopes: Mapping[str, Scope],
        reopen: Callable[[], Connections] | None = None,
    ) -> None:
        self.path = path
        self.client = client
        self._now_us = now_us
        self.degraded: Notice | None = None
        self.incident: Notice | None = None
        self._make_memory = make_memory
        self._scopes = scopes
        self._reopen = reopen
        self._reopened = 0
        self._keep_results = keep_results
        self._write_lock = threading.RLock()
        self._owner: int | None = None
        self._generation = 0
        self._version = 0
        self._closed = False
        self._use(connections)

    @property
    def file(self) -> Path | None:
        """The file that is written, None in memory."""
        return None if self.degraded else self.path

    def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run queries; inside a transaction of this thread they see its writes."""
        if self._owner == threading.get_ident():
            return work(self._session.connection)
        if self._has_moved():
            with self._write_lock:
                self._follow_file()
        generation = self._generation
        try:
            try:
                return self._query(work)
            except LOST as error:
                with self._write_lock:
                    if generation == self._generation:
                        self._leave_file(error)
                return self._query(work)
        except (apsw.Error, *ROW_FAULTS) as error:
            raise translate_error(error, self._what) from error

    def write(self, work: Callable[[Session], T]) -> T:
        """Run work in a transaction, or as part of the one this thread is in; it may run twice."""
        with self._write_lock:
            if self._owner == threading.get_ident():
                return work(self._session)
            if self._read_only:
                raise StoreReadOnlyError(f"{self._what} cannot be written")
            self._follow_file()
            tries = 0
            while True:
                try:
                    return self._transaction(work)
                except BUSY as error:
                    tries += 1
                    if tries == _BUSY_TRIES:
                        self._leave_file(error)
                except LOST as error:
                    self._leave_file(error)
                except (apsw.Error, *ROW_FAULTS) as error:
                    raise translate_error(error, self._what) from error

    def data_version(self) -> int:
        """Return a number that differs when another client changed the database.

        Never waits: while a transaction of ours runs, or SQLite cannot tell, it returns the last number. The number
        also differs when the file is gone; then the next query begins a new one.
        """
        if self._has_moved():
            return self._version + 1
        if self._write_lock.acquire(blocking=False):
            try:
                self._check_open()
                # The connection that writes does not count its own transactions, so a client that is alone reads none
                # of its own changes (0.5 ms of processor time a poll). Connection.data_version() shows a change only
                # after the next query.
                version = int(self._session.connection.pragma("data_version"))
                self._version = self._generation << 32 | version
            except apsw.Error:
                pass
            finally:
                self._write_lock.release()
        return self._version

    def close(self) -> None:
        """Close both connections; a second call does nothing."""
        with self._write_lock, self._read_lock:
            if not self._closed:
                self._closed = True
                self._shut()

    @property
    def _what(self) -> str:
        return "the in-memory database" if self.file is None else str(self.file)

    def _use(self, connections: Connections) -> None:
        """Use these connections; if they are one, queries share it and its lock."""
        writer, reader = connections.writer or connections.reader, connections.reader
        self._read_only = connections.writer is None
        self._identity = _identity(self.path) if connections.in_file else None
        self._reader = reader
        self._read_lock = self._write_lock if reader is writer else threading.RLock()
        self._session = Session(writer, 0, self.client, self._keep_results, self._now_us)
        if self._read_only:
            make_views(reader, self._scopes)
            return
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT OR IGNORE INTO clients (name) VALUES (?)", (self.client,))
        client = writer.execute("SELECT id FROM clients WHERE name = ?", (self.client,)).get
        add_scopes(writer, self._scopes)
        writer.execute("COMMIT")
        make_views(writer, self._scopes)
        if reader is not writer:
            make_views(reader, self._scopes)
            reader.pragma("query_only", True)
        self._session = Session(writer, int(client), self.client, self._keep_results, self._now_us)

    def _query(self, work: Callable[[apsw.Connection], T]) -> T:
        while True:
            lock = self._read_lock
            with lock:
                # The store may have gone on in memory meanwhile, under another lock.
                if lock is self._read_lock:
                    self._check_open()
                    return work(self._reader)

    def _transaction(self, work: Callable[[Session], T]) -> T:
        self._check_open()
        connection = self._session.connection
        connection.execute("BEGIN IMMEDIATE")
        self._owner = threading.get_ident()
        try:
            value = work(self._session)
            connection.execute("COMMIT")
        except BaseException:
            # SQLite rolls back by itself after some errors, and may be unable to after others.
            if connection.in_transaction:
                with suppress(apsw.Error):
                    connection.execute("ROLLBACK")
            raise
        finally:
            self._owner = None
        return value

    def _has_moved(self) -> bool:
        """Whether the file was replaced or deleted; takes 2 µs."""
        return self._identity is not None and _identity(self.path) not in {self._identity, None}

    def _follow_file(self) -> None:
        """After the file was deleted or replaced, use the one that is there now; in memory if that fails."""
        if self._reopen is None or self.path is None or self._closed or not self._has_moved():
            return
        self._reopened += 1
        with self._read_lock:
            usage = read_usage(self._session.connection)
            # Closed before opening the other file, or both would share the index of the log.
            with suppress(apsw.Error):
                self._shut()
            try:
                if self._reopened > _MOST_REOPENED:
                    raise StoreIOError(f"{self.path} was repeatedly deleted or replaced")
                connections = self._reopen()
                self._generation += 1
                self._use(connections)
                self._transaction(lambda session: write_usage(session.connection, usage, session.client))
            except (StoreError, apsw.Error, OSError, ValueError) as error:
                self._leave_file(error)
                return
        message = f"{self.path} was deleted or replaced while jobdeck was running; continuing with the current file"
        self.incident = Notice(NoticeKind.REPLACED, message, self.path)

    def _leave_file(self, error: Exception) -> None:
        if self.path is None or self.degraded or self._read_only:
            raise translate_error(error, self._what) from error
        why = cause(error, self.path)
        if isinstance(error, (*DAMAGED, apsw.SQLError)):
            # Other clients may use the file now, so the next opening sets it aside.
            with suppress(OSError):
                create_private(damage_marker(self.path))
        with self._read_lock:
            with suppress(apsw.Error):
                self._shut()
            memory = self._make_memory()
            kept = carry_over(memory, self.path)
            self._generation += 1
            self._use(Connections(memory, memory, in_file=False))
        loss = "" if kept else " Nothing could be loaded from it."
        message = f"{why}. Continuing in memory; nothing from now on will be saved.{loss}"
        self.degraded = self.incident = Notice(NoticeKind.IN_MEMORY, message, self.path, str(why))

    def _shut(self) -> None:
        if self._reader is not self._session.connection:
            self._reader.close()
        self._session.connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError("the store is closed")


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Return device and inode of a file; zeros when there is no file, None when the system does not tell."""
    if path is None:
        return None
    try:
        state = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return (0, 0)
    except OSError:
        return None
    return (state.st_dev, state.st_ino)
