"""The list under its headings."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size

from jobdeck.tui.draw.row import heading_spans
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.static import Heading


class JobPane(Vertical):
    """Keeps the headings over their columns."""

    def __init__(self, jobs: JobList) -> None:
        super().__init__()
        self._jobs = jobs
        self._heading = Heading()

    def compose(self) -> ComposeResult:
        """Put the headings over the list."""
        yield self._heading
        yield self._jobs

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height that shows every row: the pane's where a style sheet says `auto`."""
        return self._jobs.wanted_height + 1

    def on_job_list_resized(self, message: JobList.Resized) -> None:
        """Lay out the headings as the columns are."""
        columns = message.columns
        self._heading.tell(lambda _: (heading_spans(columns),))
