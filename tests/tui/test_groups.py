"""The jobs in groups: what they have in common, and what is done with a whole group."""

from dataclasses import replace

import pytest

from jobdeck.app.session import ReadOnly
from jobdeck.domain.job import Job, JobError
from jobdeck.domain.phase import Phase
from jobdeck.tui.grouping import GroupBy, grouped
from jobdeck.tui.job_filter import parse
from jobdeck.tui.job_table import JobTable
from jobdeck.tui.render.groups import group_heading, group_line, job_line
from jobdeck.tui.render.spans import line_width, plain
from tests.tui.drive import Driven, driven, painted, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import NOON, ago, clock_at_noon, deck_of_every_state, job, stage


def failed(id_: str, code: str | None, message: str | None, profile: str = "hog", seconds: float = 15.0) -> Job:
    error = JobError(code, message) if code or message else None
    return job(id_, Phase.FAILED, profile, error=error, ended=ago(seconds))


NIGHT = [
    failed("op_a", "RATE_LIMITED", "throttled", seconds=300),
    failed("op_b", "RATE_LIMITED", "throttled again", seconds=20),
    failed("pr_a", "RATE_LIMITED", "slow down", "sonarly", seconds=10),
    failed("op_c", "CREDITS", "no credits left"),
    failed("op_d", None, None),
    job("op_e", kind="crawl", stages=(stage("import", Phase.RUNNING, 0.5, 30),)),
    job("op_f", Phase.SUCCEEDED),
]


def table(*jobs: Job) -> JobTable:
    made = JobTable()
    made.update(jobs, (), NOON)
    return made


@pytest.mark.parametrize("by", GroupBy)
@pytest.mark.parametrize("jobs", [NIGHT, deck_of_every_state()])
def test_a_group_is_what_its_filter_admits(by: GroupBy, jobs: list[Job]) -> None:
    rows = list(table(*jobs).rows())
    groups = grouped(rows, by)
    assert sorted(key for group in groups for key in group.keys) == sorted(one.key for one in jobs)
    for group in groups:
        admitted = parse(group.filter)
        assert not admitted.warnings
        assert {row.job.key for row in rows if admitted.admits(row.job, row.category.word, NOON)} == set(group.keys)


def test_the_most_common_error_comes_first_with_when_and_where() -> None:
    first, second, *others = grouped(table(*NIGHT).rows(), GroupBy.REASON)
    assert (first.name, len(first.rows), first.profiles, first.kinds) == (
        "RATE_LIMITED",
        3,
        "hog, sonarly",
        "operation, prospecting",
    )
    assert (first.first_us, first.last_us) == (ago(300).us, ago(10).us)
    assert second.name == "CREDITS"
    assert [group.name for group in others] == ["failed", "running", "done"]
    assert others[0].detail == "no reason given"


def test_by_kind_the_kind_with_most_failures_comes_first_and_tells_how_much_is_done() -> None:
    groups = grouped(table(*NIGHT).rows(), GroupBy.KIND)
    assert [(group.name, len(group.rows)) for group in groups] == [("operation", 5), ("prospecting", 1), ("crawl", 1)]
    assert groups[0].done == 1.0
    assert groups[2].done == 0.0
    assert [group.name for group in grouped(table(*NIGHT).rows(), GroupBy.STAGE)] == ["no stage", "import"]


@pytest.mark.parametrize("width", [60, 80, 120, 160, 200])
@pytest.mark.parametrize("by", GroupBy)
def test_a_line_keeps_to_its_width_and_tells_the_count(width: int, by: GroupBy) -> None:
    headings = plain(group_heading(by, width))
    for group in grouped(table(*NIGHT).rows(), by):
        line = plain(group_line(group, by, width, opened=False, now=NOON))
        assert line[: headings.index("JOBS") + 4].endswith(f" {len(group.rows)}")
        if by is GroupBy.REASON:
            assert line_width(group_line(group, by, width, opened=True, now=NOON)) <= width
        for row in group.rows:
            assert line_width(job_line(row, row.job.key.id, width, NOON)) <= max(width, 62)


async def grouped_deck(run: Driven) -> None:
    await run.press("b")
    await run.shows("Groups by reason   7 jobs in 5 groups")


async def test_a_group_opens_closes_and_is_shown_alone_in_the_list() -> None:
    async with driven(NIGHT, size=(120, 30)) as run:
        await grouped_deck(run)
        assert painted(run.app)[2].startswith("▸+ ✗ RATE_LIMITED  slow down")
        await run.press("l")
        await run.shows("throttled again")
        await run.press("j", "j", "h")
        await run.until(lambda: "throttled again" not in run.text)
        await run.press("b")
        await run.shows("Groups by kind")
        await run.press("B", "enter")
        await run.shows('state=failed error="RATE_LIMITED"')
        assert len(run.app.deck.deck_state.table) == 3


async def test_a_job_of_a_group_is_selected_in_the_list() -> None:
    async with driven(NIGHT, size=(120, 30)) as run:
        await grouped_deck(run)
        await run.press("l", "j", "j", "enter")
        await run.until(lambda: any(line.startswith("▸") and "op_b" in line for line in painted(run.app)))


async def test_what_is_done_with_a_group_is_done_with_all_its_jobs() -> None:
    async with driven(NIGHT, size=(120, 30)) as run:
        await grouped_deck(run)
        await run.press("space")
        await run.shows("on 3 selected")
        await run.press("u", "b", "m")
        await run.until(lambda: sum(one.acknowledged for one in run.engine.jobs.values()) == 3)
        assert toasts(run.app)[-1] == "3 jobs acknowledged, moved to the bottom (u to undo)"
        await run.press("u")
        await run.until(lambda: not any(one.acknowledged for one in run.engine.jobs.values()))
        await run.press("b", "Y")
        await run.shows("Ticket for 2 jobs")
        assert "1 job from another API skipped; to create their ticket, select one and press Y" in toasts(run.app)


async def test_on_the_line_of_a_job_keys_act_on_that_job_alone_and_are_named_so() -> None:
    async with driven(NIGHT, size=(120, 30)) as run:
        await grouped_deck(run)
        assert painted(run.app)[-1].startswith(" enter filter  Y ticket  m acknowledge all  space select all")
        await run.press("l", "j", "j")
        await run.shows("enter to the job  Y ticket  m acknowledge  space select  ← close")
        await run.press("space")
        await run.shows("on 1 selected")
        await run.press("u", "b")
        await run.shows("enter to the job")
        await run.press("m")
        await run.until(lambda: [one.key.id for one in run.engine.jobs.values() if one.acknowledged] == ["op_b"])
        await run.press("b", "k")
        await run.press("Y")
        await run.shows("Ticket for op_a")


async def test_groups_follow_the_jobs_and_nothing_is_acknowledged_where_that_is_not_allowed() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), NIGHT))
    session.access = ReadOnly("read-only")
    async with driven(session=session, size=(120, 30)) as run:
        await grouped_deck(run)
        assert "acknowledge" not in run.text
        await run.press("m")
        run.engine.put(replace(NIGHT[3], error=JobError("RATE_LIMITED", "now"), version=2))
        await run.shows("7 jobs in 4 groups")
        assert not any(one.acknowledged for one in run.engine.jobs.values())


async def test_a_deck_opened_on_a_batch_shows_it_alone_and_groups_by_batch() -> None:
    jobs = [replace(one, target=replace(one.target, batch="night")) for one in NIGHT[:3]] + NIGHT[3:]
    session = FakeSession(FakeEngine(clock_at_noon(), jobs))
    session.batch = "night"
    async with driven(session=session, size=(120, 30)) as run:
        await run.shows('batch="night"')
        await run.shows("3 of 7")
        await run.press("b", "B")
        await run.shows("Groups by batch   7 jobs in 2 groups")
        await run.shows("added alone")
