"""The `Store` on SQLite: each method is one transaction around an operation of another module."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import apsw

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.store.columns import ROW_FAULTS
from jobdeck.store.errors import StoreClosedError
from jobdeck.store.gcra import Rate
from jobdeck.store.leases import LeaseRenewal
from jobdeck.store.models import (
    Annotation,
    Answer,
    Change,
    Completed,
    Cursor,
    Denied,
    Grant,
    Health,
    Notice,
    OutgoingRequest,
    PhaseEvidence,
    Purged,
    RequestMatches,
    RequestRecord,
    SavedJob,
)
from jobdeck.store.sqlite import change_feed, claims, complete, jobs, maintenance, requests, watchlist
from jobdeck.store.sqlite.connect import LOST, translate_error
from jobdeck.store.sqlite.database import Database, Session
from jobdeck.store.sqlite.executor import Executor, Outcome, Undo
from jobdeck.store.sqlite.memory_fallback import newest_request

T = TypeVar("T")

LOOK_SECONDS = 0.1
"""Time between two looks for changes of other clients. In an idle loop they cost 0.3 % of a CPU, two thirds of it for
waking up."""

RESTING_SECONDS = 0.25
"""The same after `AWAKE_SECONDS` without a change: a client that is alone need not look as often."""

AWAKE_SECONDS = 10.0


class SqliteStore:
    """A `Store` in a SQLite file shared by every jobdeck on this machine, or in memory.

    Nothing blocks the loop: one thread writes, all queued operations in one transaction, and another one reads.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._writer: Executor[Session] = Executor("store-writer", self._write_together)
        self._reader: Executor[apsw.Connection] = Executor("store-reader", self._read_each)
        self._leases = LeaseRenewal(self._renew)
        self._version: int | None = None
        self._quiet = 0.0
        self._closed = False

    @property
    def client(self) -> str:
        return self._db.client

    @property
    def degraded(self) -> Notice | None:
        return self._db.degraded

    @property
    def incident(self) -> Notice | None:
        return self._db.incident

    async def watch(self, targets: Iterable[Target], *, listed: bool = True) -> tuple[JobKey, ...]:
        wanted = tuple(targets)
        return await self._write(lambda session: watchlist.watch(session, wanted, listed=listed))

    async def unwatch(self, keys: Iterable[JobKey]) -> tuple[JobKey, ...]:
        gone = tuple(keys)
        return await self._write(lambda session: watchlist.unwatch(session, gone))

    async def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool) -> None:
        known = tuple(keys)
        await self._write(lambda session: watchlist.acknowledge(session, known, acknowledged=acknowledged))

    async def annotate(self, keys: Iterable[JobKey], note: str, replaces: Collection[str] | None = None) -> None:
        about = tuple(keys)
        await self._write(lambda session: watchlist.annotate(session, about, note, replaces))

    async def annotations(self, keys: Iterable[JobKey]) -> Mapping[JobKey, Annotation]:
        about = tuple(keys)
        return await self._read(lambda connection: watchlist.annotations(connection, about))

    async def set_limits(self, profile: str, per_minute: Mapping[str, int], *, assumed: bool = False) -> None:
        for limit in per_minute.values():
            Rate.of(limit)  # raises ValueError, which inside a transaction is that of a row
        await self._write(lambda session: claims.set_limits(session, profile, per_minute, assumed=assumed))

    async def limit(self, profile: str, bucket: str) -> int | None:
        return await self._read(lambda connection: claims.limit(connection, profile, bucket))

    async def set_cooldown(self, profile: str, bucket: str, until_us: int) -> None:
        await self._write(lambda session: claims.set_cooldown(session, profile, bucket, until_us))

    async def claim(self, requests: Sequence[OutgoingRequest]) -> tuple[Grant | Denied, ...]:
        decided = await self._write(lambda session: claims.claim(session, requests), _releasing)
        self._leases.add(one for one in decided if isinstance(one, Grant))
        return decided

    async def complete(self, answers: Sequence[Answer]) -> tuple[Completed, ...]:
        self._leases.remove(answer.grant for answer in answers)
        return await self._write(lambda session: complete.complete(session, answers))

    async def release(self, grants: Sequence[Grant]) -> None:
        self._leases.remove(grants)
        await self._write(lambda session: claims.release(session, grants))

    async def set_focus(self, keys: Collection[JobKey]) -> None:
        """Do nothing: the screens of one machine are one person's."""

    async def focus(self) -> frozenset[JobKey]:
        return frozenset()

    async def newest(self) -> int:
        return await self._read(newest_request)

    async def load(self, keys: Iterable[JobKey]) -> Mapping[JobKey, SavedJob]:
        wanted = tuple(keys)
        return await self._read(lambda connection: jobs.load(connection, wanted))

    async def jobs(self, profile: str | None = None, limit: int = 10_000) -> tuple[SavedJob, ...]:
        return await self._read(lambda connection: jobs.jobs(connection, profile, limit))

    async def watched(
        self, now: Instant, most: int | None = None, *, of: Collection[JobKey] | None = None
    ) -> tuple[Job, ...]:
        found = await self._read(lambda connection: jobs.watched(connection, now, most))
        return found if of is None else tuple(job for job in found if job.key in of)

    async def count_watched(self) -> dict[str, int]:
        return await self._read(jobs.count_watched)

    async def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        return await self._read(lambda connection: jobs.timeline(connection, key))

    async def requests(self, key: JobKey, limit: int = 100) -> tuple[RequestRecord, ...]:
        return await self._read(lambda connection: requests.requests(connection, key, limit))

    async def records(self, sequences: Iterable[int]) -> Mapping[int, RequestRecord]:
        wanted = tuple(sequences)
        return await self._read(lambda connection: requests.records(connection, wanted))

    async def all_requests(self, profile: str | None = None, limit: int = 100) -> tuple[RequestRecord, ...]:
        return await self._read(lambda connection: requests.all_requests(connection, profile, limit))

    async def failures(self, profile: str, since_us: int, until_us: int, limit: int = 100) -> tuple[RequestRecord, ...]:
        between = (since_us, until_us)
        return await self._read(lambda connection: requests.failures(connection, profile, between, limit))

    async def find_request(self, id_: str, limit: int = 100) -> RequestMatches:
        return await self._read(lambda connection: requests.find_request(connection, id_, limit))

    async def phase_evidence(self, key: JobKey) -> PhaseEvidence | None:
        return await self._read(lambda connection: requests.phase_evidence(connection, key))

    async def save_estimates(self, profile: str, data: str) -> None:
        await self._write(lambda session: watchlist.save_estimates(session, profile, data))

    async def load_estimates(self) -> Mapping[str, str]:
        return await self._read(watchlist.load_estimates)

    async def save_preference(self, name: str, value: str) -> None:
        await self._write(lambda session: watchlist.save_preference(session, name, value))

    async def load_preferences(self) -> Mapping[str, str]:
        return await self._read(watchlist.load_preferences)

    async def claim_event(self, key: JobKey, event: str, *, team: bool = False) -> bool:
        return await self._write(lambda session: watchlist.claim_event(session, key, event))

    async def head(self) -> Cursor:
        return await self._read(change_feed.head)

    async def changes(self, after: Cursor, limit: int = 500) -> tuple[tuple[Change, ...], Cursor]:
        return await self._read(lambda connection: change_feed.changes(connection, after, limit))

    async def wait_for_change(self) -> None:
        while True:
            if self._closed:
                raise StoreClosedError("the store is closed")
            # On the loop itself, in 5 µs; through a thread it takes 500.
            newest, before = self._db.data_version(), self._version
            if newest != before:
                self._version, self._quiet = newest, 0.0
                return
            pause = LOOK_SECONDS if self._quiet < AWAKE_SECONDS else RESTING_SECONDS
            self._quiet += pause
            await asyncio.sleep(pause)

    async def purge(
        self, before_us: int, chunk: int = 2_000, progress: Callable[[Purged], object] = lambda _: None
    ) -> Purged:
        total = Purged(more=True)
        while total.more:
            total += await self._write(lambda session: maintenance.purge(session, before_us, chunk))
            progress(total)
        return total

    async def health(self, *, check: bool = False) -> Health:
        return await self._read(lambda connection: maintenance.health(connection, self._db.file, check=check))

    async def close(self, within: float = 2.0) -> bool:
        if self._closed:
            return True
        self._closed = True
        self._leases.close()
        self._writer.stop()
        self._reader.stop()
        ended = await asyncio.to_thread(self._join, within)
        if ended:
            # By now this loop has every result, and the undoing of those without a caller is queued.
            await asyncio.to_thread(self._writer.finish)
            self._db.close()
        return ended

    async def _write(self, operation: Callable[[Session], T], undo: Undo | None = None) -> T:
        """Run an operation in the writer's next transaction; it succeeds or fails alone, and may run twice."""
        if self._closed:
            raise StoreClosedError("the store is closed")
        return await self._writer.submit(operation, undo)

    async def _read(self, operation: Callable[[apsw.Connection], T]) -> T:
        """Run queries beside the writer; they see every write that was awaited before."""
        if self._closed:
            raise StoreClosedError("the store is closed")
        return await self._reader.submit(operation)

    async def _renew(self, grants: Sequence[Grant]) -> None:
        await self._write(lambda session: claims.renew(session, grants))

    def _join(self, within: float) -> bool:
        deadline = time.monotonic() + within
        return all(thread.join(max(0.0, deadline - time.monotonic())) for thread in (self._writer, self._reader))

    def _write_together(self, operations: Sequence[Callable[[Session], Any]]) -> list[Outcome[Any]]:
        """Run operations in one transaction, which runs again if the store goes on in memory meanwhile."""
        return self._db.write(lambda session: [_alone(session, operation) for operation in operations])

    def _read_each(self, operations: Sequence[Callable[[apsw.Connection], Any]]) -> list[Outcome[Any]]:
        return [self._read_one(operation) for operation in operations]

    def _read_one(self, operation: Callable[[apsw.Connection], Any]) -> Outcome[Any]:
        try:
            return Outcome(self._db.read(operation))
        except Exception as error:  # noqa: BLE001 - it belongs to the one who waits
            return Outcome(error=error)


def _alone(session: Session, operation: Callable[[Session], Any]) -> Outcome[Any]:
    """Run one operation of a transaction so that a failure undoes only its own changes."""
    connection = session.connection
    connection.execute("SAVEPOINT one")
    try:
        outcome = Outcome(operation(session))
    except LOST:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this operation's caller alone
        connection.execute("ROLLBACK TO one")
        ours = isinstance(error, (apsw.Error, *ROW_FAULTS))
        outcome = Outcome(error=translate_error(error, "the store") if ours else error)
    connection.execute("RELEASE one")
    return outcome


def _releasing(decided: tuple[Grant | Denied, ...]) -> Callable[[Session], None] | None:
    grants = [one for one in decided if isinstance(one, Grant)]
    return (lambda session: claims.release(session, grants)) if grants else None
