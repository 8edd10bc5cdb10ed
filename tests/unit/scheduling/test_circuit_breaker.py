"""When a profile as a whole counts as failing, and when as unreachable."""

import random

from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.scheduling.backoff import FAILURES_TO_OPEN, CircuitBreaker

DOWN, SLOW, BROKEN = ProblemKind.NETWORK, ProblemKind.TIMEOUT, ProblemKind.SERVER_ERROR


class Record:
    """A breaker that is told what requests gave, each of which is a probe once it is open."""

    def __init__(self) -> None:
        self.breaker = CircuitBreaker()
        self.now = 0.0
        self._rng = random.Random(0)

    def take(self, problem: ProblemKind | None, job: object = "only") -> bool:
        """Take in one result a second; return whether the profile is then unreachable."""
        self.now += 1.0
        if problem is None:
            self.breaker.record_success(self.now, job)
        else:
            probe = self.breaker.probe_at is not None
            counts = probe or not self.breaker.fails_alone(job)
            failed = Problem(problem, problem.label)
            self.breaker.record_failure(failed, self.now, self._rng, job, probe=probe, counts=counts)
        return self.breaker.health.outage is not None


def test_the_third_failure_in_a_row_opens_the_breaker_and_an_answer_closes_it() -> None:
    record = Record()
    assert [record.take(DOWN) for _ in range(5)] == [False] * (FAILURES_TO_OPEN - 1) + [True] * 3
    assert record.breaker.opened == 3
    assert not record.take(None)
    assert (record.breaker.probe_at, record.breaker.opened) == (None, 0)


def test_a_failure_after_an_outage_that_a_sleep_has_cut_short_does_not_end_it() -> None:
    record = Record()
    for _ in range(FAILURES_TO_OPEN):
        record.take(DOWN)
    record.breaker.close()
    assert record.breaker.probe_at is None
    assert record.take(DOWN)


def test_every_second_failure_opens_nothing() -> None:
    record = Record()
    for second in range(20):
        record.take(DOWN if second % 2 else None)
        assert record.breaker.probe_at is None


def test_a_problem_of_one_job_shows_that_the_server_answers() -> None:
    record = Record()
    for kind in (ProblemKind.NOT_FOUND, ProblemKind.PROTOCOL, ProblemKind.RATE_LIMIT) * 3:
        assert not record.take(kind)
        assert record.breaker.probe_at is None


def test_jobs_that_each_have_a_fault_of_their_own_open_nothing() -> None:
    record = Record()
    for round_ in range(20):
        for job in range(22):
            broken = job < min(12, round_)
            record.take((SLOW if job % 2 else BROKEN) if broken else None, job)
            assert record.breaker.probe_at is None


def test_one_job_of_several_that_breaks_its_server_is_no_outage_although_nothing_else_is_asked() -> None:
    record = Record()
    record.take(None, "other")
    assert not any(record.take(BROKEN, "broken") for _ in range(9))
    assert record.take(BROKEN, "other")


def test_the_only_job_that_is_asked_for_and_a_server_that_is_gone_make_an_outage() -> None:
    for problem, jobs in ((BROKEN, ["only"]), (DOWN, ["one", "other"])):
        record = Record()
        for job in jobs:
            record.take(None, job)
        assert [record.take(problem, jobs[0]) for _ in range(FAILURES_TO_OPEN)][-1]


def test_an_outage_is_not_over_by_a_job_whose_fault_is_its_own() -> None:
    record = Record()
    for problem, job in [(BROKEN, 1), (None, 2), (DOWN, 2), (DOWN, 3), (DOWN, 4), (BROKEN, 1)]:
        record.take(problem, job)
    assert record.breaker.health.outage is not None


def test_a_refused_permission_is_probed_but_the_server_can_be_reached() -> None:
    record = Record()
    assert not any(record.take(ProblemKind.PERMISSION, job) for job in range(5))
    assert record.breaker.probe_at is not None
