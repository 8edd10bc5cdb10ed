"""Text measured in terminal cells: everything drawn goes through here, and comes out clean."""

from rich.cells import cell_len, chop_cells, set_cell_size

from jobdeck.domain.text import CELL_LIMIT, clean

DETAIL_LIMIT = 65_536
"""Characters of one text that are ever laid out: 1 MB of text takes Textual 80 s to paint."""

LINE_LIMIT = 2_000
"""Lines of one text that are ever laid out."""


def width_of(text: str) -> int:
    """Return the number of cells that clean `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def clip(text: str, width: int) -> str:
    """Return `text` clean, in at most `width` cells; what was cut shows as an ellipsis."""
    text = clean(text[: CELL_LIMIT + 1])
    if width_of(text) <= width:
        return text
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` clean, in exactly `width` cells, aligned to the left or the `right`."""
    text = clip(text, width)
    pad = " " * (width - width_of(text))
    return pad + text if right else text + pad


def middle(text: str, width: int, head: int | None = None) -> str:
    """Return `text` clean, in at most `width` cells, cut in the middle so that both ends stay.

    `head` characters stay at the front; when left out, a little less than half of them, because identifiers
    differ at their ends more often than at their beginnings.
    """
    text = clean(text[: CELL_LIMIT + 1])
    if width_of(text) <= width:
        return text
    if width < 3 or not text.isascii():
        return clip(text, width)
    keep = width - 1
    front = keep // 2 if head is None else min(head, keep - 1)
    return f"{text[:front]}…{text[len(text) - (keep - front) :]}"


def wrap(text: str, width: int, *, limit: int = DETAIL_LIMIT, most: int = LINE_LIMIT) -> list[str]:
    """Return `text` clean, as lines of at most `width` cells, broken between words where that is possible.

    At most `limit` characters and `most` lines; the last line says what was cut.
    """
    width = max(width, 8)
    lines: list[str] = []
    for raw in clean(text[:limit], lines=True).split("\n", most):
        lines.extend(_wrap_line(raw, width))
        if len(lines) > most:
            break
    if len(text) > limit or len(lines) > most:
        total = len(text.encode("utf-8", "surrogatepass"))
        return [*lines[: most - 1], clip(f"… (truncated, {total} bytes)", width)]
    return lines


def _wrap_line(raw: str, width: int) -> list[str]:
    if width_of(raw) <= width:
        return [raw]
    text = raw.lstrip(" ")
    indent = " " * min(len(raw) - len(text), width // 2)
    return [indent + line for line in _wrap_words(text, width - len(indent))]


def _wrap_words(text: str, width: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width_of(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) if width_of(word) > width else (word,)
        lines.extend(full)
    return [*lines, line]
