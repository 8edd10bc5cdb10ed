"""The dialog for adding targets, which shows what was recognized before anything is added."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import TextArea

from jobdeck.app.session import Parsed, RejectedTarget
from jobdeck.domain import humanize
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.text import clean, one_line
from jobdeck.tui.cell_text import elide_middle
from jobdeck.tui.render.spans import Keys, Line, Role, truncate_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.widgets.static import LinesWidget

PARSE_AFTER = 0.1
"""Seconds without a change before the text is parsed again, so that typing in a long paste stays fluent."""

REFUSALS_SHOWN = 5
PLACEHOLDER = """\
op_01…
hog:op_01…
https://…/api/operations/op_01…
/v1/accounts/…/prospecting/…
or 202 response bodies (JSON)"""


class ParsePreview(LinesWidget):
    """The jobs that would be added, and the rejected texts with reasons."""


class AddHint(LinesWidget):
    """The keys of the dialog; a click is the same as ctrl+s."""

    class Pressed(Message):
        """The line was clicked."""

    def on_click(self, event: events.Click) -> None:
        """Add, as ctrl+s does."""
        event.stop()
        self.post_message(self.Pressed())


class AddScreen(Dialog[None]):
    """Asks for targets, and stays open until `add` accepts the recognized ones."""

    SUBJECT = "Add"
    KEYS = (
        ("ctrl+s", "add the valid ones"),
        ("enter", "next line"),
        ("esc", "back, keeping the text"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+s", "add", "add")]

    def __init__(
        self,
        parse: Callable[[str], Parsed],
        known: Callable[[JobKey], bool],
        add: Callable[[Sequence[Target]], bool],
        keep: Callable[[str], object] = lambda _: None,
        text: str = "",
    ) -> None:
        """Create the dialog with pasted `text`; `keep` gets the text that is left on closing."""
        super().__init__()
        self._keep = keep
        self._text = text
        self._add = add
        self._parse = parse
        self._known = known
        self._parsed = Parsed()
        self._timer: Timer | None = None
        self.key_line = AddHint(self._key_lines, id="key-line")

    @property
    def keys(self) -> Keys:
        """The keys, with the number of jobs that would be added."""
        count = len(self._parsed.targets)
        add = f"add {humanize.pluralize(count, 'job')}" if count else "add"
        return ("ctrl+s", add), ("enter", "next line"), ("esc", "back")

    def _key_lines(self, width: int) -> Sequence[Line]:
        """Return the line of keys, highlighting ctrl+s if there is something to add."""
        ((key, (label, role), *rest),) = super()._key_lines(width)
        strong = self._parsed.targets and key[0].strip() == "ctrl+s"
        return ((key, (label, Role.STRONG if strong else role), *rest),)

    @property
    def help_key(self) -> str:
        """The key of the help: a question mark is text here."""
        return "f1"

    def compose(self) -> ComposeResult:
        """Lay out heading, text, preview and keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(_heading)
            text = TextArea(self._text, placeholder=PLACEHOLDER, soft_wrap=False, show_line_numbers=False)
            text.cursor_blink = False
            yield text
            yield ParsePreview(lambda width: understood_lines(Parsed(), (), width))
            yield self.key_line

    def action_leave(self) -> None:
        """Close, keeping the text for the next time."""
        self._keep(self.query_one(TextArea).text)
        super().action_leave()

    def on_mount(self) -> None:
        """Parse the pasted text, and put the cursor behind it."""
        if self._text:
            text = self.query_one(TextArea)
            text.move_cursor(text.document.end)
            self._understand()

    def on_text_area_changed(self) -> None:
        """Parse the text after a pause in typing."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PARSE_AFTER, self._understand)

    def on_add_hint_pressed(self) -> None:
        """Add."""
        self.action_add()

    def action_add(self) -> None:
        """Add the jobs in the current text and close; stay open if there are none or they are not accepted."""
        self._understand()
        if self._parsed.targets:
            if self._add(self._parsed.targets):
                self._keep("")
                self.dismiss(None)
        else:
            self.notify("No valid IDs found: nothing was added.", severity="warning", markup=False)

    def _understand(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        parsed = self._parsed = self._parse(self.query_one(TextArea).text)
        known = tuple(target.key for target in parsed.targets if self._known(target.key))
        self.query_one(ParsePreview).show_lines(lambda width: understood_lines(parsed, known, width))
        self.draw_keys()


def understood_lines(parsed: Parsed, known: Sequence[JobKey], width: int) -> Sequence[Line]:
    """Return the preview of a parsed text; `known` are its jobs that are watched already."""
    if not parsed.targets and not parsed.refused:
        return (((" No IDs yet.", Role.DIM),),)
    lines: list[Line] = []
    if parsed.targets:
        kinds: dict[tuple[str, str], int] = {}
        for target in parsed.targets:
            place = (target.key.profile, target.resource)
            kinds[place] = kinds.get(place, 0) + 1
        what = ", ".join(f"{count} {clean(profile)} {kind}" for (profile, kind), count in kinds.items())
        already = f", {len(known)} already watched" if known else ""
        lines.append(
            ((f" ✓ {humanize.pluralize(len(parsed.targets), 'job')}", Role.DONE), (f": {what}{already}", Role.TEXT))
        )
        if len(parsed.targets) <= 2:
            lines.extend(((f"   {elide_middle(str(target.key), width - 4)}", Role.DIM),) for target in parsed.targets)
    if parsed.refused:
        lines.append(((f" ✗ {len(parsed.refused)} refused", Role.FAILED),))
        for refused in parsed.refused[:REFUSALS_SHOWN]:
            text = elide_middle(one_line(refused.text, 200), max(12, width // 3))
            lines.append(((f"   {text}  ", Role.TEXT), (_reason(refused), Role.DIM)))
        more = len(parsed.refused) - REFUSALS_SHOWN
        if more > 0:
            lines.append(((f"   … and {more} more", Role.DIM),))
    return tuple(truncate_line(line, width) for line in lines)


def _reason(refused: RejectedTarget) -> str:
    """Return the reason of a rejection without the text, which is shown before it."""
    named, colon, why = refused.reason.partition(": ")
    repeated = colon and refused.text.startswith(named.rstrip("…"))
    return one_line(why if repeated else refused.reason)


def _heading(width: int) -> Sequence[Line]:
    text = "  paste IDs, poll URLs or 202 responses"
    return (truncate_line(((" Add targets", Role.STRONG), (text, Role.DIM)), width),)
