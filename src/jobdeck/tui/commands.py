"""The palette: the table of actions, found by name. Nothing else, so that nothing surprising is in it."""

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from jobdeck.tui.actions import ACTIONS, Group
from jobdeck.tui.draw.columns import Name
from jobdeck.tui.theme import THEMES


class ActionCommands(Provider):
    """Lists the actions that make sense by name, and the themes."""

    async def discover(self) -> Hits:
        """Yield every command."""
        for name, text, run in self._commands():
            yield DiscoveryHit(name, run, help=text)

    async def search(self, query: str) -> Hits:
        """Yield the commands that match."""
        matcher = self.matcher(query)
        for name, text, run in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=text)

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        for action in ACTIONS:
            there = self.screen.check_action(action.name, ())
            if there and action.group is not Group.MOVE and action.name != "palette":
                yield action.label, f"{action.shown}: {action.help}", partial(self.screen.run_action, action.name)
        for column in Name:
            text = (
                "the order of need" if column is Name.STATE else "the list by this column; again: the other way round"
            )
            yield f"sort by {column}", text, partial(self.screen.run_action, f"sort_by('{column}')")
        for name, theme in THEMES.items():
            yield name, "the colours of the screen", partial(self.screen.run_action, f"use_theme('{theme.name}')")
