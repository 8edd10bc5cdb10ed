"""The keys `y`, `c`, `Y` and `C`: request IDs, curl commands, tickets, and the clipboard view."""

import asyncio
from collections.abc import Sequence

from jobdeck.app.session import ReadOnly, Session
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.text import one_line
from jobdeck.tui.cell_text import describe_jobs, elide_middle
from jobdeck.tui.clipboard import safe_text
from jobdeck.tui.copyable import NothingToCopy, curl_of, id_of_exchange, ids_of_jobs
from jobdeck.tui.deck_state import DeckServices
from jobdeck.tui.screens.dialogs import CopiedTextScreen, ValueScreen
from jobdeck.tui.screens.exchange import ExchangeScreen
from jobdeck.tui.screens.ticket import TicketScreen


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

    def __init__(self, deck: DeckServices) -> None:
        self._session, self._state, self._clipboard = deck.session, deck.state, deck.clipboard
        self._say, self._push = deck.say, deck.push

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
        subject = one_line(describe_jobs(chosen))
        await self._push(TicketScreen(TicketDraft(self._session, chosen), self._clipboard, subject))

    async def value(self, label: str, text: str) -> None:
        """Send a value of a result."""
        await self._clipboard.send(
            safe_text(text), f"value of {one_line(elide_middle(label, 40))}" if label else "result"
        )

    async def show_value(self, label: str, text: str) -> None:
        """Show a value of a result in full."""
        await self._push(ValueScreen(self._clipboard, label, text))

    async def exchange(self, key: JobKey, exchange: Exchange) -> None:
        """Show one exchange of a job."""
        await self._push(ExchangeScreen(self._state, key, exchange, self._session, self._clipboard))

    async def show_clipboard(self) -> None:
        """Show the text that was sent last."""
        last = self._clipboard.last
        if last is None:
            self._say("nothing sent to the clipboard yet", False)
        else:
            await self._push(CopiedTextScreen(self._clipboard, last))
