from jobdeck.domain.events import OutageBegan, OutageEnded
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.outage import OUTAGE_FAILURES, OutageWatch
from tests.builders import START

DOWN = Problem(ProblemKind.NETWORK, "no route")


def test_an_outage_begins_with_the_third_failure_in_a_row_and_ends_with_an_answer() -> None:
    watch = OutageWatch("hog")
    told = [watch.note(DOWN, START.later(second)) for second in range(OUTAGE_FAILURES + 2)]
    began = OutageBegan(START.later(OUTAGE_FAILURES - 1), "hog", DOWN)
    assert told == [None] * (OUTAGE_FAILURES - 1) + [began, None, None]
    assert watch.problem == DOWN
    assert watch.note(None, START.later(60)) == OutageEnded(START.later(60), "hog", 60 - OUTAGE_FAILURES + 1)
    assert watch.problem is None
    assert watch.note(None, START.later(61)) is None


def test_an_outage_has_the_newest_reason() -> None:
    watch = OutageWatch("hog")
    busy = Problem(ProblemKind.SERVER_ERROR, "overloaded", http_status=503)
    for second in range(OUTAGE_FAILURES):
        watch.note(busy, START.later(second))
    assert watch.reason == (ProblemKind.SERVER_ERROR, 503)
    assert watch.note(DOWN, START.later(9)) is None
    assert watch.reason == (ProblemKind.NETWORK, None)
    watch.note(None, START.later(10))
    assert watch.reason is None


def test_one_broken_job_among_others_is_no_outage() -> None:
    watch = OutageWatch("hog")
    for second in range(20):
        assert watch.note(DOWN if second % 2 else None, START.later(second)) is None


def test_a_problem_of_one_job_shows_that_the_server_answers() -> None:
    watch = OutageWatch("hog")
    for kind in (ProblemKind.NOT_FOUND, ProblemKind.PROTOCOL, ProblemKind.RATE_LIMIT) * 3:
        assert watch.note(Problem(kind, "x"), START) is None
