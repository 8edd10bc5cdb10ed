"""Rule 9 as a script sees it: `wait` relies on nothing but the job's own answers to requests of its own run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.cli.commands.wait import wait_code
from jobdeck.cli.exit_codes import ExitCode, job_code
from jobdeck.cli.headless import SettledCheck
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation, Source
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.registry import Registry
from jobdeck.http.base import PollResult
from tests.builders import START, make_exchange, make_observation, make_target
from tests.support.clocks import ManualClock
from tests.support.examples import examples

KEY = make_target().key
CODES = {
    Phase.SUCCEEDED: ExitCode.OK,
    Phase.FAILED: ExitCode.FAILED,
    Phase.PARTIAL: ExitCode.PARTIAL,
    Phase.CANCELLED: ExitCode.CANCELLED,
}


@dataclass(frozen=True)
class Step:
    """Something happens: `overtaken` by so many requests that were sent later, on a wall clock moved by `jump`."""

    what: str
    row: Observation
    kind: ProblemKind
    overtaken: int
    seconds: float
    jump: float


observations = st.builds(
    lambda phase, attempt, day, whole: replace(
        make_observation(phase),
        attempt=attempt,
        created_us=None if day is None else START.us + day * 86_400_000_000,
        whole=whole,
    ),
    st.sampled_from(Phase),
    st.sampled_from([None, "1", "2"]),
    st.sampled_from([None, 0, 1]),
    st.booleans(),
)
steps = st.builds(
    Step,
    st.sampled_from(["answer", "answer", "row", "row", "peer", "failure", "restart"]),
    observations,
    st.sampled_from([ProblemKind.NOT_FOUND, ProblemKind.SERVER_ERROR, ProblemKind.NETWORK]),
    st.sampled_from([0, 0, 0, 1, 2]),
    st.floats(0.1, 50.0),
    st.sampled_from([0.0, 0.0, 86_400.0, -86_400.0]),
)


class Alone:
    """As much of an engine as is asked whether nothing more is to be learnt."""

    def __init__(self) -> None:
        self.fetched = False

    def halted(self) -> Mapping[str, Problem]:
        return {}

    def poll_ended(self, key: JobKey) -> None:
        assert key == KEY
        self.fetched = True


@dataclass
class Waiting:
    """A wait for one job: what it knows, and what it was truly told."""

    remembered: Job | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    sent: int = 100
    newest: tuple[int, Phase | None] = (0, None)
    answers: dict[int, Phase] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.sent += 100  # whatever a run asks, it asks after all that it remembers
        self.registry = Registry()
        self.registry.set_remembered([self.remembered] if self.remembered is not None else [])
        self.registry.add(make_target(), self.clock.at)
        self.settled = SettledCheck(self.clock)
        self.newest, self.answers = (0, None), {}

    @property
    def job(self) -> Job:
        return self.registry.jobs[KEY]

    def take(self, step: Step) -> None:
        now = self.clock.at.later(step.seconds)
        self.clock.at = Instant(now.us + round(step.jump * 1e6), now.mono)
        # Steps that differ leave no two requests with one number: 30 up a step, 31 back for each that overtook it.
        self.sent += 30
        place = self.sent - step.overtaken * 31
        exchange = replace(make_exchange(self.clock.at), sequence=place)
        match step.what:
            case "restart":
                self.remembered = self.job
                self.begin()
                return
            case "failure":
                self.registry.apply(
                    KEY, PollResult(replace(exchange, problem=Problem(step.kind, "x", 404))), self.clock.at
                )
                return
            case "answer":
                row = replace(step.row, whole=True)
                self.registry.apply(KEY, PollResult(exchange, (row,)), self.clock.at)
                self.answers[place] = row.phase
            case "row":
                self.registry.apply(None, PollResult(replace(exchange, job=None), (step.row,)), self.clock.at)
            case "peer":
                theirs = Registry()
                theirs.add(make_target(), self.clock.at)
                theirs.apply(KEY, PollResult(exchange, (replace(step.row, whole=True),)), self.clock.at)
                self.registry.merge_external(replace(theirs.jobs[KEY], source=Source.NONE), None)
        if place >= self.newest[0]:
            self.newest = (place, step.row.phase)


@examples(100)
@given(st.lists(steps, max_size=14))
def test_a_wait_ends_by_the_jobs_own_answers_alone(told: list[Step]) -> None:
    wait = Waiting()
    for step in told:
        wait.take(step)
        engine, job = Alone(), wait.job
        over = wait.settled(engine, job)  # type: ignore[arg-type] - as much of an engine as it needs
        own = wait.answers[max(wait.answers)] if wait.answers else None
        code = job_code(job)
        if job.confirmed and job.terminal:
            assert own is job.phase
        if over and code in CODES.values():
            assert own is not None, "nothing but an answer of this run decides"
            assert code is CODES[own]
        if own is None and not job.answered:
            assert code in {ExitCode.UNREACHABLE, ExitCode.NOT_FOUND}
        if own is not None and own.terminal and wait.newest[1] is own and not wait.newest[0] > max(wait.answers):
            assert over, "the newest that is known is the job's own answer, and it has ended"
        if job.terminal and not job.confirmed and not over:
            assert engine.fetched, "what only others told is asked for"


def test_a_wait_that_is_over_with_a_job_still_going_has_not_succeeded() -> None:
    """The key was refused while a list was on its way that showed the job running."""
    wait = Waiting()
    step = Step("answer", make_observation(), ProblemKind.NETWORK, 0, 1.0, 0.0)
    wait.take(step)
    going = wait.job
    wait.take(replace(step, row=make_observation(Phase.SUCCEEDED)))
    ended = wait.job
    assert wait_code([ended], by_any=False) is ExitCode.OK
    assert wait_code([ended, going], by_any=False) is ExitCode.UNREACHABLE
    assert wait_code([ended, going], by_any=True) is ExitCode.OK
