"""Rule 9: observation is not outcome, whatever comes, in whatever order, by polls, lists and other processes."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from jobdeck.domain.events import AnomalyMet, PhaseChanged
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.transitions import miss, observe
from jobdeck.engine.registry import Applied, Registry
from jobdeck.providers.base import Reply
from tests.builders import START, STATUS_OF, make_exchange, make_job, make_observation, make_target
from tests.unit.providers.wire import answer, hog_target, serve, sonarly, sonarly_target, the_hog

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
    """A request on its way: when it was sent, and whether it asks for the job alone."""

    sent: Instant
    alone: bool


class LifeOfAJob(RuleBasedStateMachine):
    """Requests overlap and answers overtake each other; the wall clock may be set to any time."""

    flying: Bundle[Asked] = Bundle("flying")

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry()
        self.registry.add(make_target(), START)
        self.now = START
        self.newest_good = float("-inf")
        self.believed = (None, Phase.UNKNOWN)
        self.ended_as: tuple[str | None, Phase] | None = None

    @property
    def job(self) -> Job:
        return self.registry.jobs[KEY]

    @rule(seconds=st.floats(0.001, 1_000), wall=st.floats(-1e6, 1e6))
    def time_passes(self, seconds: float, wall: float) -> None:
        self.now = Instant(max(1, self.now.us + round(wall * 1e6)), self.now.mono + seconds)

    @rule(target=flying, alone=st.booleans())
    def ask(self, alone: bool) -> Asked:
        self.now = self.now.later(0.001)
        return Asked(self.now, alone)

    @rule(asked=consumes(flying), row=rows, foreign=st.booleans())
    def answered(self, asked: Asked, row: Observation, foreign: bool) -> None:
        before = self.job
        seen = (replace(row, whole=True),) if asked.alone else (row, *((replace(row, id="other"),) if foreign else ()))
        applied = self.registry.apply(KEY if asked.alone else None, Reply(make_exchange(asked.sent), seen), self.now)
        assert set(self.registry.jobs) == {KEY}, "a list adds nothing of its own"
        self.believe(asked.sent.mono, row, before, applied)

    @rule(asked=consumes(flying), kind=st.sampled_from(ProblemKind))
    def failed(self, asked: Asked, kind: ProblemKind) -> None:
        before, problem = self.job, Problem(kind, "x")
        reply = Reply(make_exchange(asked.sent, problem))
        applied = self.registry.apply(KEY if asked.alone else None, reply, self.now)
        assert all(getattr(self.job, name) == getattr(before, name) for name in STATE)
        assert not any(isinstance(event, PhaseChanged) for event in applied.events)
        if asked.alone and asked.sent.mono < self.newest_good:
            assert self.job.problem == before.problem, "an old failure says nothing of what is seen since"
        elif asked.alone:
            assert self.job.problem == problem

    @rule(asked=consumes(flying), row=rows)
    def heard_of_it(self, asked: Asked, row: Observation) -> None:
        """Take over what another process learnt."""
        before = self.job
        heard, _ = observe(make_job(), row, make_exchange(asked.sent), self.now)
        applied = self.registry.adopt(heard, None)
        if applied.jobs:
            self.believe(asked.sent.mono, row, before, applied)
        else:
            assert self.job == before

    def believe(self, sent: float, row: Observation, before: Job, applied: Applied) -> None:
        said = (row.status, row.phase)
        if sent < self.newest_good:
            assert self.job == before, "an older answer overwrites nothing"
            return
        if self.ended_as == said and self.job == before:
            # A list that repeats the end is no news.
            return
        self.newest_good = sent
        if self.ended_as is None:
            self.believed = said
            self.ended_as = said if row.phase.terminal else None
        elif row.phase is not self.ended_as[1]:
            new = [event for event in applied.events if isinstance(event, AnomalyMet)]
            assert any(row.status in text for text in self.job.anomalies)
            assert len(new) == len(self.job.anomalies) - len(before.anomalies)

    @invariant()
    def the_state_is_that_of_the_newest_good_answer(self) -> None:
        assert (self.job.status, self.job.phase) == self.believed
        assert self.ended_as in {None, self.believed}
        assert self.job.terminal == (self.ended_as is not None)

    @invariant()
    def no_age_is_negative(self) -> None:
        age = self.job.age(self.now)
        assert age is None or age >= 0.0
        assert self.job.elapsed(self.now) >= 0.0


LifeOfAJob.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRule09 = LifeOfAJob.TestCase


def test_rule_09_a_failure_that_was_sent_before_the_newest_answer_does_not_blind_the_job() -> None:
    problem = Problem(ProblemKind.TIMEOUT, "no complete answer within 30 s")
    seen, _ = observe(make_job(), make_observation(), make_exchange(START.later(20)), START.later(21))
    late, events = miss(seen, make_exchange(START, problem), problem, START.later(30))
    assert (late, events) == (seen, ())
    newer, _ = miss(seen, make_exchange(START.later(25), problem), problem, START.later(30))
    assert (newer.problem, newer.failures) == (problem, 1)


@pytest.mark.parametrize("lost", [{"result": None}, {"error": None}])
def test_rule_09_what_an_ended_job_gave_is_not_lost_when_the_server_forgets_it(lost: dict[str, None]) -> None:
    from jobdeck.domain.job import JobError

    end = replace(make_observation(Phase.PARTIAL), result='{"rows": 3}', error=JobError("E", "half of it"))
    job, _ = observe(make_job(), end, make_exchange(START.later(1)), START.later(2))
    later, events = observe(job, replace(end, **lost), make_exchange(START.later(60)), START.later(61))  # type: ignore[arg-type]
    assert (later.result, later.error) == (job.result, job.error)
    assert events == ()


async def test_rule_09_an_answer_for_another_id_is_a_protocol_problem_of_both_apis() -> None:
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
async def test_rule_09_an_unknown_status_is_kept_word_for_word_and_is_not_finished(word: str) -> None:
    async with serve(answer({"id": "op_1", "status": word, "progress": 100})) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    registry = Registry()
    registry.add(hog_target("op_1"), START)
    registry.apply(JobKey("hog", None, "op_1"), reply, START.later(1))
    job = registry.jobs[JobKey("hog", None, "op_1")]
    assert (job.status, job.phase, job.terminal) == (word, Phase.UNKNOWN, False)
    assert job.ended is None


def test_rule_09_a_first_answer_that_contradicts_itself_ends_nothing_twice() -> None:
    """A list that names a job twice, first ended, then running."""
    registry = Registry()
    registry.add(make_target(), START)
    twice = (make_observation(Phase.SUCCEEDED), make_observation(Phase.RUNNING))
    applied = registry.apply(None, Reply(make_exchange(START.later(1)), twice), START.later(2))
    assert registry.jobs[KEY].phase is Phase.SUCCEEDED
    assert [event.message for event in applied.events if isinstance(event, AnomalyMet)] == [
        f"ended as succeeded, but the server now says {STATUS_OF[Phase.RUNNING]}"
    ]
