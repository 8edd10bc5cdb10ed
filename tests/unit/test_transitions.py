"""The rules of a job's life, as a machine that any sequence of answers drives."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jobdeck.domain.attention import stale, unreachable
from jobdeck.domain.events import (
    JobEvent,
    PhaseChanged,
    ProblemMet,
    ProgressChanged,
    Recovered,
    StageChanged,
    newly_ended,
)
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, Observation, Source, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.transitions import apply_failure, apply_observation
from tests.builders import START, STATUS_OF, make_exchange, make_job, make_observation, make_target
from tests.support.clocks import ManualClock
from tests.support.examples import examples

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


def test_the_id_for_support_is_that_of_the_first_answer_that_showed_the_end() -> None:
    job = make_job()
    seen: list[str | None] = []
    phases = (Phase.RUNNING, Phase.FAILED, Phase.FAILED, Phase.SUCCEEDED, Phase.RUNNING)
    for number, phase in enumerate(phases):
        exchange = replace(make_exchange(START.later(number)), request_id=f"id-{number}")
        job, _ = apply_observation(job, make_observation(phase), exchange, START.later(number))
        seen.append(job.support_id)
    assert seen == ["id-0", "id-1", "id-1", "id-3", "id-4"]
    assert job.end_id is None


class JobLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.job: Job = make_job()

    @rule(observation=observations, seconds=st.floats(0.1, 100))
    def answer(self, observation: Observation, seconds: float) -> None:
        now = self.clock.advance(seconds)
        self.job, _ = apply_observation(self.job, observation, make_exchange(now), now)
        assert self.job.failures == 0
        assert self.job.problem is None
        assert self.job.observed == now
        assert (self.job.status, self.job.phase) == (observation.status, observation.phase)
        assert self.job.terminal == (self.job.ended is not None)

    @rule(observation=observations)
    def late_answer(self, observation: Observation) -> None:
        if self.job.sequence:
            early = replace(make_exchange(self.clock.now()), sequence=self.job.sequence - 1)
            assert apply_observation(self.job, observation, early, self.clock.now()) == (self.job, ())

    @rule(kind=st.sampled_from(ProblemKind), seconds=st.floats(0.1, 100))
    def fault(self, kind: ProblemKind, seconds: float) -> None:
        now = self.clock.advance(seconds)
        before, problem = self.job, Problem(kind, "x")
        self.job, events = apply_failure(before, make_exchange(now, problem), problem, now)
        kept = ("status", "phase", "progress", "stages", "error", "result", "observed", "asked", "changed", "ended")
        assert [getattr(self.job, name) for name in kept] == [getattr(before, name) for name in kept]
        assert self.job.failures == before.failures + 1
        assert events == (ProblemMet(now, self.job.key, problem, self.job.failures),)

    @invariant()
    def progress_is_none_or_a_fraction(self) -> None:
        values = [self.job.progress, *(record.stage.progress for record in self.job.stages)]
        assert all(value is None or 0 <= value <= 1 for value in values)

    @invariant()
    def ages_are_never_negative(self) -> None:
        age = self.job.age(self.clock.now())
        assert age is None or age >= 0
        assert self.job.elapsed(self.clock.now()) >= 0


JobLife.TestCase.settings = examples(15)
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
    job, events = apply_observation(make_job(), make_observation(Phase.RUNNING, 0.2, (stage,)), make_exchange(now), now)
    request_id = make_exchange().request_id
    assert events == (
        PhaseChanged(now, job.key, Phase.UNKNOWN, Phase.RUNNING, "processing", request_id),
        ProgressChanged(now, job.key, None, None, 0.2),
        StageChanged(now, job.key, "import", None, Phase.RUNNING, request_id, "running"),
    )
    assert job.changed == now
    assert job.version == 1


def test_the_same_answer_again_changes_nothing_but_the_age() -> None:
    clock = ManualClock()
    job, _ = apply_observation(make_job(), make_observation(progress=0.2), make_exchange(), clock.now())
    later = clock.advance(9)
    again, events = apply_observation(job, make_observation(progress=0.2), make_exchange(later), later)
    assert events == ()
    assert again.changed == job.changed
    assert again.age(clock.advance(3)) == pytest.approx(3)


def listed(phase: Phase, seconds: float = 0.0, **more: object) -> tuple[Observation, Exchange]:
    """A list row, and the list request that told it."""
    row = replace(make_observation(phase), whole=False, **more)  # type: ignore[arg-type] - any field
    return row, replace(make_exchange(START.later(seconds)), job=None)


def polled(job: Job, phase: Phase, seconds: float, **more: object) -> tuple[Job, tuple[JobEvent, ...]]:
    """The job after an answer of its own, sent and received at that moment."""
    now = START.later(seconds)
    told = replace(make_observation(phase), **more)  # type: ignore[arg-type] - any field
    return apply_observation(job, told, make_exchange(now), now)


def in_list(job: Job, phase: Phase, seconds: float, **more: object) -> tuple[Job, tuple[JobEvent, ...]]:
    return apply_observation(job, *listed(phase, seconds, **more), START.later(seconds), Source.LIST)


def kinds(events: Iterable[JobEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_another_end_is_the_state_and_an_anomaly_once() -> None:
    job, _ = polled(make_job(), Phase.SUCCEEDED, 0, result="[1]")
    job, events = polled(job, Phase.FAILED, 5, error=JobError("E", "no"))
    said = "was succeeded at 20:26:40Z, the server now says failed"
    assert (job.phase, job.error, job.result, job.run) == (Phase.FAILED, JobError("E", "no"), None, 1)
    assert job.anomalies == (said,)
    assert kinds(events) == ["AnomalyMet", "PhaseChanged"]
    job, events = polled(job, Phase.FAILED, 10, error=JobError("E", "no"))
    assert (job.anomalies, events) == ((said,), ())


def test_going_on_after_an_end_is_a_new_run_in_which_nothing_of_the_old_one_is_left() -> None:
    job, _ = polled(make_job(acknowledged=True), Phase.FAILED, 0, result="[1]", error=JobError("E"), progress=1.0)
    job, events = polled(job, Phase.RUNNING, 5)
    assert kinds(events) == ["RunBegan", "AnomalyMet", "PhaseChanged"]
    assert (job.phase, job.run, job.begun, job.ended) == (Phase.RUNNING, 2, START.later(5), None)
    assert (job.result, job.error, job.progress, job.stages, job.acknowledged) == (None, None, None, (), False)
    assert job.elapsed(START.later(8)) == 3.0
    job, events = polled(job, Phase.SUCCEEDED, 9)
    assert (job.ended, kinds(events)) == (START.later(9), ["PhaseChanged"])
    assert newly_ended(events, {job.key: job}) == (job,)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"attempt": "1"}, {"attempt": "2"}),
        ({"created_us": START.us}, {"created_us": START.us + 86_400_000_000}),
        ({"started_us": START.us}, {"started_us": START.us + 86_400_000_000}),
    ],
    ids=["attempt", "created", "started"],
)
@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.RUNNING])
def test_another_attempt_or_date_is_a_new_run_and_no_anomaly(
    before: dict[str, object], after: dict[str, object], phase: Phase
) -> None:
    job, _ = polled(make_job(), Phase.SUCCEEDED, 0, **before)
    job, events = polled(job, phase, 5, **after)
    assert kinds(events) == ["RunBegan", "PhaseChanged"]
    assert (job.run, job.phase, job.anomalies) == (2, phase, ())


def test_the_same_date_with_and_without_its_fraction_is_no_new_run() -> None:
    job, _ = polled(make_job(), Phase.RUNNING, 0, created_us=START.us)
    job, _ = polled(job, Phase.RUNNING, 5, created_us=START.us + 750_000, started_us=START.us)
    assert job.run == 1


def test_an_end_that_a_list_told_too_early_is_taken_back_without_an_anomaly() -> None:
    job, _ = polled(make_job(), Phase.RUNNING, 0)
    job, _ = in_list(job, Phase.SUCCEEDED, 1)
    assert (job.phase, job.summary_only, job.source) == (Phase.SUCCEEDED, True, Source.LIST)
    job, events = polled(job, Phase.RUNNING, 2)
    assert (kinds(events), job.anomalies, job.run, job.ended) == (["PhaseChanged"], (), 1, None)
    job, _ = polled(job, Phase.FAILED, 3, error=JobError("E"))
    assert (job.summary_only, job.error, job.source) == (False, JobError("E"), Source.ANSWER)


def test_a_list_that_lags_behind_the_end_is_a_doubt_that_the_next_answer_settles() -> None:
    ended, _ = polled(make_job(), Phase.SUCCEEDED, 0, result="[1]")
    doubted, events = in_list(ended, Phase.RUNNING, 1)
    assert (doubted.phase, doubted.confirmed, doubted.doubt, events) == (Phase.SUCCEEDED, True, "processing", ())
    job, events = polled(doubted, Phase.SUCCEEDED, 2, result="[1]")
    assert (job.run, job.anomalies, job.result, job.doubt, events) == (1, (), "[1]", None, ())
    job, events = polled(doubted, Phase.RUNNING, 2)
    assert (job.run, job.phase, job.doubt) == (2, Phase.RUNNING, None)
    assert kinds(events) == ["RunBegan", "AnomalyMet", "PhaseChanged"]


def test_a_list_counts_for_more_than_what_is_only_remembered() -> None:
    remembered, _ = polled(make_job(), Phase.SUCCEEDED, 0)
    remembered = replace(remembered, source=Source.MEMORY)
    job, _ = in_list(remembered, Phase.RUNNING, 1)
    assert (job.phase, job.source, job.run) == (Phase.RUNNING, Source.LIST, 1)
    going, events = polled(job, Phase.RUNNING, 2)
    assert (kinds(events), going.run) == (["RunBegan", "AnomalyMet", "PhaseChanged"], 2)
    lagged, events = polled(job, Phase.SUCCEEDED, 2)
    assert (kinds(events), lagged.run, lagged.anomalies) == (["PhaseChanged"], 1, ())
    job, _ = in_list(remembered, Phase.FAILED, 3)
    failed, events = polled(job, Phase.FAILED, 4)
    assert (kinds(events), failed.run) == (["AnomalyMet"], 1)


def test_an_end_that_its_own_answer_told_is_not_told_less_well_when_a_list_repeats_it() -> None:
    job, _ = polled(make_job(), Phase.SUCCEEDED, 0)
    job, _ = in_list(job, Phase.SUCCEEDED, 1)
    assert (job.source, job.summary_only) == (Source.ANSWER, False)


def test_what_becomes_of_an_ended_job_in_an_unknown_word_is_no_new_run() -> None:
    job, _ = polled(make_job(), Phase.SUCCEEDED, 0)
    job, events = polled(job, Phase.UNKNOWN, 5)
    assert (job.status, job.terminal, job.run) == ("marinating", False, 1)
    assert kinds(events) == ["AnomalyMet", "PhaseChanged"]


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_no_clock_makes_an_answer_old(first: int, second: int) -> None:
    then, now = Instant(START.us + first * 1_000_000, START.mono), Instant(START.us + second * 1_000_000, START.mono)
    job, _ = apply_observation(make_job(), make_observation(), replace(make_exchange(then), sequence=1), then)
    job, _ = apply_observation(job, make_observation(Phase.FAILED), replace(make_exchange(now), sequence=2), now)
    assert job.phase is Phase.FAILED


def test_a_list_row_keeps_stages_error_and_result() -> None:
    stage = Stage("import", "running", Phase.RUNNING, 0.5)
    job, _ = apply_observation(make_job(), make_observation(Phase.RUNNING, None, (stage,)), make_exchange(), START)
    now = START.later(5)
    job, events = apply_observation(job, *listed(Phase.RUNNING, 5), now)
    assert [record.stage for record in job.stages] == [stage]
    assert events == ()


def test_stage_moments_are_those_we_saw() -> None:
    job = make_job()
    for seconds, phase, progress in ((0, Phase.QUEUED, 0.0), (10, Phase.RUNNING, 0.4), (30, Phase.SUCCEEDED, 1.0)):
        now = START.later(seconds)
        parts = (Stage("import", "x", phase, progress),)
        job, _ = apply_observation(job, make_observation(Phase.RUNNING, None, parts), make_exchange(now), now)
    record = job.stages[0]
    assert record.started == START.later(10)
    assert record.ended == START.later(30)


def test_a_stage_that_had_ended_before_we_looked_has_no_moments() -> None:
    parts = (Stage("import", "completed", Phase.SUCCEEDED, 1.0),)
    job, _ = apply_observation(make_job(), make_observation(Phase.RUNNING, None, parts), make_exchange(), START)
    assert job.stages[0].started is None
    assert job.stages[0].ended is None


def test_recovery_is_told_with_what_it_took() -> None:
    problem = Problem(ProblemKind.SERVER_ERROR, "the server failed", 503)
    job, _ = apply_observation(make_job(), make_observation(), make_exchange(), START)
    for seconds in (5, 10):
        now = START.later(seconds)
        job, _ = apply_failure(job, make_exchange(now, problem), problem, now)
    assert unreachable(job)
    now = START.later(20)
    job, events = apply_observation(job, make_observation(), make_exchange(now), now)
    assert events == (Recovered(now, job.key, 2),)
    assert not unreachable(job)


def test_a_job_goes_stale_past_three_intervals_and_an_ended_one_never() -> None:
    job, _ = apply_observation(make_job(interval=5.0), make_observation(), make_exchange(), START)
    assert not stale(job, START.later(15))
    assert stale(job, START.later(15.1))
    done, _ = apply_observation(job, make_observation(Phase.SUCCEEDED), make_exchange(), START)
    assert not stale(done, START.later(10_000))


def missed(job: Job, *seconds: float, kind: ProblemKind = ProblemKind.NOT_FOUND) -> Job:
    problem = Problem(kind, "x", 404)
    for at in seconds:
        job, _ = apply_failure(job, make_exchange(START.later(at), problem), problem, START.later(at))
    return job


def test_not_found_takes_time_and_more_than_one_look() -> None:
    accepted = replace(make_job(), target=replace(make_target(), accepted=True))
    seen, _ = polled(make_job(), Phase.RUNNING, 0)
    for known in (accepted, seen):
        assert not missed(known, 1, 2, 3, 10, 30).not_found, "a replica that lags answers like this"
        assert missed(known, 1, 2, 30, 31).not_found
        assert not missed(known, 1).not_found
    assert not missed(make_job(), 1, 2, 3, 5.9).not_found
    assert missed(make_job(), 1, 2, 6).not_found, "an ID that nobody has seen is most often mistyped"
    assert not polled(missed(accepted, 1, 32), Phase.RUNNING, 33)[0].not_found


def test_what_tells_nothing_of_a_job_is_not_counted_among_the_looks_that_did_not_find_it() -> None:
    seen, _ = polled(make_job(), Phase.RUNNING, 0)
    lost = missed(missed(seen, 1, 20), 25, kind=ProblemKind.RATE_LIMIT)
    assert not lost.not_found, "the newest answer does not say so"
    assert missed(lost, 32).not_found
    assert not missed(missed(missed(seen, 1, 20), 25, kind=ProblemKind.SERVER_ERROR), 32).not_found


def test_a_wall_clock_that_is_set_forward_makes_no_job_lost() -> None:
    seen, _ = polled(make_job(), Phase.RUNNING, 0)
    problem = Problem(ProblemKind.NOT_FOUND, "x", 404)
    for mono in (1.0, 2.0):
        now = Instant(START.us + round(mono * 3_600e6), START.mono + mono)
        seen, _ = apply_failure(seen, make_exchange(now, problem), problem, now)
    assert not seen.not_found


def test_an_ended_job_that_a_list_goes_on_showing_can_be_gone_all_the_same() -> None:
    job, _ = in_list(make_job(), Phase.SUCCEEDED, 0)
    job, _ = in_list(missed(job, 1, 16), Phase.SUCCEEDED, 20)
    assert missed(job, 32).not_found


def test_every_phase_has_a_documented_word() -> None:
    assert set(STATUS_OF) == set(Phase)


def test_an_acknowledged_job_that_fails_later_is_news_again() -> None:
    job, _ = apply_observation(make_job(acknowledged=True), make_observation(Phase.UNKNOWN), make_exchange(), START)
    assert job.acknowledged
    now = START.later(5)
    failed, _ = apply_observation(job, make_observation(Phase.FAILED), make_exchange(now), now)
    assert not failed.acknowledged


def test_an_answer_that_was_sent_before_a_list_repeated_the_end_counts_wherever_the_job_was_kept() -> None:
    done = make_observation(Phase.SUCCEEDED)
    job, _ = apply_observation(make_job(), done, replace(make_exchange(START), sequence=10), START)
    # A store keeps no source.
    job = replace(job, source=Source.NONE)
    row = replace(make_exchange(START.later(2)), sequence=12, job=None)
    job, _ = apply_observation(job, done, row, START.later(2), Source.LIST)
    late = replace(make_exchange(START.later(3)), sequence=11)
    job, _ = apply_observation(job, make_observation(Phase.FAILED), late, START.later(3))
    assert (job.phase, job.sequence) == (Phase.FAILED, 11)


def test_an_answer_that_was_sent_before_another_process_repeated_the_end_counts() -> None:
    ended, going = make_observation(Phase.FAILED), make_observation(Phase.QUEUED)
    job, _ = apply_observation(make_job(), ended, replace(make_exchange(START), sequence=10), START)
    then = START.later(2)
    job, _ = apply_observation(job, ended, replace(make_exchange(then), sequence=12), then, Source.PEER)
    assert (job.source, job.sequence) == (Source.ANSWER, 10)
    now = START.later(3)
    job, _ = apply_observation(job, going, replace(make_exchange(now), sequence=11), now)
    assert (job.phase, job.sequence) == (Phase.QUEUED, 11), "it is asked again, which costs one request"


def test_rows_that_are_dated_otherwise_than_the_jobs_own_answer_begin_no_run() -> None:
    own = replace(make_observation(), created_us=START.us + 3_000_000)
    row = replace(make_observation(), created_us=START.us, whole=False)
    job = make_job()
    for number, told in enumerate((row, own, row, own, row)):
        at = START.later(number + 1)
        exchange = make_exchange(at) if told is own else replace(make_exchange(at), job=None)
        job, _ = apply_observation(job, told, exchange, at)
    assert (job.run, job.created_us) == (1, own.created_us)
