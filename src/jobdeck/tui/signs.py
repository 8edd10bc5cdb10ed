"""The screen in a terminal whose locale knows only some characters."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from jobdeck.domain.signs import in_ascii


class Signs(LineFilter):
    """Replaces what an encoding does not know by signs that take as many cells, so that no line gets longer."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in characters that can be written."""
        return [
            segment if segment.text.isascii() else Segment("".join(map(self._known, segment.text)), segment.style)
            for segment in segments
        ]

    def _known(self, character: str) -> str:
        try:
            character.encode(self._encoding)
        except UnicodeEncodeError:
            return in_ascii(character) or "?" * cell_len(character)
        return character
