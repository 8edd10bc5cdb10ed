"""What the screen needs from outside: an engine, a clock, and somebody who understands targets."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jobdeck.domain.cancel import CancelResult
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem
from jobdeck.domain.text import one_line
from jobdeck.domain.timeline import TimelineEvent
from jobdeck.engine.subscription import ChangeSet
from jobdeck.scheduling.outlook import NextPoll, QuotaSnapshot


class Preference(StrEnum):
    """What a person may choose for longer than a session; each value is its name in the store."""

    ORDER = "order"
    THEME = "theme"
    COLUMNS = "columns"
    SPLIT = "split"
    FILTERS = "filters"
    VIEWS = "views"


@dataclass(frozen=True, slots=True)
class RejectedTarget:
    """A piece of pasted text that is no target, and why, in one line."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was understood of a pasted text."""

    targets: tuple[Target, ...] = ()
    refused: tuple[RejectedTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class Discovered:
    """What the API of one profile lists, newest first: `notes` say what could not be listed, one line each."""

    profile: str
    jobs: tuple[Job, ...] = ()
    notes: tuple[str, ...] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class WatchListSummary:
    """How many jobs are on the last watch list, and when it was last used (None: nobody knows)."""

    jobs: int
    used_us: int | None = None


class ChangeStream(Protocol):
    """A stream of batches; the first holds every job, and it merges while its reader is busy."""

    def __aiter__(self) -> AsyncIterator[ChangeSet]:
        """Yield batches until closed."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


class EngineView(Protocol):
    """What can be read of an engine, or of a recording of one."""

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """The watched jobs."""
        ...

    @property
    def paused(self) -> bool:
        """Whether it sends nothing."""
        ...

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        """Return the newest exchanges about a job, newest first."""
        ...

    def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """Return what happened to a job, oldest first."""
        ...

    def previous(self, key: JobKey) -> Job | None:
        """Return a job's state before its newest change; None when none has been seen."""
        ...

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        """Return (monotonic seconds, fraction) of a job's progress each time it moved, oldest first."""
        ...

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return the headers and the body of an exchange; None when they are not in memory."""
        ...

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        """Return what has a job's newest body: a poll's, or that of a list which changed its phase later."""
        ...

    def quotas(self) -> Mapping[str, QuotaSnapshot]:
        """Return each profile's budget."""
        ...

    def next_poll(self, key: JobKey) -> NextPoll | None:
        """Return when a job is due next."""
        ...

    def next_probe_at(self, profile: str) -> float | None:
        """Return when a profile that cannot be seen is tried next (monotonic seconds); None when nobody knows."""
        ...

    def halted(self) -> Mapping[str, Problem]:
        """Return the profiles that ask nothing any more, and why."""
        ...

    def subscribe(self) -> ChangeStream:
        """Return a stream of changes."""
        ...


class Attention(Protocol):
    """What somebody looks at, which is polled sooner and more often."""

    def set_user_present(self, *, present: bool) -> None:
        """Set whether somebody is at the screen; without, everything is polled less often."""
        ...

    def set_selected(self, key: JobKey | None) -> None:
        """Set the selected job."""
        ...

    def set_visible(self, keys: Collection[JobKey]) -> None:
        """Set the rows on the screen."""
        ...


class EngineControls(Protocol):
    """What may be changed about an engine: what it watches, and when it polls."""

    def add(self, targets: Iterable[Target]) -> tuple[JobKey, ...]:
        """Watch targets; returns the keys that are new."""
        ...

    def remove(self, keys: Iterable[JobKey]) -> None:
        """Stop watching jobs."""
        ...

    def restore(self, jobs: Iterable[Job]) -> None:
        """Watch jobs again that were removed, in the state and with the history that they had."""
        ...

    def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool = True) -> None:
        """Note that a person knows of the trouble of jobs, or does not after all."""
        ...

    def poll_now(self, key: JobKey) -> None:
        """Ask about one job as soon as the budget allows."""
        ...

    def poll_all_now(self) -> None:
        """Ask about every unfinished job, paced."""
        ...

    def pause(self) -> None:
        """Send nothing more until `resume`."""
        ...

    def resume(self) -> None:
        """Go on after `pause`."""
        ...

    def cancel_obstacle(self, key: JobKey) -> str:
        """Return why a job cannot be cancelled, in one line; empty where it can."""
        ...

    async def cancel(self, key: JobKey) -> CancelResult:
        """Have a job cancelled, by one request that is never sent again; then it is polled."""
        ...

    async def download(self, key: JobKey, write: Callable[[bytes], object]) -> Problem | None:
        """Poll a job, and hand the body to `write` as it comes; return what went wrong."""
        ...


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """An engine for one screen; `controls` are None where it is for looking only.

    `run` polls until it is cancelled, where that is this screen's to do.
    """

    view: EngineView
    attention: Attention | None = None
    controls: EngineControls | None = None
    run: Callable[[], Awaitable[None]] | None = None


class Playback(Protocol):
    """The controls of a replay; what they change is seen with the next frame."""

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself."""
        ...

    @property
    def finished(self) -> bool:
        """Whether its end is shown."""
        ...

    @property
    def speed(self) -> float:
        """How many times as fast as it was recorded."""
        ...

    @property
    def length(self) -> float:
        """Its seconds."""
        ...

    @property
    def position(self) -> float:
        """Which moment is shown: so many seconds after the beginning."""
        ...

    @property
    def failures(self) -> Sequence[float]:
        """The moments at which jobs were seen to fail, in seconds after the beginning."""
        ...

    def toggle(self) -> None:
        """Play or pause."""
        ...

    def change_speed(self, by: int) -> None:
        """Play faster by so many steps, slower when negative."""
        ...

    def step(self, by: int) -> None:
        """Pause at the next thing that happened, or (negative) at the one before."""
        ...

    @property
    def complete(self) -> bool:
        """Whether its end is where whoever recorded it stopped."""
        ...

    @property
    def damaged(self) -> bool:
        """Whether it may not be as it was recorded."""
        ...

    @property
    def time_hint(self) -> str:
        """How a person may type a moment, by example."""
        ...

    @property
    def spans_days(self) -> bool:
        """Whether a time of day alone does not tell which moment is shown."""
        ...

    def parse_time(self, text: str) -> float:
        """Return the seconds after the beginning at which the moment is that a person means.

        Raises ValueError, whose message says why there is no such moment.
        """
        ...

    def timestamp_at(self, seconds: float) -> int:
        """Return the date of the moment so many seconds after the beginning, in microseconds since the epoch."""
        ...

    def seek(self, seconds: float) -> None:
        """Go to the moment so many seconds after the beginning."""
        ...


class Session(Protocol):
    """What the screen works on: made by `jobdeck.app`, used by the deck."""

    @property
    def clock(self) -> Clock:
        """The source of every moment on the screen."""
        ...

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the profiles in use, for the header."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines to show at the start, such as targets that were refused; one line each. `open` may add some."""
        ...

    @property
    def access(self) -> "SessionControls | ReadOnly":
        """What can be changed and kept here, or why nothing can."""
        ...

    @property
    def storage_error(self) -> str:
        """Why nothing is kept any more although it was to be, in one line; empty while all is well."""
        ...

    @property
    def reading(self) -> int:
        """How many jobs there will be once all that is remembered has been read; 0 when it has."""
        ...

    @property
    def batch(self) -> str:
        """The name of the batch whose jobs alone are shown at first; empty for all jobs."""
        ...

    @property
    def preferences(self) -> Mapping[Preference, str]:
        """What somebody chose last time, as `save_preference` was told; known once `recall` returned."""
        ...

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """What the values of facts mean, by the fact's name, as the page of an API explains them."""
        ...

    async def recall(self) -> Sequence[Job]:
        """Return what is to be shown until the engine is there: a screenful of the jobs it will have, as remembered.

        Called once, before the first frame, which shows it unless it takes long. What it raises is shown as what `open`
        raises.
        """
        ...

    async def open(self) -> OpenEngine:
        """Put the engine together and give it its first targets.

        Called once, after the first jobs are on the screen, so that whatever is slow to import is imported here. What
        it raises is shown on the screen, by type and message.
        """
        ...

    def curl(self, asked: Exchange | Target) -> str:
        """Return a request, or one about a job alone, as a line for a shell, with variables where the secrets go.

        Empty when it is not known what to ask.
        """
        ...

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return one ticket about jobs, as Markdown, from what is known: no request is sent.

        What it raises is shown on the screen, by type and message.
        """
        ...

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return the note that is kept with every one of the jobs; empty when there is none, or they differ."""
        ...

    async def close(self) -> None:
        """Give running hooks a moment to end, and close what `open` opened."""
        ...


@dataclass(frozen=True, slots=True)
class ProgramKey:
    """A key of the user's own, as the screen knows it, and what it is called."""

    key: str
    label: str


class HintMemory(Protocol):
    """Which hints a person has followed or dismissed, in this run or an earlier one."""

    @property
    def done(self) -> Collection[str]:
        """The actions whose hints do not come any more."""
        ...

    def mark_done(self, action: str) -> None:
        """Remember that the hint for an action does not come any more."""
        ...


class SessionControls(Protocol):
    """What a session may change and keep; the engine's own controls come with it when it is open."""

    @property
    def program_keys(self) -> tuple[ProgramKey, ...]:
        """The keys that run programs of the user's own."""
        ...

    def run_program(self, key: str, jobs: Sequence[Job]) -> bool:
        """Run the program of a key once for each job; false where nothing is open yet. Needs a running loop."""
        ...

    def parse(self, text: str) -> Parsed:
        """Understand pasted text. Never raises; called on every change of the text, so it should take < 50 ms."""
        ...

    async def last_watch_list(self) -> WatchListSummary | None:
        """Return what could be watched again, when nothing is watched; None when there is no such list."""
        ...

    async def open_last_watch_list(self) -> int:
        """Watch the jobs of the last watch list, too, as they are remembered; returns how many are new.

        What it raises is shown on the screen, by type and message.
        """
        ...

    async def discover(self, report: Callable[[Discovered], object]) -> None:
        """List the newest jobs of every profile, paced by the rate limit that the engine shares.

        `report` gets what each profile lists, again as it grows. Never raises: what could not be listed is noted.
        """
        ...

    def save_preference(self, choice: Preference, value: str) -> None:
        """Keep what somebody has chosen for the next time. Needs a running loop."""
        ...

    async def keep_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
        """Keep a note with jobs; among several, only with those that have none of their own but `instead_of`.

        Never raises: what could not be kept is said.
        """
        ...

    def on_jobs_ended(self, notify: Callable[[Sequence[Job]], object], complain: Callable[[str], object]) -> None:
        """Say who is notified of jobs that ended, those of one moment together, and in a line of hooks that failed.

        Called once, before `open`.
        """
        ...

    def run_hooks(self, batch: ChangeSet, wanted: Collection[JobKey] | None) -> None:
        """Run the hooks of the jobs that a batch shows to have ended, and notify of those `wanted` (None: all).

        Each hook and each notice comes once, however many processes watch the job.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Nothing that is asked, watched or kept can be changed here; `reason` says why, in one line."""

    reason: str


def save_preference(session: Session, choice: Preference, value: str) -> None:
    """Keep what somebody has chosen, where anything is kept."""
    if not isinstance(session.access, ReadOnly):
        session.access.save_preference(choice, value)


@contextmanager
def error_reported(report: Callable[[str], object]) -> Iterator[None]:
    """Give the message of an error to `report` instead of raising it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a session raises what the store and the configuration raise
        report(safe_error_message(error))


def safe_error_message(error: BaseException) -> str:
    """Return an error in one line.

    Only our own errors speak for themselves: the text of a library's may hold what it was given, a malformed key
    for one, so that of it only the name is told.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    name = type(error).__name__
    if type(error).__module__.split(".")[0] == "jobdeck":
        return one_line(str(error), 1_024) or name
    return f"an unexpected {name}"
