from dataclasses import replace

from jobdeck.domain.events import PhaseChanged, Recovered, StageChanged
from jobdeck.domain.phase import Phase
from jobdeck.engine.batch import Batch
from jobdeck.tui.notes import KEPT, Notes
from tests.tui.world import NOON, exchange, key

A, B = key("op_a"), key("op_b")


def test_one_list_that_changed_many_jobs_tells_each_of_its_own_change() -> None:
    notes = Notes()
    listed = replace(exchange("op_a"), job=None, request_id="list-1")
    ended = PhaseChanged(NOON, A, Phase.RUNNING, Phase.FAILED, "failed", "list-1")
    begun = PhaseChanged(NOON, B, Phase.UNKNOWN, Phase.QUEUED, "queued", "list-1")
    notes.take(Batch(exchanges=(listed,), events=(ended, begun)))
    assert notes.of(A) == {"list-1": "running → failed"}
    assert notes.of(B) == {"list-1": "queued"}


def test_a_change_without_a_request_id_goes_to_the_look_of_its_batch() -> None:
    notes = Notes()
    sonarly = key("507f", "sonarly")
    look = exchange("507f", profile="sonarly")
    events = (StageChanged(NOON, sonarly, "import", None, Phase.RUNNING, None), Recovered(NOON, sonarly, 3))
    notes.take(Batch(exchanges=(look,), events=events))
    assert notes.of(sonarly) == {look.trace_id: "import running, seen again after 3"}


def test_notes_are_bounded_and_go_with_their_job() -> None:
    notes = Notes()
    for number in range(KEPT + 50):
        event = PhaseChanged(NOON, A, Phase.QUEUED, Phase.RUNNING, "running", f"id-{number}")
        notes.take(Batch(events=(event,)))
    assert len(notes.of(A)) == KEPT
    assert "id-0" not in notes.of(A)
    notes.take(Batch(removed=(A,)))
    assert notes.of(A) == {}
