"""What is painted again is written from where it begins, not from the start of its line.

Textual crops what it writes of a widget's line on the right only: where three cells of a row tick, it writes the row
up to them as well.
"""

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor


class TightUpdate(ChopsUpdate):
    """Changed spans of the screen, cropped at both ends."""

    def render_segments(self, console: Console) -> str:
        """Return what to write to the terminal."""
        written: list[str] = []
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                first, last = max(x, x1), min(end, x2)
                written.append(Control.move_to(first, y).segment.text)
                whole = first == x and last == end
                written.append((strip if whole else strip.crop(first - x, last - x)).render(console))
        return "".join(written)


class TightCompositor(Compositor):
    """Lays widgets out as Textual does, and writes no more than what changed."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return what is to be painted again; None when nothing is."""
        update = super().render_partial_update()
        return None if update is None else TightUpdate(update.chops, update.spans, update.chop_ends)
