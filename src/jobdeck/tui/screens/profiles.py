"""The profile menu: the jobs of one profile, or of all."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from jobdeck.domain import humanize
from jobdeck.tui.cell_text import fit, width_of
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.grouping import profile_filter
from jobdeck.tui.job_filter import has_term
from jobdeck.tui.render.spans import Line, Role, clip_line
from jobdeck.tui.render.state import ALL_STATES, State
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.job_pane import JobPane
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.static import LinesWidget

ALL = "all profiles"
NAME_CELLS = 40
REFRESH_SECONDS = 1.0


class ProfileList(LineView):
    """All profiles together and each by itself, one of them under the cursor."""

    def __init__(self, state: DeckState, selected: str) -> None:
        """Put the cursor on a profile; an empty name stands for all of them."""
        super().__init__()
        self._state = state
        self.names = self._known_names()
        self._cursor = self.names.index(selected) if selected in self.names else 0

    @property
    def selected(self) -> str:
        """The name of the profile under the cursor; empty for all."""
        return self.names[self._cursor]

    def ground(self, line: int) -> Role | None:
        """Return the background of the line under the cursor."""
        return Role.CURSOR if line == self._cursor else None

    def draw(self) -> None:
        """Draw how many jobs each profile has, and in which states."""
        selected, self.names = self.selected, self._known_names()
        self._cursor = self.names.index(selected) if selected in self.names else 0
        counts = {name: Counter[State]() for name in self.names}
        for row in self._state.table.rows():
            for name in ("", row.job.key.profile):
                counts[name][row.counted] += 1
        cells = min(NAME_CELLS, max(width_of(name or ALL) for name in self.names))
        lines = (profile_line(name or ALL, count, cells) for name, count in counts.items())
        self.set_lines([clip_line(line, self.line_width) for line in lines])
        self.refresh(layout=True)

    def _known_names(self) -> tuple[str, ...]:
        return "", *sorted(self._state.table.profiles)

    def on_resize(self) -> None:
        """Make the lines anew."""
        self.draw()

    def move_by(self, lines: int) -> None:
        """Move the cursor."""
        self._cursor = min(max(0, self._cursor + lines), len(self.names) - 1)
        self.scroll_to(y=max(0, self._cursor - self.page + 1), animate=False, immediate=True)
        self.refresh()

    def action_cursor_down(self) -> None:
        """Go to the next profile."""
        self.move_by(1)

    def action_cursor_up(self) -> None:
        """Go to the profile before."""
        self.move_by(-1)

    def action_first(self) -> None:
        """Go to all profiles."""
        self.move_by(-len(self.names))

    def action_last(self) -> None:
        """Go to the last profile."""
        self.move_by(len(self.names))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the profile under the pointer."""
        offset = event.get_content_offset(self)
        if offset is not None:
            self.move_by(self.scroll_offset.y + offset.y - self._cursor)


class ProfilesScreen(Dialog[None]):
    """Shows only the jobs of one profile in the list, or those of all."""

    SUBJECT = "Profiles"
    KEYS = (("enter", "show only these"), ("0", "all"), ("1–9", "that profile"), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "choose", "show only these"),
        ("q,P", "leave", "back"),
        *((str(digit), f"pick({digit})", "that profile") for digit in range(10)),
    ]

    def __init__(self, state: DeckState, pane: JobPane) -> None:
        super().__init__()
        self._pane = pane
        shown = (name for name in state.table.profiles if has_term(pane.filter_text, profile_filter(name)))
        now = next(shown, "")
        self._list = ProfileList(state, now)

    def compose(self) -> ComposeResult:
        """Lay out the profiles over the keys."""
        with Vertical(classes="sheet"):
            yield LinesWidget(lambda width: (clip_line(((" Profiles", Role.STRONG),), width),))
            yield self._list
            yield LinesWidget(self._keys)

    def on_mount(self) -> None:
        """Show the profiles as they are, from time to time anew."""
        self._list.draw()
        self.set_interval(REFRESH_SECONDS, self._list.draw)
        self.set_focus(self._list)

    def action_choose(self) -> None:
        """Show only the jobs of the profile under the cursor, and go back."""
        self._pane.narrow_to_profile(self._list.selected)
        self.dismiss(None)

    def action_pick(self, number: int) -> None:
        """Show only the jobs of the profile of that place; 0 is all of them."""
        if number < len(self._list.names):
            self._list.action_first()
            self._list.move_by(number)
            self.action_choose()

    def _keys(self, width: int) -> Sequence[Line]:
        return (clip_line(self.keys_line, width),)


def profile_line(name: str, counts: Counter[State], cells: int) -> Line:
    """Return the line of a profile: how many jobs it has, and how many in each state."""
    states = ((f"  {state.glyph}{counts[state]:,}", state.role) for state in ALL_STATES if counts[state])
    total = humanize.pluralize(counts.total(), "job")
    return ((fit(name, cells), Role.NAME), (f"  {total.rjust(9)} ", Role.TEXT), *states)
