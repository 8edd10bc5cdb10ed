"""How jobs and changes read in lines of plain text."""

from jobdeck.cli.event_text import describe_event
from jobdeck.cli.job_text import describe_progress, describe_row
from jobdeck.domain.events import ProgressChanged
from jobdeck.domain.phase import Phase
from tests.builders import START, make_job
from tests.tui.world import NOON, job


def test_no_line_says_that_a_job_is_through_before_it_is() -> None:
    nearly = job("op_1", progress=0.996)
    assert describe_progress(nearly) == "99%"
    assert describe_event(ProgressChanged(NOON, nearly.key, "import", 0.5, 0.996)) == "import: 99%"


def test_what_was_seen_in_one_look_is_not_stale_at_its_end_and_what_is_only_remembered_is() -> None:
    job = make_job(status="queued", phase=Phase.QUEUED, observed=START.later(1.0))
    end = START.later(60.0)
    assert describe_row(job, end, START)[0] == "○ queued"
    assert describe_row(job, end, START.later(2.0))[0] == "○ queued (stale)"
