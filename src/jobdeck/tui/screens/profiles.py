"""The profile menu: show the jobs of one profile, or of all."""

from collections import Counter
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from jobdeck.domain import humanize
from jobdeck.tui.cell_text import pad, width_of
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.grouping import profile_filter
from jobdeck.tui.job_filter import has_term
from jobdeck.tui.render.spans import Line, Role, truncate_line
from jobdeck.tui.render.state import ALL_STATES, State
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.cursor_list import CursorList
from jobdeck.tui.widgets.list_pane import ListPane
from jobdeck.tui.widgets.static import LinesWidget

ALL = "all profiles"
NAME_CELLS = 40
REFRESH_SECONDS = 1.0


class ProfilesScreen(Dialog[None]):
    """Filters the list by one profile, or shows all."""

    SUBJECT = "Profiles"
    KEYS = (("enter", "show only these"), ("0", "all"), ("1–9", "that profile"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "choose", "show only these"),
        ("q,P", "leave", "back"),
        *((str(digit), f"pick({digit})", "that profile") for digit in range(10)),
    ]

    def __init__(self, state: DeckState, pane: ListPane) -> None:
        super().__init__()
        self._state = state
        self._pane = pane
        self._counts: dict[str, Counter[State]] = {}
        self._name_cells = NAME_CELLS
        shown = (name for name in state.table.profiles if has_term(pane.filter_text, profile_filter(name)))
        now = next(shown, "")
        self._list = CursorList(self._profile_line, lambda name: name, id="profiles", cursor=now)

    def compose(self) -> ComposeResult:
        """Lay out the profiles and the keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(lambda width: (truncate_line(((" Profiles", Role.STRONG),), width),))
            yield self._list
            yield self.key_line

    def on_mount(self) -> None:
        """Show the profiles, and update them periodically."""
        self._draw()
        self.set_focus(self._list)
        self.set_interval(REFRESH_SECONDS, self._draw)

    @on(CursorList.Chosen)
    def action_choose(self) -> None:
        """Show only the jobs of the profile under the cursor, and close."""
        if self._list.selected is not None:
            self._pane.filter_by_profile(self._list.selected)
        self.dismiss(None)

    def action_pick(self, number: int) -> None:
        """Show only the jobs of a profile by its number; 0 means all."""
        if number < len(self._list.entries):
            self._list.go_to(self._list.entries[number])
            self.action_choose()

    def _draw(self) -> None:
        """Draw the number of jobs of each profile, by state."""
        names = ("", *sorted(self._state.table.profiles))
        self._counts = {name: Counter[State]() for name in names}
        for row in self._state.table.rows():
            for name in ("", row.job.key.profile):
                self._counts[name][row.category] += 1
        self._name_cells = min(NAME_CELLS, max(width_of(name or ALL) for name in names))
        self._list.show(names)

    def _profile_line(self, name: str, _: int) -> Line:
        return profile_line(name or ALL, self._counts[name], self._name_cells)


def profile_line(name: str, counts: Counter[State], cells: int) -> Line:
    """Return the line of a profile: its number of jobs, in total and by state."""
    states = ((f"  {state.glyph}{counts[state]:,}", state.role) for state in ALL_STATES if counts[state])
    total = humanize.pluralize(counts.total(), "job")
    return ((pad(name, cells), Role.NAME), (f"  {total.rjust(9)} ", Role.TEXT), *states)
