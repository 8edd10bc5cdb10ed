"""The state behind the deck (the job table, failures, progress, unreachable profiles), and what its actions use."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from textual.screen import ModalScreen

from jobdeck.app.session import EngineControls, EngineView, Session
from jobdeck.domain.attention import fails_alone
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey
from jobdeck.engine.subscription import ChangeSet
from jobdeck.report.failure_groups import FailureGroups
from jobdeck.tui.clipboard import ClipboardService, Say
from jobdeck.tui.export import Save
from jobdeck.tui.job_table import JobTable, TableUpdate
from jobdeck.tui.new_failures import NewFailures, next_failure
from jobdeck.tui.overall_progress import OverallProgress
from jobdeck.tui.render.detail import ScheduleInfo
from jobdeck.tui.render.frame import UnreachableProfile
from jobdeck.tui.render.header import Overview
from jobdeck.tui.render.state import ENDED, FAILED, NEW
from jobdeck.tui.render.tabs import NO_MEANINGS, JobHistory, Meanings
from jobdeck.tui.render.trace import ExchangeNotes, exchange_notes


class DeckState:
    """Combines the engine's data with the job table, for the widgets to draw."""

    def __init__(
        self,
        profiles: tuple[str, ...],
        *,
        read_only: bool = False,
        meanings: Callable[[str], Meanings] = lambda _: NO_MEANINGS,
    ) -> None:
        self.table = JobTable()
        self.engine: EngineView | None = None
        self.controls: EngineControls | None = None
        self.unfocused = False
        self.replay = ""
        self.dated = False
        self.failure_groups = FailureGroups()
        self.new_failures = NewFailures()
        self._progress = OverallProgress()
        self._profiles = profiles
        self._read_only = read_only
        self._meanings = meanings
        self._unreachable: dict[str, UnreachableProfile] = {}
        self._shown_failure: JobKey | None = None

    @property
    def settled(self) -> bool:
        """Whether every job was polled once, so that the selection may stick to its job; never in a recording."""
        return not self.replay and not self.table.counts.get(NEW, 0)

    @property
    def paused(self) -> bool:
        """Whether the engine is paused."""
        return self.engine is not None and self.engine.paused

    def forget(self) -> None:
        """Reset everything that was applied."""
        self.table.clear()
        self.failure_groups = FailureGroups()
        self.new_failures = NewFailures()
        self._progress = OverallProgress()
        self._unreachable = {}

    def apply(self, batch: ChangeSet, now: Instant) -> TableUpdate:
        """Apply a batch of changes."""
        if batch.fresh:
            self.forget()
        self.failure_groups.apply(batch.jobs, batch.removed)
        self.new_failures.apply(batch.jobs, batch.removed)
        self._progress.apply(batch.jobs, batch.removed, now)
        delta = self.table.update(batch.jobs, batch.removed, now, batch.ranks)
        for name in {key.profile for key in delta.changed}:
            self._unreachable.pop(name, None)
        return delta

    def job(self, key: JobKey | None) -> Job | None:
        """Return a job as last drawn."""
        row = self.table.row(key) if key is not None else None
        return row.job if row is not None else None

    def next_failure(self, selected: JobKey | None) -> JobKey | None:
        """Return the job that failed last, or the one before that while the last returned is still `selected`."""
        after = selected if selected == self._shown_failure else None
        self._shown_failure = next_failure((row.job for row in self.table.rows()), after)
        return self._shown_failure

    def is_watched(self, key: JobKey) -> bool:
        """Whether a job has a row."""
        return self.table.row(key) is not None

    def exchanges(self, key: JobKey | None) -> tuple[Exchange, ...]:
        """Return a job's newest exchanges, newest first."""
        return self.engine.exchanges(key) if self.engine is not None and key is not None else ()

    def exchange_notes(self, key: JobKey | None) -> ExchangeNotes:
        """Return what each exchange showed about a job."""
        job = self.job(key)
        if job is None or self.engine is None:
            return ExchangeNotes()
        return exchange_notes(job, self.engine.timeline(job.key), self.engine.exchanges(job.key))

    def history(self, key: JobKey) -> JobHistory:
        """Return the history that led to a job's state."""
        engine = self.engine
        if engine is None:
            return JobHistory()
        newest = engine.newest_content(key)
        return JobHistory(engine.progress_history(key), engine.timeline(key), engine.previous(key), newest)

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return the headers and body of an exchange, if they are in memory."""
        return self.engine.content(exchange) if self.engine is not None else None

    def schedule(self, key: JobKey) -> ScheduleInfo:
        """Return what the engine is going to do about a job."""
        engine = self.engine
        job = self.job(key)
        meanings = self._meanings(job.target.provider) if job is not None else NO_MEANINGS
        if engine is None:
            return ScheduleInfo(meanings=meanings)
        budget = engine.quotas().get(key.profile)
        return ScheduleInfo(
            plan=engine.next_poll(key),
            paused=engine.paused,
            halted=engine.halted().get(key.profile),
            blocked_until=budget.blocked_until if budget is not None else None,
            blocked_by=budget.blocked_by if budget is not None else None,
            blocked_asked=budget.blocked_asked if budget is not None else None,
            read_only=self._read_only,
            past=bool(self.replay),
            meanings=meanings,
        )

    def overview(self, now: Instant, reading: int = 0) -> Overview:
        """Return the data of the header; `reading` is the number of jobs expected, 0 when all are loaded."""
        profiles = tuple(sorted(self.table.profiles)) or self._profiles
        budgets = self.engine.quotas() if self.engine is not None else {}
        in_use = {name: budget for name, budget in budgets.items() if name in self.table.profiles}
        return Overview(
            profiles,
            self.table.counts,
            in_use,
            self.paused,
            now,
            self.unfocused,
            self.replay,
            self.dated,
            reading,
            self._progress.at(now),
        )

    @property
    def totals(self) -> tuple[int, int, int]:
        """The numbers of finished jobs, of all jobs, and of failed jobs."""
        counts = self.table.counts
        return sum(counts.get(state, 0) for state in ENDED), self.table.total, counts.get(FAILED, 0)

    def unreachable_profiles(self) -> tuple[UnreachableProfile, ...]:
        """Return the profiles none of whose unfinished jobs can be polled, with the latest problem.

        Jobs that fail for a reason of their own, such as a mistyped ID, do not count. The last successful poll is
        cached: it cannot change while the profile is unreachable, and scanning 10,000 rows ten times a second would be
        too slow.
        """
        unreachable = {name for name, one in self.table.visibility().items() if one.open == one.unreachable_jobs}
        self._unreachable = {name: self._as_of_now(name) for name in sorted(unreachable)}
        return tuple(self._unreachable.values())

    def _look_for(self, profile: str) -> UnreachableProfile:
        jobs = [row.job for row in self.table.rows() if row.job.key.profile == profile and not row.job.terminal]
        seen = [job.observed for job in jobs if job.observed is not None]
        key = next((job.key for job in jobs if job.trouble is not None and not fails_alone(job)), None)
        return UnreachableProfile(profile, key, max(seen, key=lambda instant: instant.us, default=None))

    def _as_of_now(self, profile: str) -> UnreachableProfile:
        one = self._unreachable.get(profile)
        job = self.job(one.job) if one is not None else None
        if one is None or job is None or job.terminal or fails_alone(job):
            one = self._look_for(profile)
            job = self.job(one.job)
        problem = (job.outage or job.problem) if job is not None else None
        next_try = self.engine.next_probe_at(profile) if self.engine is not None else None
        return replace(one, problem=problem, next_try=next_try)


@dataclass(frozen=True, slots=True)
class DeckServices:
    """The session and the deck's state, and what actions do besides changing them."""

    session: Session
    state: DeckState
    clipboard: ClipboardService
    save: Save
    say: Say
    push: Callable[[ModalScreen[None]], Awaitable[None]]
    """Opens a dialog in front of the deck."""
    run: Callable[[Coroutine[Any, Any, None]], object]
    """Runs a coroutine in the background."""
