"""Which ID `y` sends, and what is said about it."""

from dataclasses import dataclass

from jobdeck.domain import words
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, Target
from jobdeck.domain.text import CELL_LIMIT, one_line
from jobdeck.tui.cells import middle


@dataclass(frozen=True, slots=True)
class Copy:
    """One line for the clipboard, and what it is."""

    text: str
    what: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is no ID, and why."""

    reason: str


def id_of_job(job: Job | None) -> Copy | Nothing:
    """Return the ID of a job's newest exchange."""
    if job is None:
        return Nothing("no job is selected")
    if job.support_id is None:
        if job.http_status is not None:
            return Nothing("no request ID: the newest answer named none")
        if job.observed is not None:
            return Nothing("no request ID: the newest request had no answer")
        if job.problem is not None:
            return Nothing(f"no request ID yet: {job.problem.kind.words}, so no answer has come")
        return Nothing("no request ID yet: the first answer has not come")
    kind = "request ID" if job.request_id else "trace ID (this API has no request ID)"
    return Copy(one_line(job.support_id, CELL_LIMIT), f"{kind} of {middle(job.key.id, 16)}")


def id_of_exchange(exchange: Exchange) -> Copy | Nothing:
    """Return the ID of one exchange."""
    if exchange.support_id is None:
        if exchange.http_status is None:
            return Nothing("no request ID: this request had no answer")
        return Nothing("no request ID: this answer named none")
    kind = "request ID" if exchange.request_id else "trace ID (this API has no request ID)"
    return Copy(one_line(exchange.support_id, CELL_LIMIT), f"{kind} of the look at {words.clock(exchange.started.us)}")


def curl_of(asked: Exchange | Target | None, curl: str) -> Copy | Nothing:
    """Return a request, or one about a job, as a line for a shell; `curl` is that of `asked`, empty if not known."""
    if asked is None:
        return Nothing("no curl line: no job is selected")
    if not curl or (isinstance(asked, Exchange) and not asked.url):
        return Nothing("no curl line: what was asked is not known")
    if isinstance(asked, Target):
        return Copy(one_line(curl), f"curl line of {middle(asked.key.id, 16)}")
    return Copy(one_line(curl), f"curl line of the look at {words.clock(asked.started.us)}")
