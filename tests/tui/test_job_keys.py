"""Marks, calls and groups of faults."""

from dataclasses import replace

import pytest

from jobdeck.domain.events import PhaseChanged
from jobdeck.domain.job import Job, JobError
from jobdeck.domain.phase import Phase
from jobdeck.report.failure_groups import FailureGroups, fingerprint_of
from jobdeck.tui.notifications import desktop_at_hand, notification_sequence
from tests.tui.drive import driven, painted, toasts
from tests.tui.world import NOON, ago, job, key, stage


def failed(id_: str, code: str | None = "UPSTREAM_TIMEOUT", message: str = "no response", **changes: object) -> Job:
    stages = (stage("import", Phase.SUCCEEDED, 1.0), stage("enrichment", Phase.FAILED, 0.5))
    return job(id_, Phase.FAILED, error=JobError(code, message), stages=stages, **changes)


async def test_marked_jobs_give_one_ticket_in_the_order_of_marking() -> None:
    async with driven([job("op_a"), job("op_b"), job("op_c")]) as run:
        order = [run.app.deck.deck_state.table.row_at(index).job.key for index in range(3)]
        await run.press("space", "j", "space", "Y", "y")
        await run.until(lambda: run.app.screen is run.app.deck)
        assert run.session.tickets[-1][0] == (order[0], order[2])
        assert run.clipboard.sent[0].startswith("## Support ticket for 2 jobs\n")
        assert "2 selected" in run.text
        assert sum(line.startswith(("▸*", " *")) for line in painted(run.app)) == 2


async def test_marks_stay_with_their_jobs_and_go_with_them() -> None:
    async with driven([job("op_a", changed=NOON), job("op_b")]) as run:
        await run.press("g", "space")
        await run.shows("1 selected")
        first = next(iter(run.app.deck._job_actions.marks))
        run.engine.put(job("op_z", Phase.FAILED))
        await run.shows("✗ failed")
        (line,) = [line for line in painted(run.app) if line.startswith(("▸*", " *"))]
        assert first.id in line
        run.engine.put(removed=[first])
        await run.until(lambda: len(run.app.deck._job_actions.marks) == 0)


async def test_all_that_are_shown_are_marked_and_unmarked_with_one_key() -> None:
    async with driven([job("op_a"), job("op_b")]) as run:
        await run.press("M")
        await run.shows("2 selected")
        await run.press("M")
        assert "marked" not in run.text


def end_of(one: Job) -> PhaseChanged:
    return PhaseChanged(NOON, one.key, Phase.RUNNING, one.phase, one.status or "", one.request_id)


async def test_w_rings_when_the_job_ends_and_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("jobdeck.tui.notifications.desktop_at_hand", lambda _: False)
    async with driven([job("op_a"), job("op_b")]) as run:
        written: list[str] = []
        run.app._driver.write = written.append  # type: ignore[union-attr, method-assign, assignment] - there is one
        selected = run.app.deck._jobs.selected
        assert selected is not None
        (other,) = [one for one in run.engine.jobs if one != selected]
        await run.press("w")
        assert toasts(run.app) == [f"you'll be notified when {selected.id} finishes"]
        await run.press("M", "w")
        assert toasts(run.app)[-1] == "you'll be notified when 2 jobs finish"
        await run.press("w", "w")
        assert toasts(run.app)[-1] == "you'll be notified when 2 jobs finish"
        await run.press("w", "M", "w")
        await run.shows("notify when finished")
        ended = job(other.id, Phase.SUCCEEDED, version=2)
        run.engine.put(ended, events=[end_of(ended)])
        await run.shows("✓ done")
        assert "\a" not in "".join(written)
        ended = failed(selected.id, version=2)
        run.engine.put(ended, events=[end_of(ended)])
        text = f"{selected.id} failed: UPSTREAM_TIMEOUT no response"
        await run.until(lambda: text in toasts(run.app))
        assert f"\a\x1b]9;jobdeck: {text}\a" in "".join(written)
        await run.until(lambda: "notify when finished" not in run.text)
        await run.press("g", "w")
        assert toasts(run.app)[-1] == "already finished"


async def test_w_takes_nothing_back_while_every_end_is_told() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("W", "w")
        assert toasts(run.app)[-1] == "already notifying for every job (W turns it off)"
        assert run.app.deck._notifications.wanted is None
    async with driven() as run:
        await run.press("w")
        assert toasts(run.app)[-1] == "no job selected"


async def test_many_ends_at_once_are_one_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobdeck.tui.notifications.desktop_at_hand", lambda _: False)
    jobs = [job(f"op_{number:03}") for number in range(300)]
    async with driven(jobs) as run:
        await run.press("W")
        ended = [failed(one.key.id, version=2) for one in jobs]
        run.engine.put(*ended, events=[end_of(one) for one in ended])
        await run.until(lambda: "300 jobs finished: 300 failed" in toasts(run.app))
        assert len(toasts(run.app)) == 2


def test_a_terminal_gets_the_one_notice_that_it_knows_and_nothing_that_acts() -> None:
    nasty = "4;\x1b]52;c;aGFjaw==\a"
    assert notification_sequence(nasty, {"TERM": "xterm"}) == "\x1b]9;jobdeck: 4,\\x1b]52,c,aGFjaw==\\x07\a"
    assert notification_sequence("x", {"TERM": "foot"}) == "\x1b]777;notify;jobdeck;x\a"
    assert notification_sequence("x", {"TERM": "screen", "TMUX": "y"}) == "\x1bPtmux;\x1b\x1b]9;jobdeck: x\a\x1b\\"
    assert not desktop_at_hand({"SSH_TTY": "/dev/pts/1"})


async def test_jobs_that_failed_alike_are_counted_and_shown_with_one_key() -> None:
    jobs = [*(failed(f"op_{number}") for number in range(37)), failed("op_other", "BAD_INPUT"), job("op_fine")]
    async with driven(jobs, size=(120, 50)) as run:
        run.app.deck._jobs.select(key("op_3"))
        await run.shows("= 37 jobs failed with UPSTREAM_TIMEOUT in enrichment since 14:0")
        await run.press("equals_sign")
        await run.until(lambda: len(run.app.deck.deck_state.table) == 37)
        assert run.app.deck._jobs.selected == key("op_3")
        await run.press("escape")
        await run.until(lambda: len(run.app.deck.deck_state.table) == 39)
        run.app.deck._jobs.select(key("op_fine"))
        await run.press("equals_sign")
        assert "this job has no error" in toasts(run.app)[-1]


async def test_a_fault_without_a_code_is_grouped_by_what_its_messages_share() -> None:
    jobs = [failed(f"op_{number}", None, f'row {number} of "file{number}.csv" is not valid') for number in range(5)]
    assert len({fingerprint_of(one) for one in jobs}) == 1
    async with driven([*jobs, failed("op_x", None, "quota exceeded")], size=(120, 50)) as run:
        run.app.deck._jobs.select(key("op_2"))
        await run.shows("= 5 jobs failed with is not valid in enrichment")
        await run.press("equals_sign")
        await run.until(lambda: len(run.app.deck.deck_state.table) == 5)


def test_faults_are_counted_as_jobs_come_change_and_go() -> None:
    faults = FailureGroups()
    first = replace(failed("op_b"), ended_us=ago(600).us)
    faults.apply([failed("op_a"), first, job("op_c")], [])
    found = faults.group_of(key("op_a"))
    assert found is not None
    assert (found.count, found.since_us) == (2, ago(600).us)
    assert found.fingerprint.describe(2) == "2 jobs failed with UPSTREAM_TIMEOUT in enrichment"
    no_stage = replace(found.fingerprint, stage=None)
    assert no_stage.describe(1) == f"1 job failed with UPSTREAM_TIMEOUT in {no_stage.kind}", "the kind tells them apart"
    faults.apply([replace(failed("op_b"), phase=Phase.SUCCEEDED)], [])
    assert faults.group_of(key("op_b")) is None
    rest = faults.group_of(key("op_a"))
    assert rest is not None
    assert rest.since_us > ago(600).us
    faults.apply([], [key("op_a")])
    assert faults.group_of(key("op_a")) is None
    assert not faults._ends
    assert not faults._since
