"""Handing on what the deck shows: IDs, curl lines and tickets, of what is selected or marked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from textual.screen import ModalScreen

from jobdeck.domain import words
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.text import one_line
from jobdeck.tui.cells import middle
from jobdeck.tui.copier import Copier, Say
from jobdeck.tui.copying import Nothing, curl_of, id_of_exchange, id_of_job
from jobdeck.tui.screens.sent import SentScreen
from jobdeck.tui.screens.ticket import TicketScreen
from jobdeck.tui.session import Session

Push = Callable[[ModalScreen[None]], Awaitable[None]]
"""Puts a sheet in front of the deck."""


class TicketPaper:
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
            await self._session.keep_note(self._keys, note, before)

        self._keeping = asyncio.get_running_loop().create_task(keep(), name="keep a note")

    async def make(self, *, include_result: bool) -> str:
        """Return the ticket."""
        if self._keeping is not None:
            await asyncio.shield(self._keeping)
        return await self._session.ticket(self._keys, self._note, include_result=include_result)


class Handing:
    """Does what the keys `y`, `c`, `Y` and `C` ask for. What it hands on is what it is given: never a row's number."""

    def __init__(self, session: Session, copier: Copier, say: Say, push: Push) -> None:
        self._session = session
        self._copier = copier
        self._say = say
        self._push = push

    async def request_id(self, job: Job | None, exchange: Exchange | None) -> None:
        """Send the ID of an exchange, or of a job's newest when none is selected."""
        found = id_of_exchange(exchange) if exchange is not None else id_of_job(job)
        if isinstance(found, Nothing):
            self._say(found.reason, True)
        else:
            await self._copier.send(found.text, found.what)

    async def curl(self, asked: Exchange | Target | None) -> None:
        """Send an exchange's request, or one about a job, as a line for a shell."""
        found = curl_of(asked, self._session.curl(asked) if asked is not None else "")
        if isinstance(found, Nothing):
            self._say(found.reason, True)
        else:
            await self._copier.send(found.text, found.what)

    async def ticket(self, keys: Sequence[JobKey]) -> None:
        """Show one ticket about jobs."""
        if not keys:
            self._say("no ticket: no job is selected", True)
            return
        chosen = tuple(keys)
        subject = one_line(middle(chosen[0].id, 40)) if len(chosen) == 1 else words.plural(len(chosen), "job")
        await self._push(TicketScreen(TicketPaper(self._session, chosen), self._copier, subject))

    async def sent(self) -> None:
        """Show what was sent last."""
        last = self._copier.last
        if last is None:
            self._say("nothing has been sent to the clipboard yet", False)
        else:
            await self._push(SentScreen(self._copier, last))
