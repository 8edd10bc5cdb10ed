from textual.events import Paste

from jobdeck.app.session import Parsed, RejectedTarget
from jobdeck.domain.job import Target
from jobdeck.tui.render.spans import plain
from jobdeck.tui.screens.add import understood_lines
from tests.tui.drive import driven, toasts
from tests.tui.world import job, key, target


def one_a_line(text: str) -> Parsed:
    """Understands words that begin with op_, and nothing else."""
    words = text.split()
    return Parsed(
        tuple(target(word) for word in words if word.startswith("op_")),
        tuple(RejectedTarget(word, "[/red] not a target") for word in words if not word.startswith("op_")),
    )


async def test_what_is_understood_is_shown_before_it_is_added() -> None:
    async with driven([job("op_known")], size=(100, 30)) as run:
        run.session.parser = one_a_line
        await run.press("a")
        await run.shows("No IDs yet.")
        await run.press(*"op_a", "enter", *"op_known", "enter", *"junk")
        await run.shows("✓ 2 jobs: 2 hog operation, 1 already watched")
        await run.shows("✗ 1 refused")
        await run.shows("junk  [/red] not a target")
        await run.shows("ctrl+s add 2 jobs")
        assert key("op_a") not in run.engine.jobs
        await run.press("ctrl+s")
        await run.until(lambda: key("op_a") in run.engine.jobs)
        assert toasts(run.app) == ["1 job added, 1 already watched"]
        await run.shows("op_a")


async def test_ctrl_s_right_after_typing_adds_what_stands_there() -> None:
    async with driven() as run:
        run.session.parser = one_a_line
        await run.press("a", *"op_a", "ctrl+s")
        await run.until(lambda: key("op_a") in run.engine.jobs)


async def test_with_nothing_understood_the_sheet_stays() -> None:
    async with driven() as run:
        run.session.parser = one_a_line
        await run.press("a", *"junk", "ctrl+s")
        await run.until(lambda: bool(toasts(run.app)))
        assert "nothing was added" in toasts(run.app)[0]
        await run.shows("Add targets  paste IDs, poll URLs or 202 responses")


async def test_escape_adds_nothing() -> None:
    async with driven() as run:
        run.session.parser = one_a_line
        await run.press("a", *"op_a", "escape")
        await run.until(lambda: "Add targets" not in run.text)
        assert not run.engine.jobs


async def test_what_is_pasted_joins_the_draft() -> None:
    async with driven(size=(100, 30)) as run:
        run.session.parser = one_a_line
        await run.press("a", *"op_a", "escape")
        await run.until(lambda: "Add targets" not in run.text)
        run.app.deck.post_message(Paste("op_b"))
        await run.shows("add 2 jobs")


async def test_letters_in_the_sheet_are_letters_and_not_keys() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("a", *"qdp?")
        await run.shows("qdp?")
        assert not run.engine.paused
        assert key("op_a") in run.engine.jobs


async def test_a_click_on_the_keys_adds_as_well() -> None:
    async with driven(size=(100, 30)) as run:
        run.session.parser = one_a_line
        await run.press("a", *"op_a")
        await run.shows("add 1 job")
        await run.pilot.click("AddHint", offset=(3, 0))
        await run.until(lambda: key("op_a") in run.engine.jobs)


async def test_a_profile_that_cannot_be_opened_is_said_and_what_was_pasted_stays() -> None:
    async with driven() as run:
        run.session.parser = one_a_line

        def refuse(_: object) -> tuple[()]:
            raise KeyError("secret")

        takes, run.engine.add = run.engine.add, refuse  # type: ignore[assignment] - an engine that refuses
        await run.press("a", *"op_a", "ctrl+s")
        await run.until(lambda: bool(toasts(run.app)))
        assert toasts(run.app) == ["not added: an unexpected KeyError"]
        run.engine.add = takes  # type: ignore[method-assign] - the profile has its key by now
        await run.press("ctrl+s")
        await run.until(lambda: key("op_a") in run.engine.jobs and "Add targets" not in run.text)


def test_targets_of_several_profiles_are_counted_by_kind() -> None:
    from jobdeck.tui.render.spans import plain
    from jobdeck.tui.screens.add import understood_lines

    parsed = Parsed((target("op_a"), target("op_b"), target("507f", "sonarly"), Target(key("e"), "thehog", "search")))
    line = plain(understood_lines(parsed, (), 100)[0])
    assert line == " ✓ 4 jobs: 2 hog operation, 1 sonarly prospecting, 1 hog search"


def test_a_refused_text_is_not_said_twice() -> None:
    refused = Parsed((), (RejectedTarget("op 2", "op 2: not a job ID"), RejectedTarget("curl", "HTTP: no profile")))
    lines = [plain(line) for line in understood_lines(refused, (), 80)]
    assert lines[1:] == ["   op 2  not a job ID", "   curl  HTTP: no profile"]
