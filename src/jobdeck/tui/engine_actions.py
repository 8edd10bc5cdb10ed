"""Keys that control the engine: poll now, pause, add jobs. Each method returns the message to show."""

from collections.abc import Container, Sequence

from jobdeck.domain import humanize
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey
from jobdeck.tui.cell_text import elide_middle
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.render.tabs import Tab

PAUSED = "queued until polling is resumed (p)"
NOT_OPEN = "still starting, try again in a moment"


class EngineActions:
    """Controls the engine of a deck; does nothing until it is open."""

    def __init__(self, state: DeckState, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._fetched: JobKey | None = None

    def poll_now(self, keys: Sequence[JobKey]) -> str:
        """Poll jobs as soon as the rate limit allows."""
        engine = self._state.controls
        if engine is None or not keys:
            return NOT_OPEN if keys else ""
        for key in keys:
            engine.poll_now(key)
        if self._state.paused:
            return PAUSED
        several = f"{humanize.pluralize(len(keys), 'job')} " if len(keys) > 1 else ""
        profiles = {key.profile for key in keys}
        return self._next_probes(profiles) or f"refreshing {several}when the rate limit allows"

    def poll_all_now(self) -> str:
        """Poll every unfinished job, within the rate limit."""
        engine = self._state.controls
        if engine is None:
            return NOT_OPEN
        engine.poll_all_now()
        if self._state.paused:
            return PAUSED
        rest = "refreshing every unfinished job, within the rate limit"
        return "; ".join(part for part in (self._next_probes(), rest) if part)

    def fetch_shown(self, key: JobKey | None, tab: Tab) -> None:
        """Poll a job once if a tab shows it but its content is not in memory."""
        job, engine = self._state.job(key), self._state.controls
        if job is None or not self._lacks(job, tab):
            self._fetched = None
        elif engine is not None and self._fetched != job.key:
            self._fetched = job.key
            engine.poll_now(job.key)

    def _lacks(self, job: Job, tab: Tab) -> bool:
        """Whether a tab lacks its content: the result was evicted, or no response with the job's end is in memory."""
        if tab is Tab.RAW:
            return job.terminal and self._state.history(job.key).content is None
        return tab is Tab.RESULT and job.evicted_result is not None

    def toggle_pause(self) -> str:
        """Pause or resume polling."""
        engine = self._state.controls
        if engine is None:
            return NOT_OPEN
        if self._state.paused:
            engine.resume()
        else:
            engine.pause()
        return ""

    def _next_probes(self, profiles: Container[str] | None = None) -> str:
        """Return when unreachable profiles are tried next, all or only some; empty if none is unreachable."""
        now = self._clock.now()
        tries = [
            (one.profile, one.next_try - now.mono)
            for one in self._state.unreachable_profiles()
            if one.next_try is not None and (profiles is None or one.profile in profiles)
        ]
        when = (
            f"{elide_middle(name, 40)} {f'in {humanize.format_duration(left)}' if left >= 1 else 'now'}"
            for name, left in tries
        )
        return f"next try: {', '.join(when)}" if tries else ""
