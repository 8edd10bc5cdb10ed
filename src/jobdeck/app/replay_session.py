"""The screen's session on a recording."""

from collections.abc import Mapping, Sequence

from jobdeck import __version__
from jobdeck.apis.pages import built_in_meanings, customary_headers
from jobdeck.app.session import OpenEngine, Preference, ReadOnly
from jobdeck.app.tickets import TicketError
from jobdeck.domain.exchange import Exchange, first_clock_offset
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.recording.entries import Recording
from jobdeck.recording.replay import ReplayEngine
from jobdeck.report.curl import curl_line
from jobdeck.report.ticket import TicketSource, tickets_markdown

READ_ONLY = "not available in replay"


class ReplaySession:
    """Implements the screen's `Session` on a recording."""

    def __init__(self, recording: Recording, replay: ReplayEngine) -> None:
        self._header = recording.header
        self._replay = replay
        self.access = ReadOnly(READ_ONLY)
        self.storage_error = ""
        self.reading = 0
        self.preferences: Mapping[Preference, str] = {}
        self.batch = ""
        self.notices = (recording.fault,) if recording.fault else ()

    @property
    def clock(self) -> Clock:
        """The recording's own clock."""
        return self._replay

    @property
    def profiles(self) -> tuple[str, ...]:
        """The recorded profiles."""
        return tuple(self._header.profiles)

    async def recall(self) -> Sequence[Job]:
        """Remember nothing: all is in the recording."""
        return ()

    async def open(self) -> OpenEngine:
        """Return what plays."""
        return OpenEngine(self._replay)

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return what the page of an API says that the values of facts mean; nothing where there is no such page."""
        return built_in_meanings(provider)

    def curl(self, asked: Exchange | Target) -> str:
        """Return a request as a line for a shell, with the variables that its API usually has.

        Of a job the newest one about it alone, which asks for less than a list does; else the newest.
        """
        if isinstance(asked, Target):
            exchanges = self._replay.exchanges(asked.key)
            newest = next((item for item in exchanges if item.job is not None), next(iter(exchanges), None))
            return "" if newest is None else self.curl(newest)
        provider = self._header.profiles.get(asked.profile, "")
        return curl_line(asked.method, asked.url, customary_headers(provider))

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return a ticket from what was known at the moment that is shown."""
        sources = [
            self._source(job, include_result=include_result)
            for key in keys
            if (job := self._replay.jobs.get(key)) is not None
        ]
        if not sources:
            raise TicketError("no data about this job yet")
        return tickets_markdown(sources, note)

    def _source(self, job: Job, *, include_result: bool) -> TicketSource:
        exchanges = self._replay.exchanges(job.key)
        return TicketSource(
            job=job,
            timeline=self._replay.timeline(job.key),
            exchanges=exchanges,
            version=__version__,
            created_us=self._replay.now().us,
            curl=self.curl(job.target),
            clock_offset=first_clock_offset(exchanges),
            include_result=include_result,
        )

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return nothing: notes are not recorded."""
        return ""

    async def close(self) -> None:
        """End what plays."""
        self._replay.close()
