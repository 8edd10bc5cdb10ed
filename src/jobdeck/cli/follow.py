"""Running the engine headless until somebody has seen enough."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from jobdeck.cli.narration import narrate
from jobdeck.cli.silence import Silences
from jobdeck.cli.telling import make_teller
from jobdeck.domain.job import Job, Target
from jobdeck.engine.batch import Batch
from jobdeck.engine.engine import Engine
from jobdeck.wiring import UseOfLists, Wiring

if TYPE_CHECKING:
    from jobdeck.wiring import Running
    from jobdeck.wiring.recording import Recorder

LOOKS_FOR_THE_REST = 3


class TimedOutError(Exception):
    """The time given was over first; `jobs` are as last seen."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        super().__init__("timed out")
        self.jobs = tuple(jobs)


async def follow(
    wiring: Wiring,
    targets: Sequence[Target],
    enough: Callable[[Engine, Batch], bool],
    patience: float | None = None,
    lists: UseOfLists = UseOfLists.ALL,
    *,
    hooks: bool = False,
    recorder: "Recorder | None" = None,
) -> tuple[Job, ...]:
    """Watch targets and hand every batch to `enough` until it says True; returns the jobs in their order.

    A job of which an end is remembered is looked at once more; should that fail or contradict, the end stays.
    With `hooks`, the user's hooks are run for the jobs that end, and have ended themselves when this returns.
    With a `recorder`, all of it is recorded. A server that asks for silence and a disk that fails are told in a line.

    Raises `TimedOutError` after `patience` seconds (None: never), and what the engine raises when it breaks.
    """
    running = wiring.open(lists=lists, recorder=recorder)
    engine = running.engine
    for notice in running.notices:
        narrate(notice)
    if recorder is not None:
        recorder.when_it_ends(narrate)
    teller = make_teller(wiring, running, narrate) if hooks and wiring.settings.hooks else None
    silences, kept = Silences(wiring.clock), True
    try:
        changes = engine.subscribe()
        keys = engine.add(targets, await _ended(wiring, running, targets))
        polling = asyncio.create_task(engine.run())
        try:
            async with asyncio.timeout(patience):
                async for batch in changes:
                    if teller is not None:
                        teller.take(batch, engine.jobs)
                    silences.tell_of(engine)
                    if kept and running.store.degraded is not None:
                        kept = False
                        narrate(running.store.degraded.message)
                    if enough(engine, batch):
                        break
                else:
                    await polling
        except TimeoutError:
            raise TimedOutError(engine.jobs[key] for key in keys) from None
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
    finally:
        if teller is not None:
            await teller.close()
        if recorder is not None:
            await recorder.close()
        await engine.aclose()
    return tuple(engine.jobs[key] for key in keys)


async def _ended(wiring: Wiring, running: "Running", targets: Sequence[Target]) -> tuple[Job, ...]:
    """Return those of the targets of which an end is remembered; none when the store gives no answer."""
    from jobdeck.store import StoreError  # noqa: PLC0415 - with the store, which is imported when it opens

    try:
        return tuple(job for job in await wiring.recall(running.store, targets) if job.terminal)
    except StoreError:
        return ()


def told(job: Job) -> bool:
    """Whether a job has ended and we know how: a list may tell the end alone, and the rest is asked for after it.

    After three looks that failed, the end alone has to do.
    """
    return job.terminal and (not job.outlined or job.failures >= LOOKS_FOR_THE_REST)


def hopeless(engine: Engine, job: Job) -> bool:
    """Whether no further look can tell more: the server knows no such job, or the profile's key was refused."""
    return job.lost or (not told(job) and job.key.profile in engine.halted())
