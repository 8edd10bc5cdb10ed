"""The dialog that asks for the format of an export."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from jobdeck.app.job_export import ExportFormat
from jobdeck.domain.text import one_line
from jobdeck.tui.cell_text import elide_middle
from jobdeck.tui.render.spans import EMPTY, Keys, Line, Role, line_width, truncate_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.static import LinesWidget

LONGEST_PATH = 1_024
_FORMATS = (
    ("c", "CSV", "for spreadsheets: a row per job, without results"),
    ("j", "JSON lines", "for scripts: the objects of status --json"),
    ("m", "Markdown", "for issues and chats: a table"),
)


class ExportScreen(Dialog[None]):
    """Shows what would be exported, and calls `export` with the chosen format."""

    SUBJECT = "Export"
    KEYS = (*((key, name) for key, name, _ in _FORMATS), ("esc", "back"))
    BINDINGS: ClassVar[list[BindingType]] = [
        ("c", "choose('csv')", "CSV"),
        ("j", "choose('json')", "JSON lines"),
        ("m", "choose('markdown')", "Markdown"),
        ("q", "leave", "back"),
    ]

    def __init__(self, what: str, folder: Path, export: Callable[[ExportFormat], object]) -> None:
        super().__init__()
        self._what = what
        self._folder = one_line(str(folder), LONGEST_PATH)
        self._export = export

    def compose(self) -> ComposeResult:
        """Lay out the formats and the keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(self._lines)
            yield self.key_line

    @property
    def keys(self) -> Keys:
        """The way out; the formats are listed above."""
        return self.KEYS[-1:]

    def action_choose(self, name: str) -> None:
        """Export in a format, and close."""
        self._export(ExportFormat(name))
        self.dismiss(None)

    def _lines(self, width: int) -> Sequence[Line]:
        lines: list[Line] = [((f" Export {self._what}", Role.STRONG),), EMPTY]
        for key, name, use in _FORMATS:
            lines.append(((f" {key}  ", Role.KEY), (f"{name:<12}", Role.TEXT), (use, Role.DIM)))
        to: Line = ((" to a new file (mode 0600) in ", Role.DIM),)
        place: Line = ((elide_middle(self._folder, max(1, width - line_width(to))), Role.TEXT),)
        return tuple(truncate_line(line, width) for line in (*lines, EMPTY, (*to, *place), EMPTY))
