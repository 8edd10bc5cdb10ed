"""The first line of the screen, and how far all jobs together are."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.scheduling.outlook import QuotaSnapshot
from jobdeck.tui.job_table import JobTable
from jobdeck.tui.overall_progress import OverallProgress, Progress
from jobdeck.tui.render.header import Overview, header_line, levels
from jobdeck.tui.render.spans import line_width, plain
from jobdeck.tui.render.state import DONE, FAILED, RUNNING, State
from tests.tui.world import NOON, ago, deck_of_every_state, job

NIGHT: Mapping[State, int] = {FAILED: 31, RUNNING: 139, DONE: 131}
PROGRESS = Progress(4.2, (360.0, 540.0), (1, 2, 5, 8, 5, 2, 1, 0))


def later(seconds: float) -> Instant:
    return Instant(NOON.us + round(seconds * 1e6), NOON.mono + seconds)


def overview(budgets: Mapping[str, QuotaSnapshot], **changes: object) -> Overview:
    made = Overview(tuple(budgets), NIGHT, budgets, False, NOON, progress=PROGRESS)
    return replace(made, **changes)  # type: ignore[arg-type] - any field of Overview


def text(width: int, budgets: Mapping[str, QuotaSnapshot], **changes: object) -> str:
    return plain(header_line(overview(budgets, **changes), width, strip_below=True))


def test_the_header_tells_how_far_all_jobs_are() -> None:
    hog = {"hog": QuotaSnapshot(600, 320)}
    assert "162/301 done   31 failed ▂▃▆█▆▃▂▁   4.2/min   ETA 6–9m" in text(140, hog)
    assert "hog ▰▰▰▰▱▱▱▱ 320/600   14:02:00Z" in text(140, hog)
    narrow = text(80, hog)
    assert "162/301   31 failed   4.2/min   6–9m" in narrow
    assert "320/600" in narrow
    assert "162/301" in text(40, hog)


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("strip_below", [True, False])
def test_the_header_keeps_to_its_width_and_says_that_polling_is_paused(width: int, strip_below: bool) -> None:
    model = JobTable()
    model.update(deck_of_every_state(), (), NOON)
    budgets = {"hog": QuotaSnapshot(60, 38), "sonarly": QuotaSnapshot(60, 12)}
    paused = Overview(("hog", "sonarly"), model.counts, budgets, True, NOON)
    line = header_line(paused, width, strip_below=strip_below)
    assert line_width(line) <= width
    if width >= 60:
        assert ("4/12" if strip_below else "✗1 !1 ?2 ◐1 ●3 ○1 ·1 ✓1 ⊘1") in plain(line)
        assert "PAUSED" in plain(line)


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_nothing_moves_in_the_header_for_what_comes_and_goes(width: int) -> None:
    budgets = {"hog": QuotaSnapshot(600, 320), "sonarly": QuotaSnapshot(600, 42)}
    still = text(width, budgets)
    for changes in ({"unfocused": True}, {"paused": True}):
        shown = text(width, budgets, **changes)
        end = len(still) - len(still.split("   ")[-1])
        assert shown[end:] == still[end:]
        assert shown.split("failed")[0] == still.split("failed")[0]
    assert "PAUSED" in text(width, budgets, paused=True)
    assert ("polling slower" in text(width, budgets, unfocused=True)) == (width == 200)


def test_each_quota_has_a_gauge_and_says_what_it_is_spent_on_where_there_is_room() -> None:
    spent = QuotaSnapshot(300, 38, pages=15, covered=57, alone=3)
    assert "quota hog ▰▱▱▱▱▱▱▱ 38/300 57 via list (4s), 3 individually" in text(200, {"hog": spent})
    both = {"hog": spent, "sonarly": QuotaSnapshot(60, 60)}
    assert "quota hog ▰▱▱▱▱▱▱▱ 38/300   sonarly ▰▰▰▰▰▰▰▰ 60/60" in text(180, both)
    assert "sonarly 60/60" in text(80, both)
    assert "hog" not in text(70, both)


def test_each_limit_is_told_for_the_time_that_the_server_gives_it_for() -> None:
    second = QuotaSnapshot(300, 40, alone=3, window=1.0, window_limit=5, window_used=2)
    hour = QuotaSnapshot(1.7, 1, alone=3, window=3_600.0, window_limit=100, window_used=12)
    assert "hog 2/5/s   sonarly 12/100/h" in text(120, {"hog": second, "sonarly": hour})
    assert "0.25" in text(110, {"hog": QuotaSnapshot(0.25, 0)})


def test_it_is_told_when_a_quota_is_whole_again_and_who_waits() -> None:
    assert "38/60 resets 14:02:11Z, 3 individually" in text(
        200, {"hog": QuotaSnapshot(60, 38, resets=NOON.mono + 11, alone=3)}
    )
    assert "resets" not in text(200, {"hog": QuotaSnapshot(60, 38, resets=NOON.mono - 1)})
    blocked = {"hog": QuotaSnapshot(60, 60, blocked_until=NOON.mono + 11, covered=57, alone=3)}
    assert "60/60 until 14:02:11Z 60 jobs waiting" in text(200, blocked)
    assert "60/60 until 14:02:11Z" in text(90, blocked)


def test_the_quota_outlasts_the_time_of_day() -> None:
    line = text(45, {"hog": QuotaSnapshot(600, 320)})
    assert "320/600" in line
    assert "14:02" not in line


def test_failures_over_time_are_columns() -> None:
    assert levels((0, 1, 4, 8)) == "▁▂▅█"
    assert levels((0, 0)) == "▁▁"


def running(id_: str, **changes: object) -> Job:
    return job(id_, Phase.RUNNING, **changes)


def ended(id_: str, seconds: float, phase: Phase = Phase.SUCCEEDED) -> Job:
    """Return a job that was first seen to have ended so long after noon."""
    return replace(job(id_, phase), ended=later(seconds), ended_us=None)


def test_a_rate_and_a_range_for_the_whole_come_from_the_ends_that_were_seen() -> None:
    progress = OverallProgress()
    progress.apply([running(f"op_{n}", eta=None) for n in range(20)], (), NOON)
    assert progress.at(NOON) == Progress()
    for n in range(9):
        progress.apply([ended(f"op_{n}", 10 * n, Phase.FAILED if n == 8 else Phase.SUCCEEDED)], (), later(10 * n))
    found = progress.at(later(90))
    assert found.per_minute == pytest.approx(6)
    assert found.eta is not None
    low, high = found.eta
    # Eleven are left, at six a minute give or take a third.
    assert (low, high) == (pytest.approx(110 / (4 / 3)), pytest.approx(110 / (2 / 3)))
    assert found.failures == (0, 0, 0, 0, 0, 0, 0, 1)
    assert progress.at(later(2_000)).per_minute == 0
    assert progress.at(later(2_000)).eta is None


def test_an_end_that_nobody_saw_and_no_server_dates_makes_no_rate() -> None:
    progress = OverallProgress()
    progress.apply([running("op_a"), *(ended(f"op_{n}", 0, Phase.FAILED) for n in range(9))], (), NOON)
    assert progress.at(later(60)).per_minute == 0
    assert progress.at(later(60)).failures == ()
    dated = [replace(ended(f"op_{n}", 0), ended_us=ago(60).us) for n in range(9)]
    progress.apply(dated, (), later(61))
    assert (progress.at(later(61)).per_minute or 0) > 1


def test_ends_from_before_we_watched_count_only_while_all_of_them_are_dated() -> None:
    progress = OverallProgress()
    dated = [replace(ended(f"op_{n}", 0), ended_us=ago(60).us) for n in range(12)]
    undated = ended("op_undated", 0)
    progress.apply([running("op_a"), *dated, undated], (), NOON)
    assert progress.at(later(60)).per_minute == 0, "some of the ends from before are not known"
    progress.apply([running("op_c")], (), later(60))
    progress.apply([ended("op_c", 60)], (), later(60))
    assert progress.at(later(60)).per_minute == pytest.approx(1)
    progress.apply((), [undated.key], later(60))
    assert progress.at(later(62)).per_minute == pytest.approx(13 * 60 / 122)


def test_few_ends_from_before_we_watched_make_no_rate() -> None:
    progress = OverallProgress()
    dated = [replace(ended(f"op_{n}", 0), ended_us=ago(60).us) for n in range(3)]
    progress.apply([running("op_a"), *dated], (), NOON)
    assert progress.at(later(60)).per_minute == 0


def test_the_whole_ends_with_the_last_of_those_that_move() -> None:
    progress = OverallProgress()
    first, last = running("op_a", eta=(10.0, 30.0)), running("op_b", eta=(100.0, 200.0))
    unreachable = running("op_c", failures=3, eta=None)
    progress.apply([first, last, unreachable], (), NOON)
    found = progress.at(NOON).eta
    assert found is not None
    assert last.observed is not None
    assert found == (pytest.approx(100 - NOON.since(last.observed)), pytest.approx(200 - NOON.since(last.observed)))
    progress.apply((), [first.key, last.key, unreachable.key], NOON)
    assert progress.at(NOON) == Progress()
