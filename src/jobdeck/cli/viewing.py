"""Screens of several viewers on one engine: it is asked once, whoever looks, and nobody can change what it does."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import Moment
from jobdeck.engine.batch import Batch
from jobdeck.scheduling.actions import BudgetView, Plan
from jobdeck.tui.session import Changes, Choice, Engine, Parsed, Session

LOCKED = "read-only: what is watched and asked is decided where jobdeck serve runs"


class Audience:
    """What all viewers together look at: the engine knows one person, who looks wherever any of them does."""

    def __init__(self, engine: Engine) -> None:
        """Begin without a viewer: everything is asked less often."""
        self.engine = engine
        self._shown: dict[object, frozenset[JobKey]] = {}
        self._present: dict[object, bool] = {}
        self._focused: dict[object, JobKey | None] = {}
        engine.attend(present=False)

    def join(self, viewer: object) -> None:
        """Count a viewer as present."""
        self.attend(viewer, present=True)

    def leave(self, viewer: object) -> None:
        """Forget a viewer; harmless when forgotten."""
        for kept in (self._shown, self._present, self._focused):
            kept.pop(viewer, None)
        self.engine.attend(present=any(self._present.values()))
        self.engine.show(self._all_shown)
        self.engine.focus(next(reversed(self._focused.values()), None))

    def attend(self, viewer: object, *, present: bool) -> None:
        """Note whether one of them looks."""
        self._present[viewer] = present
        self.engine.attend(present=any(self._present.values()))

    def show(self, viewer: object, keys: Collection[JobKey]) -> None:
        """Note what is on one screen."""
        self._shown[viewer] = frozenset(keys)
        self.engine.show(self._all_shown)

    def focus(self, viewer: object, key: JobKey | None) -> None:
        """Note what one of them looks at; the budget lets one job be asked often, and the newest choice is it."""
        self._focused.pop(viewer, None)
        self._focused[viewer] = key
        self.engine.focus(key)

    @property
    def _all_shown(self) -> frozenset[JobKey]:
        return frozenset().union(*self._shown.values())


class WatchedEngine:
    """The engine as one viewer has it: everything can be read, and nothing changed."""

    def __init__(self, audience: Audience) -> None:
        """Join the audience."""
        self._audience = audience
        self._engine = audience.engine
        self._gone = False
        audience.join(self)

    @property
    def jobs(self) -> Mapping[JobKey, Job]:
        """The watched jobs."""
        return self._engine.jobs

    @property
    def paused(self) -> bool:
        """Whether it sends nothing."""
        return self._engine.paused

    async def run(self) -> None:
        """Do nothing: it runs elsewhere."""

    def add(self, targets: Iterable[Target]) -> tuple[JobKey, ...]:
        """Add nothing."""
        return ()

    def remove(self, keys: Iterable[JobKey]) -> None:
        """Remove nothing."""

    def restore(self, jobs: Iterable[Job]) -> None:
        """Restore nothing."""

    def acknowledge(self, keys: Iterable[JobKey], *, acknowledged: bool = True) -> None:
        """Acknowledge nothing."""

    def attend(self, *, present: bool) -> None:
        """Note whether this viewer looks."""
        if not self._gone:
            self._audience.attend(self, present=present)

    def focus(self, key: JobKey | None) -> None:
        """Note which job this viewer looks at."""
        if not self._gone:
            self._audience.focus(self, key)

    def show(self, keys: Collection[JobKey]) -> None:
        """Note which rows this viewer sees."""
        if not self._gone:
            self._audience.show(self, keys)

    def ask(self, key: JobKey) -> None:
        """Ask nothing."""

    def ask_all(self) -> None:
        """Ask nothing."""

    def pause(self) -> None:
        """Go on."""

    def resume(self) -> None:
        """Stay paused, if it is."""

    def exchanges(self, key: JobKey) -> tuple[Exchange, ...]:
        """Return the newest exchanges about a job, newest first."""
        return self._engine.exchanges(key)

    def timeline(self, key: JobKey) -> tuple[Moment, ...]:
        """Return what happened to a job, oldest first."""
        return self._engine.timeline(key)

    def previous(self, key: JobKey) -> Job | None:
        """Return a job's state before its newest change."""
        return self._engine.previous(key)

    def progress_history(self, key: JobKey) -> tuple[tuple[float, float], ...]:
        """Return a job's progress each time it moved."""
        return self._engine.progress_history(key)

    def body(self, key: JobKey) -> bytes | None:
        """Return the newest body of a poll about a job."""
        return self._engine.body(key)

    async def download(self, key: JobKey, write: Callable[[bytes], object]) -> Problem | None:
        """Return why nothing is asked here."""
        return Problem(ProblemKind.PROTOCOL, "nothing is asked here")

    def budgets(self) -> Mapping[str, BudgetView]:
        """Return each profile's budget."""
        return self._engine.budgets()

    def plan(self, key: JobKey) -> Plan | None:
        """Return when a job is due next."""
        return self._engine.plan(key)

    def next_try(self, profile: str) -> float | None:
        """Return when a profile that cannot be seen is tried next."""
        return self._engine.next_try(profile)

    def halted(self) -> Mapping[str, Problem]:
        """Return the profiles that ask nothing any more, and why."""
        return self._engine.halted()

    def subscribe(self) -> Changes:
        """Return a stream of changes of this viewer's own."""
        return self._engine.subscribe()

    async def aclose(self) -> None:
        """Leave the audience; the engine goes on."""
        if not self._gone:
            self._gone = True
            self._audience.leave(self)


class Viewing:
    """Implements the screen's `Session` for one viewer, on the session of whoever serves."""

    def __init__(self, host: Session, audience: Audience) -> None:
        self._host = host
        self._audience = audience
        self.notices: tuple[str, ...] = ()
        self.locked = LOCKED
        self.chosen = host.chosen

    @property
    def clock(self) -> Clock:
        """The host's clock."""
        return self._host.clock

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of the host's profiles."""
        return self._host.profiles

    @property
    def unkept(self) -> str:
        """Why nothing is kept any more, which the host's disk decides."""
        return self._host.unkept

    @property
    def reading(self) -> int:
        """How many jobs there will be once the host has read all that it remembers; 0 when it has."""
        return self._host.reading

    async def recall(self) -> Sequence[Job]:
        """Remember nothing: the engine is there."""
        return ()

    def meanings(self, provider: str) -> Mapping[str, Mapping[str, str]]:
        """Return what the page of an API says that the values of facts mean; nothing where there is no such page."""
        return self._host.meanings(provider)

    def keep_choice(self, choice: Choice, value: str) -> None:
        """Keep nothing: every viewer chooses for themselves."""

    async def open(self) -> WatchedEngine:
        """Look at the engine that runs already."""
        return WatchedEngine(self._audience)

    def curl(self, asked: Exchange | Target) -> str:
        """Return a request, or one about a job, as a line for a shell."""
        return self._host.curl(asked)

    async def ticket(self, keys: Sequence[JobKey], note: str = "", *, include_result: bool = False) -> str:
        """Return one ticket about jobs."""
        return await self._host.ticket(keys, note, include_result=include_result)

    async def note(self, keys: Sequence[JobKey]) -> str:
        """Return the note that is kept with the jobs."""
        return await self._host.note(keys)

    async def keep_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
        """Keep nothing: the note is in the viewer's ticket alone."""

    def when_ended(self, told: Callable[[Sequence[Job]], object], complain: Callable[[str], object]) -> None:
        """Tell nobody: notices and hooks are the host's."""

    def heard(self, batch: Batch, wanted: Collection[JobKey] | None) -> None:
        """Run nothing: notices and hooks are the host's."""

    async def close(self) -> None:
        """Do nothing: the host goes on."""

    def parse(self, text: str) -> Parsed:
        """Understand nothing: nothing can be added."""
        return Parsed()
