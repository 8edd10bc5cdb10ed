"""How the list and the panes about one job share the screen: as the style sheet says, or as somebody chose."""

import re
from dataclasses import dataclass, replace

from textual.widget import Widget

LEAST, MOST = 20, 80
STEP = 5
_TEXT = re.compile(r"(\d{2})?/(\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Split:
    """The list's share of the screen in percent, side by side and one above the other; None is the style sheet's."""

    beside: int | None = None
    above: int | None = None

    @property
    def text(self) -> str:
        """The split as `parse_split` reads it."""
        return f"{self.beside or ''}/{self.above or ''}"

    def get(self, *, wide: bool) -> int | None:
        """Return the share of the list, side by side where it is `wide`."""
        return self.beside if wide else self.above

    def with_share(self, share: int, *, wide: bool) -> "Split":
        """Return the split with another share of the list, as far as leaves something of both."""
        share = min(max(share, LEAST), MOST)
        return replace(self, beside=share) if wide else replace(self, above=share)


def parse_split(text: str) -> Split:
    """Return what somebody chose once; the style sheet's split for anything else."""
    parts = _TEXT.fullmatch(text)
    if parts is None:
        return Split()
    shares = [min(max(int(part), LEAST), MOST) if part else None for part in parts.groups()]
    return Split(*shares)


def apply_split(share: int | None, pane: Widget, side: Widget, *, wide: bool) -> None:
    """Give the list's pane its share beside or above the side; with None the style sheet decides."""
    for widget in (pane, side):
        for rule in ("width", "max_width", "max_height"):
            widget.styles.clear_rule(rule)
    if share is None:
        return
    if wide:
        pane.styles.width = f"{share}fr"
        side.styles.width = f"{100 - share}fr"
        side.styles.max_width = "100%"
    else:
        pane.styles.max_height = f"{share}%"
