"""Clean text measured in terminal cells: truncating, padding, wrapping, short IDs. All drawn text passes here."""

import re
import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

from jobdeck.domain.humanize import pluralize
from jobdeck.domain.job import JobKey
from jobdeck.domain.text import CELL_LIMIT, clean, without_script_joiners, without_unsafe

DETAIL_LIMIT = 65_536
"""Characters of one text that are laid out: Textual takes 80 s to paint 1 MB."""

LINE_LIMIT = 2_000
"""Lines of one text that are laid out."""

_INDIAN = re.compile("[\u0900-\u109f\u1780-\u17ff\u1a20-\u1cff\ua840-\uabff]+")
"""Words of scripts whose vowel signs take a cell in some terminals and none in others."""


def width_of(text: str) -> int:
    """Return the number of cells that a clean text takes."""
    return len(text) if text.isascii() else cell_len(text)


def displayable(text: str, *, lines: bool = False) -> str:
    """Return `text` without unsafe characters, such that its measured width is the drawn width.

    Rich ignores the letter after a joiner, as if a joiner always joined two emoji: it counts one of the two cells of
    "क्‍ष". It counts no vowel sign either, but most terminals give each a cell: "हिन्दी" would lose its end to the text
    drawn after it.
    """
    text = clean(text, lines=lines)
    return text if text.isascii() else _INDIAN.sub(_with_room, without_script_joiners(text))


def _with_room(word: re.Match[str]) -> str:
    return word[0] + " " * sum(unicodedata.category(char) == "Mc" for char in word[0])


def truncate(text: str, width: int) -> str:
    """Return `text` clean and truncated to `width` cells; an ellipsis marks the cut."""
    text = displayable(text[: CELL_LIMIT + 1])
    if width_of(text) <= width:
        return text
    # Cutting between joined letters leaves a joiner that is unsafe by itself.
    return without_unsafe(set_cell_size(text, width - 1)) + "…" if width > 0 else ""


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` clean, truncated or padded to exactly `width` cells, aligned left or `right`."""
    text = truncate(text, width)
    padding = " " * (width - width_of(text))
    return padding + text if right else text + padding


def describe_jobs(keys: Sequence[JobKey]) -> str:
    """Return how a message names jobs: one by its ID, several by their number."""
    return elide_middle(keys[0].id, 40) if len(keys) == 1 else pluralize(len(keys), "job")


def elide_middle(text: str, width: int, head: int | None = None) -> str:
    """Return `text` clean and shortened in the middle to at most `width` cells.

    `head` is the number of characters kept at the front: by default a little less than half, because IDs differ at
    their ends more often than at their beginnings.
    """
    text = displayable(text[: CELL_LIMIT + 1])
    if width_of(text) <= width:
        return text
    if width < 3 or not text.isascii():
        return truncate(text, width)
    keep = width - 1
    front = keep // 2 if head is None else min(head, keep - 1)
    return f"{text[:front]}…{text[len(text) - (keep - front) :]}"


def wrap(text: str, width: int, *, limit: int = DETAIL_LIMIT, most: int = LINE_LIMIT) -> list[str]:
    """Return `text` clean, as lines of at most `width` cells, broken between words where possible.

    At most `limit` characters and `most` lines; a last line says what was cut.
    """
    width = max(width, 8)
    lines: list[str] = []
    for raw in displayable(text[:limit], lines=True).split("\n", most):
        # The last of at most `most` + 1 pieces contains all further lines.
        lines.extend(_wrap_line(raw.partition("\n")[0], width))
        if len(lines) > most:
            break
    if len(text) > limit or len(lines) > most:
        total = len(text.encode("utf-8", "surrogatepass"))
        return [*lines[: most - 1], truncate(f"… (truncated, {total} bytes)", width)]
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
    """Gives each job a short name of at most `width` cells, which stays the same for that width."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._names: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    def of(self, key: JobKey) -> str:
        """Return the name of a job; two jobs with the same ID (in two account groups) share it."""
        name = self._names.get(key.id)
        if name is None:
            name = self._names[key.id] = self._choose(key.id)
            self._owners[name] = key.id
        return name

    def _choose(self, id_: str) -> str:
        name = elide_middle(id_, self.width)
        if name not in self._owners:
            return name
        for head in range(1, self.width - 1):
            other = elide_middle(id_, self.width, head)
            if other not in self._owners:
                return other
        # Both ends are taken by other jobs: append a running number.
        number = 2
        while True:
            mark = f"#{number}"
            other = elide_middle(id_, max(3, self.width - len(mark))) + mark
            if other not in self._owners:
                return other
            number += 1
