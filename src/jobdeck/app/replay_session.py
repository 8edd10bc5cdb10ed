"""The screen's session with a recording."""

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
    """Implements the screen's `Session` with a recording."""

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
        """The recording's clock."""
        return self._replay

    @property
    def profiles(self) -> tuple[str, ...]:
        """The recorded profiles."""
        return tuple(self._header.profiles)

    async def load_saved_jobs(self) -> Sequence[Job]:
        """Return nothing: all jobs are in the recording."""
        return ()

    async def open(self) -> OpenEngine:
        """Return the replay as an engine."""
        return OpenEngine(self._replay)

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return the meanings of the values of an API's facts; empty without a definition of the API."""
        return built_in_meanings(provider)

    def curl(self, asked: Exchange | Target) -> str:
        """Return the curl command for a request, with the API's usual variables.

        For a job, that is its newest own poll, which is smaller than a list, or else its newest exchange.
        """
        if isinstance(asked, Target):
            exchanges = self._replay.exchanges(asked.key)
            newest = next((item for item in exchanges if item.job is not None), next(iter(exchanges), None))
            return "" if newest is None else self.curl(newest)
        provider = self._header.profiles.get(asked.profile, "")
        return curl_line(asked.method, asked.url, customary_headers(provider))

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return a ticket with the data known at the current time of the replay."""
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
        """Stop playing."""
        self._replay.close()
