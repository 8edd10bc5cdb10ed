"""A JSON text as a tree that is read in pieces: 10 MB are never parsed at once, nor turned into objects.

One pass over the text, in steps as short as the caller wants, records where every object and array begins and ends.
With that, a node's children are read when it is opened, two hundred at a time.
"""

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from jobdeck.domain.text import clean

PAGE = 200
"""Children of one node that are shown at once."""

DEEPEST = 60
PREVIEW = 400
PIECE = 1_000_000
"""Characters searched in one step: about 10 ms."""

NONE = -1

LONGEST_LIST = 1_000_000
"""The longest list text in which a row is searched for at once: 20 ms."""

STRETCH = 250_000
"""Characters indexed in one step, even within a string: about 5 ms."""

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|[{}\[\],]', re.DOTALL)
_REST = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+("?)', re.DOTALL)
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^,\]}\[{]+', re.DOTALL)
_BLANK = re.compile(r"\s*+")
_ESCAPES = re.compile(r"\\\\|((?:\\u[0-9a-fA-F]{4})+)")
_HALF_ESCAPE = re.compile(r"(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\u?[0-9a-fA-F]{0,3})?$")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the tree."""

    start: int
    """Offset in the text."""
    end: int
    depth: int
    label: str
    """Its key, or its index in a list."""
    container: int = NONE
    """The number of the object or array that it is; `NONE` for any other value."""
    next_page: int = NONE
    """Not a value but a link: the page of the parent `container` that it opens."""


class JsonIndex:
    """The positions of all objects and arrays of a text. Accepts any text, JSON or not."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = array("Q")
        self.ends = array("Q")
        self.parents = array("q")
        self.counts = array("Q")
        self.done = False
        self._marks: dict[int, array[int]] = {}
        self._open: list[int] = []
        self._at = 0
        self._string = NONE
        self._long: dict[int, int] = {}

    @property
    def read(self) -> float:
        """The fraction of the text that has been indexed."""
        return 1.0 if self.done else self._at / max(1, len(self.text))

    def step(self, tokens: int) -> bool:
        """Index this many more tokens, or one stretch; returns whether the text is complete."""
        text = self.text
        stack = self._open
        stop = min(len(text), self._at + STRETCH)
        if self._string != NONE and not self._end_of_string(stop):
            return self.done
        for match in _TOKEN.finditer(text, self._at, stop):
            sign = text[match.start()]
            if sign in "{[":
                self.starts.append(match.start())
                self.ends.append(len(text))
                self.parents.append(stack[-1] if stack else NONE)
                self.counts.append(0)
                stack.append(len(self.starts) - 1)
            elif sign == "," and stack:
                self._count(stack[-1], match.end())
            elif sign in "]}" and stack:
                container = stack.pop()
                self.ends[container] = match.end()
                if self.counts[container] or text[self.starts[container] + 1 : match.start()].strip():
                    self.counts[container] += 1
            elif sign == '"' and not match[1]:
                self._string, self._at = match.start(), match.end()
                self.done = stop == len(text)
                return self.done
            tokens -= 1
            if tokens <= 0:
                self._at = match.end()
                return False
        self._at = stop
        self.done = stop == len(text)
        return self.done

    def root(self) -> Node:
        """Return the whole document as a node."""
        start = _blank(self.text, 0)
        container = self._container_at(start)
        return Node(start, self.ends[container] if container != NONE else len(self.text), 0, "", container)

    def children(self, parent: Node, page: int = 0) -> list[Node]:
        """Return one page of a node's children, with links to the pages before and after it."""
        count = self.counts[parent.container]
        marks = self._marks.get(parent.container)
        at = self.starts[parent.container] + 1 if page == 0 or marks is None else marks[page - 1]
        depth, end = parent.depth + 1, self.ends[parent.container]
        named = self.text[parent.start] == "{"
        found: list[Node] = []
        if page:
            found.append(Node(at, at, depth, f"{page * PAGE:,} before", parent.container, page - 1))
        for number in range(page * PAGE, min(count, (page + 1) * PAGE)):
            at = _blank(self.text, at)
            label = str(number)
            if named and (after := self._after_string(at, end)) != NONE:
                label = self.text[at + 1 : min(after - 1, at + 1 + PREVIEW)]
                at = _blank(self.text, _blank(self.text, after) + 1)
            node = self._node(at, end, depth, label)
            if node is None:
                break
            found.append(node)
            at = _blank(self.text, node.end) + 1
        rest = count - (page + 1) * PAGE
        if rest > 0:
            found.append(Node(at, at, depth, f"{rest:,} more", parent.container, page + 1))
        return found

    def ancestors_at(self, offset: int) -> list[int]:
        """Return the objects and arrays that contain an offset, outermost first."""
        container = bisect_right(self.starts, offset) - 1
        while container != NONE and self.ends[container] <= offset:
            container = self.parents[container]
        chain: list[int] = []
        while container != NONE:
            chain.append(container)
            container = self.parents[container]
        return chain[::-1]

    def page_of(self, container: int, offset: int) -> int:
        """Return the page of a node's children that contains an offset."""
        marks = self._marks.get(container)
        return 0 if marks is None else bisect_right(marks, offset)

    def preview(self, node: Node) -> str:
        """Return a short text for a value."""
        if node.container == NONE:
            piece = self.text[node.start : min(node.end, node.start + PREVIEW)]
            if "\\u" in piece:
                # An escaped letter takes six characters, an emoji twelve.
                piece = self.text[node.start : min(node.end, node.start + 6 * PREVIEW)]
            if len(piece) < node.end - node.start:
                piece = _HALF_ESCAPE.sub("", piece) + "…"
            return piece.strip()
        count = self.counts[node.container]
        if self.text[node.start] == "{":
            return f"{{{count:,} {'key' if count == 1 else 'keys'}}}" if count else "{}"
        return f"[{count:,} {'item' if count == 1 else 'items'}]" if count else "[]"

    def _end_of_string(self, stop: int) -> bool:
        """Continue in a string from an earlier stretch; false if it does not end before `stop`."""
        rest = _REST.match(self.text, self._at, stop)
        self._at = rest.end() if rest else stop
        if not rest or not rest[1]:
            self.done = stop == len(self.text)
            return False
        self._long[self._string] = self._at
        self._string = NONE
        return True

    def _count(self, container: int, after: int) -> None:
        self.counts[container] += 1
        if self.counts[container] % PAGE == 0:
            self._marks.setdefault(container, array("Q")).append(after)

    def _container_at(self, at: int) -> int:
        container = bisect_right(self.starts, at) - 1
        return container if container >= 0 and self.starts[container] == at else NONE

    def _after_string(self, at: int, end: int) -> int:
        """Return the end of a string that begins at `at`, or NONE."""
        if at in self._long:
            return self._long[at]
        match = _STRING.match(self.text, at, end)
        return match.end() if match else NONE

    def _node(self, at: int, end: int, depth: int, label: str) -> Node | None:
        container = self._container_at(at)
        if container != NONE:
            return Node(at, self.ends[container], depth, label, container)
        if at in self._long:
            return Node(at, self._long[at], depth, label)
        scalar = _SCALAR.match(self.text, at, max(at, end - 1))
        return Node(at, scalar.end(), depth, label) if scalar else None


class JsonTree:
    """The open nodes of an index, and the rows that are visible as a result."""

    def __init__(self, index: JsonIndex) -> None:
        self.index = index
        self.rows: list[Node] = []
        self.cursor = 0
        self._open: dict[int, int] = {}
        root = index.root()
        if root.container != NONE:
            self._open[root.container] = 0
            for child in index.children(root):
                # Rows of data are what readers want: open one more level where it is short.
                if child.container != NONE and child.next_page == NONE and index.counts[child.container] <= 20:
                    self._open[child.container] = 0
        self._lay_out()

    def is_open(self, node: Node) -> bool:
        """Whether a node's children are visible."""
        return node.next_page == NONE and node.container in self._open

    def toggle(self) -> None:
        """Open or close the node under the cursor, or follow a link."""
        node = self.rows[self.cursor] if self.rows else None
        if node is None or node.container == NONE:
            return
        if node.next_page != NONE:
            self._open[node.container] = node.next_page
        elif node.container in self._open:
            del self._open[node.container]
        else:
            self._open[node.container] = 0
        self._lay_out()

    @property
    def label(self) -> str:
        """The key or index of the node under the cursor; empty for the whole document."""
        return readable(self.rows[self.cursor].label) if self.rows else ""

    def value(self) -> str:
        """Return the full value under the cursor: a string's content, or else the JSON."""
        node = self.rows[self.cursor]
        text = self.index.text[node.start : node.end].strip()
        try:
            value = json.loads(text) if text.startswith('"') else readable(text)
        except ValueError:
            value = readable(text)
        # Half of a surrogate pair, which no terminal or clipboard accepts.
        return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def move(self, to: int) -> None:
        """Move the cursor to a row."""
        self.cursor = min(max(to, 0), max(0, len(self.rows) - 1))

    def search(self, query: str) -> Iterator[bool]:
        """Search keys and values for `query`, case-insensitively, from behind the cursor and around.

        Yields False after each piece without a match, and True once when the cursor is on a match.
        """
        if not query or not self.rows:
            return
        wanted = _pattern(query)
        text, here = self.index.text, self.rows[self.cursor]
        begin = here.end if here.container == NONE else here.start + 1
        for first, last in ((begin, len(text)), (0, min(len(text), begin + len(wanted.pattern)))):
            for at in range(first, last, PIECE):
                match = wanted.search(text, at, min(last, at + PIECE + len(wanted.pattern)))
                if match is not None:
                    self._reveal(match.start())
                    yield True
                    return
                yield False

    def count(self, query: str) -> Iterator[int]:
        """Count the matches of `query`, case-insensitively; yields the count so far after each piece."""
        wanted, text = _pattern(query), self.index.text
        found = 0
        for start in range(0, len(text) if query else 0, PIECE):
            end = start + PIECE
            # A match that begins in this piece may end in the next.
            matches = wanted.finditer(text, start, min(len(text), end + len(wanted.pattern)))
            found += sum(match.start() < end for match in matches)
            yield found

    def _reveal(self, offset: int) -> None:
        for container in self.index.ancestors_at(offset):
            self._open[container] = self.index.page_of(container, offset)
        self._lay_out()
        before = (number for number, node in enumerate(self.rows) if node.next_page == NONE and node.start > offset)
        # A key precedes its value: the value meant is the first one that begins or ends behind the match.
        inside = (
            number
            for number, node in enumerate(self.rows)
            if node.container == NONE and node.start <= offset < node.end
        )
        self.cursor = next(inside, next(before, len(self.rows) - 1))

    def _lay_out(self) -> None:
        root = self.index.root()
        self.rows = list(self._walk(root)) if root.container != NONE else [root]
        self.move(self.cursor)

    def _walk(self, node: Node) -> Iterator[Node]:
        stack = [node]
        while stack:
            one = stack.pop()
            yield one
            if self.is_open(one) and one.depth < DEEPEST:
                stack.extend(reversed(self.index.children(one, self._open[one.container])))


def _pattern(query: str) -> re.Pattern[str]:
    """Return a pattern that finds a text in JSON, escaped or not, in either case."""
    ways = [
        json.dumps(one, ensure_ascii=escaped)[1:-1]
        for one in (query, query.lower(), query.upper())
        for escaped in (True, False)
    ]
    return re.compile("|".join(map(re.escape, dict.fromkeys(ways))), re.IGNORECASE)


def readable(piece: str) -> str:
    """Return a piece of a JSON string with escaped letters decoded."""
    return _ESCAPES.sub(_letters, piece) if "\\u" in piece else piece


def _letters(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    letters: str = json.loads(f'"{match[1]}"')
    # An invisible character may belong to its word, which can begin before the escapes.
    start, end = match.span()
    text = f"{match.string[max(0, start - 1) : start]}{letters}{match.string[end : end + 1]}"
    harmless = clean(text) == text and '"' not in letters and "\\" not in letters
    return letters if harmless else match[0]


def row_of(text: str, job_id: str) -> str | None:
    """Return the innermost object of a list that mentions an ID; None if there is none or the list is too long."""
    at = text.find(json.dumps(job_id))
    if at < 0 or len(text) > LONGEST_LIST:
        return None
    index = JsonIndex(text)
    while not index.step(len(text)):
        pass
    containers = index.ancestors_at(at)
    for outer, inner in pairwise(containers):
        if text[index.starts[outer]] == "[" and text[index.starts[inner]] == "{":
            return text[index.starts[inner] : index.ends[inner]]
    return None


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
