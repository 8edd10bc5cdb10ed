"""How the list and the panes about one job share the screen."""

import re
from dataclasses import dataclass, replace

from textual.widget import Widget

LEAST, MOST = 20, 80
STEP = 5
_TEXT = re.compile(r"(\d{2})?/(\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Split:
    """The list's share of the screen in percent; None leaves it to the style sheet."""

    beside: int | None = None
    """When it is beside the other panes."""
    above: int | None = None
    """When it is above them."""

    @property
    def text(self) -> str:
        """The split as `parse_split` reads it."""
        return f"{self.beside or ''}/{self.above or ''}"

    def get(self, *, wide: bool) -> int | None:
        """Return the list's share, beside the other panes if `wide`."""
        return self.beside if wide else self.above

    def with_share(self, share: int, *, wide: bool) -> "Split":
        """Return the split with a new share, limited such that both sides stay visible."""
        share = min(max(share, LEAST), MOST)
        return replace(self, beside=share) if wide else replace(self, above=share)


def parse_split(text: str) -> Split:
    """Parse a saved split; invalid text leaves it to the style sheet."""
    parts = _TEXT.fullmatch(text)
    if parts is None:
        return Split()
    shares = [min(max(int(part), LEAST), MOST) if part else None for part in parts.groups()]
    return Split(*shares)


def apply_split(share: int | None, pane: Widget, side: Widget, *, wide: bool) -> None:
    """Set the list's share of the screen; None leaves it to the style sheet."""
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
