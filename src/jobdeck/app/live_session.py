"""The screen's session on real settings: it opens the store and the engine, and keeps what is to be kept."""

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
from jobdeck.app.tickets import TicketError, keep_note, kept_note, make_ticket
from jobdeck.config.errors import ConfigError
from jobdeck.http.redactor import Redactor
from jobdeck.http.secret import secrets_seen
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
"""Remembered jobs that are shown before the others are read, and before what polls them is imported: 10,000 took 1.1 s
of processor time until the first line was there."""

AT_ONCE = 250
"""Remembered jobs that are restored before keys and the screen have their turn: about 10 ms."""

LAST_USED = "last used"
"""Names in the store when a screen was closed last, in microseconds since the epoch."""


class LiveSession:
    """Implements the screen's `Session` on real settings."""

    def __init__(
        self,
        context: AppContext,
        targets: tuple[Target, ...],
        notices: tuple[str, ...] = (),
        *,
        lists: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        """Open on `targets`; with `lists`, also to what the APIs list as started lately."""
        self._context = context
        self._recorder = recorder
        self._targets = targets
        self._lists = lists
        self._store: OpenedStore | None = None
        self._running: RunningEngine | None = None
        self._watched: list[str] = []
        self._first: tuple[Job, ...] = ()
        self._opened: tuple[Target, ...] = ()  # the watch list as it was when this run began
        self._last_used_us: int | None = None
        self._reading: asyncio.Task[None] | None = None
        self.reading = 0
        self._notifier: EndNotifier | None = None
        self._told: Callable[[Sequence[Job]], object] = lambda _: None
        self._complain: Callable[[str], object] = lambda _: None
        self.notices = notices if recorder is None else (*notices, f"recording to {recorder.name} until you quit")
        self.preferences: Mapping[Preference, str] = {}
        self.batch = ""
        self._keeping: set[asyncio.Task[None]] = set()

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
        """Why nothing is kept although it was to be: from the start, or since the disk failed."""
        if self._running is None:
            return ""
        degraded = self._running.store.degraded
        return degraded.message if degraded is not None else self._running.storage_error

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the configured profiles."""
        return tuple(self._context.settings.profiles)

    async def recall(self) -> tuple[Job, ...]:
        """Return the `FIRST` of the watch list, as they are remembered.

        None when targets or lists were asked for, unless the list is that of a whole team.

        Profiles without credentials are left out, with a notice. Raises `ConfigError` when none of them has any.
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
        """All can be changed and kept."""
        return self

    async def open(self) -> OpenEngine:
        """Put the engine together, as `start` does."""
        engine = await self.start()
        return OpenEngine(engine, engine, engine, engine.run)

    async def start(self) -> Engine:
        """Put the engine together: what is remembered in its last state, the rest new.

        Of the watch list the `FIRST` are there at once, and the others while it runs. Of the watch list and of the
        lists, profiles without credentials are left out, with a notice. Raises `ConfigError` when none of them has any,
        or a target's has none.
        """
        if self._store is None:
            await self.recall()
        await self._context.preload()
        running = self._running = await self._context.open(
            listed=True, recorder=self._recorder, store=self._store, on_incident=self._on_incident
        )
        if self._recorder is not None:
            self._recorder.when_it_ends(self._complain)
        self._notifier = make_end_notifier(self._context, running, self._complain)
        self._notifier.notice(self._told)
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
        """Read the rest of the watch list, and have it watched; whoever was removed meanwhile stays so."""
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
            self._complain(f"loaded only {len(engine.jobs)} of {self.reading} jobs: {error}")
        finally:
            self.reading = 0

    async def _restore(self, engine: Engine, jobs: list[Job], *, listed: bool = False) -> None:
        """Have jobs watched, taking them out of `jobs`: beside the engine's own, 10,000 of them would take 5 MB."""
        while jobs:
            engine.restore(jobs[:AT_ONCE], listed=listed)
            del jobs[:AT_ONCE]
            await asyncio.sleep(0)

    def _with_keys(self, profiles: Iterable[str]) -> list[str]:
        """Return the profiles whose credentials can be had, and note why those of others cannot.

        Raises the `ConfigError` of one when that are all.
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
        """Return what is on the saved watch list, else on the one that this run began with."""
        if self._running is None:
            return None
        try:
            # Behind the orders to take jobs off the list, also those of this moment: a write waits for them.
            await asyncio.sleep(0)
            await self._running.store.unwatch(())
            counts = await self._running.store.count_watched()
        except StoreError:
            counts = {}
        saved = sum(count for name, count in counts.items() if name in self._context.settings.profiles)
        count = saved or len(self._opened)
        return WatchListSummary(count, self._last_used_us) if count else None

    async def open_last_watch_list(self) -> int:
        """Watch what is on the saved watch list, else what was on it when this run began."""
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
        """Return a request, or one about a job, as a line for a shell."""
        return self._context.curl(asked)

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return a ticket from the watched jobs and the store; raises `TicketError` when there is nothing to tell."""
        if self._running is None:
            raise TicketError("still starting")
        return await make_ticket(self._context, self._running, keys, note, include_result=include_result)

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return the note that is kept with every one of the jobs."""
        return await kept_note(self._running, keys) if self._running is not None else ""

    async def keep_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
        """Keep a note with jobs, or say that it is not kept."""
        if self._running is None:
            return
        try:
            await keep_note(self._running, keys, note, instead_of)
        except StoreError as error:
            self._complain(f"the note is in the ticket but was not saved: {error}")

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return what the page of an API says that the values of facts mean; nothing where there is no such page."""
        return self._context.meanings(provider)

    def save_preference(self, choice: Preference, value: str) -> None:
        """Keep what is chosen, unless an API key is in it; needs a running loop."""
        running = self._running
        if running is None or Redactor(secrets_seen()).text(value) != value:
            return

        async def keep() -> None:
            with suppress(StoreError):
                await running.store.save_preference(choice, value)

        task = asyncio.get_running_loop().create_task(keep())
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    def on_jobs_ended(self, told: Callable[[Sequence[Job]], object], complain: Callable[[str], object]) -> None:
        """Keep who is told."""
        self._told, self._complain = told, complain

    def run_hooks(self, batch: ChangeSet, wanted: Collection[JobKey] | None) -> None:
        """Run hooks and give notices, once among all processes."""
        if self._notifier is not None and self._running is not None:
            self._notifier.on_change(batch, self._running.engine.jobs, wanted)

    @property
    def program_keys(self) -> tuple[ProgramKey, ...]:
        """The keys of the configuration."""
        return tuple(ProgramKey(one.key, one.label) for one in self._context.settings.keys)

    def run_program(self, key: str, jobs: Sequence[Job]) -> bool:
        """Run the program of a key as hooks are run."""
        found = next((one for one in self._context.settings.keys if one.key == key), None)
        if self._notifier is None or found is None:
            return False
        self._notifier.run_program(found.run, found.label, jobs)
        return True

    def _on_incident(self, incident: Notice) -> None:
        if self._running is not None and self._running.store.degraded is None:  # else the banner says it
            self._complain(incident.message)

    async def close(self) -> None:
        """Give running hooks a moment to end, and keep what is to be kept."""
        if self._reading is not None:
            self._reading.cancel()
        if self._recorder is not None:
            await self._recorder.close()
        await asyncio.gather(*self._keeping)
        if self._notifier is not None:
            await self._notifier.close(CLOSE_SECONDS)
        if self._running is not None:
            with suppress(StoreError):
                await self._running.store.save_preference(LAST_USED, str(self.clock.now().us))
            await self._running.engine.aclose()

    def parse(self, text: str) -> Parsed:
        """Understand pasted text in every form that the command line takes."""
        return self._sources.parse(text)
