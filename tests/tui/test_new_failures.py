"""Jobs that fail while they are watched, and the key that leads to the newest of them."""

from dataclasses import replace

from jobdeck.domain.phase import Phase
from jobdeck.tui.new_failures import NewFailures, next_failure
from jobdeck.tui.widgets.job_list import JobList
from tests.tui.drive import driven, toasts
from tests.tui.test_list_keys import highlighted
from tests.tui.world import ago, job, key

RUNNING = [job(f"op_{n:02}", changed=ago(100 + n)) for n in range(40)]


def failed(id_: str, seconds: float = 15.0) -> object:
    return job(id_, Phase.FAILED, ended=ago(seconds), version=2)


def test_only_who_was_seen_unfinished_is_a_new_failure() -> None:
    news = NewFailures()
    news.apply([job("op_a"), job("op_b"), job("op_c", Phase.FAILED), job("op_d", observed=None)], ())
    assert len(news) == 0
    news.apply([job("op_a", Phase.FAILED), job("op_b", Phase.SUCCEEDED), job("op_d", Phase.FAILED)], ())
    assert len(news) == 1
    news.apply([job("op_a", Phase.FAILED, version=3)], ())
    assert len(news) == 1, "told again"
    news.mark_seen([key("op_b")])
    assert len(news) == 1
    news.mark_seen([key("op_a")])
    assert len(news) == 0


def test_the_newest_failure_comes_first_then_the_one_before() -> None:
    jobs = [job("op_a", Phase.FAILED, ended=ago(9)), job("op_b", Phase.FAILED, ended=ago(3)), job("op_c")]
    noted = job("op_d", Phase.FAILED, ended=ago(1), acknowledged=True)
    assert next_failure([*jobs, noted], key("op_c")) == key("op_b")
    assert next_failure([*jobs, noted], key("op_b")) == key("op_a")
    assert next_failure([*jobs, noted], key("op_a")) == key("op_b")
    assert next_failure([noted], None) is None


async def test_failures_out_of_view_are_counted_until_they_are_looked_at() -> None:
    async with driven(RUNNING, size=(100, 24)) as run:
        await run.press("s", "G")  # by kind: who fails now keeps its place
        run.engine.put(
            *(replace(one, phase=Phase.FAILED, status="failed", ended=ago(1), version=2) for one in RUNNING[:2])
        )
        await run.shows("✗ 2 failed, 2 new")
        await run.press("exclamation_mark")
        await run.shows("✗ 2 failed  ")
        assert highlighted(run) in ("op_00", "op_01")
        first = highlighted(run)
        await run.press("exclamation_mark")
        await run.until(lambda: highlighted(run) not in (None, first))
        await run.press("slash", *"op_30", "enter", "exclamation_mark")
        await run.until(lambda: highlighted(run) in ("op_00", "op_01"))
        assert toasts(run.app)[-1] == "filter cleared to show the job (u to undo)"


async def test_the_key_leads_to_the_newest_failure_from_an_older_one_that_was_selected_otherwise() -> None:
    jobs = [job(f"op_{n}", Phase.FAILED, ended=ago(n)) for n in (3, 6, 9)]
    async with driven(jobs, size=(100, 24)) as run:
        for _ in jobs:
            run.app.query_one(JobList).select(key("op_6"))
            await run.until(lambda: highlighted(run) == "op_6")
            await run.press("exclamation_mark")
            await run.until(lambda: highlighted(run) == "op_3")
        await run.press("exclamation_mark", "exclamation_mark")
        await run.until(lambda: highlighted(run) == "op_9")


async def test_where_no_job_has_failed_the_key_says_so() -> None:
    async with driven(RUNNING) as run:
        await run.press("exclamation_mark")
        await run.until(lambda: toasts(run.app) == ["no job has failed"])
