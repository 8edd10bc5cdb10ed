"""The rules of a job's life, as a machine that any sequence of answers drives."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jobdeck.domain.attention import blind, stale
from jobdeck.domain.events import AnomalyMet, PhaseChanged, ProblemMet, ProgressChanged, Recovered, StageChanged
from jobdeck.domain.job import Job, Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.transitions import miss, observe
from tests.builders import START, STATUS_OF, ManualClock, make_exchange, make_job, make_observation

phases = st.sampled_from(Phase)
fractions = st.none() | st.floats(0, 1)
stages = st.lists(
    st.builds(Stage, st.sampled_from(["import", "enrichment", "score"]), st.just("x"), phases, fractions),
    max_size=3,
    unique_by=lambda stage: stage.name,
).map(tuple)
observations = st.builds(
    lambda phase, progress, parts, whole: replace(make_observation(phase, progress, parts), whole=whole),
    phases,
    fractions,
    stages,
    st.booleans(),
)


class JobLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.job: Job = make_job()
        self.ended_as: Job | None = None

    @rule(observation=observations, seconds=st.floats(0.1, 100))
    def answer(self, observation: Observation, seconds: float) -> None:
        now = self.clock.advance(seconds)
        self.job, _ = observe(self.job, observation, make_exchange(now), now)
        assert self.job.failures == 0
        assert self.job.problem is None
        assert self.job.observed == now

    @rule(observation=observations)
    def late_answer(self, observation: Observation) -> None:
        if self.job.asked is not None:
            early = make_exchange(self.job.asked.later(-1))
            assert observe(self.job, observation, early, self.clock.now()) == (self.job, ())

    @rule(kind=st.sampled_from(ProblemKind), seconds=st.floats(0.1, 100))
    def fault(self, kind: ProblemKind, seconds: float) -> None:
        now = self.clock.advance(seconds)
        before, problem = self.job, Problem(kind, "x")
        self.job, events = miss(before, make_exchange(now, problem), problem, now)
        kept = ("status", "phase", "progress", "stages", "error", "result", "observed", "asked", "changed", "ended")
        assert [getattr(self.job, name) for name in kept] == [getattr(before, name) for name in kept]
        assert self.job.failures == before.failures + 1
        assert events == (ProblemMet(now, self.job.key, problem, self.job.failures),)

    @invariant()
    def terminal_is_final(self) -> None:
        if self.ended_as is None and self.job.terminal:
            self.ended_as = self.job
        if self.ended_as is not None:
            assert self.job.phase is self.ended_as.phase
            assert self.job.ended == self.ended_as.ended

    @invariant()
    def progress_is_none_or_a_fraction(self) -> None:
        values = [self.job.progress, *(record.stage.progress for record in self.job.stages)]
        assert all(value is None or 0 <= value <= 1 for value in values)

    @invariant()
    def ages_are_never_negative(self) -> None:
        age = self.job.age(self.clock.now())
        assert age is None or age >= 0
        assert self.job.elapsed(self.clock.now()) >= 0


TestJobLife = JobLife.TestCase


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_only_a_fraction_is_a_progress(value: float) -> None:
    if 0 <= value <= 1:
        assert make_observation(progress=value).progress == value
    else:
        with pytest.raises(ValueError, match="fraction"):
            make_observation(progress=value)
        with pytest.raises(ValueError, match="fraction"):
            Stage("import", "running", Phase.RUNNING, value)


def test_a_first_answer_tells_phase_and_stages() -> None:
    now = START.later(1)
    stage = Stage("import", "running", Phase.RUNNING, 0.5)
    job, events = observe(make_job(), make_observation(Phase.RUNNING, 0.2, (stage,)), make_exchange(now), now)
    request_id = make_exchange().request_id
    assert events == (
        PhaseChanged(now, job.key, Phase.UNKNOWN, Phase.RUNNING, "processing", request_id),
        ProgressChanged(now, job.key, None, None, 0.2),
        StageChanged(now, job.key, "import", None, Phase.RUNNING, request_id),
    )
    assert job.changed == now
    assert job.version == 1


def test_the_same_answer_again_changes_nothing_but_the_age() -> None:
    clock = ManualClock()
    job, _ = observe(make_job(), make_observation(progress=0.2), make_exchange(), clock.now())
    later = clock.advance(9)
    again, events = observe(job, make_observation(progress=0.2), make_exchange(later), later)
    assert events == ()
    assert again.changed == job.changed
    assert again.age(clock.advance(3)) == pytest.approx(3)


def test_a_contradiction_after_the_end_is_an_anomaly_once() -> None:
    job, _ = observe(make_job(), make_observation(Phase.SUCCEEDED, 1.0), make_exchange(), START)
    for seconds in (5, 10):
        now = START.later(seconds)
        job, events = observe(job, make_observation(Phase.RUNNING, 0.3), make_exchange(now), now)
    assert job.phase is Phase.SUCCEEDED
    assert job.progress == 1.0
    assert job.anomalies == ("ended as succeeded, but the server now says processing",)
    assert not any(isinstance(event, AnomalyMet) for event in events)


def test_a_whole_look_that_contradicts_an_end_of_a_list_is_the_last_that_the_end_is_worth() -> None:
    row = replace(make_observation(Phase.SUCCEEDED), whole=False)
    job, _ = observe(make_job(), row, make_exchange(), START)
    assert job.outlined
    now = START.later(5)
    job, _ = observe(job, make_observation(Phase.RUNNING, 0.3), make_exchange(now), now)
    assert (job.phase, job.outlined) == (Phase.SUCCEEDED, False)


def test_a_list_row_keeps_stages_error_and_result() -> None:
    stage = Stage("import", "running", Phase.RUNNING, 0.5)
    job, _ = observe(make_job(), make_observation(Phase.RUNNING, None, (stage,)), make_exchange(), START)
    now = START.later(5)
    row = replace(make_observation(Phase.RUNNING), whole=False)
    job, events = observe(job, row, make_exchange(now), now)
    assert [record.stage for record in job.stages] == [stage]
    assert events == ()


def test_stage_moments_are_those_we_saw() -> None:
    job = make_job()
    for seconds, phase, progress in ((0, Phase.QUEUED, 0.0), (10, Phase.RUNNING, 0.4), (30, Phase.SUCCEEDED, 1.0)):
        now = START.later(seconds)
        parts = (Stage("import", "x", phase, progress),)
        job, _ = observe(job, make_observation(Phase.RUNNING, None, parts), make_exchange(now), now)
    record = job.stages[0]
    assert record.started == START.later(10)
    assert record.ended == START.later(30)


def test_a_stage_that_had_ended_before_we_looked_has_no_moments() -> None:
    parts = (Stage("import", "completed", Phase.SUCCEEDED, 1.0),)
    job, _ = observe(make_job(), make_observation(Phase.RUNNING, None, parts), make_exchange(), START)
    assert job.stages[0].started is None
    assert job.stages[0].ended is None


def test_recovery_is_told_with_what_it_took() -> None:
    problem = Problem(ProblemKind.SERVER_ERROR, "the server failed", 503)
    job, _ = observe(make_job(), make_observation(), make_exchange(), START)
    for seconds in (5, 10):
        now = START.later(seconds)
        job, _ = miss(job, make_exchange(now, problem), problem, now)
    assert blind(job)
    now = START.later(20)
    job, events = observe(job, make_observation(), make_exchange(now), now)
    assert events == (Recovered(now, job.key, 2),)
    assert not blind(job)


def test_a_job_goes_stale_past_three_intervals_and_an_ended_one_never() -> None:
    job, _ = observe(make_job(interval=5.0), make_observation(), make_exchange(), START)
    assert not stale(job, START.later(15))
    assert stale(job, START.later(15.1))
    done, _ = observe(job, make_observation(Phase.SUCCEEDED), make_exchange(), START)
    assert not stale(done, START.later(10_000))


def test_not_found_twice_in_a_row_is_lost_until_it_is_seen() -> None:
    problem = Problem(ProblemKind.NOT_FOUND, "no such job", 404)
    job = make_job()
    for seconds in (5, 10):
        assert not job.lost
        now = START.later(seconds)
        job, _ = miss(job, make_exchange(now, problem), problem, now)
    assert job.lost
    now = START.later(20)
    job, _ = observe(job, make_observation(), make_exchange(now), now)
    assert not job.lost


def test_every_phase_has_a_documented_word() -> None:
    assert set(STATUS_OF) == set(Phase)


def test_an_acknowledged_job_that_fails_later_is_news_again() -> None:
    job, _ = observe(make_job(acknowledged=True), make_observation(Phase.UNKNOWN), make_exchange(), START)
    assert job.acknowledged
    now = START.later(5)
    failed, _ = observe(job, make_observation(Phase.FAILED), make_exchange(now), now)
    assert not failed.acknowledged
