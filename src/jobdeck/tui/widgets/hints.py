"""A line in the demo that suggests a useful key, until the key is used or the line dismissed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.timer import Timer

from jobdeck.app.session import HintMemory
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.render.spans import EMPTY, Line, Role, truncate_line
from jobdeck.tui.widgets.static import LinesWidget

REFRESH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Hint:
    """A suggested key; `action` is its name in the table of actions."""

    action: str
    key: str
    text: str


SAME_ERROR = Hint("same_error", "=", "on a failed job to see others with the same error")
GROUPS = Hint("groups", "b", "to group all jobs by reason")
TICKET = Hint("ticket", "Y", "to create a support ticket for this job")
HINTS = (SAME_ERROR, GROUPS, TICKET)
"""In the order of appearance."""


class HintLine(LinesWidget):
    """Shows one hint at a time, and disappears after the last."""

    def __init__(self, state: DeckState, selected: Callable[[], JobKey | None], memory: HintMemory) -> None:
        super().__init__(id="hints")
        self._memory = memory
        self._state = state
        self._selected = selected
        self._left = [hint for hint in HINTS if hint.action not in memory.done]
        self._shown: Hint | None = None
        self._timer: Timer | None = None

    @property
    def shown(self) -> Hint | None:
        """The current hint."""
        return self._shown

    def on_mount(self) -> None:
        """Look for a hint now and periodically."""
        self._timer = self.set_interval(REFRESH_SECONDS, self._update)
        self._update()

    def on_click(self, event: events.Click) -> None:
        """Dismiss the hint."""
        event.stop()
        self.dismiss()

    def follow(self, action: str) -> None:
        """Note that the user ran an action: its hint is not shown again."""
        self._remove([hint for hint in self._left if hint.action == action])

    def dismiss(self) -> None:
        """Hide the current hint for good."""
        self._remove([hint for hint in self._left if hint is self._shown])

    def _remove(self, hints: Sequence[Hint]) -> None:
        if hints:
            for hint in hints:
                self._memory.mark_done(hint.action)
            self._left = [hint for hint in self._left if hint not in hints]
            self._shown = None if self._shown in hints else self._shown
            self._update()

    def _update(self) -> None:
        # A hint stays until it is followed or dismissed, so that nothing changes while it is read; but a hint about the
        # selected job must apply to that job.
        if self._shown is TICKET and not self._applies(TICKET):
            self._shown = None
        if self._shown is None and self._left and self._applies(self._left[0]):
            self._shown = self._left[0]
        self.display = bool(self._left)
        if not self._left and self._timer is not None:
            self._timer.stop()
        hint = self._shown
        self.show_lines(lambda width: (hint_line(hint, width),), (hint,))

    def _applies(self, hint: Hint) -> bool:
        """Whether the key of a hint would show something now."""
        errors = self._state.failure_groups.by_error()
        if hint is SAME_ERROR:
            return any(group.count > 1 for group in errors)
        if hint is GROUPS:
            return len(errors) > 1
        job = self._state.job(self._selected())
        return job is not None and job.phase is Phase.FAILED


def hint_line(hint: Hint | None, width: int) -> Line:
    """Return the line of a hint, or a blank line."""
    if hint is None:
        return EMPTY
    key, dismiss = (hint.key, Role.KEY), ("   x", Role.KEY)
    tip = (("  Tip: press ", Role.DIM), key, (f" {hint.text}", Role.DIM))
    return truncate_line((*tip, dismiss, (" hides", Role.DIM)), width)
