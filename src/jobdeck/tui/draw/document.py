"""Markdown and other long texts as lines: the text as it is, its own headings and fences a little quieter."""

from jobdeck.tui.cells import wrap
from jobdeck.tui.draw.spans import EMPTY, Keys, Line, Role


def document_lines(text: str, width: int) -> list[Line]:
    """Return a text as lines of at most `width` cells; nothing in it is interpreted, only coloured."""
    lines: list[Line] = []
    fence = ""
    for raw in wrap(text.rstrip("\n"), width):
        mark = raw[: len(raw) - len(raw.lstrip("`"))]
        if fence:
            lines.append(((raw, Role.FAINT if raw == fence else Role.TEXT),) if raw else EMPTY)
            fence = "" if raw == fence else fence
        elif len(mark) >= 3:
            fence = mark
            lines.append(((raw, Role.FAINT),))
        elif raw.startswith("#"):
            lines.append(((raw, Role.STRONG),))
        else:
            lines.append(((raw, Role.DIM if raw.startswith("Made by ") else Role.TEXT),) if raw else EMPTY)
    return lines


def keys_line(keys: Keys) -> Line:
    """Return the line of keys under a sheet."""
    return tuple(span for key, label in keys for span in ((f" {key}", Role.KEY), (f" {label} ", Role.DIM)))
