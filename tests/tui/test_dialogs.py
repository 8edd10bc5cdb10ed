"""What all dialogs have in common: the line of their keys, their help, and the toasts over them."""

import pytest

from jobdeck.domain.phase import Phase
from jobdeck.tui.render.spans import line_width, plain
from jobdeck.tui.render.tabs import fitting_keys
from jobdeck.tui.screens.dialogs import Dialog
from tests.tui.drive import Driven, driven, painted
from tests.tui.world import exchange, job

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


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
@pytest.mark.parametrize("subject", DIALOGS)
async def test_the_way_out_and_the_help_are_always_named(subject: str, size: tuple[int, int]) -> None:
    jobs = [job("op_a", Phase.RUNNING), job("507f1f", profile="sonarly")]
    async with driven(jobs, [exchange("op_a")], size=size) as run:
        screen = await open_dialog(run, subject)
        help_key = "f1" if subject in ("Add", "Cancel jobs") else "?"
        await run.shows(f" esc back  {help_key} help")
        line = painted(run.app)[screen.key_line.region.y]
        assert line.strip().endswith(f"esc back  {help_key} help")
        await run.press("f1")
        await run.until(lambda: run.app.screen is not screen)
        await run.shows(subject)
