from jobdeck.domain.events import OutageBegan, OutageEnded
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.outage import OUTAGE_FAILURES, OutageDetector
from tests.builders import START

DOWN = Problem(ProblemKind.NETWORK, "no route")


def test_an_outage_begins_with_the_third_failure_in_a_row_and_ends_with_an_answer() -> None:
    watch = OutageDetector("hog")
    told = [watch.record(DOWN, START.later(second)) for second in range(OUTAGE_FAILURES + 2)]
    began = OutageBegan(START.later(OUTAGE_FAILURES - 1), "hog", DOWN)
    assert told == [None] * (OUTAGE_FAILURES - 1) + [began, None, None]
    assert watch.problem == DOWN
    assert watch.record(None, START.later(60)) == OutageEnded(START.later(60), "hog", 60 - OUTAGE_FAILURES + 1)
    assert watch.problem is None
    assert watch.record(None, START.later(61)) is None


def test_an_outage_has_the_newest_reason() -> None:
    watch = OutageDetector("hog")
    busy = Problem(ProblemKind.SERVER_ERROR, "overloaded", http_status=503)
    for second in range(OUTAGE_FAILURES):
        watch.record(busy, START.later(second))
    assert watch.reason == (ProblemKind.SERVER_ERROR, 503)
    assert watch.record(DOWN, START.later(9)) is None
    assert watch.reason == (ProblemKind.NETWORK, None)
    watch.record(None, START.later(10))
    assert watch.reason is None


def test_one_broken_job_among_others_is_no_outage() -> None:
    watch = OutageDetector("hog")
    for second in range(20):
        assert watch.record(DOWN if second % 2 else None, START.later(second)) is None


def test_a_problem_of_one_job_shows_that_the_server_answers() -> None:
    watch = OutageDetector("hog")
    for kind in (ProblemKind.NOT_FOUND, ProblemKind.PROTOCOL, ProblemKind.RATE_LIMIT) * 3:
        assert watch.record(Problem(kind, "x"), START) is None


SLOW = Problem(ProblemKind.TIMEOUT, "no response in 30 s")
BROKEN = Problem(ProblemKind.SERVER_ERROR, "internal error", http_status=500)


def test_jobs_that_each_have_a_fault_of_their_own_are_no_outage() -> None:
    watch = OutageDetector("hog")
    second = 0
    for round_ in range(20):
        for job in range(22):
            second += 1
            broken = job < min(12, round_)
            assert watch.record((SLOW if job % 2 else BROKEN) if broken else None, START.later(second), job) is None


def test_one_job_of_several_that_breaks_its_server_is_no_outage_although_nothing_else_is_asked() -> None:
    watch = OutageDetector("hog")
    assert watch.record(None, START, "other") is None
    for second in range(1, 10):
        assert watch.record(BROKEN, START.later(second), "broken") is None
    assert isinstance(watch.record(BROKEN, START.later(10), "other"), OutageBegan)


def test_the_only_job_that_is_asked_for_and_a_server_that_is_gone_make_an_outage() -> None:
    for problem, jobs in ((BROKEN, ["only"]), (DOWN, ["one", "other"])):
        watch = OutageDetector("hog")
        for job in jobs:
            watch.record(None, START, job)
        told = [watch.record(problem, START.later(second), jobs[0]) for second in range(1, OUTAGE_FAILURES + 1)]
        assert isinstance(told[-1], OutageBegan)


def test_an_outage_is_not_over_by_a_job_whose_fault_is_its_own() -> None:
    watch = OutageDetector("hog")
    for second, (problem, job) in enumerate([(BROKEN, 1), (None, 2), (DOWN, 2), (DOWN, 3), (DOWN, 4)]):
        watch.record(problem, START.later(second), job)
    assert watch.problem == DOWN
    assert watch.record(BROKEN, START.later(60), 1) is None
    assert watch.problem == BROKEN, "the newest reason why nothing can be seen"
