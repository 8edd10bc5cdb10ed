"""The saved views: a digit shows one, `s` saves the current one."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from jobdeck.domain.text import mask_keys
from jobdeck.tui.cell_text import pad, truncate
from jobdeck.tui.render.spans import Keys, Line, Role, truncate_line
from jobdeck.tui.screens.dialogs import Dialog
from jobdeck.tui.views import LONGEST_NAME, MOST, View
from jobdeck.tui.widgets.list_pane import ListPane
from jobdeck.tui.widgets.static import LinesWidget

NAME_CELLS = 20


class ViewsScreen(Dialog[None]):
    """Lists the saved views; a digit shows one of them."""

    SUBJECT = "Views"
    KEYS = (("1–9", "show"), ("s", "save this view"), ("x 1–9", "remove"), ("u", "undo"), ("esc", "back"))
    TEXT_KEYS: ClassVar[str] = "s"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"digit({number})", show=False) for number in range(1, MOST + 1)),
        ("s", "save", "save this view"),
        ("x", "remove", "remove"),
        ("u", "undo", "undo"),
        ("q,v", "leave", "back"),
    ]

    def __init__(self, pane: ListPane, undo: Callable[[], object]) -> None:
        """List the views of `pane`; `undo` undoes the latest change."""
        super().__init__()
        self._pane = pane
        self._undo = undo
        self._removed = 0  # the number of removed views that undo restores
        self._removing = False
        self._input = Input(compact=True, max_length=LONGEST_NAME, placeholder="name of the view", id="view-name")
        self._input.cursor_blink = False
        self._input.display = False

    def compose(self) -> ComposeResult:
        """Lay out the views and the keys."""
        with Vertical(classes="dialog"):
            yield LinesWidget(lambda _: (((" Views", Role.STRONG),),))
            yield LinesWidget(self._lines, id="views")
            yield self._input
            yield self.key_line

    @property
    def keys(self) -> Keys:
        """The keys for the current step: typing a name, removing a view, or showing a view."""
        count = len(self._pane.views)
        numbers = "1" if count == 1 else f"1–{count}"
        if self._input.display:
            return ("enter", "save"), ("esc", "cancel")
        if self._removing:
            return (numbers, "remove"), ("esc", "cancel")
        there = {"1–9": count > 0, "x 1–9": count > 0, "u": self._removed > 0}
        words = {"1–9": (numbers, "show"), "x 1–9": ("x", "remove")}
        return tuple(words.get(key, (key, label)) for key, label in self.KEYS if there.get(key, True))

    @property
    def help_key(self) -> str:
        """The key of the help: `f1` where a question mark is text."""
        return "f1" if self._input.display else "?"

    def action_digit(self, number: int) -> None:
        """Show a view, or, after `x`, remove it."""
        views = self._pane.views
        if number > len(views):
            self.notify(f"no view {number}", markup=False)
        elif self._removing:
            self._removing = False
            self._pane.remove_view(number)
            self._removed += 1
            self.notify(f"view {views[number - 1].name} removed (u to undo)", markup=False)
            self._draw()
        else:
            self._pane.show_view(views[number - 1])
            self.dismiss(None)

    def action_remove(self) -> None:
        """Let the next digit remove a view."""
        self._removing = not self._removing and bool(self._pane.views)
        self._draw()

    def action_undo(self) -> None:
        """Restore the view that was removed last."""
        if self._removed:
            self._removed -= 1
            self._undo()
            self._draw()

    def action_save(self) -> None:
        """Ask for the name of the current view."""
        self._removing = False
        self._input.display = True
        self.set_focus(self._input)
        self._draw()

    def action_leave(self) -> None:
        """Cancel the name or the removal, or else close."""
        if self._input.display:
            self._hide_input()
        elif self._removing:
            self._removing = False
            self._draw()
        else:
            self.dismiss(None)

    @on(Input.Submitted, "#view-name")
    def name_submitted(self, event: Input.Submitted) -> None:
        """Save the current view; an existing view of that name is replaced."""
        name = event.value.strip()
        self._hide_input()
        if not name:
            return
        view = self._pane.current_view(name)
        views = [view if one.name == name else one for one in self._pane.views]
        if view not in views:
            views.append(view)
        if len(views) > MOST:
            self.notify(f"at most {MOST} views: remove one first (x)", severity="warning", markup=False)
        elif mask_keys(view.filter) != view.filter:
            self.notify("not saved: the filter looks like an API key", severity="warning", markup=False)
        else:
            self._pane.save_views(views)
            self._draw()

    def _hide_input(self) -> None:
        self._input.display = False
        self._input.value = ""
        self.set_focus(None)
        self._draw()

    def _draw(self) -> None:
        self.query_one("#views", LinesWidget).show_lines(self._lines)
        self.draw_keys()

    def _lines(self, width: int) -> Sequence[Line]:
        views = self._pane.views
        if not views:
            text = " No views yet. Press s to save the current filter and sort order."
            return ((), truncate_line(((text, Role.DIM),), width), ())
        asked = (((" Remove which view? 1–9", Role.WARN),),) if self._removing else ()
        return ((), *(truncate_line(_line(number, view), width) for number, view in enumerate(views, 1)), *asked, ())


def _line(number: int, view: View) -> Line:
    problems = "problems only  " if view.problems else ""
    order = f"  by {view.sorting.label}"
    text = f"{problems}{truncate(view.filter, 60)}{order}"
    return ((f" {number}  ", Role.KEY), (pad(view.name, NAME_CELLS), Role.TEXT), (f"  {text}", Role.DIM))
