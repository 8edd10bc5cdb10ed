"""Whole screens in frozen time. Each docstring says what one should see."""

from collections.abc import Callable

from textual.pilot import Pilot

from jobdeck.domain.job import Job
from jobdeck.domain.problem import ProblemKind
from jobdeck.scheduling.actions import BudgetView, Plan
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.session import Parsed, Refused
from tests.tui.drive import Clipboard, press_keys
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import NOON, FrozenClock, deck_of_every_state, exchange, problem, target

Compare = Callable[..., bool]


def frozen(jobs: list[Job] | None = None, theme: str = "jobdeck") -> JobdeckApp:
    jobs = deck_of_every_state() if jobs is None else jobs
    looks = []
    for one in jobs:
        if one.observed is not None:
            rest = {"http_status": one.http_status, "problem": one.problem} if one.problem else {}
            looks += [exchange(one.key.id, 4, one.key.profile, **rest)]
            looks += [exchange(one.key.id, 4 + 5 * number, one.key.profile) for number in range(1, 6)]
    engine = FakeEngine(FrozenClock(), jobs, looks)
    engine.budget = {"hog": BudgetView(60, 38), "sonarly": BudgetView(60, 12)} if jobs else {}
    engine.plans = {one.key: Plan(NOON.mono + 6, 5, one.failures) for one in jobs if not one.terminal}
    return JobdeckApp(FakeSession(engine), theme=theme, put=Clipboard())


def drawn(*keys: str) -> Callable[[Pilot[int]], object]:
    """Wait until the jobs are drawn, then press keys."""

    async def run(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, JobdeckApp)
        while app.deck.watch_state.engine is None or app.deck.watch_state.model.total < len(
            app.deck.watch_state.engine.jobs
        ):
            await pilot.pause()
        await press_keys(pilot, *keys)
        # A letter goes from the input to the screen, the model and the list: as many messages, one after the other.
        for _ in range(5):
            await pilot.pause()

    return run


def test_a_deck_of_every_state_at_80_columns(snap_compare: Compare) -> None:
    """Every sign in the order of need, the failed job's error and stages, its trace with whole request IDs."""
    assert snap_compare(frozen(), terminal_size=(80, 24), run_before=drawn())


def test_a_deck_of_every_state_at_120_columns(snap_compare: Compare) -> None:
    """The same with the column that says why, and each exchange on one line."""
    assert snap_compare(frozen(), terminal_size=(120, 40), run_before=drawn())


def test_a_wide_deck_is_side_by_side(snap_compare: Compare) -> None:
    """The list on the left with a profile column; the job over its trace on the right, a thin line between."""
    assert snap_compare(frozen(), terminal_size=(170, 40), run_before=drawn())


def test_a_deck_in_the_light_theme(snap_compare: Compare) -> None:
    """The blind job selected: what its rate limit asks for and what happens next; the trace has the cursor."""
    app = frozen(theme="jobdeck-light")
    assert snap_compare(app, terminal_size=(120, 40), run_before=drawn("j", "j", "tab", "tab"))


def test_a_small_terminal_shows_the_list_alone(snap_compare: Compare) -> None:
    """Two jobs with state and name, a header of counts, a footer with the first key."""
    assert snap_compare(frozen(), terminal_size=(20, 5), run_before=drawn())


def test_a_deck_that_is_halted_and_paused(snap_compare: Compare) -> None:
    """PAUSED in the header, a red banner that names the profile and the way out, `resume` in the footer."""
    app = frozen()
    engine = app.deck._session.engine  # type: ignore[attr-defined] - the fake session's
    engine.halts = {"hog": problem(ProblemKind.AUTH, "Invalid API key", http_status=401)}
    assert snap_compare(app, terminal_size=(80, 24), run_before=drawn("p"))


def test_a_deck_without_jobs(snap_compare: Compare) -> None:
    """What to do to get some; no empty panes."""
    assert snap_compare(frozen([]), terminal_size=(80, 24), run_before=drawn())


def test_the_help(snap_compare: Compare) -> None:
    """Every key under its heading, over a dimmed deck."""
    assert snap_compare(frozen(), terminal_size=(100, 50), run_before=drawn("question_mark"))


def test_adding_targets(snap_compare: Compare) -> None:
    """Two lines typed; one job understood, one refused with its reason, and the keys that go on."""
    app = frozen([])
    parsed = Parsed((target("op_1"),), (Refused("op 2", "an ID has no blank"),))
    app.deck._session.parser = lambda _: parsed  # type: ignore[attr-defined] - the fake session's

    async def run(pilot: Pilot[int]) -> None:
        await drawn("a", *"op_1", "enter", *"op 2")(pilot)  # type: ignore[misc] - a coroutine
        while "refused" not in "".join(str(line) for line in pilot.app.screen.query_one("Understood").lines):  # type: ignore[attr-defined]
            await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=run)
