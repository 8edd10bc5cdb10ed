"""Draw the pictures of the README: the real app on the real engine, over HTTP to the simulator, in scripted time.

The pictures are the same in every run. For that, time passes only when this script says so, requests go out one by
one, and the one thing that is not reproducible, how long each of them took, is replaced by an even stand-in.
"""

import asyncio
import random
import re
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from jobdeck.apis.client import ApiClient
from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext, RunningEngine
from jobdeck.app.factories import limit_of
from jobdeck.app.session import Parsed, Preference
from jobdeck.app.tickets import TicketError, make_ticket
from jobdeck.cli.commands.demo import demo_settings
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.engine.engine import Engine
from jobdeck.engine.subscription import ChangeSet
from jobdeck.engine.worker import ProfileWorker
from jobdeck.providers.base import Provider, Reply
from jobdeck.scheduling.actions import ListPage
from jobdeck.scheduling.scheduler import Scheduler
from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.server import SimulatorServer
from jobdeck.store import open_store
from jobdeck.store.aio import AsyncStore
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.theme import DARK, LIGHT, SAFE

HERE = Path(__file__).parent
START = datetime(2026, 4, 28, 14, 1, 0, tzinfo=UTC)
STEP = 0.25
QUIET_ROUNDS = 30
"""Rounds of the event loop without a request after which everything has been said and drawn."""

Learnt = Mapping[str, Mapping[str, object]]
"""What a profile's scheduler has learnt of durations, by the profile's name."""

_WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class ScriptClock:
    """Time that passes only in `advance`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._alarms: list[tuple[float, asyncio.Event]] = []

    def now(self) -> Instant:
        """Return the scripted moment."""
        return Instant(round((START.timestamp() + self.seconds) * 1e6), 1_000.0 + self.seconds)

    def epoch(self) -> float:
        """Return the scripted moment as the simulator wants it."""
        return START.timestamp() + self.seconds

    async def wait(self, wake: asyncio.Event, seconds: float | None) -> None:
        """Return when `wake` is set or the script has passed `seconds`."""
        if seconds is None:
            await wake.wait()
            return
        alarm = self.seconds + seconds, asyncio.Event()
        self._alarms.append(alarm)
        waits = [asyncio.create_task(wake.wait()), asyncio.create_task(alarm[1].wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._alarms.remove(alarm)
            for task in waits:
                task.cancel()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        for due, event in self._alarms:
            if due <= self.seconds:
                event.set()


class Queue:
    """Lets one request out at a time, and knows when there is none."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.pending = 0

    async def settle(self) -> None:
        """Return when nothing has been asked for some rounds of the loop."""
        quiet = 0
        while quiet < QUIET_ROUNDS:
            await asyncio.sleep(0.001 if self.pending else 0)
            quiet = 0 if self.pending else quiet + 1


class InTurn:
    """A provider whose requests wait for their turn and take an even time."""

    def __init__(self, provider: Provider, queue: Queue) -> None:
        self._provider = provider
        self._queue = queue

    @property
    def profile_name(self) -> str:
        """The profile's name."""
        return self._provider.profile_name

    def url_of(self, asked: Target | ListPage) -> str:
        """Return where a request goes."""
        return self._provider.url_of(asked)

    async def poll(self, target: Target) -> Reply:
        """Ask for one job."""
        return await self._ask(lambda: self._provider.poll(target))

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for one page."""
        return await self._ask(lambda: self._provider.list_page(page))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._provider.aclose()

    async def _ask(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        self._queue.pending += 1
        try:
            async with self._queue.lock:
                reply = await ask()
        finally:
            self._queue.pending -= 1
        exchange = reply.exchange
        took = 0.04 + zlib.crc32((exchange.support_id or exchange.url).encode()) % 120 / 1_000
        return replace(reply, exchange=replace(exchange, duration=took))


class LiveSession:
    """A session on the scripted engine."""

    notices: tuple[str, ...] = ()
    locked = storage_error = ""
    preferences: Mapping[Preference, str] = MappingProxyType({})
    profiles: tuple[str, ...] = ("hog", "sonarly")

    def __init__(
        self, context: AppContext, clock: ScriptClock, queue: Queue, targets: tuple[Target, ...], learnt: Learnt
    ) -> None:
        self.clock = clock
        self._learnt = learnt
        self._context = context
        self._queue = queue
        self._targets = targets
        self._running: RunningEngine | None = None
        self._schedulers: dict[str, Scheduler] = {}

    def learnt(self) -> Learnt:
        """Return what was learnt of durations, for another sitting."""
        return {name: scheduler.export_estimates() for name, scheduler in self._schedulers.items()}

    async def open(self) -> Engine:
        """Put the engine together."""
        engine = Engine(self._lane, self.clock)
        self._running = RunningEngine(engine, AsyncStore(open_store(None, "picture").store), ())
        engine.add(self._targets)
        return engine

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return what the API's page says of its words."""
        return self._context.meanings(provider)

    def curl(self, exchange: Exchange) -> str:
        """Return a request as a line for a shell."""
        return self._context.curl(exchange)

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return a ticket from what the engine knows."""
        if self._running is None:
            raise TicketError("nothing is open yet")
        return await make_ticket(self._context, self._running, keys, note, include_result=include_result)

    def save_preference(self, choice: Preference, value: str) -> None:
        """Keep nothing."""

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return nothing: no picture has a note."""
        return ""

    async def keep_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
        """Keep nothing."""

    def on_jobs_ended(self, told: Callable[[Sequence[Job]], object], complain: Callable[[str], object]) -> None:
        """Tell nobody."""

    def heard(self, batch: ChangeSet, wanted: Collection[JobKey] | None) -> None:
        """Run no hooks."""

    async def close(self) -> None:
        """Leave nothing behind."""

    def parse(self, text: str) -> Parsed:
        """Understand nothing: no picture adds anything."""
        return Parsed()

    def _lane(self, name: str) -> ProfileWorker:
        profile = self._context.profile(name)
        provider = InTurn(ApiClient(profile, self.clock), self._queue)
        dice = random.Random(7)  # noqa: S311 - the same jitter in every run
        self._schedulers[name] = Scheduler(limit_of(profile), dice, estimates=self._learnt.get(name))
        return ProfileWorker(provider, self._schedulers[name], self.clock)


async def earlier(seconds: float) -> Learnt:
    """Watch other jobs for so long, as somebody had done before the pictures: with nothing learnt no ETA is told."""
    clock, queue = ScriptClock(), Queue()
    scenario = demo_scenario(jobs=60, seed=4)
    async with SimulatorServer(scenario, clock=clock.epoch, sleep=lambda _: asyncio.sleep(0)) as server:
        context = AppContext({}, settings=demo_settings(server.url))
        targets = tuple(parse_target(text, context.registry) for text in demo_targets(scenario))
        session = LiveSession(context, clock, queue, targets, {})
        engine = await session.open()
        running = asyncio.create_task(engine.run())
        while clock.seconds < seconds:
            clock.advance(STEP)
            await queue.settle()
        running.cancel()
        return session.learnt()


async def picture(
    name: str, learnt: Learnt, size: tuple[int, int], seconds: float, *keys: str, theme: str = DARK.name
) -> None:
    """Draw one picture: the demo after `seconds`, and after `keys` on top of that."""
    clock, queue = ScriptClock(), Queue()
    scenario = demo_scenario(jobs=26, seed=3)
    async with SimulatorServer(scenario, clock=clock.epoch, sleep=lambda _: asyncio.sleep(0)) as server:
        context = AppContext({}, settings=demo_settings(server.url))
        targets = tuple(parse_target(text, context.registry) for text in demo_targets(scenario))
        app = JobdeckApp(LiveSession(context, clock, queue, targets, learnt), theme=theme, frame_seconds=0)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            while clock.seconds < seconds:
                clock.advance(STEP)
                await queue.settle()
            for key in keys:
                await pilot.press(key)
                await queue.settle()
            app.deck.tick()
            await pilot.pause()
            await pilot.pause()
            (HERE / f"{name}.svg").write_text(_WEB_FONTS.sub("", app.export_screenshot(title="jobdeck")), "utf-8")


async def main() -> None:
    """Draw them all."""
    learnt = await earlier(300.0)
    await picture("overview", learnt, (120, 36), 98.0, "g", "j", "j")
    await picture("narrow", learnt, (80, 24), 98.0, "g", "j", "j", "j")
    await picture("failed", learnt, (100, 30), 98.0, "g", "tab", "tab")
    await picture("filter", learnt, (100, 30), 98.0, "g", "slash", *"!enrichment phase:run,failed")
    await picture("light", learnt, (120, 36), 98.0, "g", "j", "j", *["right_square_bracket"] * 3, theme=LIGHT.name)
    await picture("colour-blind", learnt, (120, 36), 98.0, "g", "j", theme=SAFE.name)
    await picture("ticket", learnt, (100, 30), 98.0, "g", "Y")


if __name__ == "__main__":
    asyncio.run(main())
