"""Collects the data of a ticket: a job's current state, combined with saved data."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jobdeck import __version__
from jobdeck.app.context import AppContext, RunningEngine
from jobdeck.domain.exchange import Exchange, first_clock_offset
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.report.ticket import MAX_EXCHANGES, TicketSource, tickets_markdown
from jobdeck.store import Store
from jobdeck.store.models import RequestRecord

LOOKED_THROUGH = 400
"""Exchanges of a job that are searched for significant ones; for many jobs, only as many as are shown."""

MANY = 10
MOST_FAILURES = 200


class TicketError(Exception):
    """There is no data for a ticket; the message says why, in one line."""


async def make_ticket(
    context: AppContext,
    running: RunningEngine,
    keys: Sequence[JobKey],
    note: str = "",
    *,
    include_result: bool = False,
) -> str:
    """Return one ticket about jobs, as Markdown; raises `TicketError` if none of them is known.

    No request is sent: it contains the data known so far, as on the screen.
    """
    watched = running.engine.jobs
    among = LOOKED_THROUGH if len(keys) <= MANY else MAX_EXCHANGES
    saved = await running.store.load(key for key in keys if key not in watched)
    sources: list[TicketSource] = []
    for key in keys:
        job = watched.get(key)
        if job is None and key in saved:
            job = saved[key].at(context.clock.now())
        if job is not None:
            fresh = running.engine.exchanges(key)
            sources.append(
                await ticket_source(context, running.store, job, fresh, include_result=include_result, among=among)
            )
    if not sources:
        raise TicketError("no job selected" if not keys else "data about this job is no longer available")
    return tickets_markdown(sources, note)


async def saved_note(running: RunningEngine, keys: Sequence[JobKey]) -> str:
    """Return the note that all of the jobs have; empty if there is none, or they differ."""
    kept = await running.store.annotations(keys)
    notes = {kept[key].note if key in kept else "" for key in keys}
    return notes.pop() if len(notes) == 1 else ""


async def save_note(running: RunningEngine, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
    """Save a note for jobs; with several, existing notes other than `instead_of` are not replaced."""
    await running.store.annotate(keys, note, None if len(keys) == 1 else {instead_of})


async def ticket_source(
    context: AppContext,
    store: Store,
    job: Job,
    fresh: Sequence[Exchange],
    *,
    note: str = "",
    include_result: bool = False,
    among: int = LOOKED_THROUGH,
) -> TicketSource:
    """Combine a job and its newest exchanges with saved data, which includes earlier runs and other processes.

    Without a `note`, the saved one is used. `among` is the number of exchanges that are searched for significant ones.
    It reads only the store, and sends no request.
    """
    now = context.clock.now()
    stored = (await store.load([job.key])).get(job.key)
    if stored is not None:
        remembered = stored.at(now)
        newer = job if _is_newer(job, remembered) else remembered
        target = job.target if job.target.accepted_request_id else remembered.target
        job = replace(newer, target=target, result=_result(newer, job, remembered))
    shown = await store.phase_evidence(job.key)
    # The saved state may lag behind the latest response, and show another phase.
    known = stored is not None and stored.last.phase is job.phase
    ends = (shown.first, shown.last) if shown is not None and job.terminal and known else ()
    kept = _answered(await store.requests(job.key, among), now)
    exchanges = _joined(fresh, kept, among)
    timeline = await store.timeline(job.key)
    annotation = (await store.annotations([job.key])).get(job.key)
    since_us = min([job.added.us, *(event.at_us for event in timeline)])
    return TicketSource(
        job=job,
        timeline=timeline,
        exchanges=exchanges,
        ends=tuple(_answered(ends, now)),
        outage=await _outage(store, job, exchanges, since_us, now),
        version=__version__,
        created_us=now.us,
        curl=context.curl(job.target),
        clock_offset=first_clock_offset(fresh),
        note=note or (annotation.note if annotation is not None else ""),
        include_result=include_result,
    )


async def _outage(store: Store, job: Job, own: Sequence[Exchange], since_us: int, now: Instant) -> tuple[Exchange, ...]:
    """Return other failed requests of the profile while the job was watched and unfinished."""
    until_us = job.ended.us if job.terminal and job.ended is not None else now.us
    known = {_mark(item) for item in own}
    failed = _answered(await store.failures(job.key.profile, since_us, until_us, MOST_FAILURES), now)
    return tuple(
        item for item in failed if item.problem and item.problem.kind.affects_profile and _mark(item) not in known
    )


def _answered(records: Iterable[RequestRecord], now: Instant) -> list[Exchange]:
    return [item for record in records if (item := record.at(now)) is not None]


def _is_newer(job: Job, remembered: Job) -> bool:
    return job.sequence > remembered.sequence


def _result(newest: Job, *others: Job) -> str | None:
    """Return a job's result; if the newest state was saved without it, that of the same run from the others."""
    found = (job.result for job in others if (job.status, job.created_us) == (newest.status, newest.created_us))
    return newest.result or next((result for result in found if result is not None), None)


def _joined(fresh: Sequence[Exchange], kept: Sequence[Exchange], most: int) -> tuple[Exchange, ...]:
    """Return saved exchanges and newer unsaved ones, newest first."""
    known = {_mark(item) for item in kept}
    late = [item for item in fresh if _mark(item) not in known]
    both = sorted((*late, *kept), key=_sequence, reverse=True)
    return tuple(both[:most])


def _sequence(item: Exchange) -> int:
    return item.sequence


def _mark(item: Exchange) -> tuple[str | None, Instant | int]:
    """Return the identity of an exchange: the server's ID, or its time to the millisecond."""
    support_id = item.support_id
    return (support_id, 0) if support_id else (None, item.started.us // 1_000)
