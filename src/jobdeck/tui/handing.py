"""Handing on what the deck shows: IDs, curl lines and tickets, of what is selected or marked."""

from collections.abc import Callable, Sequence

from textual.screen import ModalScreen

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.text import one_line
from jobdeck.tui import words
from jobdeck.tui.cells import middle
from jobdeck.tui.copier import Copier, Say
from jobdeck.tui.copying import Nothing, curl_of, id_of_exchange, id_of_job
from jobdeck.tui.screens.sent import SentScreen
from jobdeck.tui.screens.ticket import TicketScreen
from jobdeck.tui.session import Session

Push = Callable[[ModalScreen[None]], object]
"""Puts a sheet in front of the deck."""


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

    async def curl(self, exchange: Exchange | None) -> None:
        """Send an exchange's request as a line for a shell."""
        found = curl_of(exchange, self._session.curl(exchange) if exchange is not None else "")
        if isinstance(found, Nothing):
            self._say(found.reason, True)
        else:
            await self._copier.send(found.text, found.what)

    def ticket(self, keys: Sequence[JobKey]) -> None:
        """Show one ticket about jobs."""
        if not keys:
            self._say("no ticket: no job is selected", True)
            return
        chosen = tuple(keys)
        subject = one_line(middle(chosen[0].id, 40)) if len(chosen) == 1 else words.plural(len(chosen), "job")

        async def make(note: str, with_result: bool) -> str:
            return await self._session.ticket(chosen, note, include_result=with_result)

        self._push(TicketScreen(make, self._copier, subject))

    def sent(self) -> None:
        """Show what was sent last."""
        last = self._copier.last
        if last is None:
            self._say("nothing has been sent to the clipboard yet", False)
        else:
            self._push(SentScreen(self._copier, last))
