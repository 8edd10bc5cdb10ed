"""The `Store` on SQLite: each method is one transaction around the operation that its module has."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import apsw

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Target
from jobdeck.store.base import POLL, Store
from jobdeck.store.gcra import Pace
from jobdeck.store.records import (
    Annotation,
    Change,
    Claim,
    Completed,
    Cursor,
    Found,
    Granted,
    Health,
    LedgerEntry,
    Notice,
    Outcome,
    Purged,
    Refused,
    Shown,
    Spent,
    TimelineEntry,
)
from jobdeck.store.sqlite import answers, feed, history, leasing, ledger, upkeep, watching
from jobdeck.store.sqlite.carry import newest_request
from jobdeck.store.sqlite.database import Database, Session
from jobdeck.store.sqlite.faults import LOST, ROW_FAULTS, typed
from jobdeck.store.stored import StoredJob

T = TypeVar("T")


class SqliteStore:
    """Remembers in a SQLite file shared by every jobdeck on this machine, or in memory. See `Store`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @property
    def actor(self) -> str:
        return self._db.actor

    @property
    def degraded(self) -> Notice | None:
        return self._db.degraded

    @property
    def incident(self) -> Notice | None:
        return self._db.incident

    def watch(self, targets: Iterable[Target], now_us: int, *, listed: bool = True) -> tuple[JobKey, ...]:
        wanted = tuple(targets)
        return self._db.write(lambda session: watching.watch(session, wanted, now_us, listed=listed))

    def unwatch(self, keys: Iterable[JobKey], now_us: int) -> tuple[JobKey, ...]:
        listed = tuple(keys)
        return self._db.write(lambda session: watching.unwatch(session, listed, now_us))

    def annotate(
        self, key: JobKey, *, now_us: int, acknowledged: bool | None = None, note: str | None = None
    ) -> Annotation:
        return self._db.write(
            lambda session: watching.annotate(session, key, now_us, acknowledged=acknowledged, note=note)
        )

    def annotations(self, keys: Iterable[JobKey]) -> Mapping[JobKey, Annotation]:
        listed = tuple(keys)
        return self._db.read(lambda connection: watching.annotations(connection, listed))

    def set_limit(self, profile: str, bucket: str, per_minute: int, now_us: int) -> None:
        Pace.of(per_minute)  # raises ValueError, which inside a transaction is that of a row
        self._db.write(lambda session: leasing.set_limit(session, profile, bucket, per_minute, now_us))

    def limit(self, profile: str, bucket: str) -> int | None:
        return self._db.read(lambda connection: leasing.limit(connection, profile, bucket))

    def claim(
        self, key: JobKey, now_us: int, lease_seconds: float, bucket: str = POLL, url: str = ""
    ) -> Claim | Refused:
        ask = leasing.Ask(bucket, now_us, url)
        return self._db.write(lambda session: leasing.claim(session, ask, key, lease_seconds))

    def spend(
        self, profile: str, bucket: str, now_us: int, url: str = "", *, method: str = "GET", about: JobKey | None = None
    ) -> Spent | Refused:
        ask = leasing.Ask(bucket, now_us, url, method)
        return self._db.write(lambda session: leasing.spend(session, ask, profile, about))

    def complete(
        self,
        granted: Granted,
        exchange: Exchange,
        observations: Sequence[Observation],
        next_poll_us: int | None,
        now_us: int,
    ) -> Completed:
        return self._db.write(
            lambda session: answers.complete(
                session, granted, exchange, observations, next_poll_us=next_poll_us, now_us=now_us
            )
        )

    def abandon(self, granted: Granted, now_us: int) -> None:
        self._db.write(lambda session: leasing.abandon(session, granted, now_us))

    def newest(self) -> int:
        return self._db.read(newest_request)

    def load_job(self, key: JobKey) -> StoredJob | None:
        return self._db.read(lambda connection: history.load_job(connection, key))

    def jobs(self, profile: str | None = None, limit: int = 10_000) -> tuple[StoredJob, ...]:
        return self._db.read(lambda connection: history.jobs(connection, profile, limit))

    def watched(self, now: Instant, most: int | None = None) -> tuple[Job, ...]:
        return self._db.read(lambda connection: history.watched(connection, now, most))

    def count_watched(self) -> dict[str, int]:
        return self._db.read(history.count_watched)

    def timeline(self, key: JobKey) -> tuple[TimelineEntry, ...]:
        return self._db.read(lambda connection: history.timeline(connection, key))

    def exchanges(self, key: JobKey, limit: int = 100) -> tuple[LedgerEntry, ...]:
        return self._db.read(lambda connection: ledger.exchanges(connection, key, limit))

    def all_exchanges(self, profile: str | None = None, limit: int = 100) -> tuple[LedgerEntry, ...]:
        return self._db.read(lambda connection: ledger.all_exchanges(connection, profile, limit))

    def failures(self, profile: str, since_us: int, until_us: int, limit: int = 100) -> tuple[LedgerEntry, ...]:
        return self._db.read(lambda connection: ledger.failures(connection, profile, (since_us, until_us), limit))

    def find_request(self, id_: str, limit: int = 100) -> Found:
        return self._db.read(lambda connection: ledger.find_request(connection, id_, limit))

    def shown(self, key: JobKey) -> Shown | None:
        return self._db.read(lambda connection: ledger.shown(connection, key))

    def save_estimates(self, profile: str, data: str, now_us: int) -> None:
        self._db.write(lambda session: watching.save_estimates(session, profile, data, now_us))

    def load_estimates(self, profile: str) -> str | None:
        return self._db.read(lambda connection: watching.load_estimates(connection, profile))

    def save_choice(self, name: str, value: str, now_us: int) -> None:
        self._db.write(lambda session: watching.save_choice(session, name, value, now_us))

    def load_choice(self, name: str) -> str | None:
        return self._db.read(lambda connection: watching.load_choice(connection, name))

    def once(self, key: JobKey, event: str, now_us: int) -> bool:
        return self._db.write(lambda session: watching.once(session, key, event, now_us))

    def head(self) -> Cursor:
        return self._db.read(feed.head)

    def changes(self, since: Cursor | None, limit: int = 500) -> tuple[tuple[Change, ...], Cursor]:
        return self._db.read(lambda connection: feed.changes(connection, since, limit))

    def data_version(self) -> int:
        return self._db.data_version()

    def purge(self, before_us: int, chunk: int = 2_000) -> Purged:
        return self._db.write(lambda session: upkeep.purge(session, before_us, chunk))

    def health(self, *, check: bool = False) -> Health:
        return self._db.read(lambda connection: upkeep.health(connection, self._db.file, check=check))

    def batch(self, operations: Sequence[Callable[[Store], T]]) -> tuple[Outcome[T], ...]:
        return self._db.write(lambda session: tuple(self._alone(session, operation) for operation in operations))

    def close(self) -> None:
        self._db.close()

    def _alone(self, session: Session, operation: Callable[[Store], T]) -> Outcome[T]:
        """Run one operation of a batch so that its failure takes back its own changes only."""
        connection = session.connection
        connection.execute("SAVEPOINT one")
        try:
            outcome = Outcome(operation(self))
        except LOST:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this operation's caller alone
            connection.execute("ROLLBACK TO one")
            ours = isinstance(error, (apsw.Error, *ROW_FAULTS))
            outcome = Outcome(error=typed(error, "the store") if ours else error)
        connection.execute("RELEASE one")
        return outcome
