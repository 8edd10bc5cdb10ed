"""The screen on a recording: the keys that move through time, and those that do nothing and say why."""

import gzip
from pathlib import Path

import pytest

from jobdeck.recording.replay import ReplayEngine
from jobdeck.tui.render.spans import plain
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.playback_bar import PlaybackBar, playback_cells
from tests.recording.making import lines_of
from tests.tui.drive import Driven, toasts
from tests.tui.recorded import FAILS, LENGTH, entries, replaying, request_id


async def test_keys_go_through_the_recording_and_back(tmp_path: Path) -> None:
    async with replaying(tmp_path, playing=False) as (run, replay):
        await run.shows("REPLAY 20:26:40Z ×1 ▮▮")
        await run.shows("No jobs were watched at this time.")
        await run.press("full_stop")
        await run.shows("REPLAY 20:26:41Z")
        await run.shows("op_goes_on")
        assert "wait" in run.text or "new" in run.text
        await run.press("full_stop")
        await run.shows("REPLAY 20:26:50Z")
        await run.shows(" 10%")
        await run.press("at", *"60%", "enter")
        await run.shows("REPLAY 20:27:40Z")
        await run.shows("✗ failed")
        await run.shows("UPSTREAM_TIMEOUT")
        await run.shows("30/60")
        assert "? unreach" in run.text
        await run.press("comma")
        await run.shows("REPLAY 20:27:30Z")
        await run.until(lambda: "✗ failed" not in run.text)
        assert "25/60" in run.text
        await run.press("comma", "comma", "full_stop")
        await run.shows("REPLAY 20:27:20Z")
        await run.press("at", "0", "enter")
        await run.shows("No jobs were watched at this time.")
        await run.press("comma")
        assert replay.position == 0.0
        await run.press(*["plus"] * 9)
        await run.shows("×240 ▮▮")
        await run.press(*["minus"] * 2)
        await run.shows("×16 ▮▮")
        await run.press(*["plus"] * 2, "p")
        await run.shows("×240 ■ end")
        await run.shows("p play again")
        assert (replay.position, replay.playing) == (LENGTH, False)
        await run.press("full_stop")
        await run.shows("REPLAY 20:28:20Z ×240 ■ end")
        await run.press("p")
        await run.until(lambda: replay.position < LENGTH or replay.finished)
        await run.press("p", "q")


async def test_what_changes_something_says_why_not_and_what_reads_works(tmp_path: Path) -> None:
    async with replaying(tmp_path, playing=False, at=65.0, size=(160, 36)) as (run, _):
        await run.shows("✗ failed")
        for key in ("r", "R", "a", "d", "m", "w", "W"):
            run.app.clear_notifications()
            await run.press(key)
            assert toasts(run.app) == ["not available in replay"], key
        assert run.app.screen is run.app.deck
        run.app.clear_notifications()
        await run.press("p", "p")
        assert toasts(run.app) == []
        footer = run.text.splitlines()[-1]
        assert " p play  . step  , step back  @ go to  - slower  + faster" in footer
        assert " a add" not in footer
        await run.press("g", "y")
        assert run.clipboard.sent == [request_id(60, FAILS.key)]
        await run.press("c")
        assert run.clipboard.sent[1].startswith('curl -sS -H "X-Access-Key: $THE_HOG_ACCESS_KEY"')
        await run.press("Y")
        await run.until(lambda: run.app.screen is not run.app.deck)
        await run.shows("UPSTREAM_TIMEOUT")
        await run.press("y")
        await run.until(lambda: len(run.clipboard.sent) == 3)
        assert "20:27:40" in run.clipboard.sent[2]
        assert request_id(10, FAILS.key) in run.clipboard.sent[2]
        await run.press("right_square_bracket", "right_square_bracket")
        await run.shows('"progress": 60')
        await run.press("question_mark")
        await run.until(lambda: run.app.screen is not run.app.deck)
        await run.press(*"jump to a")
        await run.shows("@  go to: jump to a time: 14:02, 14:02:30, +5m, -30s, 50%")
        assert "tenths" not in run.text
        assert "stop watching it" not in run.text


async def test_a_moment_can_be_named(tmp_path: Path) -> None:
    async with replaying(tmp_path, playing=False, size=(100, 24)) as (run, replay):
        for typed, place, shown in [
            ("20:27", 20.0, "20:27:00Z"),
            ("+30s", 50.0, "20:27:30Z"),
            ("-10s", 40.0, "20:27:20Z"),
            ("50%", 50.0, "20:27:30Z"),
            ("20:26:45", 5.0, "20:26:45Z"),
        ]:
            await run.press("at")
            await run.shows("14:02, 14:02:30, +5m, -30s, 50%")
            await run.press(*typed)
            await run.shows(f"enter goes to {shown}")
            assert run.text.splitlines()[-1].startswith(" enter jump  esc cancel")
            await run.press("enter")
            await run.until(lambda: replay.position == place)  # noqa: B023 - awaited here
            await run.shows(f"REPLAY {shown}")
            assert "goes to" not in run.text
        await run.press("at", "9", "9", "m", "enter")
        await run.shows("the recording covers 20:26:40Z to 20:28:20Z")
        await run.press("backspace", "backspace", "backspace", "p", "enter")
        await run.shows("not a time such as 14:02")
        assert (replay.position, replay.playing) == (5.0, False)
        await run.press("escape")
        await run.until(lambda: "not a time" not in run.text)
        await run.press("at")
        await run.shows("14:02:30, +5m")
        await run.press("tab")
        await run.until(lambda: "14:02:30, +5m" not in run.text)


async def test_a_recording_that_breaks_off_or_is_damaged_says_so_on_the_screen(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"{line}\n" for line in lines_of(entries())).encode())
    for data, words, sign in [
        (whole, "the recording is incomplete", "×1 ■ incomplete"),
        (whole[:-8] + bytes(8), "the recording is damaged", "×1 ■ incomplete damaged"),
    ]:
        (tmp_path / "one.jobdeck").write_bytes(data)
        async with replaying(tmp_path, playing=False, at=LENGTH) as (run, _):
            await run.shows(f"REPLAY 20:28:10Z {sign}")
            assert any(words in toast for toast in toasts(run.app))


async def played_to(run: Driven, replay: ReplayEngine, moment: float) -> str:
    """The screen at rest when it was played to a moment, with the signs of one that somebody stopped there."""
    replay.length = moment
    await run.press("p")
    await run.until(lambda: replay.position == moment and not replay.playing)
    replay.length = LENGTH
    await run.press("minus", "plus")
    return await run.still()


async def test_a_moment_is_the_same_screen_after_playing_stepping_and_seeking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReplayEngine, "PACE", 0.001)
    for moment, begin in ((47.3, 0.0), (95.5, 80.0)):
        frames: list[str] = []
        async with replaying(tmp_path, playing=False, at=moment, size=(160, 36)) as (run, replay):
            await run.until(lambda: run.app.deck.deck_state.table.total > 0)
            frames.append(await run.still())
            await run.press("at", *"90%", "enter", "comma", "comma", "at", "0", "enter")
            replay.seek(moment)
            await run.until(lambda: replay.position == moment)  # noqa: B023 - awaited here
            frames.append(await run.still())
        async with replaying(tmp_path, playing=False, at=begin, size=(160, 36)) as (run, replay):
            frames.append(await played_to(run, replay, moment))
        assert len(set(frames)) == 1, "\n\n".join(frames)


async def test_the_same_moment_is_the_same_screen_however_one_came_there(tmp_path: Path) -> None:
    frames: list[str] = []
    async with replaying(tmp_path, playing=False, at=50.0) as (run, replay):
        await run.shows("REPLAY 20:27:30Z")
        frames.append(await run.still())
        for way in (["90%", "50%"], ["0", "50%"], ["80%", "50%"]):
            for place in way:
                await run.press("at", *place, "enter", "comma", "full_stop")
            await run.shows("REPLAY 20:27:30Z")
            await run.until(lambda: replay.position == 50.0)
            frames.append(await run.still())
    async with replaying(tmp_path, playing=False, at=50.0) as (run, _):
        await run.shows("REPLAY 20:27:30Z")
        frames.append(await run.still())
    assert len(set(frames)) == 1, "\n\n".join(frames)


async def test_the_bar_shows_where_jobs_failed_and_a_click_on_it_leads_there(tmp_path: Path) -> None:
    async with replaying(tmp_path, playing=False, size=(120, 36)) as (run, replay):
        assert list(replay.failures) == [60.0]
        bar = run.app.screen.query_one(PlaybackBar)
        await run.until(lambda: bool(bar.lines))
        (line,) = bar.lines
        assert plain(line).startswith(" 20:26:40Z ●───")
        assert plain(line).endswith("─── 20:28:20Z ")
        first, cells = len(" 20:26:40Z "), 120 - 22
        failed = plain(line).index("✗")
        assert failed == first + round(0.6 * (cells - 1))
        await run.pilot.hover(PlaybackBar, offset=(failed, 0))
        await run.until(lambda: plain(bar.lines[0]).endswith("─→20:27:40Z "))
        await run.pilot.hover(JobList)
        await run.until(lambda: plain(bar.lines[0]).endswith("20:28:20Z "))
        await run.pilot.hover(PlaybackBar, offset=(failed, 0))
        await run.until(lambda: "→" in plain(bar.lines[0]))
        await run.pilot.click(PlaybackBar, offset=(failed, 0))
        await run.until(lambda: plain(bar.lines[0]).endswith("─ 20:28:20Z "))
        await run.shows("UPSTREAM_TIMEOUT")
        assert replay.position == pytest.approx(60, abs=1)
        assert plain(bar.lines[0]).count("━") == failed - first


@pytest.mark.parametrize(
    ("position", "drawn"), [(0.0, "●──✗──────"), (50.0, "━━━✗●─────"), (33.0, "━━━●──────"), (100.0, "━━━✗━━━━━●")]
)
def test_a_bar_has_its_cells(position: float, drawn: str) -> None:
    assert plain(playback_cells(10, position, 100.0, [33.0])) == drawn
    assert plain(playback_cells(4, 0.0, 0.0, [])) == "━━━●"
