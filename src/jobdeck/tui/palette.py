"""The command palette: available actions, tabs, columns to sort by, and themes."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from textual.app import App
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher
from textual.types import IgnoreReturnCallbackType
from textual.widgets import Input

from jobdeck.app.session import ProgramKey
from jobdeck.tui.actions import ACTIONS, Group
from jobdeck.tui.program_keys import ProgramKeys
from jobdeck.tui.render.columns import Name
from jobdeck.tui.render.tabs import Tab
from jobdeck.tui.theme import THEMES
from jobdeck.tui.widgets.job_list import JobList

BY_HELP = 0.1
"""The score of a command found by its help text, below any found by its name."""


class ActionCommands(Provider):
    """Lists the available actions, tabs, columns and themes."""

    async def discover(self) -> Hits:
        """Yield every command."""
        for name, text, run, _ in self._commands():
            yield DiscoveryHit(Content(name), run, name, _escaped(text))

    async def search(self, query: str) -> Hits:
        """Yield the commands that match."""
        matcher, wanted = self.matcher(query), query.casefold().split()
        for name, text, run, also in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, _highlighted(matcher, name), run, name, _escaped(text))
            elif wanted and all(word in f"{text} {also}".casefold() for word in wanted):
                yield Hit(BY_HELP, Content(name), run, name, _escaped(text))

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType, str]]:
        """Yield name, help, callback, and more words to search."""
        for action in ACTIONS:
            there = self.screen.check_action(action.name, ()) and not action.per_key
            if there and action.group is not Group.MOVE and action.name != "palette":
                run = partial(self.screen.run_action, action.name)
                yield action.label, f"{action.shown}: {action.help}", run, action.also
        for one in self._program_keys:
            yield one.label, f"{one.key}: runs your program", self._run(f"program('{one.key}')"), ""
        for number, tab in enumerate(Tab, 1):
            yield f"{tab} tab".lower(), f"{number}: show this tab of the job", self._run(f"tab('{number}')"), ""
        for column in self._columns:
            text = "sort by urgency" if column is Name.STATE else "sort by this column; press again to reverse"
            yield f"sort by {column}", text, self._run(f"sort_by('{column}')"), ""
        yield "reverse", "reverse the sort order", self._run("reverse"), "sort order"
        for name, theme in THEMES.items():
            yield name, "the colors of the screen", self._run(f"use_theme('{theme.name}')"), ""

    @property
    def _columns(self) -> Iterable[Name]:
        found = self.screen.query(JobList)
        return found.first().possible_columns if found else ()

    @property
    def _program_keys(self) -> Iterable[ProgramKey]:
        programs = getattr(self.screen, "programs", None)
        return programs.keys.values() if isinstance(programs, ProgramKeys) else ()

    def _run(self, action: str) -> IgnoreReturnCallbackType:
        return partial(self.screen.run_action, action)


def _highlighted(matcher: Matcher, name: str) -> Content:
    """Return a name with its matching letters highlighted; the matcher's own method reads the name as markup."""
    content = Content(name)
    for offset in matcher.fuzzy_search.match(matcher.query, name)[1]:
        content = content.stylize(matcher.match_style, offset, offset + 1)
    return content


def _escaped(text: str) -> str:
    """Return a text as markup that shows it literally."""
    return text.replace("[", "\\[")


async def open_palette(app: App[Any]) -> None:
    """Open the palette without a blinking cursor, which would redraw for ever."""
    palette = CommandPalette()
    await app.push_screen(palette)
    for box in palette.query(Input):
        box.cursor_blink = False
