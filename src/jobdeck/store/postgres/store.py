"""The `Store` in a PostgreSQL database that a team shares."""

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.text import clean
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.store.columns import sql
from jobdeck.store.errors import StoreClosedError, StoreError, StoreUnavailableError, UnknownJobError
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
    NoticeKind,
    OutgoingRequest,
    PhaseEvidence,
    Purged,
    RequestMatches,
    RequestRecord,
    SavedJob,
)
from jobdeck.store.postgres.change_feed import ChangeFeed, Doorbell
from jobdeck.store.postgres.coalesce import Coalescer
from jobdeck.store.postgres.complete import AnswerWriter
from jobdeck.store.postgres.connect import Server, ServerClock, storable, to_json
from jobdeck.store.postgres.local_share import CHECK_SECONDS, RECORD_SENT, LocalGrant, LocalShare
from jobdeck.store.postgres.migrate import LOCK_CLASS, SIZE
from jobdeck.store.postgres.queries import ProfileScopes, Queries
from jobdeck.store.protocol import DEFAULT_PER_MINUTE, LEASE_SECONDS, MAX_COOLDOWN_SECONDS

_log = logging.getLogger(__name__)

T = TypeVar("T")

_dice = random.SystemRandom()

DEBOUNCE_SECONDS = 0.1
"""Changes within this time are read together."""

FALLBACK_SECONDS = 2.0
"""Time between two looks for changes without a notification, since one may have been lost."""

_LEASE_US = round(LEASE_SECONDS * 1e6)
_MAX_COOLDOWN_US = round(MAX_COOLDOWN_SECONDS * 1e6)
_PURGE_RETRY_SECONDS = 1.0

_COUNTS = (
    "SELECT (SELECT count(*) FROM jobdeck.jobs), (SELECT count(*) FROM jobdeck.watches),"
    " (SELECT count(*) FROM jobdeck.annotations), (SELECT count(*) FROM jobdeck.exchanges),"
    " (SELECT coalesce(sum(cardinality(jobs)), 0)::bigint FROM jobdeck.observations)"
    " + (SELECT count(*) FROM jobdeck.exchanges WHERE job IS NOT NULL AND state = 'answered' AND problem IS NULL),"
    " (SELECT count(*) FROM jobdeck.states), (SELECT count(*) FROM jobdeck.timeline),"
    " (SELECT count(*) FROM jobdeck.results), (SELECT count(*) FROM jobdeck.change_log)"
)
_COUNTED = (
    *("jobs", "watches", "annotations", "exchanges", "observations", "states", "timeline", "results", "change_log"),
)
_ACKNOWLEDGE = (
    "WITH known AS (SELECT j.id, j.scope FROM unnest($3::bigint[], $4::text[], $5::text[])"
    " AS k (scope, account_group, job_id) JOIN jobdeck.jobs j USING (scope, account_group, job_id)),"
    " written AS (INSERT INTO jobdeck.annotations (job, user_name, acknowledged, note, at_us)"
    " SELECT id, $2, $6, '', jobdeck.now_us() FROM known ON CONFLICT (job) DO UPDATE SET"
    " user_name = $2, acknowledged = $6, at_us = jobdeck.now_us() RETURNING job)"
    " SELECT jobdeck.log_change($1, 'annotated', scope, array_agg(id)) FROM known, (SELECT count(*) FROM written) w"
    " GROUP BY scope"
)
# A note keeps the moment of the acknowledgement, so that an end after it stays news.
_ANNOTATE = (
    "WITH known AS (SELECT j.id, j.scope FROM unnest($3::bigint[], $4::text[], $5::text[])"
    " AS k (scope, account_group, job_id) JOIN jobdeck.jobs j USING (scope, account_group, job_id)"
    " LEFT JOIN jobdeck.annotations a ON a.job = j.id"
    " WHERE $7::text[] IS NULL OR coalesce(a.note, '') = '' OR a.note = ANY($7)),"
    " written AS (INSERT INTO jobdeck.annotations (job, user_name, acknowledged, note, at_us)"
    " SELECT id, $2, false, $6, jobdeck.now_us() FROM known ON CONFLICT (job) DO UPDATE SET note = $6 RETURNING job)"
    " SELECT jobdeck.log_change($1, 'annotated', scope, array_agg(id)) FROM known, (SELECT count(*) FROM written) w"
    " GROUP BY scope"
)
_UNWATCH = (
    "WITH gone AS (DELETE FROM jobdeck.watches w USING jobdeck.jobs j,"
    " unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) AS k (scope, account_group, job_id, profile)"
    " WHERE j.scope = k.scope AND j.account_group = k.account_group AND j.job_id = k.job_id AND w.job = j.id"
    " AND w.user_name = $2 AND (w.profile = k.profile OR w.profile <> ALL ($7::text[]))"
    " RETURNING j.id, j.scope, j.account_group, j.job_id, k.profile),"
    " logged AS (SELECT jobdeck.log_change($1, 'unwatched', scope, array_agg(id)) FROM gone GROUP BY scope)"
    " SELECT DISTINCT scope, account_group, job_id, profile FROM gone, (SELECT count(*) FROM logged) l"
)
_SET_COOLDOWN = (
    "INSERT INTO jobdeck.budgets AS b (scope, bucket, interval_us, burst, blocked_until_us) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (scope, bucket) DO UPDATE SET blocked_until_us = greatest(b.blocked_until_us, $5)"
)
_CLAIM_EVENT = (
    "WITH one AS (SELECT id, scope FROM jobdeck.jobs WHERE scope = $1 AND account_group = $2 AND job_id = $3),"
    " new AS (INSERT INTO jobdeck.notifications (job, event, who, at_us)"
    " SELECT id, $4, $5, jobdeck.now_us() FROM one ON CONFLICT DO NOTHING RETURNING job)"
    " SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM new)"
)
_LIVE_CLIENTS = sql(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = {lock_class} AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    lock_class=str(LOCK_CLASS),
)
_SAVE_ESTIMATES = (
    "INSERT INTO jobdeck.estimates (scope, user_name, profile, data, at_us) VALUES ($1, $2, $3, $4, jobdeck.now_us())"
    " ON CONFLICT (scope, user_name, profile) DO UPDATE SET data = $4, at_us = jobdeck.now_us()"
)
_LOAD_ESTIMATES = (
    "SELECT DISTINCT ON (k.profile) k.profile, e.data FROM unnest($1::bigint[], $2::text[]) AS k (scope, profile)"
    " JOIN jobdeck.estimates e ON e.scope = k.scope"
    " ORDER BY k.profile, e.user_name = $3 AND e.profile = k.profile DESC, e.user_name = $3 DESC, e.at_us DESC"
)


class PostgresStore:
    """A `Store` in a database that a team shares.

    Watch list and preferences are those of `user`; with `everyone`, the watch list is that of all users. While the
    server is away, it grants nothing, or what a `share` of the limits allows.
    """

    def __init__(
        self,
        server: Server,
        doorbell: Doorbell,
        scopes: ProfileScopes,
        *,
        client: tuple[int, str],
        user: str,
        now_us: Callable[[], int],
        everyone: bool = False,
        keep_results: bool = False,
        share: LocalShare | None = None,
    ) -> None:
        self._server = server
        self._doorbell = doorbell
        self._scopes = scopes
        self._row, self._name = client
        self._user = user
        self._everyone = everyone
        self._clock = ServerClock(now_us)
        self._queries = Queries(server, scopes, self._clock, user)
        self._feed = ChangeFeed(server, scopes, self._clock)
        self._answers = AnswerWriter(server, scopes, self._clock, keep_results=keep_results)
        self._claims: Coalescer[OutgoingRequest, Grant | Denied] = Coalescer(self._claim)
        self._recording: Coalescer[Answer, Completed] = Coalescer(
            lambda answers: self._answers.complete(self._row, answers)
        )
        self._share = share
        self._counted = 0.0
        self._clients = 1
        self._writes: set[asyncio.Task[Any]] = set()
        self._order = asyncio.Lock()
        self._leases = LeaseRenewal(self._renew)
        self._rung = asyncio.Event()
        self._rung.set()
        self._incident: Notice | None = None
        self._closed = False
        server.on_change = self._note_server

    @property
    def client(self) -> str:
        return self._name

    @property
    def degraded(self) -> Notice | None:
        """Why nothing can be saved or read now; None while the server responds."""
        away = self._server.away
        return None if away is None else self._notice(away)

    @property
    def incident(self) -> Notice | None:
        return self._incident

    async def start(self) -> None:
        """Read the server's clock, and add the missing rows of configured scopes."""
        await self._clock.read(self._server)
        await self._scopes.require(self._scopes.configured)

    def ring(self) -> None:
        """Note that another client may have changed something."""
        self._rung.set()

    async def watch(self, targets: Iterable[Target], *, listed: bool = True) -> tuple[JobKey, ...]:
        wanted = tuple(targets)
        if not wanted:
            return ()
        await self._scopes.require(target.key.profile for target in wanted)
        documents = [
            {
                "scope": self._scopes.rows[target.key.profile],
                "profile": target.key.profile,
                "group": target.key.account_group or "",
                "id": target.key.id,
                "provider": target.provider,
                "resource": target.resource,
                "request_id": target.accepted_request_id,
                "trace_id": target.accepted_trace_id,
                "accepted": target.accepted,
                "batch": target.batch or None,
                "replaces_batch": target.replaces_batch,
            }
            for target in wanted
        ]
        statement = "SELECT jobdeck.watch($1, $2, $3::jsonb, $4)"
        added = await self._write(statement, self._row, self._user, to_json(documents), listed)
        return tuple(target.key for target, new in zip(wanted, added, strict=True) if new)

    async def unwatch(self, keys: Iterable[JobKey]) -> tuple[JobKey, ...]:
        wanted = await self._known(keys)
        if not wanted:
            return ()
        parts, profiles = self._scopes.parts(wanted), [key.profile for key in wanted]
        rows = await self._in_order(
            lambda: self._server.rows(_UNWATCH, self._row, self._user, *parts, profiles, list(self._scopes.rows))
        )
        gone = {tuple(row) for row in rows}
        places = {key: (self._scopes.rows[key.profile], key.account_group or "", key.id, key.profile) for key in wanted}
        return tuple(key for key, place in places.items() if place in gone)

    async def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool) -> None:
        parts = self._scopes.parts(await self._known(keys))
        await self._in_order(lambda: self._server.rows(_ACKNOWLEDGE, self._row, self._user, *parts, acknowledged))

    async def annotate(self, keys: Iterable[JobKey], note: str, replaces: Collection[str] | None = None) -> None:
        parts = self._scopes.parts(await self._known(keys))
        words = clean(note, lines=True)
        before = None if replaces is None else list(replaces)
        await self._in_order(lambda: self._server.rows(_ANNOTATE, self._row, self._user, *parts, words, before))

    async def annotations(self, keys: Iterable[JobKey]) -> Mapping[JobKey, Annotation]:
        return await self._queries.annotations(keys)

    async def set_limits(self, profile: str, per_minute: Mapping[str, int], *, assumed: bool = False) -> None:
        rates = {bucket: Rate.of(limit) for bucket, limit in per_minute.items()}
        if self._share is not None:
            self._share.limits.update(((profile, bucket), limit) for bucket, limit in per_minute.items())
        await self._scopes.require([profile])
        budget = self._scopes.budgets[profile]
        for bucket, rate in rates.items():
            values = (budget, bucket, per_minute[bucket], rate.interval_us, rate.burst, assumed)
            await self._write("SELECT jobdeck.set_limit($1, $2, $3, $4, $5, $6)", *values)

    async def limit(self, profile: str, bucket: str) -> int | None:
        await self._scopes.require([profile])
        statement = "SELECT per_minute FROM jobdeck.budgets WHERE scope = $1 AND bucket = $2"
        found: int | None = await self._server.value(statement, self._scopes.budgets[profile], bucket)
        return found

    async def set_cooldown(self, profile: str, bucket: str, until_us: int) -> None:
        await self._scopes.require([profile])
        rate = Rate.of(DEFAULT_PER_MINUTE)
        values = (self._scopes.budgets[profile], bucket, rate.interval_us, rate.burst, self._clock.there(until_us))
        await self._write(_SET_COOLDOWN, *values)

    async def claim(self, requests: Sequence[OutgoingRequest]) -> tuple[Grant | Denied, ...]:
        # Not cancelled with its caller, because grants to a cancelled caller must be released.
        deciding = asyncio.ensure_future(self._claims.submit(requests))
        try:
            return await asyncio.shield(deciding)
        except asyncio.CancelledError:
            deciding.add_done_callback(self._release_unwanted)
            raise
        except StoreUnavailableError:
            if self._share is None:
                raise
            return tuple(self._share.claim(request) for request in requests)

    async def _claim(self, requests: Sequence[OutgoingRequest]) -> tuple[Grant | Denied, ...]:
        """Claim all requests that wait, in one round trip, after the writes that came before them."""
        async with self._order:
            pass
        if time.monotonic() - self._counted > CHECK_SECONDS:
            await self._count_clients()
        await self._scopes.require(request.profile for request in requests)
        documents = [
            {
                "scope": self._scopes.rows[request.profile],
                "budget": self._scopes.budgets[request.profile],
                "profile": request.profile,
                "group": None if request.job is None else request.job.account_group or "",
                "id": None if request.job is None else request.job.id,
                "lease": request.lease,
                "bucket": request.bucket,
                "method": request.method,
                "url": request.url,
            }
            for request in requests
        ]
        rate = Rate.of(DEFAULT_PER_MINUTE)
        values = (self._row, to_json(documents), rate.interval_us, rate.burst, _LEASE_US, _MAX_COOLDOWN_US)
        decided = json.loads(await self._server.value("SELECT jobdeck.claim($1, $2::jsonb, $3, $4, $5, $6)", *values))
        outcomes = tuple(
            self._denied(one) if "reason" in one else Grant(request, one["sequence"], one["fence"])
            for request, one in zip(requests, decided, strict=True)
        )
        grants = [one for one in outcomes if isinstance(one, Grant)]
        self._leases.add(grants)
        if self._share is not None:
            for grant in grants:
                self._share.note_sent(grant.sequence)
        return outcomes

    def _denied(self, one: dict[str, Any]) -> Denied:
        """Return a refusal with a random delay, so that not all clients ask again at the same moment."""
        until_us = one["until"]
        if one["reason"] == "budget":
            until_us += round(one["interval"] * _dice.uniform(0.0, 0.5) * self._clients)
        return Denied(one["reason"], self._clock.here(until_us) if until_us else 0)

    def _release_unwanted(self, deciding: "asyncio.Task[tuple[Grant | Denied, ...]]") -> None:
        if deciding.cancelled() or deciding.exception() is not None or self._closed:
            return
        grants = [one for one in deciding.result() if isinstance(one, Grant)]
        if grants:
            self._begin(self.release(grants))

    async def complete(self, answers: Sequence[Answer]) -> tuple[Completed, ...]:
        """See `Store.complete`. While the server is away this waits for it, so that no answer is lost.

        With a share of the limits it does not wait, but records the answers when the server is back. What the share
        granted gets records of its own: the server may have given the numbers of these requests to others.
        """
        if self._share is not None and not self._closed and any(isinstance(one.grant, LocalGrant) for one in answers):
            completed = self._record_later(self._share, answers)
            if self._server.away is None:
                self._begin(self._record_share(self._share))
            return completed
        return await self._finish(self._complete(answers))

    async def _complete(self, answers: Sequence[Answer]) -> tuple[Completed, ...]:
        while True:
            try:
                completed = await self._recording.submit(answers)
            except StoreUnavailableError:
                if self._share is not None:
                    return self._record_later(self._share, answers)
                await self._server.wait_until_back()
            else:
                self._leases.remove(answer.grant for answer in answers)
                return completed

    def _record_later(self, share: LocalShare, answers: Sequence[Answer]) -> tuple[Completed, ...]:
        """Add answers to those that are recorded when the server is back."""
        self._leases.remove(answer.grant for answer in answers)
        share.unrecorded.extend(answers)
        return (Completed(),) * len(answers)

    async def release(self, grants: Sequence[Grant]) -> None:
        self._leases.remove(grants)
        grants = [grant for grant in grants if not isinstance(grant, LocalGrant)]
        if not grants:
            return
        sequences, fences = [grant.sequence for grant in grants], [grant.fence for grant in grants]
        statement = "SELECT jobdeck.release($1, $2::bigint[], $3::bigint[])"
        await self._write(statement, self._row, sequences, fences)

    async def set_focus(self, keys: Collection[JobKey]) -> None:
        await self._feed.set_focus(self._row, keys)

    async def focus(self) -> frozenset[JobKey]:
        return await self._feed.focus(self._row)

    async def newest(self) -> int:
        found = await self._server.value(
            "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('jobdeck.exchanges', 'seq')), 0)"
        )
        return int(found)

    async def load(self, keys: Iterable[JobKey]) -> Mapping[JobKey, SavedJob]:
        return await self._queries.load(keys)

    async def jobs(self, profile: str | None = None, limit: int = 10_000) -> tuple[SavedJob, ...]:
        return await self._queries.jobs(profile, limit)

    async def watched(
        self, now: Instant, most: int | None = None, *, of: Collection[JobKey] | None = None
    ) -> tuple[Job, ...]:
        return await self._queries.watched(now, most, of, everyone=self._everyone)

    async def count_watched(self) -> dict[str, int]:
        return await self._queries.count_watched(everyone=self._everyone)

    async def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        return await self._queries.timeline(key)

    async def requests(self, key: JobKey, limit: int = 100) -> tuple[RequestRecord, ...]:
        return await self._queries.requests(key, limit)

    async def records(self, sequences: Iterable[int]) -> Mapping[int, RequestRecord]:
        return await self._queries.records(sequences)

    async def all_requests(self, profile: str | None = None, limit: int = 100) -> tuple[RequestRecord, ...]:
        return await self._queries.all_requests(profile, limit)

    async def failures(self, profile: str, since_us: int, until_us: int, limit: int = 100) -> tuple[RequestRecord, ...]:
        return await self._queries.failures(profile, since_us, until_us, limit)

    async def find_request(self, id_: str, limit: int = 100) -> RequestMatches:
        return await self._queries.find_request(id_, limit)

    async def phase_evidence(self, key: JobKey) -> PhaseEvidence | None:
        return await self._queries.phase_evidence(key)

    async def save_estimates(self, profile: str, data: str) -> None:
        await self._scopes.require([profile])
        await self._write(_SAVE_ESTIMATES, self._scopes.rows[profile], self._user, profile, storable(data))

    async def load_estimates(self) -> Mapping[str, str]:
        names = list(self._scopes.rows)
        rows = [self._scopes.rows[name] for name in names]
        return {row[0]: row[1] for row in await self._server.rows(_LOAD_ESTIMATES, rows, names, self._user)}

    async def save_preference(self, name: str, value: str) -> None:
        await self._write(
            "INSERT INTO jobdeck.preferences VALUES ($1, $2, $3)"
            " ON CONFLICT (user_name, name) DO UPDATE SET value = $3",
            self._user,
            clean(name),
            clean(value),
        )

    async def load_preferences(self) -> Mapping[str, str]:
        rows = await self._server.rows("SELECT name, value FROM jobdeck.preferences WHERE user_name = $1", self._user)
        return {clean(name): clean(value) for name, value in rows}

    async def claim_event(self, key: JobKey, event: str, *, team: bool = False) -> bool:
        await self._scopes.require([key.profile])
        place = (self._scopes.rows[key.profile], key.account_group or "", key.id)
        who = "" if team else self._user
        ((known, new),) = await self._server.rows(_CLAIM_EVENT, *place, storable(event), who)
        if not known:
            raise UnknownJobError(f"{key} has never been watched")
        return bool(new)

    async def head(self) -> Cursor:
        return await self._feed.head()

    async def changes(self, after: Cursor, limit: int = 500) -> tuple[tuple[Change, ...], Cursor]:
        return await self._feed.changes(after, limit)

    async def wait_for_change(self) -> None:
        if self._closed:
            raise StoreClosedError("the store is closed")
        with suppress(TimeoutError):
            async with asyncio.timeout(FALLBACK_SECONDS):
                await self._rung.wait()
        if self._rung.is_set():
            await asyncio.sleep(DEBOUNCE_SECONDS)
        self._rung.clear()
        if self._closed:
            raise StoreClosedError("the store is closed")

    async def purge(
        self, before_us: int, chunk: int = 2_000, progress: Callable[[Purged], object] = lambda _: None
    ) -> Purged:
        total = Purged(more=True)
        while total.more:
            statement = "SELECT jobdeck.purge($1, $2)"
            gone = await self._server.value(statement, self._clock.there(before_us), chunk)
            if gone is None:
                # Another client purges now, and deletes the same rows.
                await asyncio.sleep(_PURGE_RETRY_SECONDS)
                continue
            exchanges, observations, jobs, changes = gone
            more = any(count >= chunk for count in gone)
            total += Purged(exchanges, observations, jobs, changes, more)
            progress(total)
        return total

    async def health(self, *, check: bool = False) -> Health:
        counts = (await self._server.rows(_COUNTS))[0]
        return Health(
            place=self._server.address.described,
            size=await self._server.value(SIZE),
            schema=int(await self._server.value("SELECT value FROM jobdeck.meta WHERE name = 'schema'")),
            server_version=f"PostgreSQL {await self._server.value('SHOW server_version')}",
            rows=dict(zip(_COUNTED, counts, strict=True)),
            check="ok" if check else None,
        )

    async def close(self, within: float = 2.0) -> bool:
        if self._closed:
            return True
        self._closed = True
        self._leases.close()
        self._rung.set()
        unfinished: set[asyncio.Task[Any]] = set()
        if self._writes:
            _, unfinished = await asyncio.wait(self._writes, timeout=0.0 if self._server.away else within)
        for task in unfinished:
            task.cancel()
        await self._doorbell.close()
        await self._server.close()
        return not unfinished

    async def _known(self, keys: Iterable[JobKey]) -> list[JobKey]:
        wanted = list(dict.fromkeys(keys))
        await self._scopes.require(key.profile for key in wanted)
        return wanted

    async def _renew(self, grants: Sequence[Grant]) -> None:
        sequences, fences = [grant.sequence for grant in grants], [grant.fence for grant in grants]
        await self._server.value("SELECT jobdeck.renew($1::bigint[], $2::bigint[], $3)", sequences, fences, _LEASE_US)

    def _note_server(self) -> None:
        away = self._server.away
        self._rung.set()
        if away is not None:
            self._incident = self._notice(away)
            return
        self._incident = Notice(NoticeKind.RETURNED, "team database reachable again")
        if self._share is not None and self._share.unrecorded:
            self._begin(self._record_share(self._share))

    def _notice(self, away: StoreUnavailableError) -> Notice:
        meanwhile = "Polling is paused until it is reachable"
        if self._share is not None:
            meanwhile = f"Polling with 1/{self._share.clients} of the rate limit until it is reachable"
        return Notice(NoticeKind.AWAY, f"{away}. {meanwhile}", reason=str(away))

    async def _record_share(self, share: LocalShare) -> None:
        """Record the unrecorded answers, in order, until the server goes away again."""
        async with share.recording:
            while share.unrecorded:
                # Others may be added to the end of the list meanwhile.
                try:
                    if isinstance(share.unrecorded[0].grant, LocalGrant):
                        share.unrecorded[0] = await self._note_share_sent(share.unrecorded[0])
                    await self._recording.submit([share.unrecorded[0]])
                except (StoreUnavailableError, StoreClosedError):
                    raise
                except StoreError:
                    _log.exception("an answer was not recorded")
                del share.unrecorded[0]

    async def _note_share_sent(self, answer: Answer) -> Answer:
        """Add the record of a request that the share granted, and return its answer with the grant of that record."""
        request = answer.grant.request
        await self._scopes.require([request.profile])
        scope, key = self._scopes.rows[request.profile], request.job
        place = (None, None) if key is None else (key.account_group or "", key.id)
        sent_us = self._clock.there(answer.exchange.started.us)
        values = (request.profile, self._row, request.bucket, sent_us, request.method, request.url)
        sequence = int(await self._server.value(RECORD_SENT, scope, *place, *values))
        return replace(answer, grant=Grant(request, sequence), exchange=replace(answer.exchange, sequence=sequence))

    async def _count_clients(self) -> None:
        with suppress(StoreUnavailableError):
            self._clients = max(1, int(await self._server.value(_LIVE_CLIENTS)))
            self._counted = time.monotonic()
            if self._share is not None:
                self._share.clients = self._clients

    async def _write(self, statement: str, *values: Any) -> Any:
        """Run a statement that writes, and return the first value of its first row."""
        return await self._in_order(lambda: self._server.value(statement, *values))

    async def _in_order(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do work as `_finish` does, after all work before it: several connections do not keep the order."""

        async def turn() -> T:
            async with self._order:
                return await work()

        return await self._finish(turn())

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work even if its caller is cancelled, and before the store closes."""
        if self._closed:
            work.close()
            raise StoreClosedError("the store is closed")
        task = asyncio.get_running_loop().create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        async def run() -> None:
            with suppress(StoreError):
                await work

        task = asyncio.get_running_loop().create_task(run())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
