"""What a ticket is made of: a job as it is now, joined with what is remembered of it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from jobdeck import __version__
from jobdeck.domain.exchange import Exchange, told_offset
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.ticket import MAX_EXCHANGES, TicketSource, tickets_markdown
from jobdeck.store import Store
from jobdeck.store.errors import UnknownJobError
from jobdeck.wiring import Running, Wiring


class TicketError(Exception):
    """There is nothing to make a ticket of; the message says why, in one line."""


async def make_ticket(
    wiring: Wiring,
    running: Running,
    keys: Sequence[JobKey],
    note: str = "",
    *,
    include_result: bool = False,
) -> str:
    """Return one ticket about jobs, as Markdown; raises `TicketError` when none of them is known.

    No request is sent: it tells what has been seen so far, as the screen does.
    """
    jobs = running.engine.jobs
    known = [(key, jobs.get(key), running.engine.exchanges(key)) for key in keys]

    def make(store: Store) -> list[TicketSource]:
        sources: list[TicketSource] = []
        for key, watched, fresh in known:
            stored = store.load_job(key) if watched is None else None
            job = watched or (stored.at(wiring.clock.now()) if stored is not None else None)
            if job is not None:
                sources.append(ticket_source(wiring, store, job, fresh, include_result=include_result))
        return sources

    sources = await running.store.read(make)
    if not sources:
        raise TicketError("no job is selected" if not keys else "nothing is known of this job any more")
    return tickets_markdown(sources, note)


async def kept_note(running: Running, keys: Sequence[JobKey]) -> str:
    """Return the note that is kept with every one of the jobs; empty when there is none, or they differ."""
    kept = await running.store.annotations(keys)
    notes = {kept[key].note if key in kept else "" for key in keys}
    return notes.pop() if len(notes) == 1 else ""


async def keep_note(wiring: Wiring, running: Running, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
    """Keep a note with jobs. One about several takes no other note's place but that of `instead_of`."""
    jobs, now_us = dict(running.engine.jobs), wiring.clock.now().us

    def keep(store: Store) -> None:
        kept = store.annotations(keys)
        for key in keys:
            before = kept[key].note if key in kept else ""
            if len(keys) == 1 or before in {"", instead_of}:
                # Said again because the moment of the note becomes that of the whole annotation: an acknowledgement
                # that a later end has overtaken would look as if it had come after that.
                acknowledged = jobs[key].acknowledged if key in jobs else None
                with suppress(UnknownJobError):
                    store.annotate(key, now_us=now_us, acknowledged=acknowledged, note=note)

    await running.store.write(keep)


def ticket_source(
    wiring: Wiring,
    store: Store,
    job: Job,
    fresh: Sequence[Exchange],
    *,
    note: str = "",
    include_result: bool = False,
) -> TicketSource:
    """Join a job and its newest exchanges with what is remembered, which spans earlier runs and other processes.

    Without a `note`, the one that is kept with the job is taken. Asks nobody: it reads the store.
    """
    now = wiring.clock.now()
    stored = store.load_job(job.key)
    if stored is not None:
        remembered = stored.at(now)
        newer = job if _is_newer(job, remembered) else remembered
        target = job.target if job.target.accepted_request_id else remembered.target
        job = replace(newer, target=target, result=job.result or remembered.result)
    shown = store.shown(job.key)
    # What is kept may lag behind an answer that came this moment, and then shows another phase.
    known = stored is not None and stored.last.phase is job.phase
    ends = (shown.first, shown.last) if shown is not None and job.terminal and known else ()
    kept = [item for entry in store.exchanges(job.key, MAX_EXCHANGES) if (item := entry.exchange(now)) is not None]
    exchanges = _joined(fresh, kept)
    annotation = store.annotations([job.key]).get(job.key)
    return TicketSource(
        job=job,
        timeline=tuple(entry.moment for entry in store.timeline(job.key)),
        exchanges=exchanges,
        ends=tuple(item for entry in ends if (item := entry.exchange(now)) is not None),
        version=__version__,
        made_us=now.us,
        curl=wiring.curl(job.target),
        clock_offset=told_offset(fresh),
        note=note or (annotation.note if annotation is not None else ""),
        include_result=include_result,
    )


def _is_newer(job: Job, remembered: Job) -> bool:
    return job.asked is not None and (remembered.asked is None or job.asked.us > remembered.asked.us)


def _joined(fresh: Sequence[Exchange], kept: Sequence[Exchange]) -> tuple[Exchange, ...]:
    """Return what is kept with what is not kept yet before it, newest first."""
    known = {_mark(item) for item in kept}
    late = [item for item in fresh if _mark(item) not in known]
    both = sorted((*late, *kept), key=_started, reverse=True)
    return tuple(both[:MAX_EXCHANGES])


def _started(item: Exchange) -> int:
    return item.started.us


def _mark(item: Exchange) -> tuple[str | None, Instant | int]:
    """What tells two exchanges apart: the server's ID, or the moment where there is none (to the millisecond)."""
    support_id = item.support_id
    return (support_id, 0) if support_id else (None, item.started.us // 1_000)
