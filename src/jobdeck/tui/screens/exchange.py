"""The dialog with one exchange: request, headers, changes, and the body as received."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from jobdeck.app.session import Session
from jobdeck.domain import humanize
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey
from jobdeck.tui.clipboard import ClipboardService, safe_text
from jobdeck.tui.copyable import Copyable, NothingToCopy, curl_of, id_of_exchange
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.jsontree import LONGEST_LIST, JsonTree
from jobdeck.tui.render.exchange import (
    body_heading,
    exchange_lines,
    exchange_title,
    is_json,
    missing_body,
    received_lines,
)
from jobdeck.tui.render.spans import Keys, Line, Role, truncate_line
from jobdeck.tui.render.trace import NOTHING, ExchangeNotes
from jobdeck.tui.screens.dialogs import Dialog, ValueScreen
from jobdeck.tui.widgets.static import LinesWidget
from jobdeck.tui.widgets.tree_pane import TreePane


class ExchangeView(TreePane):
    """Draws one exchange, and its body as a tree or as received."""

    def __init__(self, job_id: str, now: Instant, *, past: bool) -> None:
        super().__init__(id="exchange")
        self._job_id = job_id
        self._now = now
        self._past = past
        self._exchange: Exchange | None = None
        self._content: ExchangeContent | None = None
        self._notes: ExchangeNotes = NOTHING
        self._text = ""
        self._raw = False
        self._seeks_row = False

    @property
    def json_tree(self) -> JsonTree | None:
        """The body as a tree, if it is JSON and shown as one."""
        return self._read_tree if self.is_tree else None

    @property
    def text(self) -> str:
        """The body as text; empty if there is none."""
        return self._text

    @property
    def is_json(self) -> bool:
        """Whether the body can be shown as a tree."""
        return is_json(self._text)

    @property
    def is_tree(self) -> bool:
        """Whether the body is shown as a tree."""
        return not self._raw and self.is_json

    def show(self, exchange: Exchange, content: ExchangeContent | None, notes: ExchangeNotes, now: Instant) -> None:
        """Draw an exchange from its first line."""
        self._exchange, self._content, self._notes, self._now = exchange, content, notes, now
        body = content.body if content is not None else None
        self._text = body.decode("utf-8", "replace") if body else ""
        # In a list response, the cursor starts at the row of the job.
        self._seeks_row = exchange.job is None and len(self._text) <= LONGEST_LIST
        self.forget_tree()
        self.scroll_to(y=0, animate=False, immediate=True)
        self.draw()
        self.refresh()

    def toggle_raw(self) -> bool:
        """Toggle between the body as received and the tree; false if it is not JSON."""
        if not self.is_json:
            return False
        self._raw = not self._raw
        self.scroll_to(y=0, animate=False, immediate=True)
        self.draw()
        self.refresh()
        return True

    def draw(self) -> None:
        """Draw the exchange."""
        width, exchange, content = self.line_width, self._exchange, self._content
        if exchange is None or width < 1:
            return
        head = exchange_lines(exchange, content, self._now, width, self._notes)
        if missing := missing_body(exchange, content, past=self._past):
            self.set_lines([*head, truncate_line(((missing, Role.DIM),), width)])
            return
        body = content.body if content is not None and content.body is not None else b""
        head.append(truncate_line(body_heading(exchange, body, raw=not self.is_tree), width))
        if self.is_tree:
            lines = self.lines_of_tree(self._text, width, head)
            if self._seeks_row and self._read_tree is not None:
                self._seeks_row = False
                if any(self._read_tree.search(self._job_id)):
                    self.redraw_tree()
                    return
            self.set_lines(lines)
        else:
            self.set_lines([*head, *received_lines(self._text, width)])


class ExchangeScreen(Dialog[None]):
    """Shows an exchange of a job; `[` and `]` step to older and newer ones."""

    SUBJECT = "Exchange"
    KEYS = (
        ("y", "copy value"), ("Y", "copy body"), ("c", "curl"), ("[ ]", "older/newer"), ("enter", "open"),
        ("v", "raw"), ("esc", "back"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "copy_value", "copy value"),
        ("Y", "copy_body", "copy body"),
        ("c", "copy_curl", "copy as curl"),
        ("v", "toggle_raw", "tree or as received"),
        Binding("left_square_bracket", "older", "older"),
        Binding("right_square_bracket", "newer", "newer"),
        ("q", "leave", "back"),
    ]
    AUTO_FOCUS = "ExchangeView"

    def __init__(
        self,
        state: DeckState,
        key: JobKey,
        exchange: Exchange,
        session: Session,
        clipboard: ClipboardService,
    ) -> None:
        super().__init__()
        self._state = state
        self._key = key
        self._exchange = exchange
        self._clock = session.clock
        self._clipboard = clipboard
        self._curl = session.curl
        self._view = ExchangeView(key.id, session.clock.now(), past=bool(state.replay))

    def compose(self) -> ComposeResult:
        """Lay out the request line, the exchange and the keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(self._title, id="exchange-title")
            yield self._view
            yield self.key_line

    def on_mount(self) -> None:
        """Show the exchange."""
        self._show(self._exchange)

    @property
    def keys(self) -> Keys:
        """The keys that are useful for this exchange."""
        view, exchange = self._view, self._exchange
        there = {
            "y": view.is_tree or exchange.support_id is not None,
            "Y": bool(view.text),
            "c": bool(exchange.url),
            "enter": view.is_tree,
            "v": view.is_json,
        }
        words = {"y": "copy value" if view.is_tree else "copy ID", "v": "raw" if view.is_tree else "tree"}
        return tuple((key, words.get(key, label)) for key, label in self.KEYS if there.get(key, True))

    @on(TreePane.ValueOpened)
    async def value_opened(self, message: TreePane.ValueOpened) -> None:
        """Show a value of the body in full."""
        message.stop()
        if self.is_current:
            await self.app.push_screen(ValueScreen(self._clipboard, message.label, message.text))

    def action_older(self) -> None:
        """Show the next older exchange."""
        self._step(1)

    def action_newer(self) -> None:
        """Show the next newer exchange."""
        self._step(-1)

    def action_toggle_raw(self) -> None:
        """Toggle between the body as received and the tree."""
        if self._view.toggle_raw():
            self.draw_keys()
        else:
            self.notify(
                "the body is not JSON: it is shown as received" if self._view.text else "no body to show", markup=False
            )

    def action_copy_value(self) -> None:
        """Send the value under the cursor to the clipboard, or, without a tree, the request ID."""
        value = self._view.selected_value
        if value is not None:
            label, text = value
            self._send(text, f"value of {label}" if label else "body")
        else:
            self._copy(id_of_exchange(self._exchange))

    def action_copy_body(self) -> None:
        """Send the body as received to the clipboard."""
        if self._view.text:
            self._send(self._view.text, f"body of the response at {humanize.format_time(self._exchange.started.us)}")
        else:
            self.notify("no body to copy", severity="warning", markup=False)

    def action_copy_curl(self) -> None:
        """Send the request to the clipboard as a curl command."""
        self._copy(curl_of(self._exchange, self._curl(self._exchange)))

    def _copy(self, found: Copyable | NothingToCopy) -> None:
        if isinstance(found, NothingToCopy):
            self.notify(found.reason, severity="warning", markup=False)
        else:
            self._send(found.text, found.what)

    def _send(self, text: str, what: str) -> None:
        self.run_worker(self._clipboard.send(safe_text(text), what), group="clipboard")

    def _step(self, by: int) -> None:
        exchanges = self._state.exchanges(self._key)
        at = next((place for place, one in enumerate(exchanges) if one.id == self._exchange.id), None)
        if at is None or not 0 <= at + by < len(exchanges):
            self.notify(
                "this is the oldest request" if by > 0 else "this is the newest request", timeout=2, markup=False
            )
        else:
            self._show(exchanges[at + by])

    def _show(self, exchange: Exchange) -> None:
        self._exchange = exchange
        notes = self._state.exchange_notes(self._key)
        self._view.show(exchange, self._state.content(exchange), notes, self._clock.now())
        self.query_one("#exchange-title", LinesWidget).show_lines(self._title)
        self.draw_keys()

    def _title(self, width: int) -> Sequence[Line]:
        return (exchange_title(self._exchange, self._clock.now(), width),)
