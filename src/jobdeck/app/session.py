"""What the screen needs from outside, as protocols: a session with an engine, a clock and a parser of targets."""

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
    """User choices that are saved; each value is a key in the store."""

    ORDER = "order"
    THEME = "theme"
    COLUMNS = "columns"
    SPLIT = "split"
    FILTERS = "filters"
    VIEWS = "views"


@dataclass(frozen=True, slots=True)
class RejectedTarget:
    """A piece of pasted text that is not a target, and why, in one line."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The result of parsing pasted text."""

    targets: tuple[Target, ...] = ()
    refused: tuple[RejectedTarget, ...] = ()


@dataclass(frozen=True, slots=True)
class Discovered:
    """The jobs that the API of one profile lists, newest first."""

    profile: str
    jobs: tuple[Job, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be listed, one line each."""
    complete: bool = False


@dataclass(frozen=True, slots=True)
class WatchListSummary:
    """The size of the last watch list, and when it was last used (None: unknown)."""

    jobs: int
    used_us: int | None = None


class ChangeStream(Protocol):
    """A stream of batches; the first contains every job, and batches are merged while the reader is busy."""

    def __aiter__(self) -> AsyncIterator[ChangeSet]:
        """Yield batches until closed."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


class EngineView(Protocol):
    """The readable side of an engine, or of a recording."""

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """The watched jobs."""
        ...

    @property
    def paused(self) -> bool:
        """Whether polling is paused."""
        ...

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        """Return a job's newest exchanges, newest first."""
        ...

    def timeline(self, key: JobKey) -> tuple[TimelineEvent, ...]:
        """Return a job's timeline, oldest first."""
        ...

    def previous(self, key: JobKey) -> Job | None:
        """Return a job before its newest change; None if there was none."""
        ...

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        """Return (monotonic seconds, fraction) for each change of a job's progress, oldest first."""
        ...

    def content(self, exchange: Exchange) -> ExchangeContent | None:
        """Return the headers and body of an exchange; None if they are not in memory."""
        ...

    def newest_content(self, key: JobKey) -> ExchangeContent | None:
        """Return the exchange with a job's newest body: a poll, or a list that changed its phase later."""
        ...

    def quotas(self) -> Mapping[str, QuotaSnapshot]:
        """Return the use of each profile's rate limit."""
        ...

    def next_poll(self, key: JobKey) -> NextPoll | None:
        """Return when a job is polled next."""
        ...

    def next_probe_at(self, profile: str) -> float | None:
        """Return when an unreachable profile is tried next (monotonic seconds); None if unknown."""
        ...

    def halted(self) -> Mapping[str, Problem]:
        """Return the profiles whose polling was stopped, and why."""
        ...

    def subscribe(self) -> ChangeStream:
        """Return a stream of changes."""
        ...


class Attention(Protocol):
    """What the user looks at, which is polled sooner and more often."""

    def set_user_present(self, *, present: bool) -> None:
        """Set whether the user is at the screen; if not, everything is polled less often."""
        ...

    def set_selected(self, key: JobKey | None) -> None:
        """Set the selected job."""
        ...

    def set_visible(self, keys: Collection[JobKey]) -> None:
        """Set the jobs on the screen."""
        ...


class EngineControls(Protocol):
    """The controls of an engine: what it watches, and when it polls."""

    def add(self, targets: Iterable[Target]) -> tuple[JobKey, ...]:
        """Watch targets; returns the keys that are new."""
        ...

    def remove(self, keys: Iterable[JobKey]) -> None:
        """Stop watching jobs."""
        ...

    def restore(self, jobs: Iterable[Job]) -> None:
        """Watch removed jobs again, with their state and history."""
        ...

    def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool = True) -> None:
        """Acknowledge or unacknowledge the problems of jobs."""
        ...

    def poll_now(self, key: JobKey) -> None:
        """Poll one job as soon as the rate limit allows."""
        ...

    def poll_all_now(self) -> None:
        """Poll every unfinished job, within the rate limit."""
        ...

    def pause(self) -> None:
        """Send nothing until `resume`."""
        ...

    def resume(self) -> None:
        """Continue after `pause`."""
        ...

    def cancel_obstacle(self, key: JobKey) -> str:
        """Return why a job cannot be cancelled, in one line; empty if it can."""
        ...

    async def cancel(self, key: JobKey) -> CancelResult:
        """Cancel a job by one request, which is never repeated, and poll it afterwards."""
        ...

    async def download(self, key: JobKey, write: Callable[[bytes], object]) -> Problem | None:
        """Poll a job, passing the body to `write` as it arrives; returns the problem, if any."""
        ...


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """An engine for one screen."""

    view: EngineView
    attention: Attention | None = None
    controls: EngineControls | None = None
    """None if it is read-only."""
    run: Callable[[], Awaitable[None]] | None = None
    """Polls until it is cancelled; None if that is not this screen's task."""


class Playback(Protocol):
    """The controls of a replay; their effects appear with the next frame."""

    @property
    def playing(self) -> bool:
        """Whether it is playing."""
        ...

    @property
    def finished(self) -> bool:
        """Whether it is at its end."""
        ...

    @property
    def speed(self) -> float:
        """The factor of the recorded speed."""
        ...

    @property
    def length(self) -> float:
        """Its length in seconds."""
        ...

    @property
    def position(self) -> float:
        """The current position, in seconds after the start."""
        ...

    @property
    def failures(self) -> Sequence[float]:
        """When jobs failed, in seconds after the start."""
        ...

    def toggle(self) -> None:
        """Play or pause."""
        ...

    def change_speed(self, by: int) -> None:
        """Change the speed by steps; negative is slower."""
        ...

    def step(self, by: int) -> None:
        """Pause at the next response or change, or at the previous one if negative."""
        ...

    @property
    def complete(self) -> bool:
        """Whether it ends where the recording was stopped."""
        ...

    @property
    def damaged(self) -> bool:
        """Whether it may differ from what was recorded."""
        ...

    @property
    def time_hint(self) -> str:
        """Examples of how to type a time."""
        ...

    @property
    def spans_days(self) -> bool:
        """Whether a time of day is ambiguous."""
        ...

    def parse_time(self, text: str) -> float:
        """Parse a time typed by the user into seconds after the start.

        Raises ValueError with a message for the user.
        """
        ...

    def timestamp_at(self, seconds: float) -> int:
        """Convert seconds after the start into microseconds since the epoch."""
        ...

    def seek(self, seconds: float) -> None:
        """Jump to a position, in seconds after the start."""
        ...


class Session(Protocol):
    """What the screen works with: made by `jobdeck.app`, used by the deck."""

    @property
    def clock(self) -> Clock:
        """The source of all times on the screen."""
        ...

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the profiles in use, for the header."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines to show at the start, such as rejected targets; `open` may add some."""
        ...

    @property
    def access(self) -> "SessionControls | ReadOnly":
        """The controls, or why the session is read-only."""
        ...

    @property
    def storage_error(self) -> str:
        """Why persistence is off, in one line, or empty."""
        ...

    @property
    def reading(self) -> int:
        """The number of jobs expected while saved jobs are being loaded, 0 afterwards."""
        ...

    @property
    def batch(self) -> str:
        """The name of the batch that is shown at first; empty for all jobs."""
        ...

    @property
    def preferences(self) -> Mapping[Preference, str]:
        """The user's saved choices; known after `load_saved_jobs`."""
        ...

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return the meanings of the values of facts, by the fact's name, from the API's definition."""
        ...

    async def load_saved_jobs(self) -> Sequence[Job]:
        """Return saved jobs, a screenful, to show until the engine is running.

        Called once, before the first frame, which shows them unless reading takes long. Its errors are shown like those
        of `open`.
        """
        ...

    async def open(self) -> OpenEngine:
        """Open the engine with its first targets.

        Called once, after the first jobs are on the screen, so that slow imports belong here. Its errors are shown on
        the screen, by type and message.
        """
        ...

    def curl(self, asked: Exchange | Target) -> str:
        """Return the curl command for a request, or for polling a target, with variables instead of secrets.

        Empty if the request is unknown.
        """
        ...

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return one ticket about jobs, as Markdown, without sending a request.

        Its errors are shown on the screen, by type and message.
        """
        ...

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return the note that all of the jobs have; empty if there is none, or they differ."""
        ...

    async def close(self) -> None:
        """Give running hooks a moment to end, and close what `open` opened."""
        ...


@dataclass(frozen=True, slots=True)
class ProgramKey:
    """A key of the user's own, and its name."""

    key: str
    label: str


class HintMemory(Protocol):
    """Which hints the user has followed or dismissed, in any run."""

    @property
    def done(self) -> Collection[str]:
        """The actions whose hints are not shown any more."""
        ...

    def mark_done(self, action: str) -> None:
        """Stop showing the hint for an action."""
        ...


class SessionControls(Protocol):
    """What a session may change and save; the engine's controls come with the engine."""

    @property
    def program_keys(self) -> tuple[ProgramKey, ...]:
        """The user's own keys."""
        ...

    def run_program(self, key: str, jobs: Sequence[Job]) -> bool:
        """Run the program of a key once for each job; false before the engine is open. Needs a running loop."""
        ...

    def parse(self, text: str) -> Parsed:
        """Parse pasted text. Never raises; called on every change of the text, so it should take < 50 ms."""
        ...

    async def last_watch_list(self) -> WatchListSummary | None:
        """Return the watch list to offer when no job is watched; None if there is none."""
        ...

    async def open_last_watch_list(self) -> int:
        """Watch the jobs of the last watch list too, in their saved state; returns how many are new.

        Its errors are shown on the screen, by type and message.
        """
        ...

    async def discover(self, report: Callable[[Discovered], object]) -> None:
        """List the newest jobs of every profile, within the rate limit shared with the engine.

        `report` gets each profile's jobs, repeatedly as they grow. Never raises: failures become notes.
        """
        ...

    def save_preference(self, choice: Preference, value: str) -> None:
        """Save a choice for the next run. Needs a running loop."""
        ...

    async def save_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
        """Save a note for jobs. With several, only jobs without a note, or whose note is `instead_of`, are changed.

        Never raises: failures are reported to the user.
        """
        ...

    def on_jobs_ended(self, notify: Callable[[Sequence[Job]], object], on_error: Callable[[str], object]) -> None:
        """Set the callbacks: `notify` gets jobs that finished (batched), `on_error` a line for each failed hook.

        Called once, before `open`.
        """
        ...

    def run_hooks(self, batch: ChangeSet, wanted: Collection[JobKey] | None) -> None:
        """Run the hooks of the jobs that finished in a batch, and notify of those `wanted` (None: all).

        Each hook and each notification happens once, however many processes watch the job.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Nothing can be polled, watched or saved by this session; `reason` says why, in one line."""

    reason: str


def save_preference(session: Session, choice: Preference, value: str) -> None:
    """Save a choice, unless the session is read-only."""
    if not isinstance(session.access, ReadOnly):
        session.access.save_preference(choice, value)


@contextmanager
def error_reported(report: Callable[[str], object]) -> Iterator[None]:
    """Pass the message of an error to `report` instead of raising it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a session raises what the store and the configuration raise
        report(safe_error_message(error))


def safe_error_message(error: BaseException) -> str:
    """Return an error in one line.

    Only jobdeck's own errors are shown in full; a library's message may contain input such as a malformed key, so only
    its type is shown.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    name = type(error).__name__
    if type(error).__module__.split(".")[0] == "jobdeck":
        return one_line(str(error), 1_024) or name
    return f"an unexpected {name}"
