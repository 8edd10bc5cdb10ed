"""How jobs and changes read in lines of plain text."""

from jobdeck.cli.changes import describe_event
from jobdeck.cli.words import describe_progress
from jobdeck.domain.events import ProgressChanged
from tests.tui.world import NOON, job


def test_no_line_says_that_a_job_is_through_before_it_is() -> None:
    nearly = job("op_1", progress=0.996)
    assert describe_progress(nearly) == "99%"
    assert describe_event(ProgressChanged(NOON, nearly.key, "import", 0.5, 0.996)) == "import: 99%"
