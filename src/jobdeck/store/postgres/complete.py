"""Recording answers: one read of all jobs they show, a pure merge, one write."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobdeck.domain.job import JobKey
from jobdeck.domain.problem import ProblemKind
from jobdeck.store.columns import problem_text
from jobdeck.store.errors import StoreIOError
from jobdeck.store.merge import BESIDE_STATE, WRITTEN, JobHead, JobState, Merge, Step, Update, observation_digest
from jobdeck.store.models import Answer, Completed
from jobdeck.store.postgres.connect import Server, ServerClock, to_json
from jobdeck.store.postgres.queries import STATE, TARGET, ProfileScopes
from jobdeck.store.protocol import COOLDOWN_SECONDS, LIST_SECONDS
from jobdeck.store.sql import sql

_TRIES = 10
"""How often answers are merged anew because another client wrote to one of the jobs meanwhile."""

_READ = sql(
    "SELECT jobdeck.now_us(), j.id, j.scope, j.version, EXISTS (SELECT 1 FROM jobdeck.watches w WHERE w.job = j.id),"
    " j.profile, {beside}, j.added_us, {target}, {state}"
    " FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k (scope, account_group, job_id)"
    " JOIN jobdeck.jobs j USING (scope, account_group, job_id)",
    beside=", ".join(f"j.{name}" for name in BESIDE_STATE),
    target=TARGET,
    state=STATE,
)


@dataclass(slots=True)
class _SavedRow:
    """A job as it was read, and as the answers so far leave it."""

    head: JobHead
    state: JobState
    version: int


class Completion:
    """Records answers; two round trips, whatever their number."""

    def __init__(self, server: Server, scopes: ProfileScopes, clock: ServerClock, *, keep_results: bool) -> None:
        self._server = server
        self._scopes = scopes
        self._clock = clock
        self._keep_results = keep_results

    async def complete(self, client: int, answers: Sequence[Answer]) -> tuple[Completed, ...]:
        """See `Store.complete`."""
        await self._scopes.require(answer.grant.request.profile for answer in answers)
        for _ in range(_TRIES):
            saved, now_us = await self._read(answers)
            merged = [_Merged(answer, self._scopes, self._clock, now_us, saved) for answer in answers]
            documents = [each.document(keep_results=self._keep_results) for each in merged]
            lates = await self._server.value("SELECT jobdeck.complete($1, $2::jsonb)", client, to_json(documents))
            if lates is not None:
                return tuple(each.completed(late=late) for each, late in zip(merged, json.loads(lates), strict=True))
        raise StoreIOError(f"the database at {self._server.address.described}: jobs are written to all the time")

    async def _read(self, answers: Sequence[Answer]) -> tuple[dict[tuple[int, JobKey], _SavedRow], int]:
        keys = {key: None for answer in answers for key in _keys_of(answer)}
        rows = await self._server.rows(_READ, *self._scopes.parts(keys))
        names = {(self._scopes.rows[key.profile], key.account_group or "", key.id): key for key in keys}
        found: dict[tuple[int, JobKey], _SavedRow] = {}
        for row in rows:
            _, id_, scope, version, watched, profile, *rest = row
            state = JobState.from_row((*rest[:7], profile, *rest[7:]))
            job = state.job
            head = JobHead(
                id_, job.sequence, job.failures, job.phase.value, state.whole_digest, state.row_digest, watched
            )
            key = names[scope, rest[7], rest[8]]
            found[scope, _in_scope(key)] = _SavedRow(head, state, version)
        return found, rows[0][0] if rows else await self._clock.read(self._server)


def _keys_of(answer: Answer) -> list[JobKey]:
    request = answer.grant.request
    shown = [_key_of(answer, one.id, one.account_group) for one in answer.observations]
    return [*([request.job] if request.job is not None else []), *shown]


def _key_of(answer: Answer, id_: str, account_group: str | None) -> JobKey:
    asked = answer.grant.request.job
    return asked if asked is not None and asked.id == id_ else JobKey(answer.grant.request.profile, account_group, id_)


def _in_scope(key: JobKey) -> JobKey:
    """Return what two profiles of one scope have in common."""
    return JobKey("", key.account_group, key.id)


class _Merged:
    """One answer merged with what is saved of the jobs it shows; the next answer finds them as this one leaves them."""

    def __init__(
        self,
        answer: Answer,
        scopes: ProfileScopes,
        clock: ServerClock,
        now_us: int,
        saved: dict[tuple[int, JobKey], _SavedRow],
    ) -> None:
        request = answer.grant.request
        self._answer = answer
        self._scope, self._budget = scopes.rows[request.profile], scopes.budgets[request.profile]
        self._merge = Merge(clock.answer_there(answer), answer.grant.sequence, now_us)
        self._saved = saved
        self._updates: list[tuple[Update, int | None]] = []
        self._repeats: list[tuple[int, int | None]] = []
        self._shown: dict[JobKey, bool] = {}
        self._versions: set[int] = set()
        self._asked = None if request.job is None else saved.get((self._scope, _in_scope(request.job)))
        problem = self._merge.answer.exchange.problem
        if problem is None:
            self._observe_all()
        elif self._asked is not None and request.job is not None and request.lease:
            self._update(self._asked, self._merge.fail(self._asked.head.row, self._asked.state, problem))
            self._shown[request.job] = False

    def _observe_all(self) -> None:
        for observation in self._merge.answer.observations:
            key = _key_of(self._answer, observation.id, observation.account_group)
            row = self._saved.get((self._scope, _in_scope(key)))
            if row is None:
                continue
            digest = observation_digest(observation)
            match self._merge.step(row.head, digest, observation, read_before=True):
                case Step.NOTHING:
                    continue
                case Step.REPEAT:
                    self._repeats.append((row.head.row, self._version(row)))
                    self._shown.setdefault(key, False)
                case Step.MERGE:
                    update = self._merge.observe(row.head, row.state, observation, digest)
                    if update is not None:
                        self._update(row, update)
                        if update.seen:
                            self._shown[key] = update.changed or self._shown.get(key, False)

    def _update(self, row: _SavedRow, update: Update) -> None:
        self._updates.append((update, self._version(row)))
        job = update.state.job
        row.state = update.state
        row.head = JobHead(
            row.head.row,
            job.sequence,
            job.failures,
            job.phase.value,
            update.state.whole_digest,
            update.state.row_digest,
            row.head.watched,
        )

    def _version(self, row: _SavedRow) -> int | None:
        """Return the version a job must have; None from the second write on, which follows our own."""
        version, row.version = row.version, -1
        return version if version >= 0 else None

    def document(self, *, keep_results: bool) -> dict[str, Any]:
        """Return the answer as ``jobdeck.complete`` takes it."""
        grant, exchange, now_us = self._answer.grant, self._merge.answer.exchange, self._merge.now_us
        problem = exchange.problem
        cooldown = None
        if problem is not None and problem.kind is ProblemKind.RATE_LIMIT:
            default = now_us + round(COOLDOWN_SECONDS * 1e6)
            cooldown = default if problem.retry_at_us is None else problem.retry_at_us
        return {
            "sequence": grant.sequence,
            "fence": grant.fence,
            "scope": self._scope,
            "profile": grant.request.profile,
            "budget": self._budget,
            "bucket": grant.request.bucket,
            "cooldown": cooldown,
            "job": None if self._asked is None else self._asked.head.row,
            "poll": grant.request.lease and grant.request.job is not None,
            "list": grant.request.url if grant.request.lease and grant.request.job is None else None,
            "list_us": round(LIST_SECONDS * 1e6) if problem is None else 0,
            "now_us": now_us,
            "exchange": {
                "started_us": exchange.started.us,
                "duration_us": round(exchange.duration * 1e6),
                "method": exchange.method,
                "url": exchange.url,
                "http_status": exchange.http_status,
                "request_id": exchange.request_id,
                "body_request_id": exchange.body_request_id,
                "trace_id": exchange.trace_id,
                "size": exchange.size,
                "problem": problem_text(problem),
            },
            "updates": [
                _update_document(update, version, keep_results=keep_results) for update, version in self._updates
            ],
            "repeats": [{"id": row, "version": version} for row, version in self._repeats],
        }

    def completed(self, *, late: bool) -> Completed:
        """Return what the answer did."""
        if late:
            return Completed(late=True)
        return Completed(
            changed=tuple(key for key, changed in self._shown.items() if changed),
            seen=tuple(key for key, changed in self._shown.items() if not changed),
        )


def _update_document(update: Update, version: int | None, *, keep_results: bool) -> dict[str, Any]:
    values = zip(WRITTEN, update.state.values, strict=True)
    result = update.state.job.result if update.new_result and keep_results else None
    return {
        "id": update.row,
        "version": version,
        "row": {name: f"\\x{value.hex()}" if isinstance(value, bytes) else value for name, value in values},
        "active_us": update.active_us,
        "seen": update.seen,
        "changed": update.changed,
        "new_result": update.new_result,
        "result": result,
        "fields": update.fields,
        "timeline": [list(line) for line in update.timeline],
    }
