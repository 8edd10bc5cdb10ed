"""Rule 9: observation is not outcome, whatever comes, in whatever order, by polls, lists and other processes."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from jobdeck.domain.events import PhaseChanged, newly_ended
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.transitions import apply_failure, apply_observation
from jobdeck.engine.registry import Registry
from jobdeck.http.base import PollResult
from tests.builders import START, make_exchange, make_job, make_observation, make_target
from tests.support.examples import examples
from tests.unit.http.wire import answer, hog_target, serve, sonarly, sonarly_target, the_hog

KEY = make_target().key
STATE = ("status", "phase", "progress", "stages", "error", "result", "observed", "asked", "changed", "ended")
rows = st.builds(
    lambda phase, progress, whole: replace(make_observation(phase, progress), whole=whole),
    st.sampled_from(Phase),
    st.none() | st.floats(0, 1),
    st.booleans(),
)


@dataclass(frozen=True)
class Asked:
    """A request on its way: when it was sent, as the how-manieth, and whether it asks for the job alone."""

    sent: Instant
    place: int
    alone: bool

    def exchange(self, problem: Problem | None = None) -> Exchange:
        exchange = replace(make_exchange(self.sent, problem), sequence=self.place)
        return exchange if self.alone else replace(exchange, job=None)


class LifeOfAJob(RuleBasedStateMachine):
    """Requests overlap and answers overtake each other; the wall clock may be set to any time."""

    flying: Bundle[Asked] = Bundle("flying")

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry()
        self.registry.add(make_target(), START)
        self.now = START
        self.newest_good = 0
        self.sent = 0
        self.believed: tuple[str | None, Phase] = (None, Phase.UNKNOWN)
        self.confirmed_by_own = False

    @property
    def job(self) -> Job:
        return self.registry.jobs[KEY]

    @rule(seconds=st.floats(0.001, 1_000), wall=st.floats(-1e6, 1e6))
    def time_passes(self, seconds: float, wall: float) -> None:
        self.now = Instant(max(1, self.now.us + round(wall * 1e6)), self.now.mono + seconds)

    @rule(target=flying, alone=st.booleans())
    def ask(self, alone: bool) -> Asked:
        self.now = self.now.later(0.001)
        self.sent += 1
        return Asked(self.now, self.sent, alone)

    @rule(asked=consumes(flying), row=rows, foreign=st.booleans())
    def answered(self, asked: Asked, row: Observation, foreign: bool) -> None:
        before = self.job
        seen = (replace(row, whole=True),) if asked.alone else (row, *((replace(row, id="other"),) if foreign else ()))
        self.registry.apply(KEY if asked.alone else None, PollResult(asked.exchange(), seen), self.now)
        assert set(self.registry.jobs) == {KEY}, "a list adds nothing of its own"
        self.believe(asked, row, before, own=asked.alone)

    @rule(asked=consumes(flying), kind=st.sampled_from(ProblemKind))
    def failed(self, asked: Asked, kind: ProblemKind) -> None:
        before, problem = self.job, Problem(kind, "x")
        reply = PollResult(asked.exchange(problem))
        applied = self.registry.apply(KEY if asked.alone else None, reply, self.now)
        assert all(getattr(self.job, name) == getattr(before, name) for name in STATE)
        assert not any(isinstance(event, PhaseChanged) for event in applied.events)
        if asked.alone and asked.place < before.sequence:
            assert self.job.problem == before.problem, "an old failure says nothing of what is seen since"
        elif asked.alone:
            assert self.job.problem == problem

    @rule(asked=consumes(flying), row=rows)
    def heard_of_it(self, asked: Asked, row: Observation) -> None:
        """Take over what another process learnt."""
        before = self.job
        exchange = replace(asked.exchange(), job=KEY if row.whole else None)
        heard, _ = apply_observation(make_job(), row, exchange, self.now)
        if self.registry.merge_external(heard, None).jobs:
            self.believe(asked, row, before, own=False)
        else:
            assert self.job == before

    def believe(self, asked: Asked, row: Observation, before: Job, *, own: bool) -> None:
        if asked.place < before.sequence:
            assert self.job == before, "an older answer overwrites nothing"
            return
        if not own and before.terminal and self.job == before:
            # A list that repeats the end is no news.
            assert row.status in {before.status, before.doubt}
            return
        if not own and self.job == replace(before, doubt=row.status, version=self.job.version):
            # A row that denies an end told in full is a doubt, which the job's own next answer settles.
            assert before.terminal
            assert row.phase is not before.phase
            return
        self.newest_good = asked.place
        same_end = before.terminal and row.phase is before.phase
        self.confirmed_by_own = own or (same_end and self.confirmed_by_own)
        self.believed = (row.status, row.phase)

    @invariant()
    def the_state_is_that_of_the_newest_good_answer(self) -> None:
        assert (self.job.status, self.job.phase) == self.believed
        assert self.job.terminal == (self.job.ended is not None)

    @invariant()
    def only_the_jobs_own_answer_to_this_run_is_relied_on(self) -> None:
        assert self.job.confirmed == self.confirmed_by_own

    @invariant()
    def a_new_run_has_nothing_of_the_old_one(self) -> None:
        assert (self.job.begun is None) == (self.job.run == 1)

    @invariant()
    def no_age_is_negative(self) -> None:
        age = self.job.age(self.now)
        assert age is None or age >= 0.0
        assert self.job.elapsed(self.now) >= 0.0


LifeOfAJob.TestCase.settings = examples(25, stateful_step_count=30)
TestLifeOfAJob = LifeOfAJob.TestCase


def test_a_failure_that_was_sent_before_the_newest_answer_does_not_blind_the_job() -> None:
    problem = Problem(ProblemKind.TIMEOUT, "no complete answer within 30 s")
    seen, _ = apply_observation(make_job(), make_observation(), make_exchange(START.later(20)), START.later(21))
    late, events = apply_failure(seen, make_exchange(START, problem), problem, START.later(30))
    assert (late, events) == (seen, ())
    newer, _ = apply_failure(seen, make_exchange(START.later(25), problem), problem, START.later(30))
    assert (newer.problem, newer.failures) == (problem, 1)


@pytest.mark.parametrize("lost", [{"result": None}, {"error": None}])
def test_what_an_ended_job_gave_is_not_lost_when_the_server_forgets_it(lost: dict[str, None]) -> None:
    from jobdeck.domain.job import JobError

    end = replace(make_observation(Phase.PARTIAL), result='{"rows": 3}', error=JobError("E", "half of it"))
    job, _ = apply_observation(make_job(), end, make_exchange(START.later(1)), START.later(2))
    later, events = apply_observation(job, replace(end, **lost), make_exchange(START.later(60)), START.later(61))  # type: ignore[arg-type]
    assert (later.result, later.error) == (job.result, job.error)
    assert events == ()


async def test_an_answer_for_another_id_is_a_protocol_problem_of_both_apis() -> None:
    hog_body = {"id": "op_2", "status": "succeeded", "result": {}}
    son_body = {"success": True, "data": {"jobId": "op_2", "status": "completed"}, "error": None, "traceId": "t"}
    async with (
        serve(answer(hog_body)) as one,
        serve(answer(son_body)) as two,
        the_hog(one.base_url) as hog,
        sonarly(two.base_url) as other,
    ):
        for reply in (await hog.poll(hog_target("op_1")), await other.poll(sonarly_target("op_1"))):
            assert reply.observations == ()
            assert reply.problem is not None
            assert reply.problem.kind is ProblemKind.PROTOCOL
            assert "op_2 instead of op_1" in reply.problem.message


@pytest.mark.parametrize("word", ["marinating", "SUCCEEDED", "succeeded ", "done", "0", "[/]"])
async def test_an_unknown_status_is_kept_word_for_word_and_is_not_finished(word: str) -> None:
    async with serve(answer({"id": "op_1", "status": word, "progress": 100})) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    registry = Registry()
    registry.add(hog_target("op_1"), START)
    registry.apply(JobKey("hog", None, "op_1"), reply, START.later(1))
    job = registry.jobs[JobKey("hog", None, "op_1")]
    assert (job.status, job.phase, job.terminal) == (word, Phase.UNKNOWN, False)
    assert job.ended is None


def test_a_first_answer_that_contradicts_itself_ends_nothing_twice() -> None:
    """A list that names a job twice, first ended, then running."""
    registry = Registry()
    registry.add(make_target(), START)
    twice = (make_observation(Phase.SUCCEEDED), make_observation(Phase.RUNNING))
    page = replace(make_exchange(START.later(1)), job=None)
    applied = registry.apply(None, PollResult(page, twice), START.later(2))
    job = registry.jobs[KEY]
    assert (job.phase, job.anomalies, job.run) == (Phase.RUNNING, (), 1)
    assert newly_ended(applied.events, registry.jobs) == ()
