"""The keys `y`, `c`, `Y` and `C`: request IDs, curl commands, tickets, and the clipboard view."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from textual.screen import ModalScreen

from jobdeck.app.session import ReadOnly, Session
from jobdeck.domain import humanize
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.text import CELL_LIMIT, one_line
from jobdeck.tui.cell_text import elide_middle
from jobdeck.tui.clipboard import ClipboardService, Say, safe_text
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.screens.dialogs import CopiedTextScreen, ValueScreen
from jobdeck.tui.screens.exchange import ExchangeScreen
from jobdeck.tui.screens.ticket import TicketScreen


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
    return Copyable(
        one_line(exchange.support_id, CELL_LIMIT), f"{kind} of the poll at {humanize.format_time(exchange.started.us)}"
    )


def curl_of(asked: Exchange | Target | None, curl: str) -> Copyable | NothingToCopy:
    """Return the curl command of an exchange, or of a poll of a target; `curl` is empty if the request is unknown."""
    if asked is None:
        return NothingToCopy("no curl command: no job selected")
    if not curl or (isinstance(asked, Exchange) and not asked.url):
        return NothingToCopy("no curl command: the request is not known")
    if isinstance(asked, Target):
        return Copyable(one_line(curl), f"curl command for {elide_middle(asked.key.id, 16)}")
    return Copyable(one_line(curl), f"curl command for the poll at {humanize.format_time(asked.started.us)}")


Push = Callable[[ModalScreen[None]], Awaitable[None]]
"""Opens a dialog in front of the deck."""


class TicketDraft:
    """The ticket for some jobs, with the note that is saved with them."""

    def __init__(self, session: Session, keys: tuple[JobKey, ...]) -> None:
        self._session = session
        self._keys = keys
        self._note = ""
        self._saving: asyncio.Task[None] | None = None

    async def note(self) -> str:
        """Return the saved note."""
        kept = await self._session.note(self._keys)
        if self._saving is None:
            self._note = kept
        return kept

    def save_note(self, note: str) -> None:
        """Save a new note, in the background: closing the ticket does not lose it."""
        before, self._note = self._note, note
        earlier = self._saving

        async def save() -> None:
            if earlier is not None:
                await earlier
            if not isinstance(self._session.access, ReadOnly):
                await self._session.access.save_note(self._keys, note, before)

        self._saving = asyncio.get_running_loop().create_task(save(), name="save a note")

    async def render(self, *, include_result: bool) -> str:
        """Return the text of the ticket."""
        if self._saving is not None:
            await asyncio.shield(self._saving)
        return await self._session.ticket(self._keys, self._note, include_result=include_result)


class CopyActions:
    """Runs the actions of `y`, `c`, `Y` and `C`. Arguments are jobs and exchanges, not row numbers, which may move."""

    def __init__(self, session: Session, clipboard: ClipboardService, say: Say, push: Push) -> None:
        self._session = session
        self._clipboard = clipboard
        self._say = say
        self._push = push

    async def request_ids(self, jobs: Sequence[Job], exchange: Exchange | None) -> None:
        """Send the ID of an exchange, or, if none is selected, each job's ID for support."""
        found = id_of_exchange(exchange) if exchange is not None else ids_of_jobs(jobs)
        if isinstance(found, NothingToCopy):
            self._say(found.reason, True)
        else:
            await self._clipboard.send(found.text, found.what)

    async def curl(self, asked: Exchange | Target | None) -> None:
        """Send a request as a curl command."""
        found = curl_of(asked, self._session.curl(asked) if asked is not None else "")
        if isinstance(found, NothingToCopy):
            self._say(found.reason, True)
        else:
            await self._clipboard.send(found.text, found.what)

    async def ticket(self, keys: Sequence[JobKey]) -> None:
        """Open one ticket for these jobs."""
        if not keys:
            self._say("no ticket: no job selected", True)
            return
        chosen = tuple(keys)
        subject = (
            one_line(elide_middle(chosen[0].id, 40)) if len(chosen) == 1 else humanize.pluralize(len(chosen), "job")
        )
        await self._push(TicketScreen(TicketDraft(self._session, chosen), self._clipboard, subject))

    async def value(self, label: str, text: str) -> None:
        """Send a value of a result."""
        await self._clipboard.send(
            safe_text(text), f"value of {one_line(elide_middle(label, 40))}" if label else "result"
        )

    async def show_value(self, label: str, text: str) -> None:
        """Show a value of a result in full."""
        await self._push(ValueScreen(self._clipboard, label, text))

    async def exchange(self, state: DeckState, key: JobKey, exchange: Exchange) -> None:
        """Show one exchange of a job."""
        await self._push(ExchangeScreen(state, key, exchange, self._session, self._clipboard))

    async def show_clipboard(self) -> None:
        """Show the text that was sent last."""
        last = self._clipboard.last
        if last is None:
            self._say("nothing sent to the clipboard yet", False)
        else:
            await self._push(CopiedTextScreen(self._clipboard, last))
