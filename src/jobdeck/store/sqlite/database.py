"""Transactions: one writer, one reader, and the way out when the file can no longer be written."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import apsw

from jobdeck.domain.scope import Scope
from jobdeck.store.errors import StoreClosedError
from jobdeck.store.records import Notice, NoticeKind
from jobdeck.store.sqlite.carry import carry_over
from jobdeck.store.sqlite.faults import BUSY, DAMAGED, LOST, typed
from jobdeck.store.sqlite.place import create_private, suspicion
from jobdeck.store.sqlite.scopes import add_scopes, make_views
from jobdeck.store.uuid7 import Uuid7

T = TypeVar("T")

_BUSY_TRIES = 2
"""Busy timeouts before the file counts as locked for good: 10 s, which no transaction of ours comes near."""


@dataclass(frozen=True, slots=True)
class Session:
    """What an operation works with inside its transaction; `actor` is the row of who we are, `name` the name."""

    connection: apsw.Connection
    actor: int
    name: str
    keep_results: bool
    new_id: Callable[[int], UUID]


class Database:
    """Runs work in transactions, from any thread, one writer at a time.

    When the file is full, broken, read-only or locked for good, the store goes on in memory with what could be
    copied, `degraded` tells why, and the work that failed is run again there. Raises `StoreError`.
    """

    def __init__(
        self,
        path: Path | None,
        writer: apsw.Connection,
        reader: apsw.Connection | None,
        actor: str,
        *,
        keep_results: bool,
        make_memory: Callable[[], apsw.Connection],
        scopes: Mapping[str, Scope],
    ) -> None:
        self.path = path
        self.actor = actor
        self.degraded: Notice | None = None
        self._make_memory = make_memory
        self._scopes = scopes
        self._keep_results = keep_results
        self._new_id = Uuid7().new
        self._write_lock = threading.RLock()
        self._owner: int | None = None
        self._generation = 0
        self._version = 0
        self._closed = False
        self._use(writer, reader)

    @property
    def file(self) -> Path | None:
        """The file that is written, None in memory."""
        return None if self.degraded else self.path

    def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """Run queries; inside a transaction of this thread they see what it wrote."""
        if self._owner == threading.get_ident():
            return work(self._session.connection)
        generation = self._generation
        try:
            return self._query(work)
        except LOST as error:
            with self._write_lock:
                if generation == self._generation:
                    self._leave_file(error)
            return self._query(work)
        except apsw.Error as error:
            raise typed(error, self._what) from error

    def write(self, work: Callable[[Session], T]) -> T:
        """Run work in a transaction, or as part of the one this thread is in; it may be run twice."""
        with self._write_lock:
            if self._owner == threading.get_ident():
                return work(self._session)
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
                except apsw.Error as error:
                    raise typed(error, self._what) from error

    def data_version(self) -> int:
        """Return a number that differs when another connection changed the database.

        Never waits: while a query of another thread runs, or SQLite cannot say, it is the number of last time.
        """
        lock = self._read_lock
        if lock.acquire(blocking=False):
            try:
                if lock is self._read_lock:
                    self._check_open()
                    # Not Connection.data_version(), which tells of a change only after the next query.
                    self._version = self._generation << 32 | int(self._reader.pragma("data_version"))
            except apsw.Error:
                pass
            finally:
                lock.release()
        return self._version

    def close(self) -> None:
        """Close both connections; calling it twice is harmless."""
        with self._write_lock, self._read_lock:
            if not self._closed:
                self._closed = True
                self._shut()

    @property
    def _what(self) -> str:
        return "the store in memory" if self.file is None else str(self.file)

    def _use(self, writer: apsw.Connection, reader: apsw.Connection | None) -> None:
        """Work with these connections; without a reader, queries share the writer and its lock."""
        self._reader = reader or writer
        self._read_lock = threading.RLock() if reader else self._write_lock
        self._session = Session(writer, 0, self.actor, self._keep_results, self._new_id)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT OR IGNORE INTO actors (name) VALUES (?)", (self.actor,))
        actor = writer.execute("SELECT id FROM actors WHERE name = ?", (self.actor,)).get
        add_scopes(writer, self._scopes)
        writer.execute("COMMIT")
        make_views(writer, self._scopes)
        if reader is not None:
            make_views(reader, self._scopes)
            reader.pragma("query_only", True)
        self._session = Session(writer, int(actor), self.actor, self._keep_results, self._new_id)

    def _query(self, work: Callable[[apsw.Connection], T]) -> T:
        while True:
            lock = self._read_lock
            with lock:
                # The store may have gone on in memory while we waited, where another lock holds.
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
            # SQLite has rolled back by itself after some errors, and may be unable to after others.
            if connection.in_transaction:
                with suppress(apsw.Error):
                    connection.execute("ROLLBACK")
            raise
        finally:
            self._owner = None
        return value

    def _leave_file(self, error: Exception) -> None:
        if self.path is None or self.degraded:
            raise typed(error, self._what) from error
        why = typed(error, str(self.path))
        if isinstance(error, DAMAGED):
            # Others may be at work in the file: it is set aside when it is opened next, not under their hands.
            with suppress(OSError):
                create_private(suspicion(self.path))
        with self._read_lock:
            with suppress(apsw.Error):
                self._shut()
            memory = self._make_memory()
            kept = carry_over(memory, self.path)
            self._generation += 1
            self._use(memory, None)
        told = "" if kept else " Nothing could be read from it."
        message = f"{why}. Going on in memory: what happens from now on is not kept.{told}"
        self.degraded = Notice(NoticeKind.IN_MEMORY, message, self.path, str(why))

    def _shut(self) -> None:
        if self._reader is not self._session.connection:
            self._reader.close()
        self._session.connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosedError("the store is closed")
