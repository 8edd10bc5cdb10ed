"""Queries about the jobs and requests in a client's scopes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.scope import Scope, format_scope
from jobdeck.domain.text import clean
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.store.columns import (
    END_ID_NAMES,
    NEED,
    RECORD_COLUMNS,
    STATE_NAMES,
    TARGET_NAMES,
    TIMELINE_NAMES,
    job_from,
    key_from,
    record_from,
    sql,
    text,
    timeline_event_from,
)
from jobdeck.store.models import (
    Annotation,
    PhaseEvidence,
    RequestMatches,
    RequestRecord,
    SavedJob,
    ShownJob,
    from_epoch,
)
from jobdeck.store.postgres.connect import Server, ServerClock, storable

_END_IDS = (
    sql(
        "CASE WHEN j.ended_seen_us IS NOT NULL THEN coalesce((SELECT e.{name} FROM jobdeck.exchanges e"
        " WHERE e.seq = j.first_shown), (SELECT t.{name} FROM jobdeck.timeline t WHERE t.job = j.id"
        " AND t.kind = 'phase' AND t.phase_after = j.phase ORDER BY t.id DESC LIMIT 1)) END",
        name=name.removeprefix("end_"),
    )
    for name in END_ID_NAMES
)
JOB = ", ".join((*(f"j.{name}" for name in ("added_us", *TARGET_NAMES, *STATE_NAMES)), *_END_IDS))
"""What a query selects for `job_from`."""

_ADD = (
    "WITH named AS (SELECT unnest($1::text[]) AS name, unnest($2::text[]) AS budget),"
    " budgets AS (INSERT INTO jobdeck.scopes (name) SELECT DISTINCT budget FROM named"
    "  ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, name)"
    " SELECT id, name FROM budgets"
)
_ADD_SCOPES = (
    "INSERT INTO jobdeck.scopes (name, budget) SELECT * FROM unnest($1::text[], $2::bigint[])"
    " ON CONFLICT (name) DO UPDATE SET budget = excluded.budget RETURNING id, name"
)


@dataclass(slots=True)
class ProfileScopes:
    """The rows of the profiles' scopes, and of the scopes whose budgets pay for them.

    A profile that is not configured has a scope of its own name.
    """

    server: Server
    configured: Mapping[str, Scope]
    rows: dict[str, int] = field(default_factory=dict)
    budgets: dict[str, int] = field(default_factory=dict)
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    scopes: dict[int, Scope] = field(default_factory=dict)

    async def require(self, profiles: Iterable[str]) -> None:
        """Add the missing rows of these profiles' scopes."""
        new = {
            name: self.configured.get(name) or Scope("", name)
            for name in dict.fromkeys(profiles)
            if name not in self.rows
        }
        if not new:
            return
        budgets = {name: format_scope(scope.budget) for name, scope in new.items()}
        ids = {
            row["name"]: int(row["id"]) for row in await self.server.rows(_ADD, list(budgets), list(budgets.values()))
        }
        own = {format_scope(scope): ids[budgets[name]] for name, scope in new.items() if format_scope(scope) not in ids}
        if own:
            added = await self.server.rows(_ADD_SCOPES, list(own), list(own.values()))
            ids |= {row["name"]: int(row["id"]) for row in added}
        for name, scope in new.items():
            row = ids[format_scope(scope)]
            self.rows[name], self.budgets[name] = row, ids[budgets[name]]
            self.names[row] = (*self.names.get(row, ()), name)
            self.scopes[row] = scope

    @property
    def all(self) -> list[int]:
        """The rows of every scope."""
        return list(self.names)

    def of(self, profile: str | None) -> list[int]:
        """Return the row of a profile's scope, or of all (None)."""
        if profile is None:
            return self.all
        return [self.rows[profile]] if profile in self.rows else []

    def name(self, scope: int, saved: str) -> str:
        """Return the name that is shown for a scope's row, which was `saved` under the name that its client uses."""
        names = self.names.get(scope, ())
        return saved if saved in names or not names else names[0]

    def parts(self, keys: Iterable[JobKey]) -> tuple[list[int], list[str], list[str]]:
        """Return scopes, account groups and IDs of jobs, for a query by `unnest`, without those of unknown profiles."""
        known = [key for key in keys if key.profile in self.rows]
        return (
            [self.rows[key.profile] for key in known],
            [key.account_group or "" for key in known],
            [key.id for key in known],
        )

    def keys(self, scope: int, profile: str, account_group: str, id_: str) -> tuple[JobKey, ...]:
        """Return the keys of a job: one for each of the profiles that have its scope."""
        return tuple(key_from(name, account_group, id_) for name in self.names.get(scope, (profile,)))


_SAVED = sql(
    "j.scope, (SELECT min(w.since_us) FROM jobdeck.watches w WHERE w.job = j.id AND w.user_name = $1), j.result_bytes,"
    " j.profile, {job}",
    job=JOB,
)
_LOAD = sql(
    "SELECT k.scope, k.account_group, k.job_id, (SELECT r.body FROM jobdeck.results r WHERE r.job = j.id), {saved}"
    " FROM unnest($2::bigint[], $3::text[], $4::text[]) AS k (scope, account_group, job_id)"
    " JOIN jobdeck.jobs j USING (scope, account_group, job_id)",
    saved=_SAVED,
)
_JOBS = sql(
    "SELECT {saved} FROM jobdeck.jobs j WHERE j.scope = ANY($2::bigint[])"
    " ORDER BY j.active_us DESC, j.id DESC LIMIT $3",
    saved=_SAVED,
)
_MINE = "($1::text IS NULL OR w.user_name = $1) AND j.scope = ANY($2::bigint[])"
_WATCHERS = "(SELECT array_agg(DISTINCT x.user_name ORDER BY x.user_name) FROM jobdeck.watches x WHERE x.job = j.id)"
_WATCHED = sql(
    "SELECT {watchers}, (SELECT r.body FROM jobdeck.results r WHERE r.job = j.id), j.scope, w.profile, {job}"
    " FROM jobdeck.watches w JOIN jobdeck.jobs j ON j.id = w.job WHERE {mine}",
    job=JOB,
    watchers=_WATCHERS,
    mine=_MINE,
)
_OF = (
    " AND (j.scope, j.account_group, j.job_id) IN (SELECT * FROM unnest($3::bigint[], $4::text[], $5::text[]))"
    " ORDER BY w.seq"
)
_IN_ORDER = " ORDER BY w.seq"
_NEEDIEST = sql(
    " AND w.seq IN (SELECT w.seq FROM jobdeck.watches w JOIN jobdeck.jobs j ON j.id = w.job"
    " LEFT JOIN jobdeck.annotations a ON a.job = j.id WHERE {mine} ORDER BY {need} LIMIT $3)",
    mine=_MINE,
    need=NEED,
)
_COUNTED = sql(
    "SELECT j.scope, w.profile, count(DISTINCT j.id) FROM jobdeck.watches w JOIN jobdeck.jobs j ON j.id = w.job"
    " WHERE {mine} GROUP BY 1, 2",
    mine=_MINE,
)
_ONE_JOB = "(SELECT id FROM jobdeck.jobs WHERE scope = $1 AND account_group = $2 AND job_id = $3)"
_TIMELINE = sql(
    "SELECT {columns} FROM jobdeck.timeline WHERE job = {job} ORDER BY id",
    columns=", ".join(TIMELINE_NAMES),
    job=_ONE_JOB,
)
_EVIDENCE = sql("SELECT first_shown, last_shown FROM jobdeck.jobs WHERE id = {job}", job=_ONE_JOB)
_REQUESTS = sql(
    "SELECT e.scope, e.profile, s.name, coalesce(c.name, '?'), {columns}"
    " FROM jobdeck.exchanges e JOIN jobdeck.scopes s ON s.id = e.scope"
    " LEFT JOIN jobdeck.clients c ON c.id = e.client LEFT JOIN jobdeck.jobs j ON j.id = e.job",
    columns=RECORD_COLUMNS,
)
_OF_JOB = sql(
    "WITH one AS (SELECT {job} AS id) {requests} WHERE e.seq IN ("
    "(SELECT x.seq FROM jobdeck.exchanges x, one WHERE x.job = one.id ORDER BY x.seq DESC LIMIT $4)"
    " UNION (SELECT o.exchange FROM jobdeck.observations o, one WHERE o.jobs @> ARRAY[one.id]"
    " ORDER BY o.exchange DESC LIMIT $4)) ORDER BY e.seq DESC LIMIT $4",
    job=_ONE_JOB,
    requests=_REQUESTS,
)
_ALL = sql("{requests} WHERE e.scope = ANY($1::bigint[]) ORDER BY e.seq DESC LIMIT $2", requests=_REQUESTS)
_FAILURES = sql(
    "{requests} WHERE e.scope = ANY($1::bigint[]) AND e.problem IS NOT NULL AND e.started_us BETWEEN $2 AND $3"
    " ORDER BY e.seq DESC LIMIT $4",
    requests=_REQUESTS,
)
_BY_SEQUENCE = sql("{requests} WHERE e.seq = ANY($1::bigint[]) ORDER BY e.seq DESC", requests=_REQUESTS)
_WITH_ID_HERE = (
    "SELECT seq FROM (SELECT seq, scope FROM jobdeck.exchanges WHERE request_id = $1"
    " UNION SELECT seq, scope FROM jobdeck.exchanges WHERE trace_id = $1"
    " UNION SELECT seq, scope FROM jobdeck.exchanges WHERE body_request_id = $1"
    " AND body_request_id IS DISTINCT FROM request_id) f WHERE scope = ANY($2::bigint[]) ORDER BY seq DESC LIMIT $3"
)
_ACCEPTED = (
    "SELECT scope, profile, account_group, job_id FROM jobdeck.jobs"
    " WHERE (accepted_request_id = $1 OR accepted_trace_id = $1) AND scope = ANY($2::bigint[])"
)
# A poll shows the job it is about; for a list, `observations` has its jobs.
_SHOWN = (
    "SELECT j.scope, j.profile, j.account_group, j.job_id, st.exchange = shown.exchange, st.fields FROM ("
    "SELECT o.exchange, unnest(o.jobs) AS job FROM jobdeck.observations o WHERE o.exchange = ANY($1::bigint[])"
    " UNION SELECT e.seq, e.job FROM jobdeck.exchanges e WHERE e.seq = ANY($1::bigint[]) AND e.job IS NOT NULL"
    " AND e.state = 'answered' AND e.problem IS NULL AND e.method IN ('', 'GET')) shown"
    " JOIN jobdeck.jobs j ON j.id = shown.job"
    " LEFT JOIN LATERAL (SELECT exchange, fields FROM jobdeck.states WHERE job = j.id AND exchange <= shown.exchange"
    " ORDER BY exchange DESC LIMIT 1) st ON true ORDER BY shown.exchange DESC, j.id"
)
_ANNOTATIONS = (
    "SELECT j.scope, j.account_group, j.job_id, a.acknowledged, a.note, a.user_name, a.at_us"
    " FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k (scope, account_group, job_id)"
    " JOIN jobdeck.jobs j USING (scope, account_group, job_id) JOIN jobdeck.annotations a ON a.job = j.id"
)


class Queries:
    """Reads the rows of a client's scopes, with moments on our clock."""

    def __init__(self, server: Server, scopes: ProfileScopes, clock: ServerClock, user: str) -> None:
        self._server = server
        self._scopes = scopes
        self._clock = clock
        self._user = user

    async def load(self, keys: Iterable[JobKey]) -> dict[JobKey, SavedJob]:
        """See `Store.load`."""
        wanted = list(dict.fromkeys(keys))
        await self._scopes.require(key.profile for key in wanted)
        rows = await self._server.rows(_LOAD, self._user, *self._scopes.parts(wanted))
        found = {(scope, group, id_): (result, row) for scope, group, id_, result, *row in rows}
        saved: dict[JobKey, SavedJob] = {}
        for key in wanted:
            place = (self._scopes.rows[key.profile], key.account_group or "", key.id)
            if place in found:
                result, row = found[place]
                saved[key] = self._saved_from(row, result, key.profile)
        return saved

    async def jobs(self, profile: str | None, limit: int) -> tuple[SavedJob, ...]:
        """See `Store.jobs`."""
        rows = await self._server.rows(_JOBS, self._user, self._scopes.of(profile), limit)
        return tuple(self._saved_from(tuple(row), None, profile) for row in rows)

    async def watched(
        self, now: Instant, most: int | None, of: Collection[JobKey] | None, *, everyone: bool
    ) -> tuple[Job, ...]:
        """See `Store.watched`; of `everyone`, or of this client's user alone."""
        user = None if everyone else self._user
        if of is not None:
            rows = await self._server.rows(_WATCHED + _OF, user, self._scopes.all, *self._scopes.parts(of))
        elif most is None:
            rows = await self._server.rows(_WATCHED + _IN_ORDER, user, self._scopes.all)
        else:
            rows = await self._server.rows(_WATCHED + _NEEDIEST + _IN_ORDER, user, self._scopes.all, most)

        def moment(us: int) -> Instant:
            here = self._clock.here(us)
            return Instant(here, now.mono + (here - now.us) / 1e6)

        found: dict[JobKey, Job] = {}
        for watchers, result, scope, profile, *values in rows:
            job = job_from(self._scopes.name(scope, profile), values, result, moment)
            if everyone:
                job = replace(job, target=replace(job.target, watched_by=tuple(map(clean, watchers))))
            found.setdefault(job.key, job)
        return tuple(job for key, job in found.items() if of is None or key in of)

    async def count_watched(self, *, everyone: bool) -> dict[str, int]:
        """See `Store.count_watched`."""
        counts: dict[str, int] = {}
        rows = await self._server.rows(_COUNTED, None if everyone else self._user, self._scopes.all)
        for scope, profile, count in rows:
            name = self._scopes.name(scope, profile)
            counts[name] = counts.get(name, 0) + count
        return counts

    async def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """See `Store.timeline`."""
        await self._scopes.require([key.profile])
        rows = await self._server.rows(_TIMELINE, self._scopes.rows[key.profile], key.account_group or "", key.id)
        return tuple(timeline_event_from(row, self._moment) for row in rows)

    async def requests(self, key: JobKey, limit: int) -> tuple[RequestRecord, ...]:
        """See `Store.requests`."""
        await self._scopes.require([key.profile])
        scope = self._scopes.rows[key.profile]
        rows = await self._server.rows(_OF_JOB, scope, key.account_group or "", key.id, limit)
        return tuple(self._record_from(row, key.profile) for row in rows)

    async def records(self, sequences: Iterable[int]) -> dict[int, RequestRecord]:
        """See `Store.records`."""
        rows = await self._server.rows(_BY_SEQUENCE, list(sequences))
        return {row["seq"]: self._record_from(row) for row in rows}

    async def all_requests(self, profile: str | None, limit: int) -> tuple[RequestRecord, ...]:
        """See `Store.all_requests`."""
        rows = await self._server.rows(_ALL, self._scopes.of(profile), limit)
        return tuple(self._record_from(row) for row in rows)

    async def failures(self, profile: str, since_us: int, until_us: int, limit: int) -> tuple[RequestRecord, ...]:
        """See `Store.failures`."""
        between = (self._clock.there(since_us), self._clock.there(until_us))
        rows = await self._server.rows(_FAILURES, self._scopes.of(profile), *between, limit)
        return tuple(self._record_from(row) for row in rows)

    async def find_request(self, id_: str, limit: int) -> RequestMatches:
        """See `Store.find_request`; other scopes of the database are other customers', and not named."""
        id_ = storable(id_)
        found = [row[0] for row in await self._server.rows(_WITH_ID_HERE, id_, self._scopes.all, limit)]
        accepted = await self._server.rows(_ACCEPTED, id_, self._scopes.all)
        records = await self._server.rows(_BY_SEQUENCE, found) if found else []
        shown = await self._server.rows(_SHOWN, found) if found else []
        return RequestMatches(
            requests=tuple(self._record_from(row) for row in records),
            shown=tuple(
                ShownJob(self._key(scope, profile, group, id_), bool(changed), text(fields))
                for scope, profile, group, id_, changed, fields in shown
            ),
            accepted=tuple(self._key(*row) for row in accepted),
        )

    async def phase_evidence(self, key: JobKey) -> PhaseEvidence | None:
        """See `Store.phase_evidence`."""
        await self._scopes.require([key.profile])
        shown = await self._server.rows(
            _EVIDENCE,
            self._scopes.rows[key.profile],
            key.account_group or "",
            key.id,
        )
        if not shown or None in tuple(shown[0]):
            return None
        first, last = shown[0]
        records = {row["seq"]: self._record_from(row) for row in await self._server.rows(_BY_SEQUENCE, [first, last])}
        return PhaseEvidence(records[first], records[last]) if {first, last} <= set(records) else None

    async def annotations(self, keys: Iterable[JobKey]) -> dict[JobKey, Annotation]:
        """See `Store.annotations`."""
        wanted = list(dict.fromkeys(keys))
        await self._scopes.require(key.profile for key in wanted)
        rows = await self._server.rows(_ANNOTATIONS, *self._scopes.parts(wanted))
        found = {
            (scope, group, id_): Annotation(
                acknowledged,
                clean(note, lines=True),
                clean(who),
                self._clock.here(at_us),
                "" if who == self._user else clean(who),
            )
            for scope, group, id_, acknowledged, note, who, at_us in rows
        }
        places = {key: (self._scopes.rows[key.profile], key.account_group or "", key.id) for key in wanted}
        return {key: found[place] for key, place in places.items() if place in found}

    def _key(self, scope: int, profile: str, account_group: str, id_: str) -> JobKey:
        return key_from(self._scopes.name(scope, profile), account_group, id_)

    def _saved_from(self, row: Sequence[Any], result: str | None, profile: str | None) -> SavedJob:
        scope, watched_us, result_bytes, saved_profile, *values = row
        name = profile or self._scopes.name(scope, saved_profile)
        job = job_from(name, values, result, self._moment)
        return SavedJob(
            scope=self._scopes.scopes[scope],
            last=job,
            watched_us=None if watched_us is None else self._clock.here(watched_us),
            result_bytes=result_bytes,
        )

    def _record_from(self, row: Sequence[Any], profile: str | None = None) -> RequestRecord:
        scope, sent_through, scope_name, client, *values = row
        return record_from(profile or self._scopes.name(scope, sent_through), scope_name, client, values, self._moment)

    def _moment(self, us: int) -> Instant:
        return from_epoch(self._clock.here(us))
