"""An engine that polls nothing: tests put the changes in by hand. Its stream is the real one."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from jobdeck.apis.pages import built_in_meanings
from jobdeck.app.session import (
    Discovered,
    OpenEngine,
    Parsed,
    Preference,
    ProgramKey,
    ReadOnly,
    SessionControls,
    WatchListSummary,
)
from jobdeck.domain.cancel import CancelOutcome, CancelResult
from jobdeck.domain.events import Event, newly_ended
from jobdeck.domain.exchange import Exchange, ExchangeContent, ExchangeId
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.engine.subscription import ChangeSet, Subscription
from jobdeck.report.curl import curl_line
from jobdeck.report.ticket import TicketSource, tickets_markdown
from jobdeck.scheduling.outlook import NextPoll, QuotaSnapshot
from tests.support.clocks import ManualClock
from tests.tui.world import NOON
from tests.tui.world import exchange as world_exchange


class FakeEngine:
    """Keeps what the screen asks of it, in `asked`."""

    def __init__(self, clock: ManualClock, jobs: Iterable[Job] = (), exchanges: Iterable[Exchange] = ()) -> None:
        self.clock = clock
        self.jobs: dict[JobKey, Job] = {job.key: job for job in jobs}
        self.paused = False
        self.asked: list[tuple[str, object]] = []
        self.budget: dict[str, QuotaSnapshot] = {}
        self.halts: dict[str, Problem] = {}
        self.plans: dict[JobKey, NextPoll] = {}
        self.tries: dict[str, float] = {}
        self.timelines: dict[JobKey, tuple[TimelineEvent, ...]] = {}
        self.before: dict[JobKey, Job] = {}
        self.samples: dict[JobKey, tuple[tuple[float, float], ...]] = {}
        self.bodies: dict[JobKey, bytes] = {}
        self.contents: dict[ExchangeId, ExchangeContent] = {}
        self.failure: asyncio.Future[None] | None = None
        self.download_problem: Problem | None = None
        self.obstacles: dict[JobKey, str] = {}
        self.cancel_results: dict[JobKey, CancelResult] = {}
        self.closed = False
        self._exchanges = list(exchanges)
        self._subscriptions: list[Subscription] = []

    async def run(self) -> None:
        self.failure = asyncio.get_running_loop().create_future()
        await self.failure

    def put(
        self,
        *jobs: Job,
        removed: Iterable[JobKey] = (),
        exchanges: Iterable[Exchange] = (),
        events: Iterable[Event] = (),
    ) -> None:
        """Change jobs, as an answer would."""
        exchanges = tuple(exchanges)
        removed = tuple(removed)
        self.jobs.update({job.key: job for job in jobs})
        for key in removed:
            self.jobs.pop(key, None)
        self._exchanges[:0] = exchanges
        for subscription in self._subscriptions:
            subscription.put(jobs, removed, exchanges, events)

    def add(self, targets: Iterable[Target]) -> tuple[JobKey, ...]:
        new = [target for target in targets if target.key not in self.jobs]
        self.put(*(Job(target=target, added=self.clock.now(), kind=target.resource) for target in new))
        return tuple(target.key for target in new)

    def remove(self, keys: Iterable[JobKey]) -> None:
        self.put(removed=keys)

    def restore(self, jobs: Iterable[Job]) -> None:
        self.put(*(job for job in jobs if job.key not in self.jobs))

    def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool = True) -> None:
        known = [self.jobs[key] for key in keys]
        self.put(*(replace(job, acknowledged=acknowledged, version=job.version + 1) for job in known))

    def set_user_present(self, *, present: bool) -> None:
        self.asked.append(("attend", present))

    def set_selected(self, key: JobKey | None) -> None:
        self.asked.append(("focus", key))

    def set_visible(self, keys: Collection[JobKey]) -> None:
        self.asked.append(("show", tuple(keys)))

    def poll_now(self, key: JobKey) -> None:
        self.asked.append(("poll_now", key))

    def poll_all_now(self) -> None:
        self.asked.append(("poll_all_now", None))

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        return tuple(exchange for exchange in self._exchanges if exchange.job == key)

    def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        return self.timelines.get(key, ())

    def previous(self, key: JobKey) -> Job | None:
        return self.before.get(key)

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        return self.samples.get(key, ())

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        return self.contents.get(exchange.id)

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        if key not in self.bodies:
            return None
        exchanges = self.exchanges(key) or (world_exchange(key.id, profile=key.profile),)
        return ExchangeContent(exchanges[0], body=self.bodies[key])

    def cancel_obstacle(self, key: JobKey) -> str:
        job = self.jobs[key]
        return f"already finished ({job.phase.value})" if job.terminal else self.obstacles.get(key, "")

    async def cancel(self, key: JobKey) -> CancelResult:
        self.asked.append(("cancel", key))
        return self.cancel_results.get(key) or CancelResult(CancelOutcome.ACCEPTED)

    async def download(self, key: JobKey, write: Callable[[bytes], object]) -> Problem | None:
        self.asked.append(("download", key))
        write(b'{"id": ')
        write(b'"op_1"}')
        return self.download_problem

    def quotas(self) -> Mapping[str, QuotaSnapshot]:
        return self.budget

    def next_poll(self, key: JobKey) -> NextPoll | None:
        return self.plans.get(key)

    def next_probe_at(self, profile: str) -> float | None:
        return self.tries.get(profile)

    def halted(self) -> Mapping[str, Problem]:
        return self.halts

    def subscribe(self) -> Subscription:
        subscription = Subscription(self.jobs.values(), self._subscriptions.remove)
        self._subscriptions.append(subscription)
        return subscription

    async def aclose(self) -> None:
        self.closed = True


class FakeSession:
    """A session on a fake engine, which is opened when `gate` is set (at once, unless a test holds it)."""

    def __init__(self, engine: FakeEngine, notices: tuple[str, ...] = ()) -> None:
        self.engine = engine
        self.clock = engine.clock
        self.profiles: tuple[str, ...] = ("hog", "sonarly")
        self.notices = notices
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuse: Exception | None = None
        self.parser: Callable[[str], Parsed] = lambda _: Parsed()
        self.program_keys: tuple[ProgramKey, ...] = ()
        self.programs: list[tuple[str, tuple[JobKey, ...]]] = []
        self.tickets: list[tuple[tuple[JobKey, ...], str, bool]] = []
        self.ticket_gate = asyncio.Event()
        self.ticket_gate.set()
        self.ticket_error: Exception | None = None
        self.preferences: dict[Preference, str] = {}
        self.batch = ""
        self.access: SessionControls | ReadOnly = self
        self.storage_error = ""
        self.remembered: tuple[Job, ...] = ()
        self.reading = 0
        self.notes: dict[JobKey, str] = {}
        self.listings: list[Discovered] = []
        self.last_list: tuple[Job, ...] = ()

    async def load_saved_jobs(self) -> tuple[Job, ...]:
        return self.remembered

    async def open(self) -> OpenEngine:
        await self.gate.wait()
        if self.refuse is not None:
            raise self.refuse
        engine = self.engine
        if isinstance(self.access, ReadOnly):
            return OpenEngine(engine, engine, None, engine.run)
        return OpenEngine(engine, engine, engine, engine.run)

    def curl(self, asked: Exchange | Target) -> str:
        own = "https://developer.thehog.ai/api/operations/"
        url = asked.url if isinstance(asked, Exchange) else own + asked.key.id
        return curl_line("GET", url, [("X-Access-Key", "$THE_HOG_ACCESS_KEY")])

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """A real ticket of the fake engine's jobs, when `ticket_gate` lets it through."""
        await self.ticket_gate.wait()
        if self.ticket_error is not None:
            raise self.ticket_error
        self.tickets.append((tuple(keys), note, include_result))
        sources = [
            TicketSource(
                job=self.engine.jobs[key],
                timeline=(),
                exchanges=self.engine.exchanges(key),
                version="1.2.3",
                created_us=self.clock.now().us,
                curl=self.curl(self.engine.jobs[key].target),
                note=self.notes.get(key, ""),
                include_result=include_result,
            )
            for key in keys
        ]
        return tickets_markdown(sources, note)

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        return built_in_meanings(provider)

    async def last_watch_list(self) -> WatchListSummary | None:
        return WatchListSummary(len(self.last_list), NOON.later(-72_000).us) if self.last_list else None

    async def open_last_watch_list(self) -> int:
        self.engine.restore(self.last_list)
        return len(self.last_list)

    async def discover(self, report: Callable[[Discovered], object]) -> None:
        for found in self.listings:
            report(found)

    def save_preference(self, choice: Preference, value: str) -> None:
        self.preferences[choice] = value

    async def note(self, keys: Sequence[JobKey]) -> str:
        notes = {self.notes.get(key, "") for key in keys}
        return notes.pop() if len(notes) == 1 else ""

    async def save_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
        self.notes.update(dict.fromkeys(keys, note))

    def on_jobs_ended(self, notify: Callable[[Sequence[Job]], object], on_error: Callable[[str], object]) -> None:
        self.notify, self.on_error = notify, on_error

    def run_program(self, key: str, jobs: Sequence[Job]) -> bool:
        self.programs.append((key, tuple(one.key for one in jobs)))
        return True

    def run_hooks(self, batch: ChangeSet, wanted: Collection[JobKey] | None) -> None:
        jobs = [one for one in newly_ended(batch.events, self.engine.jobs) if wanted is None or one.key in wanted]
        if jobs:
            self.notify(jobs)

    async def close(self) -> None:
        await self.engine.aclose()

    def parse(self, text: str) -> Parsed:
        return self.parser(text)
