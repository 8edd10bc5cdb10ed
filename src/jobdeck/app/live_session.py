"""The screen's session with real settings: opens the store and the engine, and saves the user's choices."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from jobdeck.app.end_notifier import CLOSE_SECONDS, EndNotifier, make_end_notifier
from jobdeck.app.session import (
    OpenEngine,
    Preference,
    ProgramKey,
    WatchListSummary,
)
from jobdeck.app.tickets import TicketError, make_ticket, save_note, saved_note
from jobdeck.config.errors import ConfigError
from jobdeck.http.credentials import secrets_seen
from jobdeck.http.redactor import Redactor
from jobdeck.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from jobdeck.app.context import AppContext, RunningEngine
    from jobdeck.app.data_store import OpenedStore
    from jobdeck.app.live_sources import LiveSources
    from jobdeck.app.session import Discovered, Parsed
    from jobdeck.domain.exchange import Exchange
    from jobdeck.domain.instant import Clock
    from jobdeck.domain.job import Job, JobKey, Target
    from jobdeck.engine.engine import Engine
    from jobdeck.engine.subscription import ChangeSet
    from jobdeck.recording.recorder import Recorder
    from jobdeck.store.models import Notice

FIRST = 100
"""Saved jobs that are shown before the others are loaded, and before the engine is imported: with 10,000 jobs, the
first line would otherwise appear after 1.1 s of processor time."""

AT_ONCE = 250
"""Saved jobs that are restored before keys and the screen get their turn: about 10 ms."""

LAST_USED = "last used"
"""The key in the store for the time a screen was last closed, in microseconds since the epoch."""


class LiveSession:
    """Implements the screen's `Session` with real settings."""

    def __init__(
        self,
        context: AppContext,
        targets: tuple[Target, ...],
        notices: tuple[str, ...] = (),
        *,
        lists: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        """Open on `targets`; with `lists`, add jobs that the APIs started recently."""
        self._context = context
        self._recorder = recorder
        self._targets = targets
        self._lists = lists
        self._store: OpenedStore | None = None
        self._running: RunningEngine | None = None
        self._watched: list[str] = []
        self._first: tuple[Job, ...] = ()
        self._opened: tuple[Target, ...] = ()  # the watch list at the start of this run
        self._last_used_us: int | None = None
        self._reading: asyncio.Task[None] | None = None
        self.reading = 0
        self._notifier: EndNotifier | None = None
        self._notify: Callable[[Sequence[Job]], object] = lambda _: None
        self._on_error: Callable[[str], object] = lambda _: None
        self.notices = notices if recorder is None else (*notices, f"recording to {recorder.name} until you quit")
        self.preferences: Mapping[Preference, str] = {}
        self.batch = ""
        self._saving: set[asyncio.Task[None]] = set()

    @cached_property
    def _sources(self) -> LiveSources:
        from jobdeck.app.live_sources import LiveSources  # noqa: PLC0415 - 15 ms that the first rows do without

        return LiveSources(self._context)

    @property
    def clock(self) -> Clock:
        """The system's clock."""
        return self._context.clock

    @property
    def storage_error(self) -> str:
        """Why persistence is off, in one line, or empty."""
        if self._running is None:
            return ""
        degraded = self._running.store.degraded
        return degraded.message if degraded is not None else self._running.storage_error

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the configured profiles."""
        return tuple(self._context.settings.profiles)

    async def load_saved_jobs(self) -> tuple[Job, ...]:
        """Return the `FIRST` jobs of the watch list, in their saved state.

        Empty if targets or lists were requested, unless the watch list is the whole team's. Profiles without
        credentials are skipped, with a notice. Raises `ConfigError` if none of them has credentials.
        """
        self._store = await self._context.open_store()
        store = self._store.store
        saved = await store.load_preferences()
        self.preferences = {choice: saved[choice] for choice in Preference if choice in saved}
        used = saved.get(LAST_USED, "")
        self._last_used_us = int(used) if used.isdecimal() else None
        if (self._targets or self._lists) and self._context.whole_team is None:
            return ()
        counts = await store.count_watched()
        self._watched = self._with_keys(name for name in counts if name in self._context.settings.profiles)
        first = await self._context.load_jobs(store, (), FIRST)
        self._first = tuple(job.as_remembered() for job in first if job.key.profile in self._watched)
        self._opened = tuple(job.target for job in self._first)
        self.reading = sum(counts[name] for name in self._watched)
        return self._first

    @property
    def access(self) -> LiveSession:
        """The controls: a live session is not read-only."""
        return self

    async def open(self) -> OpenEngine:
        """Open the engine, as `start` does."""
        engine = await self.start()
        return OpenEngine(engine, engine, engine, engine.run)

    async def start(self) -> Engine:
        """Open the engine, with saved jobs in their saved state, and new ones.

        The `FIRST` jobs of the watch list are there at once, the others are loaded while it runs. Profiles of the watch
        list and the lists without credentials are skipped, with a notice. Raises `ConfigError` if none of them has
        credentials, or if a target's profile has none.
        """
        if self._store is None:
            await self.load_saved_jobs()
        await self._context.preload()
        running = self._running = await self._context.open(
            listed=True, recorder=self._recorder, store=self._store, on_incident=self._on_incident
        )
        if self._recorder is not None:
            self._recorder.when_it_ends(self._on_error)
        self._notifier = make_end_notifier(self._context, running, self._on_error)
        self._notifier.set_notify(self._notify)
        self.notices = (*self.notices, *running.notices)
        engine = running.engine
        if self._lists:
            engine.restore(await self._listed())
        if self._targets:
            known = await self._context.load_jobs(running.store, self._targets)
            asked = self._with_keys(job.key.profile for job in known)
            await self._restore(engine, [job for job in known if job.key.profile in asked])
        engine.restore(self._first, listed=True)
        engine.add(self._targets)
        if self.reading > len(self._first):
            self._reading = asyncio.create_task(self._read_on(engine, running))
        else:
            self.reading = 0
        return engine

    async def _read_on(self, engine: Engine, running: RunningEngine) -> None:
        """Load the rest of the watch list; jobs that the user removed meanwhile stay removed."""
        shown = {job.key for job in self._first}
        try:
            rest = [
                job
                for job in await self._context.load_jobs(running.store, ())
                if job.key not in shown and job.key.profile in self._watched
            ]
            self._opened += tuple(job.target for job in rest)
            await self._restore(engine, rest, listed=True)
        except StoreError as error:
            self._on_error(f"loaded only {len(engine.jobs)} of {self.reading} jobs: {error}")
        finally:
            self.reading = 0

    async def _restore(self, engine: Engine, jobs: list[Job], *, listed: bool = False) -> None:
        """Watch jobs, removing them from `jobs`: a second copy of 10,000 jobs would take 5 MB."""
        while jobs:
            engine.restore(jobs[:AT_ONCE], listed=listed)
            del jobs[:AT_ONCE]
            await asyncio.sleep(0)

    def _with_keys(self, profiles: Iterable[str]) -> list[str]:
        """Return the profiles with credentials, and add notices about the others.

        Raises the `ConfigError` of the first one if none has credentials.
        """
        found: list[str] = []
        missing: dict[str, ConfigError] = {}
        for name in dict.fromkeys(profiles):
            try:
                self._context.profile(name)
            except ConfigError as error:
                missing[name] = error
            else:
                found.append(name)
        if missing and not found:
            raise next(iter(missing.values()))
        self.notices = (*self.notices, *(f"profile {name} skipped: {error}" for name, error in missing.items()))
        return found

    async def last_watch_list(self) -> WatchListSummary | None:
        """Return the size of the saved watch list, or else of the one at the start of this run."""
        if self._running is None:
            return None
        try:
            # Queue a write after pending removals, and wait for it, so that they are counted.
            await asyncio.sleep(0)
            await self._running.store.unwatch(())
            counts = await self._running.store.count_watched()
        except StoreError:
            counts = {}
        saved = sum(count for name, count in counts.items() if name in self._context.settings.profiles)
        count = saved or len(self._opened)
        return WatchListSummary(count, self._last_used_us) if count else None

    async def open_last_watch_list(self) -> int:
        """Watch the jobs of the saved watch list, or else of the one at the start of this run."""
        running = self._running
        if running is None:
            return 0
        before = len(running.engine.jobs)
        saved = await self._context.load_jobs(running.store, ())
        found = saved or await self._context.load_jobs(running.store, self._opened)
        watched = self._with_keys(job.key.profile for job in found)
        jobs = [job.as_remembered() for job in found if job.key.profile in watched]
        await self._restore(running.engine, jobs, listed=bool(saved))
        return len(running.engine.jobs) - before

    async def discover(self, report: Callable[[Discovered], object]) -> None:
        """List the newest jobs of every profile, side by side."""
        await self._sources.discover(self.profiles, self._store, report)

    async def _listed(self) -> list[Job]:
        jobs, notes = await self._sources.newest(self._with_keys(self._sources.listing))
        self.notices = (*self.notices, *notes)
        return jobs

    def curl(self, asked: Exchange | Target) -> str:
        """Return the curl command for a request, or for polling a target."""
        return self._context.curl(asked)

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return a ticket from the watched jobs and the store; raises `TicketError` if there is no data."""
        if self._running is None:
            raise TicketError("still starting")
        return await make_ticket(self._context, self._running, keys, note, include_result=include_result)

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return the note that all of the jobs have."""
        return await saved_note(self._running, keys) if self._running is not None else ""

    async def save_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
        """Save a note for jobs, or report that it failed."""
        if self._running is None:
            return
        try:
            await save_note(self._running, keys, note, instead_of)
        except StoreError as error:
            self._on_error(f"the note is in the ticket but was not saved: {error}")

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return the meanings of the values of an API's facts; empty without a definition of the API."""
        return self._context.meanings(provider)

    def save_preference(self, choice: Preference, value: str) -> None:
        """Save a choice, unless it contains an API key; needs a running loop."""
        running = self._running
        if running is None or Redactor(secrets_seen()).text(value) != value:
            return

        async def save() -> None:
            with suppress(StoreError):
                await running.store.save_preference(choice, value)

        task = asyncio.get_running_loop().create_task(save())
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    def on_jobs_ended(self, notify: Callable[[Sequence[Job]], object], on_error: Callable[[str], object]) -> None:
        """Set the callbacks."""
        self._notify, self._on_error = notify, on_error

    def run_hooks(self, batch: ChangeSet, wanted: Collection[JobKey] | None) -> None:
        """Run hooks and send notifications, once among all processes."""
        if self._notifier is not None and self._running is not None:
            self._notifier.on_change(batch, self._running.engine.jobs, wanted)

    @property
    def program_keys(self) -> tuple[ProgramKey, ...]:
        """The configured keys."""
        return tuple(ProgramKey(one.key, one.label) for one in self._context.settings.keys)

    def run_program(self, key: str, jobs: Sequence[Job]) -> bool:
        """Run the program of a key, like a hook."""
        found = next((one for one in self._context.settings.keys if one.key == key), None)
        if self._notifier is None or found is None:
            return False
        self._notifier.run_program(found.run, found.label, jobs)
        return True

    def _on_incident(self, incident: Notice) -> None:
        if self._running is not None and self._running.store.degraded is None:  # otherwise the banner shows it
            self._on_error(incident.message)

    async def close(self) -> None:
        """Give running hooks a moment to end, and save everything."""
        if self._reading is not None:
            self._reading.cancel()
        if self._recorder is not None:
            await self._recorder.close()
        await asyncio.gather(*self._saving)
        if self._notifier is not None:
            await self._notifier.close(CLOSE_SECONDS)
        if self._running is not None:
            with suppress(StoreError):
                await self._running.store.save_preference(LAST_USED, str(self.clock.now().us))
            await self._running.engine.aclose()

    def parse(self, text: str) -> Parsed:
        """Parse pasted text, in every form that the command line accepts."""
        return self._sources.parse(text)
