"""What the keys of the selected job's tabs do: turn, search, save. A part of the deck.

Textual calls a message's handler in every class of a screen that has one, so that each looks at whom it is from.
"""

from jobdeck.domain import words
from jobdeck.domain.text import one_line
from jobdeck.tui.draw.pages import Tab
from jobdeck.tui.draw.spans import Role
from jobdeck.tui.saving import Save
from jobdeck.tui.screens.list_keys import ListKeys
from jobdeck.tui.widgets.detail import Detail
from jobdeck.tui.widgets.filter_bar import FilterBar
from jobdeck.tui.widgets.tabs import TabRule
from jobdeck.wiring.private_file import PrivateFileError


class PageKeys(ListKeys):
    """Turning, searching and saving the pages about the selected job."""

    _detail: Detail
    _detail_rule: TabRule
    _search_bar: FilterBar
    _save: Save
    _query = ""

    def action_next_tab(self) -> None:
        """Show the next tab."""
        self._turn(1)

    def action_previous_tab(self) -> None:
        """Show the tab before."""
        self._turn(-1)

    def action_filter(self) -> None:
        """Ask for a filter of the list, or in a result for what to look for."""
        if self._searches:
            self._search_bar.ask()
        else:
            super().action_filter()

    def action_next_match(self) -> None:
        """Go to the next place that was looked for."""
        self.run_worker(self._find(), name="search", group="search", exclusive=True)

    async def action_save_body(self) -> None:
        """Save the last body whole."""
        body, key = self._detail.body, self._jobs.selected
        if body is None or key is None:
            self._say("there is no body to save yet" + ("" if self._session.locked else ": r asks now"))
            return
        try:
            text = body.decode("utf-8", "replace")
            path = await self._save(text, f"body-{key.id}", self._session.clock.now().us, suffix=".json")
        except PrivateFileError as error:
            self._say(f"not saved: {error}", warn=True)
        else:
            self._say(f"saved as {one_line(str(path))}")

    def on_tab_rule_chosen(self, message: TabRule.Chosen) -> None:
        """Show the tab that was clicked."""
        self._detail.turn_to(message.tab)
        self._draw_titles()

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Keep what is looked for in a result."""
        if message.bar is self._search_bar:
            self._query = message.text
            self.run_worker(self._count(), name="count", group="count", exclusive=True)

    def on_filter_bar_done(self, message: FilterBar.Done) -> None:
        """Go to the first match."""
        if message.bar is self._search_bar:
            self._leave_search()
            self.action_next_match()

    def on_filter_bar_left(self, message: FilterBar.Left) -> None:
        """Keep what is looked for, out of sight."""
        if message.bar is self._search_bar:
            self._search_bar.show(self._query, (), wanted=False)

    def on_filter_bar_given_up(self, message: FilterBar.GivenUp) -> None:
        """Go back to the result."""
        if message.bar is self._search_bar:
            self._query = ""
            self._leave_search()

    @property
    def _searches(self) -> bool:
        """Whether a text is looked for in a result, not among the jobs."""
        return self.focused is self._detail and self._detail.result_tree is not None

    def _turn(self, by: int) -> None:
        tabs = list(Tab)
        self._detail.turn_to(tabs[(tabs.index(self._detail.tab) + by) % len(tabs)])
        self._draw_titles()

    def _leave_search(self) -> None:
        self.set_focus(self._detail)
        self._search_bar.show(self._query, (), wanted=False)

    async def _count(self) -> None:
        count = await self._detail.count(self._query)
        keys = ((" · enter", Role.KEY), (" the first,", Role.DIM), (" n", Role.KEY), (" the next", Role.DIM))
        told = ((words.plural(count, "place"), Role.TEXT), *(keys if count else ()))
        self._search_bar.show(self._query, told if self._query else (), wanted=False)

    async def _find(self) -> None:
        if self._detail.result_tree is None:
            self._say("n goes on in a result that is shown: ] leads to it")
        elif not self._query:
            self._say("/ asks what to look for in the result")
        elif not await self._detail.search(self._query):
            self._say(f"not in the result: {one_line(self._query, 60)}")
