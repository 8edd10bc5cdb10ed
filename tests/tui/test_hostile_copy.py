"""What a server may say, on every screen from which something leaves, and in what leaves."""

from dataclasses import replace

import pytest

from jobdeck.domain.events import PhaseChanged
from jobdeck.domain.job import Job, JobError
from jobdeck.domain.phase import Phase
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.report.ticket import MAX_BYTES
from jobdeck.tui.screens.dialogs import CopiedTextScreen
from jobdeck.tui.screens.ticket import TicketScreen
from tests.tui.drive import driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.test_hostile import NASTY, assert_harmless, hostile_exchange, hostile_job
from tests.tui.world import NOON, clock_at_noon, exchange, job

CHOSEN = [NASTY[at] for at in (2, 4, 7, 9, 10, 12, 14, 15)]
"""One of each sort: every one costs a second."""


@pytest.mark.parametrize("text", CHOSEN, ids=lambda text: ascii(text)[:12])
async def test_hostile_words_in_tickets_traces_and_notices_do_nothing(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.tui.notifications.desktop_at_hand", lambda _: False)
    one = hostile_job(text)
    other = replace(one, target=job("op_b").target)
    moments = (TimelineEvent(NOON.us, TimelineEventKind.PHASE, text, None, "running", "failed", text),)
    good = replace(hostile_exchange(other, text), problem=None)
    engine = FakeEngine(
        clock_at_noon(), [one, other], [hostile_exchange(one, text), hostile_exchange(other, text), good]
    )
    engine.timelines = {one.key: moments, other.key: moments}
    async with driven(session=FakeSession(engine), size=(100, 40)) as run:
        written: list[str] = []
        run.app._driver.write = written.append  # type: ignore[union-attr, method-assign, assignment] - there is one
        await run.press("tab", "tab", "j", "c", "escape", "space", "space", "Y")
        await run.until(lambda: isinstance(run.app.screen, TicketScreen))
        assert_harmless(run)
        await run.press("G", "y")
        await run.until(lambda: run.app.screen is run.app.deck)
        await run.press("C")
        await run.until(lambda: isinstance(run.app.screen, CopiedTextScreen))
        assert_harmless(run)
        await run.press("escape", "W", "equals_sign", "escape")
        ended = PhaseChanged(NOON, other.key, Phase.RUNNING, Phase.FAILED, text, text)
        run.engine.put(replace(other, version=2), events=[ended])
        await run.until(lambda: any("\x1b]9;" in part for part in written))
        assert_harmless(run)
        notice = next(part for part in written if part.startswith("\x1b]9;"))
        assert notice.count("\x1b") == 1
        assert notice.count("\a") == 1
        for sent in run.clipboard.sent:
            assert "\x1b" not in sent
            assert "\u202e" not in sent
            sent.encode()
        assert all("\x1b" not in toast for toast in toasts(run.app))


async def test_a_curl_line_runs_nothing_but_curl() -> None:
    import shlex

    url = "https://developer.thehog.ai/api/operations/$(touch x)`id`'; rm -rf ~ #"
    async with driven([job("op_a")], [exchange("op_a", url=url)]) as run:
        await run.press("tab", "tab", "c")
        (sent,) = run.clipboard.sent
        assert shlex.split(sent) == ["curl", "-sS", "-H", "X-Access-Key: $THE_HOG_ACCESS_KEY", url]


async def test_a_ticket_of_many_jobs_is_made_and_scrolls() -> None:
    jobs: list[Job] = [job(f"op_{number:04}", Phase.FAILED, error=JobError("E", "m" * 200)) for number in range(200)]
    async with driven(jobs) as run:
        await run.press("M", "Y", "G")
        await run.shows("Ticket for 200 jobs")
        await run.press("y")
        await run.until(lambda: run.app.screen is run.app.deck)
        (sent,) = run.clipboard.sent
        assert all(f"- `op_{number:04}` `failed`" in sent for number in range(200))
        assert len(sent.encode()) <= MAX_BYTES
