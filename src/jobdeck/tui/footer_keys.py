"""What the footer shows at the moment."""

from collections.abc import Mapping

from jobdeck.tui.actions import Mode, Pane
from jobdeck.tui.job_actions import JobActions
from jobdeck.tui.render.footer import FooterView
from jobdeck.tui.widgets.panes import Panes


def footer_view(panes: Panes, jobs: JobActions, labels: Mapping[str, str], mode: Mode) -> FooterView:
    """Return the state that determines the footer's keys; `labels` renames actions by state (pause, resume)."""
    marked, hidden = jobs.count_marked()
    pane = panes.focused
    absent: set[str] = set()
    if not panes.searches_result:
        absent |= {"next_match"} if pane is Pane.LIST else {"next_match", "filter"}
    if panes.detail.body is None:
        absent.add("save_body")
    return FooterView(
        pane=pane,
        labels={**labels, "mark_all": "clear"} if marked else labels,
        words={} if pane is Pane.LIST else {"filter": "search", "back": "list"},
        absent=frozenset(absent),
        mode=mode,
        marked=marked,
        hidden=hidden,
    )
