"""A pane that shows JSON as a tree with a cursor, below some lines of its own; a long text is read in pieces."""

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from jobdeck.domain import humanize
from jobdeck.tui.actions import Group, bindings
from jobdeck.tui.jsontree import NONE, JsonIndex, JsonTree
from jobdeck.tui.render.spans import Line, Role
from jobdeck.tui.render.tabs import tree_line
from jobdeck.tui.widgets.line_view import LineView

SLICE_SECONDS = 0.008
"""How long a text is read before keys are processed."""

SLICE_TOKENS = 5_000
AT_ONCE = 64_000
"""Characters of a text that are read without interruption: about 4 ms."""


class TreePane(LineView):
    """Lines that scroll, or a tree with a cursor if `json_tree` returns one."""

    class ValueOpened(Message):
        """A value should be shown in full."""

        def __init__(self, label: str, text: str) -> None:
            super().__init__()
            self.label = label
            self.text = text

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Group.MOVE),
        Binding("enter", "open_node", "open", show=False),
        Binding("space,right,left", "toggle_node", "open or close", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._index: JsonIndex | None = None
        self._read_tree: JsonTree | None = None
        self._tree_lines: tuple[int, Sequence[Line]] | None = None
        self._heads = 0

    @property
    def json_tree(self) -> JsonTree | None:
        """The tree, once it has been read."""
        return self._read_tree

    @property
    def selected_value(self) -> tuple[str, str] | None:
        """The name and text of the value under the cursor; None without a tree."""
        tree = self.json_tree
        return None if tree is None else (tree.label, tree.value())

    def draw(self) -> None:
        """Draw everything; subclasses provide the lines."""
        self.set_lines(())

    def forget_tree(self) -> None:
        """Drop the text and its tree."""
        self._index = self._read_tree = self._tree_lines = None

    def lines_of_tree(self, text: str, width: int, head: Sequence[Line]) -> Sequence[Line]:
        """Return `head` and the lines of a text as a tree, cached."""
        if self._index is None or (self._index.text is not text and self._index.text != text):
            self._index, self._read_tree, self._tree_lines = JsonIndex(text), None, None
            if len(text) <= AT_ONCE:
                self._index.step(AT_ONCE)
                self._read_tree = JsonTree(self._index)
            else:
                self.run_worker(self._read(self._index), name="tree", group="tree", exclusive=True)
        if self._read_tree is None:
            return [
                *head,
                (
                    (
                        f"reading {humanize.format_size(len(text))}: {humanize.format_percent(self._index.read)}",
                        Role.DIM,
                    ),
                ),
            ]
        if self._tree_lines is None or self._tree_lines[0] != width or self._heads != len(head):
            tree = self._read_tree
            self._heads = len(head)
            self._tree_lines = width, [*head, *(tree_line(tree, node, width) for node in tree.rows)]
        return self._tree_lines[1]

    async def search(self, query: str) -> bool:
        """Move the cursor to the next match of `query`; returns whether there is one."""
        tree = self.json_tree
        if tree is None:
            return False
        for found in tree.search(query):
            if found:
                self.redraw_tree()
                return True
            await asyncio.sleep(0)
        return False

    async def count(self, query: str) -> int:
        """Return the number of matches of `query`."""
        count = 0
        if self.json_tree is not None:
            for so_far in self.json_tree.count(query):
                count = so_far
                await asyncio.sleep(0)
        return count

    def on_resize(self) -> None:
        """Lay out the lines for the new width."""
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the node under the pointer; a click on the current node opens or closes it."""
        tree, offset = self.json_tree, event.get_content_offset(self)
        if tree is None or offset is None:
            return
        row = self.scroll_offset.y + offset.y - self._heads
        if 0 <= row < len(tree.rows):
            again = row == tree.cursor
            tree.move(row)
            if again:
                self.action_open_node()
            self.redraw_tree()

    def line_background(self, line: int) -> Role | None:
        """Return the background role of a line: the current node is highlighted while the pane has the focus."""
        tree = self.json_tree
        here = tree is not None and self.has_focus and line == tree.cursor + self._heads
        return Role.CURSOR if here else None

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the cursor only while the pane has the focus."""
        super().watch_has_focus(has_focus)
        if self.json_tree is not None:
            self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let the keys of a node through while there is no tree."""
        return action not in {"toggle_node", "open_node"} or self.json_tree is not None

    def action_open_node(self) -> None:
        """Open or close the node under the cursor, or show its value in full."""
        tree = self.json_tree
        if tree is None or not tree.rows:
            return
        if tree.rows[tree.cursor].container == NONE:
            self.post_message(self.ValueOpened(tree.label, tree.value()))
        else:
            self.action_toggle_node()

    def action_toggle_node(self) -> None:
        """Open or close the node under the cursor."""
        if self.json_tree is not None:
            self.json_tree.toggle()
            self.redraw_tree()

    def move_by(self, lines: int) -> None:
        """Move down, or up if negative, by nodes or lines."""
        if not self._move(lines):
            super().move_by(lines)

    def action_first(self) -> None:
        """Go to the first node or line."""
        if not self._move(-len(self.lines)):
            super().action_first()

    def action_last(self) -> None:
        """Go to the last node or line."""
        if not self._move(len(self.lines)):
            super().action_last()

    def _move(self, by: int) -> bool:
        tree = self.json_tree
        if tree is None:
            return False
        tree.move(tree.cursor + by)
        self._reveal(tree)
        self.refresh()
        return True

    def redraw_tree(self) -> None:
        """Redraw the tree after a change, with the cursor in view."""
        self._tree_lines = None
        self.draw()
        if self._read_tree is not None:
            self._reveal(self._read_tree)
        self.refresh()

    def _reveal(self, tree: JsonTree) -> None:
        line = tree.cursor + self._heads
        top = min(max(self.scroll_offset.y, line - self.page + 1), line if tree.cursor else 0)
        self.scroll_to(y=max(0, top), animate=False, immediate=True)

    async def _read(self, index: JsonIndex) -> None:
        """Read a long text in slices, so that no key has to wait."""
        until = time.perf_counter() + SLICE_SECONDS
        while not index.step(SLICE_TOKENS):
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + SLICE_SECONDS
            if index is not self._index:
                return
        self._read_tree = JsonTree(index)
        self.draw()
