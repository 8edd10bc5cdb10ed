"""The export key: the jobs that the list shows, in their order, in a private file."""

import json
import sys
from pathlib import Path

import pytest

from jobdeck.app.session import ReadOnly
from jobdeck.domain.phase import Phase
from jobdeck.tui.job_table import JobTable
from tests.tui.drive import driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, deck_of_every_state, job


async def test_the_rows_that_are_shown_are_written_in_their_order_to_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with driven(deck_of_every_state(), size=(100, 30)) as run:
        await run.press("ctrl+s")
        await run.shows("Export 12 jobs")
        assert tmp_path.name[-20:] in run.text, "the folder is named"
        await run.press("escape", "f", "ctrl+s")
        table: JobTable = run.app.deck.deck_state.table
        shown = [key.id for key in table.keys(0, len(table))]
        assert 1 < len(shown) < 12
        await run.shows(f"Export {len(shown)} jobs of 12, as filtered")
        await run.press("j")
        await run.until(lambda: any("exported to" in text for text in toasts(run.app)))
        (file,) = tmp_path.glob("jobdeck-jobs-*.jsonl")
        assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == shown
        assert sys.platform == "win32" or file.stat().st_mode & 0o777 == 0o600
        for key, suffix in (("c", "csv"), ("m", "md")):
            await run.press("ctrl+s", key)
            await run.until(lambda: bool(list(tmp_path.glob(f"jobdeck-jobs-*.{suffix}"))))  # noqa: B023 - awaited here
        await run.press("escape", "slash", *"nothing like it", "enter", "ctrl+s")
        await run.until(lambda: "no matching jobs to export, esc clears the filter" in toasts(run.app))


async def test_what_cannot_be_written_is_said_and_looking_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setenv("HOME", str(gone))
    gone.mkdir()
    monkeypatch.chdir(gone)
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a", Phase.SUCCEEDED)]))
    session.access = ReadOnly("for looking only")
    async with driven(session=session) as run:
        gone.rmdir()
        await run.press("ctrl+s")
        await run.shows("Export 1 job")
        assert "gone" in run.text, "the home directory takes the place of one that is no more"
        await run.press("c")
        await run.until(lambda: any(text.startswith("not exported: cannot write") for text in toasts(run.app)))
