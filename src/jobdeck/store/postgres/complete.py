"""Recording answers: one read of all jobs they show, a pure merge, one write."""

from collections.abc import Sequence
from typing import Any

from jobdeck.store.columns import EXCHANGE_NAMES, exchange_values, sql
from jobdeck.store.errors import StoreIOError
from jobdeck.store.merge import (
    READ,
    WRITTEN,
    MergedAnswer,
    Place,
    SavedRow,
    Update,
    merge_answers,
    places_of,
)
from jobdeck.store.models import Answer, Completed
from jobdeck.store.postgres.connect import Server, ServerClock, to_json
from jobdeck.store.postgres.queries import ProfileScopes

_TRIES = 10
"""How often answers are merged again because another client wrote to one of the jobs meanwhile."""

_READ = sql(
    "SELECT jobdeck.now_us(), k.scope, k.account_group, k.job_id, j.id, j.version, j.fence,"
    " EXISTS (SELECT 1 FROM jobdeck.watches w WHERE w.job = j.id), {columns}"
    " FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k (scope, account_group, job_id)"
    " JOIN jobdeck.jobs j USING (scope, account_group, job_id)",
    columns=", ".join(f"j.{name}" for name in READ),
)


class AnswerWriter:
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
            there = [self._clock.answer_there(answer) for answer in answers]
            saved, now_us = await self._read(places_of(self._scopes.rows, there))
            versions = {row.row: row.version for row in saved.values()}
            merged = merge_answers(saved, self._scopes.rows, there, now_us)
            documents = to_json([self._document(each, versions) for each in merged])
            if await self._server.value("SELECT jobdeck.complete($1, $2::jsonb)", client, documents):
                return tuple(each.completed for each in merged)
        raise StoreIOError(f"the database at {self._server.address.described}: jobs are written to all the time")

    async def _read(self, places: Sequence[Place]) -> tuple[dict[Place, SavedRow], int]:
        """Return the rows of the jobs that were ever watched, and the time on the server's clock."""
        rows = await self._server.rows(_READ, *([place[part] for place in places] for part in range(3)))
        saved = {
            (scope, group, id_): SavedRow(row, fence=fence, watched=watched, version=version, values=tuple(values))
            for _, scope, group, id_, row, version, fence, watched, *values in rows
        }
        return saved, rows[0][0] if rows else await self._clock.read(self._server)

    def _document(self, merged: MergedAnswer, versions: dict[int, int]) -> dict[str, Any]:
        """Return an answer as ``jobdeck.complete`` takes it; `versions` are those in which the jobs were read."""
        grant = merged.answer.grant
        request = grant.request
        noted, news = merged.noted, merged.news
        return {
            "sequence": grant.sequence,
            "fence": grant.fence,
            "late": merged.late,
            "scope": self._scopes.rows[request.profile],
            "profile": request.profile,
            "budget": self._scopes.budgets[request.profile],
            "bucket": request.bucket,
            "cooldown": merged.cooldown_us,
            "job": merged.job,
            "list": request.url,
            "list_until": merged.list_until_us,
            "now_us": merged.now_us,
            "exchange": dict(zip(EXCHANGE_NAMES, exchange_values(merged.answer.exchange), strict=True)),
            "order": merged.order,
            "updates": [self._update_document(merged, update, versions[update.row]) for update in merged.updates],
            "repeats": [{"id": row, "version": versions[row]} for row in merged.repeats],
            "noted": noted,
            "news": news,
            "seen": [row for row in noted if row not in news],
        }

    def _update_document(self, merged: MergedAnswer, update: Update, version: int) -> dict[str, Any]:
        values = zip(WRITTEN, update.state.values, strict=True)
        result = update.state.job.result if update.new_result and self._keep_results else None
        return {
            "id": update.row,
            "version": version,
            "row": {name: f"\\x{value.hex()}" if isinstance(value, bytes) else value for name, value in values},
            "active_us": merged.now_us if update.changed else 0,
            "new_result": update.new_result,
            "result": result,
            "fields": update.fields,
            "timeline": update.timeline,
        }
