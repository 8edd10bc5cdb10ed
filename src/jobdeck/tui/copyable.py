"""What there is to copy of jobs and exchanges, or why there is nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobdeck.domain import humanize
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, Target
from jobdeck.domain.text import CELL_LIMIT, one_line
from jobdeck.tui.cell_text import elide_middle


@dataclass(frozen=True, slots=True)
class Copyable:
    """One text for the clipboard, and what it is."""

    text: str
    what: str


@dataclass(frozen=True, slots=True)
class NothingToCopy:
    """Why there is nothing to copy."""

    reason: str


def id_of_job(job: Job | None) -> Copyable | NothingToCopy:
    """Return the ID of the response that showed a job's end, or else of its newest exchange, and say which it is."""
    if job is None:
        return NothingToCopy("no job selected")
    if job.support_id is None:
        if job.http_status is not None:
            return NothingToCopy("no request ID in the latest response")
        if job.observed is not None:
            return NothingToCopy("no request ID: no response to the latest request")
        if job.problem is not None:
            return NothingToCopy(f"no request ID yet: {job.problem.kind.label}")
        return NothingToCopy("no request ID yet: waiting for the first response")
    kind = "request ID" if job.support_ids[0] else "trace ID (this API has no request ID)"
    which = "latest poll"
    if job.end_id is not None and job.ended is not None:
        which = f"{job.phase.value} at {humanize.format_time(job.ended.us)}"
    return Copyable(one_line(job.support_id, CELL_LIMIT), f"{kind} of {elide_middle(job.key.id, 16)} ({which})")


def ids_of_jobs(jobs: Sequence[Job]) -> Copyable | NothingToCopy:
    """Return each job's ID for support, one per line; the description counts the jobs without one."""
    if len(jobs) == 1:
        return id_of_job(jobs[0])
    found = [one.text for job in jobs if isinstance(one := id_of_job(job), Copyable)]
    if not found:
        return NothingToCopy("none of these jobs has a request ID" if jobs else "no job selected")
    kind = "request ID" if all(job.support_ids[0] for job in jobs if job.support_id) else "request or trace ID"
    without = len(jobs) - len(found)
    missing = f" ({humanize.pluralize(without, 'job')} without)" if without else ""
    return Copyable("\n".join(found), f"{humanize.pluralize(len(found), kind)}{missing}")


def id_of_exchange(exchange: Exchange) -> Copyable | NothingToCopy:
    """Return the ID of one exchange."""
    if exchange.support_id is None:
        if exchange.http_status is None:
            return NothingToCopy("no request ID: no response")
        return NothingToCopy("no request ID in the response")
    kind = "request ID" if exchange.request_id else "trace ID (this API has no request ID)"
    when = humanize.format_time(exchange.started.us)
    return Copyable(one_line(exchange.support_id, CELL_LIMIT), f"{kind} of the request at {when}")


def curl_of(asked: Exchange | Target | None, curl: str) -> Copyable | NothingToCopy:
    """Return the curl command of an exchange, or of a poll of a target; `curl` is empty if the request is unknown."""
    if asked is None:
        return NothingToCopy("no curl command: no job selected")
    if not curl or (isinstance(asked, Exchange) and not asked.url):
        return NothingToCopy("no curl command: the request is not known")
    if isinstance(asked, Target):
        return Copyable(one_line(curl), f"curl command for {elide_middle(asked.key.id, 16)}")
    return Copyable(one_line(curl), f"curl command for the request at {humanize.format_time(asked.started.us)}")
