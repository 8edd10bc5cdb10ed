"""What all dialogs have in common: the line of their keys, their help, and the toasts over them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets._toast import Toast

from jobdeck.app.session import ReadOnly
from jobdeck.domain.exchange import ExchangeContent
from jobdeck.domain.phase import Phase
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.render.spans import line_width, plain
from jobdeck.tui.render.tabs import fitting_keys
from jobdeck.tui.screens.dialogs import Dialog
from tests.tui.drive import Clipboard, Driven, driven, painted
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.recorded import replaying
from tests.tui.world import clock_at_noon, exchange, job

DIALOGS = {
    "Sort and columns": ["S"],
    "Profiles": ["P"],
    "Groups": ["b"],
    "Views": ["v"],
    "Export": ["ctrl+s"],
    "Cancel jobs": ["ctrl+x"],
    "Add": ["a"],
    "Ticket": ["Y"],
    "Discover": ["D"],
    "Clipboard": ["y", "C"],
    "Exchange": ["tab", "tab", "enter"],
}
"""The keys that lead to each dialog."""


def test_of_keys_the_last_two_stay_and_those_before_them_go_first() -> None:
    keys = (("enter", "show only these"), ("space", "select"), ("b", "by kind"), ("esc", "back"), ("?", "help"))
    assert plain(fitting_keys(keys, 80)) == " enter show only these  space select  b by kind  esc back  ? help "
    assert plain(fitting_keys(keys, 60)) == " enter show only these  space select  esc back  ? help "
    assert plain(fitting_keys(keys, 30)) == " esc back  ? help "
    assert line_width(fitting_keys(keys, 9)) <= 9


async def open_dialog(run: Driven, subject: str) -> Dialog[object]:
    await run.press(*DIALOGS[subject])
    await run.until(lambda: getattr(run.app.screen, "SUBJECT", "") == subject)
    screen = run.app.screen
    assert isinstance(screen, Dialog)
    await run.until(lambda: bool(screen.key_line.lines))
    return screen


async def close_dialog(run: Driven) -> None:
    """Go back to the deck, with the list of jobs as what takes the keys."""
    await run.press("escape")
    await run.until(lambda: run.app.screen is run.app.deck)


# On a low screen a help has the least room for its own way out.
@pytest.mark.parametrize(
    ("size", "with_help"),
    [((60, 12), set(DIALOGS)), ((60, 20), {"Exchange"}), ((80, 24), {"Ticket"}), ((120, 40), {"Ticket"})],
)
async def test_the_way_out_and_the_help_are_always_named(size: tuple[int, int], with_help: set[str]) -> None:
    jobs = [job("op_a", Phase.RUNNING), job("507f1f", profile="sonarly")]
    async with driven(jobs, [exchange("op_a")], size=size) as run:
        for subject in DIALOGS:
            if (subject, size) == ("Exchange", (60, 12)):
                continue  # so low a screen has no trace to open one from
            screen = await open_dialog(run, subject)
            help_key = "f1" if subject in ("Add", "Cancel jobs") else "?"
            await run.shows(f" esc back  {help_key} help")
            line = painted(run.app)[screen.key_line.region.y]
            assert line.strip().endswith(f"esc back  {help_key} help"), subject
            if subject in with_help:
                await assert_help_of(run, screen, subject)
            await close_dialog(run)


async def assert_help_of(run: Driven, screen: Dialog[object], subject: str) -> None:
    await run.press("f1")
    await run.until(lambda: run.app.screen is not screen)
    await run.shows(subject)
    await run.shows(" ↑ ↓ scroll  esc back")
    await run.press("end")
    await run.shows("final once a job has")
    await run.press("escape")
    await run.until(lambda: run.app.screen is screen)


NAMES = {"esc": "escape", "?": "question_mark", "→": "right", "←": "left", "[": "left_square_bracket"}
NAMES["]"] = "right_square_bracket"
TYPED = {("Add", "enter"), ("Cancel jobs", "enter")}
"""Keys that the input of a dialog takes in."""


def names_of(named: str) -> Iterator[str]:
    """The keys, as Textual names them, of what a line of keys names."""
    for one in named.split():
        if "–" in one:
            yield from map(str, range(int(one[0]), int(one[-1]) + 1))
        else:
            yield NAMES.get(one, one)


async def test_every_key_that_is_named_is_there_and_the_help_has_every_key_of_the_dialog() -> None:
    look = exchange("op_a")
    async with driven([job("op_a"), job("507f1f", profile="sonarly")], [look], size=(120, 40)) as run:
        run.engine.contents[look.id] = ExchangeContent(look, body=b'{"id": "op_a"}')
        for subject in DIALOGS:
            screen = await open_dialog(run, subject)
            for named, _ in (*screen.keys, (screen.help_key, "help")):
                for one in names_of(named):
                    assert one in screen.active_bindings or (subject, named) in TYPED, (subject, named, one)
            explained = {one for named, _ in screen.help_keys for one in names_of(named)}
            bound: dict[str, set[str]] = {}
            for one, bindings in screen._bindings.key_to_bindings.items():
                for binding in bindings:
                    bound.setdefault(binding.action, set()).add(one)
            for action, keys in bound.items():
                assert keys & explained or action in OF_EVERY_SCREEN, (subject, action, keys)
            await close_dialog(run)


OF_EVERY_SCREEN = {"help", "app.focus_next", "app.focus_previous", "screen.copy_text"}


async def test_the_keys_of_the_views_follow_what_is_asked_for() -> None:
    async with driven([job("op_a")], size=(100, 24)) as run:
        await run.press("v")
        await run.shows(" s save this view  esc back  ? help")
        await run.press("s")
        await run.shows(" enter save  esc cancel  f1 help")
        await run.press(*"one?", "enter")
        await run.shows(" 1 show  s save this view  x remove  esc back  ? help")
        await run.shows("1  one?")
        await run.press("x")
        await run.shows(" 1 remove  esc cancel  ? help")
        await run.press("escape")
        await run.shows(" 1 show  s save this view  x remove  esc back  ? help")
        await run.press("x", "1")
        await run.shows(" s save this view  u undo  esc back  ? help")


async def test_the_keys_of_an_exchange_follow_what_there_is_of_it() -> None:
    look = exchange("op_a", 1.0)
    async with driven([job("op_a")], [look, exchange("op_a", 9.0)], size=(120, 30)) as run:
        run.engine.contents[look.id] = ExchangeContent(look, body=b'{"id": "op_a"}')
        await run.press("tab", "tab", "enter", "enter", "j", "enter")
        await run.shows(" y copy value  Y copy body  c curl  [ ] older/newer  enter open  v raw  esc back  ? help")
        await run.press("v")
        await run.shows(" y copy ID  Y copy body  c curl  [ ] older/newer  v tree  esc back  ? help")
        await run.press("left_square_bracket")
        await run.shows(" y copy ID  c curl  [ ] older/newer  esc back  ? help")


async def test_the_help_of_a_dialog_has_only_keys_that_there_are() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a")]))
    session.access = ReadOnly("read-only")
    async with driven(session=session, size=(120, 60)) as run:
        for dialog in ("b", "P"):
            await run.press(dialog, "question_mark")
            await run.shows("type to search:")
            assert "stop watching it" not in run.text
            assert "acknowledge all of the group" not in run.text
            await run.press("escape", "escape")


async def test_the_help_of_a_dialog_in_a_replay_has_its_keys(tmp_path: Path) -> None:
    async with replaying(tmp_path, playing=False, at=65.0, size=(120, 60)) as (run, _):
        await run.press("v", "question_mark")
        await run.shows("play or pause")
        assert "stop watching it" not in run.text


@pytest.mark.parametrize("size", [(60, 14), (80, 24), (120, 40)])
async def test_toasts_are_drawn_once_on_the_dialog_at_most_two_and_not_over_its_keys(size: tuple[int, int]) -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a"), job("op_b")]))
    app = JobdeckApp(session, write_clipboard=Clipboard(), frame_seconds=0.01)
    async with app.run_test(size=size, notifications=True) as pilot:
        run = Driven(app, pilot, session, Clipboard())
        await run.until(lambda: "op_b" in run.text)
        for subject in ("Views", "Groups", "Ticket", "Cancel jobs"):
            app.notify("said on the deck", timeout=900, markup=False)
            await run.shows("said on the deck")
            screen = await open_dialog(run, subject)
            await run.shows("said on the deck")
            await run.until(lambda: run.text.count("said on the deck") == 1)
            long = " ".join(["a long story"] * 60)
            for text in ("first of the dialog", f"second {long}", f"third {long}"):
                app.notify(text, timeout=900, markup=False)
            await run.until(lambda: "said on the deck" not in run.text and "story" in run.text)
            assert "first of the dialog" not in run.text, subject
            help_key = "f1" if subject in ("Add", "Cancel jobs") else "?"
            line = painted(app)[screen.key_line.region.y]
            assert line.strip().endswith(f"esc back  {help_key} help"), subject
            await run.press("escape")
            await run.until(lambda: len(app.screen.query(Toast)) == 4)
            assert app.screen is app.deck, "what was said in a dialog can still be read"
            app.clear_notifications()
            await run.until(lambda: not app.screen.query(Toast) and "story" not in run.text)


async def test_a_dialog_has_margins_at_its_sides_only_where_there_is_room() -> None:
    async with driven([job("op_a"), job("507f1f", profile="sonarly")], [exchange("op_a")], size=(99, 24)) as run:
        for subject in [one for one in DIALOGS if one not in ("Groups", "Discover", "Clipboard")]:
            screen = await open_dialog(run, subject)
            dialog = screen.query_one(".dialog")
            assert (dialog.region.x, dialog.region.right) == (0, 99), f"{subject} from the first frame on"
            await run.resize(120, 24)
            await run.until(lambda: dialog.region.x > 0 and dialog.region.right < 120)  # noqa: B023 - awaited here
            await close_dialog(run)
            await run.resize(99, 24)
