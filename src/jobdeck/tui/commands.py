"""The palette: the table of actions, found by name. Nothing else, so that nothing surprising is in it."""

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from jobdeck.tui.actions import ACTIONS, Group
from jobdeck.tui.draw.columns import Name
from jobdeck.tui.theme import THEMES

ALSO = {
    "copy_id": "copy",
    "copy_curl": "copy",
    "ticket": "copy",
    "show_sent": "copy",
    "filter": "search find",
    "faults": "errors problems",
    "acknowledge": "mute snooze",
    "call": "notify",
    "call_all": "notify",
    "ask": "refresh retry reload",
    "ask_all": "refresh retry reload",
    "remove": "delete unwatch",
    "quit": "exit",
}
"""What actions are called elsewhere, in words that their help does not have."""

BY_HELP = 0.1
"""The score of what is found by its help: less than what is found by its name."""


class ActionCommands(Provider):
    """Lists the actions that make sense by name, and the themes."""

    async def discover(self) -> Hits:
        """Yield every command."""
        for name, text, run, _ in self._commands():
            yield DiscoveryHit(name, run, help=text)

    async def search(self, query: str) -> Hits:
        """Yield the commands that match."""
        matcher, wanted = self.matcher(query), query.casefold().split()
        for name, text, run, also in self._commands():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=text)
            elif wanted and all(word in f"{text} {also}".casefold() for word in wanted):
                yield Hit(BY_HELP, name, run, help=text)

    def _commands(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType, str]]:
        """Yield name, help, what is to be done, and further words to be found by."""
        for action in ACTIONS:
            there = self.screen.check_action(action.name, ())
            if there and action.group is not Group.MOVE and action.name != "palette":
                run = partial(self.screen.run_action, action.name)
                yield action.label, f"{action.shown}: {action.help}", run, ALSO.get(action.name, "")
        for column in Name:
            text = (
                "the order of need" if column is Name.STATE else "the list by this column; again: the other way round"
            )
            yield f"sort by {column}", text, partial(self.screen.run_action, f"sort_by('{column}')"), ""
        for name, theme in THEMES.items():
            yield name, "the colours of the screen", partial(self.screen.run_action, f"use_theme('{theme.name}')"), ""
