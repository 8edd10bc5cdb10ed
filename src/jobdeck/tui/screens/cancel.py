"""The confirmation before jobs are cancelled: it lists them, and a word must be typed."""

from collections.abc import Callable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from jobdeck.domain import humanize
from jobdeck.domain.text import one_line
from jobdeck.tui.cell_text import elide_middle, pad
from jobdeck.tui.job_table import Row
from jobdeck.tui.render.spans import EMPTY, Line, Role, truncate_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.static import LinesWidget

CONFIRMATION = "cancel"
NAMED = 10
"""The number of jobs that are listed by ID."""

_STATE_CELLS = 14
_ID_CELLS = 34


class CancelScreen(Dialog[None]):
    """Lists the jobs that would be cancelled, and calls `cancel` after their number or the word was typed.

    `left_out` says which selected jobs would not be cancelled, and why; empty if none.
    """

    SUBJECT = "Cancel jobs"
    KEYS = (("enter", "confirm"), ("esc", "back"))
    AUTO_FOCUS = "#confirm"

    def __init__(self, rows: Sequence[Row], left_out: str, cancel: Callable[[], object]) -> None:
        super().__init__()
        self._rows = rows
        self._left_out = left_out
        self._cancel = cancel
        self._refused = False

    def compose(self) -> ComposeResult:
        """Lay out the jobs, the question, the input and the keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(self._lines, id="cancelled")
            text = Input(compact=True, max_length=20, id="confirm")
            text.cursor_blink = False
            yield text
            yield self.key_line

    @on(Input.Submitted, "#confirm")
    def confirm(self, event: Input.Submitted) -> None:
        """Cancel the jobs, or show what has to be typed."""
        event.stop()
        if event.value.strip() in {CONFIRMATION, str(len(self._rows))}:
            self._cancel()
            self.dismiss(None)
        else:
            self._refused = True
            self.query_one("#cancelled", LinesWidget).show_lines(self._lines)

    @property
    def help_key(self) -> str:
        """The key of the help: a question mark is text here."""
        return "f1"

    def _lines(self, width: int) -> Sequence[Line]:
        count = len(self._rows)
        lines: list[Line] = [
            (
                (f" Cancel {humanize.pluralize(count, 'remote job')}?", Role.STRONG),
                ("  This cannot be undone.", Role.WARN),
            ),
            EMPTY,
        ]
        for row in self._rows[:NAMED]:
            key = row.job.key
            state = (f" {pad(row.state.label(_STATE_CELLS - 1), _STATE_CELLS)}", row.state.role)
            place = one_line(f"{key.profile}  {key.account_group or ''}", 200)
            lines.append((state, (pad(elide_middle(key.id, _ID_CELLS - 2), _ID_CELLS), Role.NAME), (place, Role.DIM)))
        if count > NAMED:
            lines.append(((f" and {count - NAMED:,} more", Role.DIM),))
        if self._left_out:
            lines += [EMPTY, ((f" {self._left_out}", Role.DIM),)]
        accepted = f"{CONFIRMATION} or {count}"
        wanted: Line = ((f" Type {accepted} to confirm:", Role.TEXT),)
        lines += [EMPTY, ((f" Nothing sent: type {accepted} to confirm:", Role.WARN),) if self._refused else wanted]
        return tuple(truncate_line(line, width) for line in lines)
