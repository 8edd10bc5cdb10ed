"""The list under its filter and its headings."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size

from jobdeck.tui.widgets.filter_bar import FilterBar
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.static import Heading


class JobPane(Vertical):
    """Keeps the headings over their columns."""

    def __init__(self, jobs: JobList, filter_bar: FilterBar | None = None) -> None:
        super().__init__()
        self._jobs = jobs
        self._filter_bar = filter_bar
        self._heading = Heading()
        jobs.stand_under(self._above)

    def compose(self) -> ComposeResult:
        """Put the filter and the headings over the list."""
        if self._filter_bar is not None:
            yield self._filter_bar
        yield self._heading
        yield self._jobs

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height that shows every row: the pane's where a style sheet says `auto`."""
        return self._jobs.wanted_height + self._above()

    def on_job_list_resized(self, message: JobList.Resized) -> None:
        """Lay out the headings as the columns are."""
        self._heading.show(message.columns, message.order)

    def on_filter_bar_visibility_changed(self, message: FilterBar.VisibilityChanged) -> None:
        """Measure the list anew, which Textual remembers the height of: its last row stayed away otherwise."""
        message.stop()
        self._jobs.refresh(layout=True)

    def _above(self) -> int:
        return 1 + int(self._filter_bar is not None and self._filter_bar.display)
