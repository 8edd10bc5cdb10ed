"""What the keys of the panes do: go from one to another, into a job and back, and zoom. A part of the deck."""

from textual.widget import Widget

from jobdeck.tui.screens.page_keys import PageKeys
from jobdeck.tui.widgets.line_view import LineView
from jobdeck.tui.widgets.trace import Trace


class PaneKeys(PageKeys):
    """Moving between the list, the selected job and its trace."""

    _trace: Trace
    _zoomed: LineView | None = None

    def on_resize(self) -> None:
        """Take the keys from a pane for which there is no room any more."""
        self.call_after_refresh(self._keep_in_sight)

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self._step(1)

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self._step(-1)

    def action_open(self) -> None:
        """Go from the list into the job, and from the job to its trace; alone where there is no room for two."""
        pane: LineView = self._detail if self._focused_pane is self._jobs else self._trace
        if self._zoomed is not None or not _on_screen(pane):
            self._zoom(pane)
        self._focus(pane)

    def action_back(self) -> None:
        """Go back to the list, and let every pane have its place again; from the list, show every job again."""
        if self._zoomed is None and self.focused is self._jobs and self._triage.narrowed:
            self._clear_filter()
        self._zoom(None)
        self._focus(self._jobs)

    def action_zoom(self) -> None:
        """Give the whole screen to the pane of the keys, and take it back."""
        self._zoom(None if self._zoomed is not None else self._focused_pane)
        self.call_after_refresh(self._keep_in_sight)

    def action_filter(self) -> None:
        """Ask for a filter where it can be seen: a pane that is alone on the screen gives way to the list."""
        if self._zoomed is not self._jobs and not self._searches:
            self._zoom(None)
        super().action_filter()

    @property
    def _focused_pane(self) -> LineView:
        return self.focused if isinstance(self.focused, LineView) else self._jobs

    def _keep_in_sight(self) -> None:
        if not _on_screen(self._focused_pane):
            self._focus(self._jobs)

    def _step(self, by: int) -> None:
        panes: list[LineView] = [self._jobs, self._detail, self._trace]
        if self._zoomed is None:
            panes = [pane for pane in panes if _on_screen(pane)]
        at = panes.index(self._focused_pane) if self._focused_pane in panes else 0
        pane = panes[(at + by) % len(panes)]
        if self._zoomed is not None:
            self._zoom(pane)
        self._focus(pane)

    def _zoom(self, pane: LineView | None) -> None:
        self._zoomed = pane
        for one in (self._jobs, self._detail, self._trace):
            self.set_class(one is pane, f"-zoom-{one.id}")

    def _focus(self, pane: LineView) -> None:
        # A pane that a zoom has just brought back can take the focus only after the next layout.
        if _on_screen(pane):
            self.set_focus(pane)
        else:
            self.call_after_refresh(self.set_focus, pane)


def _on_screen(pane: LineView) -> bool:
    return all(node.display for node in pane.ancestors_with_self if isinstance(node, Widget))
