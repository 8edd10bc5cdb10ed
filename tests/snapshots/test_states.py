"""The deck in every state, at every size. What one should see stands above each picture."""

from dataclasses import replace

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.tui.theme import THEMES
from tests.snapshots.conftest import Album
from tests.snapshots.decks import frozen, triage, troubled, with_outlook
from tests.tui.drive import driven
from tests.tui.world import ago, deck_of_every_state, key, problem

WIDE = ((120, 40),)


async def test_the_list(album: Album) -> None:
    async with driven(session=triage()) as run:
        # Every sign in the order of need, why where there is room, what is left as a range, the first job's stages,
        # sparkline and whole request IDs; side by side from 140 cells on; the list alone where there is no room.
        await album.take(run, "every state", ((20, 5), (40, 12), (60, 20), (80, 24), (120, 40), (170, 40), (200, 50)))
        # The blind job: what its rate limit asks for and what happens next; the trace has the cursor.
        await run.press("j", "j", "tab", "tab")
        await album.take(run, "an unreachable job and its trace")


async def test_the_list_narrowed(album: Album) -> None:
    async with driven(session=triage()) as run:
        # The filter over the headings with its count; only the rows that pass; the first of them selected.
        await run.press("slash", *"!507 run")
        await album.take(run, "a filter being typed")
        # What was not understood is said beside the count; how to see all again.
        await run.press("escape", "slash", *"a:b", "enter")
        await album.take(run, "no matching jobs")
        # The rows in trouble, an arrow at KIND that points up, `faults only 5 of 12`.
        await run.press("escape", "f", "s", "s", "S", "r", "escape")
        await album.take(run, "problems only by kind")


async def test_the_tabs(album: Album) -> None:
    async with driven(session=triage()) as run:
        # The target account in words, the tree under it with one row opened and the cursor on it.
        await run.press("right_square_bracket", "tab", "j", "enter", "j", "enter")
        await album.take(run, "result")
        # How many matches there are, and the keys that go to them.
        await run.press("slash", *"ada")
        await run.shows("30 matches")
        await album.take(run, "result being searched", WIDE)
        # Keys, texts and numbers in three tones, and the way to the whole.
        await run.press("escape", "right_square_bracket")
        await album.take(run, "raw")
        # The newest first; every change with its time and its whole request ID.
        await run.press("right_square_bracket")
        await album.take(run, "timeline")
        # What the newest change changed: minus and plus, and colour beside them.
        await run.press("right_square_bracket")
        await album.take(run, "diff")


async def test_themes(album: Album) -> None:
    async with driven(session=triage(), size=(120, 40)) as run:
        await run.press("right_square_bracket")
        for theme in THEMES.values():
            # The same signs and words; hues that hold on their ground; the result's tree below.
            run.app.theme = theme.name
            await album.take(run, theme.name, WIDE)


async def test_a_trace_says_what_each_problem_asks_for(album: Album) -> None:
    async with driven(session=troubled()) as run:
        # 429 with how long and until when, 401 with the profile and the way out, the look that showed the failure;
        # until when the budget is, and when it is whole again.
        await run.press("tab", "tab")
        await album.take(run, "problems")


async def test_a_deck_that_asks_nothing(album: Album) -> None:
    session = frozen()
    async with driven(session=session) as run:
        # PAUSED in the header, `resume` in the footer.
        await run.press("p")
        await run.shows("resume")
        await album.take(run, "paused")
        # A red banner that names the profile and the way out.
        session.engine.halts = {"hog": problem(ProblemKind.AUTH, "Invalid API key", http_status=401)}
        run.app.deck.tick()
        await run.shows("jobdeck doctor")
        await album.take(run, "halted")
        # That nothing is kept, and why.
        session.storage_error = "The disk is full. Continuing in memory; nothing will be saved."
        run.app.deck.tick()
        await run.shows("nothing will be saved")
        await album.take(run, "nothing kept")
        # The engine is gone: nothing below is current.
        assert session.engine.failure is not None
        session.engine.failure.set_exception(RuntimeError("boom"))
        await run.shows("the engine stopped")
        await album.take(run, "stopped")


async def test_a_profile_that_cannot_be_seen(album: Album) -> None:
    lost = problem(ProblemKind.NETWORK, "connection refused")
    unseen = {
        "phase": Phase.RUNNING,
        "ended": None,
        "failures": 3,
        "problem": lost,
        "outage": lost,
        "observed": ago(96),
    }
    jobs = [
        replace(with_outlook(one), **unseen)  # type: ignore[arg-type] - fields of Job
        if one.key.profile == "hog" and one.observed is not None
        else one
        for one in deck_of_every_state()[:6]
    ]
    async with driven(session=frozen(jobs)) as run:
        # Since when nothing of the profile is seen, and why; its rows dimmed, their ages growing.
        await run.shows("no data since")
        await album.take(run, "outage")


async def test_a_deck_that_nobody_looks_at(album: Album) -> None:
    async with driven(session=frozen([replace(deck_of_every_state()[0], acknowledged=True)])) as run:
        # The header says that it asks less often; few jobs leave their room to the selected one.
        run.app.deck.set_user_present(present=False)
        await album.take(run, "no focus")


async def test_a_deck_without_jobs(album: Album) -> None:
    async with driven(session=frozen([])) as run:
        # What to do to get some; no empty panes.
        await album.take(run, "no jobs")


async def test_marks(album: Album) -> None:
    async with driven(session=frozen()) as run:
        # Two rows picked out, counted in the title; whom one is told of.
        await run.press("space", "space", "k")
        run.app.deck._jobs.select(key(deck_of_every_state()[1].key.id))
        await run.shows("2 selected")
        await album.take(run, "marked")


async def test_a_team(album: Album) -> None:
    names = (("ann",), ("ann", "bob"), ("bernadette",), ())
    jobs = [one for one in deck_of_every_state() if one.key.profile == "hog"]
    jobs = [
        replace(one, target=replace(one.target, watched_by=names[number % len(names)]))
        for number, one in enumerate(jobs)
    ]
    async with driven(session=frozen(jobs)) as run:
        # WHO between KIND and PROGRESS, `watched by ann` in the pane; no such column where there is no room for it.
        await album.take(run, "whose jobs", ((80, 24), (120, 40)))
        # What is typed completes a name; the jobs that she watches.
        await run.press("slash", *"who:ber")
        await album.take(run, "a name being typed", WIDE)
