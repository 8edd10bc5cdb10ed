"""Text measured in terminal cells: everything drawn goes through here, and comes out clean. Short IDs."""

import re
import unicodedata

from rich.cells import cell_len, chop_cells, set_cell_size

from jobdeck.domain.job import JobKey
from jobdeck.domain.text import CELL_LIMIT, clean, without_script_joiners, without_unsafe

DETAIL_LIMIT = 65_536
"""Characters of one text that are ever laid out: 1 MB of text takes Textual 80 s to paint."""

LINE_LIMIT = 2_000
"""Lines of one text that are ever laid out."""

_INDIAN = re.compile("[\u0900-\u109f\u1780-\u17ff\u1a20-\u1cff\ua840-\uabff]+")
"""Words of scripts with vowel signs that take a cell in some terminals and none in others."""


def width_of(text: str) -> int:
    """Return the number of cells that clean `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def shown(text: str, *, lines: bool = False) -> str:
    """Return `text` clean, such that it is counted as it is drawn.

    Rich counts no letter after a joiner, as if it always joined two emoji: of "क्‍ष" only one of two cells. It counts no
    vowel sign either, and most terminals give each a cell: "हिन्दी" would lose its end to what is drawn after it.
    """
    text = clean(text, lines=lines)
    return text if text.isascii() else _INDIAN.sub(_with_room, without_script_joiners(text))


def _with_room(word: re.Match[str]) -> str:
    return word[0] + " " * sum(unicodedata.category(char) == "Mc" for char in word[0])


def clip(text: str, width: int) -> str:
    """Return `text` clean, in at most `width` cells; what was cut shows as an ellipsis."""
    text = shown(text[: CELL_LIMIT + 1])
    if width_of(text) <= width:
        return text
    # Between two letters that it joined, what is invisible is not any more.
    return without_unsafe(set_cell_size(text, width - 1)) + "…" if width > 0 else ""


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
    text = shown(text[: CELL_LIMIT + 1])
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
    for raw in shown(text[:limit], lines=True).split("\n", most):
        # The last piece has all further lines in it.
        lines.extend(_wrap_line(raw.partition("\n")[0], width))
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
        *full, line = map(without_unsafe, chop_cells(word, width)) if width_of(word) > width else (word,)
        lines.extend(full)
    return [*lines, line]


class ShortIds:
    """Gives each job a name of at most `width` cells; a name stays as long as the width does."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._names: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    def of(self, key: JobKey) -> str:
        """Return the name of a job; two jobs with one ID (in two account groups) share it."""
        name = self._names.get(key.id)
        if name is None:
            name = self._names[key.id] = self._choose(key.id)
            self._owners[name] = key.id
        return name

    def _choose(self, id_: str) -> str:
        name = middle(id_, self.width)
        if name not in self._owners:
            return name
        for head in range(1, self.width - 1):
            other = middle(id_, self.width, head)
            if other not in self._owners:
                return other
        # Both ends are those of other jobs: a running number tells them apart where letters cannot.
        number = 2
        while True:
            mark = f"#{number}"
            other = middle(id_, max(3, self.width - len(mark))) + mark
            if other not in self._owners:
                return other
            number += 1
