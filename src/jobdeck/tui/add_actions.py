"""Adding jobs on the screen: pasted targets, discovered jobs, the last watch list."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from jobdeck.app.session import SessionControls, WatchListSummary, error_reported
from jobdeck.domain import humanize
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.tui.deck_state import DeckServices
from jobdeck.tui.engine_actions import NOT_OPEN
from jobdeck.tui.render.frame import EmptyDeck, empty_lines
from jobdeck.tui.render.spans import Line, truncate_line
from jobdeck.tui.screens.add import AddScreen
from jobdeck.tui.screens.discover import DiscoverScreen
from jobdeck.tui.widgets.job_list import JobList

NO_LIST = "no earlier watch list"


class AddActions:
    """Adds jobs to a deck; with `controls` None, nothing can be added."""

    def __init__(self, deck: DeckServices, controls: SessionControls | None) -> None:
        self._session, self._state = deck.session, deck.state
        self._say, self._push = deck.say, deck.push
        self._controls = controls
        self._draft = ""  # text left in the dialog when it was closed
        self._last: WatchListSummary | None = None
        self._was_empty = False

    async def open_dialog(self, text: str = "") -> None:
        """Open the dialog for targets, filled with the pasted `text`, or else with the draft left there last time."""
        known = self._state.is_watched
        if self._controls is not None:
            both = "\n".join(one for one in (self._draft.rstrip("\n"), text) if one)
            dialog = AddScreen(self._controls.parse, known, self._add, self._keep_draft, both)
            await self._push(dialog)

    async def discover(self) -> None:
        """List the jobs that the APIs started recently, and watch the chosen ones."""
        if self._controls is None or self._state.controls is None:
            self._say(NOT_OPEN, False)
        elif self._state.paused:
            self._say("polling is paused: resume (p) to discover jobs", False)
        else:
            known, profiles, clock = self._state.is_watched, self._session.profiles, self._session.clock
            await self._push(DiscoverScreen(profiles, self._controls.discover, known, self._add_discovered, clock))

    async def open_last(self) -> None:
        """Add the jobs of the last watch list."""
        if self._controls is None or self._state.controls is None:
            self._say(NOT_OPEN, False)
            return
        with error_reported(lambda reason: self._say(f"could not open the last watch list: {reason}", True)):
            count = await self._controls.open_last_watch_list()
            jobs = f"{humanize.pluralize(count, 'job')} added from the last watch list"
            self._say(jobs if count else NO_LIST, False)

    def check_empty(self, jobs: JobList, lines: Callable[[int], Sequence[Line]]) -> None:
        """When the deck becomes empty, look up the last watch list to offer; `jobs` then redraws `lines`."""
        empty = self._state.engine is not None and not self._state.table.total
        if empty and not self._was_empty and self._controls is not None:
            jobs.run_worker(self._find_last(jobs, lines), group="watch list", exclusive=True)
        self._was_empty = empty

    def empty_lines(self, failure: str | None, width: int) -> Sequence[Line]:
        """Return the text of the list while it has no rows."""
        offers = EmptyDeck(self._session.profiles, self._last) if self._controls is not None else None
        opened, total = self._state.engine is not None, self._state.table.total
        lines = empty_lines(failure, total, self._session.clock.now(), opened=opened, offers=offers)
        return tuple(truncate_line(line, width) for line in lines)

    async def _find_last(self, jobs: JobList, lines: Callable[[int], Sequence[Line]]) -> None:
        self._last = await self._controls.last_watch_list() if self._controls is not None else None
        jobs.when_empty(lines)

    def _add(self, targets: Sequence[Target]) -> bool:
        """Watch targets; returns whether they are watched."""
        if self._state.controls is None:
            self._say("not added: still starting", True)
            return False
        if len(targets) > 1:
            targets = [one if one.batch else replace(one, batch=self._batch("pasted")) for one in targets]
        new: tuple[JobKey, ...] = ()
        errors: list[str] = []
        with error_reported(errors.append):
            new = self._state.controls.add(targets)
        if errors:
            self._say(f"not added: {errors[0]}", True)
            return False
        again = len(targets) - len(new)
        also = f", {again} already watched" if again else ""
        self._say(f"{humanize.pluralize(len(new), 'job')} added{also}", False)
        return True

    def _add_discovered(self, jobs: Sequence[Job]) -> None:
        """Watch jobs in the state that the list response gave."""
        controls = self._state.controls
        if controls is None:
            return
        if len(jobs) > 1:
            batch = self._batch("discovered")
            jobs = [replace(job, target=replace(job.target, batch=batch)) for job in jobs]
        controls.restore(jobs)
        self._say(f"{humanize.pluralize(len(jobs), 'job')} added", False)

    def _batch(self, source: str) -> str:
        """Return the name of the batch that jobs form which are added together."""
        return f"{source} {humanize.format_datetime(self._session.clock.now().us)[5:16]}"

    def _keep_draft(self, text: str) -> None:
        self._draft = text
