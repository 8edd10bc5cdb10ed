"""What `y`, `c`, `Y` and `C` send: IDs, curl lines and tickets, of what is selected or marked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from textual.screen import ModalScreen

from jobdeck.app.session import ReadOnly, Session
from jobdeck.domain import humanize
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.text import CELL_LIMIT, one_line
from jobdeck.tui.cell_text import middle
from jobdeck.tui.clipboard import ClipboardService, Say, safe_text
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.screens.dialogs import CopiedTextScreen, ValueScreen
from jobdeck.tui.screens.exchange import ExchangeScreen
from jobdeck.tui.screens.ticket import TicketScreen


@dataclass(frozen=True, slots=True)
class Copyable:
    """One line for the clipboard, and what it is."""

    text: str
    what: str


@dataclass(frozen=True, slots=True)
class NothingToCopy:
    """There is no ID, and why."""

    reason: str


def id_of_job(job: Job | None) -> Copyable | NothingToCopy:
    """Return the ID of the answer that showed how a job ended, else of its newest exchange, and say which."""
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
    return Copyable(one_line(job.support_id, CELL_LIMIT), f"{kind} of {middle(job.key.id, 16)} ({which})")


def ids_of_jobs(jobs: Sequence[Job]) -> Copyable | NothingToCopy:
    """Return the ID of each job for support, one a line; how many have none is said."""
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
    return Copyable(
        one_line(exchange.support_id, CELL_LIMIT), f"{kind} of the poll at {humanize.format_time(exchange.started.us)}"
    )


def curl_of(asked: Exchange | Target | None, curl: str) -> Copyable | NothingToCopy:
    """Return a request, or one about a job, as a line for a shell; `curl` is that of `asked`, empty if not known."""
    if asked is None:
        return NothingToCopy("no curl command: no job selected")
    if not curl or (isinstance(asked, Exchange) and not asked.url):
        return NothingToCopy("no curl command: the request is not known")
    if isinstance(asked, Target):
        return Copyable(one_line(curl), f"curl command for {middle(asked.key.id, 16)}")
    return Copyable(one_line(curl), f"curl command for the poll at {humanize.format_time(asked.started.us)}")


Push = Callable[[ModalScreen[None]], Awaitable[None]]
"""Puts a sheet in front of the deck."""


class TicketDraft:
    """The ticket of some jobs, with the note that is kept with them."""

    def __init__(self, session: Session, keys: tuple[JobKey, ...]) -> None:
        self._session = session
        self._keys = keys
        self._note = ""
        self._keeping: asyncio.Task[None] | None = None

    async def note(self) -> str:
        """Return the kept note."""
        kept = await self._session.note(self._keys)
        if self._keeping is None:
            self._note = kept
        return kept

    def keep(self, note: str) -> None:
        """Keep another note, whether or not anybody still looks at the ticket."""
        before, self._note = self._note, note
        earlier = self._keeping

        async def keep() -> None:
            if earlier is not None:
                await earlier
            if not isinstance(self._session.access, ReadOnly):
                await self._session.access.keep_note(self._keys, note, before)

        self._keeping = asyncio.get_running_loop().create_task(keep(), name="save a note")

    async def make(self, *, include_result: bool) -> str:
        """Return the ticket."""
        if self._keeping is not None:
            await asyncio.shield(self._keeping)
        return await self._session.ticket(self._keys, self._note, include_result=include_result)


class CopyActions:
    """Does what the keys `y`, `c`, `Y` and `C` ask for. What it hands on is what it is given: never a row's number."""

    def __init__(self, session: Session, copier: ClipboardService, say: Say, push: Push) -> None:
        self._session = session
        self._copier = copier
        self._say = say
        self._push = push

    async def request_ids(self, jobs: Sequence[Job], exchange: Exchange | None) -> None:
        """Send the ID of an exchange, or that of each job for support when none is selected."""
        found = id_of_exchange(exchange) if exchange is not None else ids_of_jobs(jobs)
        if isinstance(found, NothingToCopy):
            self._say(found.reason, True)
        else:
            await self._copier.send(found.text, found.what)

    async def curl(self, asked: Exchange | Target | None) -> None:
        """Send an exchange's request, or one about a job, as a line for a shell."""
        found = curl_of(asked, self._session.curl(asked) if asked is not None else "")
        if isinstance(found, NothingToCopy):
            self._say(found.reason, True)
        else:
            await self._copier.send(found.text, found.what)

    async def ticket(self, keys: Sequence[JobKey]) -> None:
        """Show one ticket about jobs."""
        if not keys:
            self._say("no ticket: no job selected", True)
            return
        chosen = tuple(keys)
        subject = one_line(middle(chosen[0].id, 40)) if len(chosen) == 1 else humanize.pluralize(len(chosen), "job")
        await self._push(TicketScreen(TicketDraft(self._session, chosen), self._copier, subject))

    async def value(self, label: str, text: str) -> None:
        """Send a value of a result."""
        await self._copier.send(safe_text(text), f"value of {one_line(middle(label, 40))}" if label else "result")

    async def show_value(self, label: str, text: str) -> None:
        """Show a value of a result in full."""
        await self._push(ValueScreen(self._copier, label, text))

    async def exchange(self, state: DeckState, key: JobKey, exchange: Exchange) -> None:
        """Show an exchange of a job."""
        await self._push(ExchangeScreen(state, key, exchange, self._session, self._copier))

    async def sent(self) -> None:
        """Show what was sent last."""
        last = self._copier.last
        if last is None:
            self._say("nothing sent to the clipboard yet", False)
        else:
            await self._push(CopiedTextScreen(self._copier, last))
