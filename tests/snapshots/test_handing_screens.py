"""The screens from which something leaves, in frozen time. Each docstring says what one should see."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.timeline import Moment, MomentKind
from jobdeck.scheduling.actions import BudgetView
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.widgets.document import Document
from tests.snapshots.test_screens import Compare, drawn, frozen
from tests.tui.fake import FakeEngine
from tests.tui.world import NOON, deck_of_every_state, exchange, problem

SIZES = [(80, 24), (120, 40), (200, 50)]
NAMES = ["80x24", "120x40", "200x50"]


def shown(*keys: str) -> Callable[[Pilot[int]], object]:
    """Press keys, and wait until a text is shown in front of the deck."""

    async def run(pilot: Pilot[int]) -> None:
        await drawn(*keys)(pilot)  # type: ignore[misc] - a coroutine
        while not pilot.app.screen.query_one(Document).lines:
            await pilot.pause()
        await pilot.pause()

    return run


def engine_of(app: JobdeckApp) -> FakeEngine:
    engine = app.deck._session.engine  # type: ignore[attr-defined] - the fake session's
    assert isinstance(engine, FakeEngine)
    return engine


def troubled() -> JobdeckApp:
    """A deck whose first job failed after every kind of trouble on the way."""
    app = frozen()
    engine = engine_of(app)
    failed = deck_of_every_state()[0]
    id_ = failed.key.id
    limited = problem(ProblemKind.RATE_LIMIT, "Rate limit exceeded.", http_status=429, retry_at_us=NOON.later(11).us)
    refused = problem(ProblemKind.AUTH, "Invalid API key", http_status=401)
    lost = problem(ProblemKind.TIMEOUT, "no answer in 30 s")
    engine._exchanges[:0] = [
        exchange(id_, -3, http_status=429, problem=limited),
        exchange(id_, 1, http_status=401, problem=refused),
        exchange(id_, 2, request_id="3f7a1c2e-88b4-4d0e-a1f5-000000000end", body_request_id="in-the-body"),
        exchange(id_, 3, http_status=None, request_id=None, duration=30.0, problem=lost),
    ]
    end = "3f7a1c2e-88b4-4d0e-a1f5-000000000end"
    engine.timelines = {failed.key: (Moment(NOON.us, MomentKind.PHASE, "failed", None, "running", "failed", end),)}
    engine.budget = {
        "hog": BudgetView(300, 38, pages=15, covered=57, alone=3),
        "sonarly": BudgetView(60, 60, blocked_until=NOON.mono + 11, covered=4),
    }
    return app


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_a_trace_says_what_each_problem_asks_for(snap_compare: Compare, size: tuple[int, int]) -> None:
    """429 with how long and until when, 401 with the profile and the way out, the look that showed the failure."""
    assert snap_compare(troubled(), terminal_size=size, run_before=drawn("tab", "tab"))


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_a_ticket_before_it_leaves(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The Markdown as it will be sent, over a dimmed deck; the keys that copy and save."""
    assert snap_compare(troubled(), terminal_size=size, run_before=shown("Y"))


def test_a_ticket_with_a_note_being_written(snap_compare: Compare) -> None:
    """The note's text over the key that ends it, all in view at 80×24."""
    assert snap_compare(troubled(), terminal_size=(80, 24), run_before=shown("Y", "n", *"it hangs"))


def test_what_was_sent_can_be_selected_by_hand(snap_compare: Compare) -> None:
    """The request ID alone on the screen."""
    assert snap_compare(troubled(), terminal_size=(80, 24), run_before=shown("y", "C"))


def test_a_deck_that_nobody_looks_at(snap_compare: Compare) -> None:
    """The header says that it asks less often."""
    app = frozen([replace(one, phase=Phase.RUNNING, ended=None) for one in deck_of_every_state()[:1]])

    async def run(pilot: Pilot[int]) -> None:
        await drawn()(pilot)  # type: ignore[misc] - a coroutine
        app.deck.attend(present=False)
        await pilot.pause()

    assert snap_compare(app, terminal_size=(100, 24), run_before=run)
