"""The lines that neither scroll nor take the focus."""

import pytest

from jobdeck.tui.widgets.static import LinesWidget, Rule
from tests.tui.drive import driven
from tests.tui.world import job


async def test_what_is_told_to_a_hidden_line_is_what_it_shows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is shown again hears nothing of its size now and then."""
    async with driven([job("op_a")]) as run:
        await run.shows("Errors & trace")
        rule = Rule()  # one of which the app knows nothing, and which it gives no title of its own
        await run.app.screen.mount(rule)
        rule.title("told while shown")
        await run.until(lambda: rule.size.width)
        rule.render_line(0)
        monkeypatch.setattr(LinesWidget, "on_resize", lambda _: None)
        rule.display = False
        await run.until(lambda: not rule.size.width)
        rule.title("told while hidden")
        rule.display = True
        await run.until(lambda: rule.size.width)
        assert "told while hidden" in rule.render_line(0).text
