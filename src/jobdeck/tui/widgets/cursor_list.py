"""A list with a cursor, for dialogs; of any number of entries, only the lines in view are made."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar, overload

from textual import events
from textual.message import Message

from jobdeck.tui.render.spans import Line, Role, truncate_line
from jobdeck.tui.widgets.line_view import LineView

EntryT = TypeVar("EntryT")


class LazyLines(Sequence[Line], Generic[EntryT]):
    """The lines of entries, each made on first access."""

    def __init__(self, entries: Sequence[EntryT], make: Callable[[EntryT], Line]) -> None:
        self._entries = entries
        self._make = make
        self._made: dict[int, Line] = {}

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Line: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...

    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        """Return one line, or a slice."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        line = self._made.get(index)
        if line is None:
            line = self._made[index] = self._make(self._entries[index])
        return line


class CursorList(LineView, Generic[EntryT]):
    """A list of entries, a line each, whose cursor stays with its entry, and on its line of the screen, as others come.

    `draw` makes the line of an entry for a width; `key` returns its identity, or None for a heading, which the cursor
    skips. `cursor` is the key of the initial entry; without it, the cursor is on the first entry until the user moves
    it.
    """

    class Moved(Message):
        """The cursor moved to another entry."""

    class Chosen(Message):
        """The entry under the cursor was double-clicked."""

    def __init__(
        self,
        draw: Callable[[EntryT, int], Line],
        key: Callable[[EntryT], Hashable | None],
        *,
        id: str,
        cursor: Hashable | None = None,
    ) -> None:
        super().__init__(id=id)
        self._draw_entry = draw
        self._key_of = key
        self._entries: Sequence[EntryT] = ()
        self._index = 0
        self._cursor = cursor
        self._user_moved = cursor is not None

    @property
    def entries(self) -> Sequence[EntryT]:
        """The entries shown."""
        return self._entries

    @property
    def cursor(self) -> Hashable | None:
        """The key of the entry under the cursor, or None."""
        return self._cursor

    @property
    def selected(self) -> EntryT | None:
        """The entry under the cursor, or None."""
        return self._entries[self._index] if self._cursor is not None and self._entries else None

    def show(self, entries: Sequence[EntryT]) -> None:
        """Show entries; the cursor stays with its entry, or else on its line."""
        in_view = 0 <= self._index - self.scroll_offset.y < self.page
        before = self._index
        self._entries = entries
        self._index = self._find() if self._user_moved else self._nearest(0, 1)
        self._take_key()
        self._lay_out()
        if in_view:
            if self._index != before:
                self._scroll(self.scroll_offset.y + self._index - before)
            self._reveal()

    def go_to(self, key: Hashable) -> None:
        """Move the cursor to the entry with a key, if there is one; the entry may be shown later."""
        self._cursor = key
        self._go(self._find(), 1)

    def line_background(self, line: int) -> Role | None:
        """Return the background role of a line."""
        return Role.CURSOR if line == self._index and self._cursor is not None else None

    def on_resize(self) -> None:
        """Lay out the lines for the new width."""
        self._lay_out()
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the entry under the pointer; a double click chooses it."""
        offset = event.get_content_offset(self)
        line = self.scroll_offset.y + offset.y if offset is not None else len(self._entries)
        if line < len(self._entries) and self._key_of(self._entries[line]) is not None:
            self._go(line, 1)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def move_by(self, lines: int) -> None:
        """Move the cursor down, or up if negative."""
        self._go(self._index + lines, 1 if lines > 0 else -1)

    def action_first(self) -> None:
        """Move to the first entry."""
        self._go(0, 1)

    def action_last(self) -> None:
        """Move to the last entry."""
        self._go(len(self._entries) - 1, -1)

    def _go(self, index: int, step: int) -> None:
        """Move the cursor to an entry; from a heading, to the next entry in the direction of `step`."""
        self._user_moved = True
        self._index = self._nearest(index, step)
        self._take_key()
        self._reveal()
        self.refresh()

    def _find(self) -> int:
        """Return the index of the entry under the cursor, or else of the entry now in its place."""
        if self._cursor is not None:
            same = (place for place, entry in enumerate(self._entries) if self._key_of(entry) == self._cursor)
            stays = self._index < len(self._entries) and self._key_of(self._entries[self._index]) == self._cursor
            found = self._index if stays else next(same, None)
            if found is not None:
                return found
        return self._nearest(self._index, 1)

    def _nearest(self, index: int, step: int) -> int:
        last = len(self._entries) - 1
        if last < 0:
            return 0
        index = max(0, min(index, last))
        after = range(index, last + 1) if step > 0 else range(index, -1, -1)
        before = range(index, -1, -1) if step > 0 else range(index, last + 1)
        places = (place for way in (after, before) for place in way if self._key_of(self._entries[place]) is not None)
        return next(places, 0)

    def _take_key(self) -> None:
        key = self._key_of(self._entries[self._index]) if self._entries else None
        # Before the first entries arrive, the initial cursor is kept.
        if self._entries and key != self._cursor:
            self._cursor = key
            self.post_message(self.Moved())

    def _lay_out(self) -> None:
        width = self.line_width
        if width < 1:
            return
        count = len(self.lines)
        draw = self._draw_entry
        self.set_lines(LazyLines(self._entries, lambda entry: truncate_line(draw(entry, width), width)))
        if len(self._entries) != count:
            self.refresh(layout=True)

    def _reveal(self) -> None:
        """Scroll as little as possible to show the cursor and the headings above it."""
        first = self._index
        while first > 0 and self._key_of(self._entries[first - 1]) is None:
            first -= 1
        lowest = self._index - self.page + 1
        self._scroll(min(max(self.scroll_offset.y, lowest), max(first, lowest)))

    def _scroll(self, y: int) -> None:
        if self.line_width:
            self.scroll_to(y=max(0, y), animate=False, immediate=True)
