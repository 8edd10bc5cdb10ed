"""The lines that neither scroll nor take the focus."""

import pytest

from jobdeck.tui.widgets.static import Rule, Sentence
from tests.tui.drive import driven
from tests.tui.world import job


async def test_what_is_told_to_a_hidden_line_is_what_it_shows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is shown again hears nothing of its size now and then."""
    async with driven([job("op_a")]) as run:
        await run.shows("Errors & trace")
        rule = next(one for one in run.app.deck.query(Rule) if "Errors" in str(one.lines))
        monkeypatch.setattr(Sentence, "on_resize", lambda _: None)
        rule.display = False
        await run.until(lambda: not rule.size.width)
        rule.title("told while hidden")
        rule.display = True
        await run.shows("told while hidden")
