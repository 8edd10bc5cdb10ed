"""What a server may say, in every field, on every widget: shown as text, and nothing more."""

import re
from dataclasses import replace

import pytest

from jobdeck.app.session import Parsed, RejectedTarget
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobError, JobKey, Stage, StageRecord, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from tests.tui.drive import Driven, driven
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import NOON, clock_at_noon, exchange, job

NASTY = [
    "[red]x[/]",
    "[/]",
    "[/items/0]",
    'a[b="',
    "[@click=app.quit]x[/]",
    "[ERROR] gone?",
    "$text {x} %s \\[",
    "\x1b]52;c;aGFjaw==\x07",
    "\x1b[2J\x1b[31mred\x9b1m",
    "\x90q\x9c\x7f\x00\t\r\n\x0b",
    "\u202eevil\u2066\u200b\u200f\ufeff",
    "世界" * 40,
    "👍🏽👨‍👩‍👧‍👦🇩🇪" * 20,
    "e\u0301" * 60 + "\u0300" * 30,
    "\ud800\udfff",
    "x" * 100_000,
    "line\n" * 5_000,
    "",
    " ",
]


UNCLEAN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\u202e]")
"""Controls, halves of surrogate pairs, and what turns the direction of letters."""


def hostile_job(text: str) -> Job:
    name = text or "-"
    made = job("op_a", Phase.FAILED)
    record = StageRecord(Stage(name, text, Phase.RUNNING, 0.5), NOON, NOON)
    unknown = StageRecord(Stage(name + "2", text, Phase.UNKNOWN, None))
    return replace(
        made,
        target=Target(JobKey(name, name, name), name, made.target.resource, text, text),
        status=text,
        kind=text,
        stages=(record, unknown),
        error=JobError(text, text, text),
        result=text,
        facts=((text, text), (name, name)),
        problem=Problem(ProblemKind.SERVER_ERROR, name, 503, text, text),
        failures=2,
        request_id=text,
        trace_id=text,
        anomalies=(text, name),
    )


def hostile_exchange(one: Job, text: str) -> Exchange:
    made = exchange("op_a")
    return replace(
        made,
        profile=text,
        method=text,
        url=text,
        job=one.key,
        request_id=text,
        body_request_id=text + "x",
        trace_id=text,
        problem=one.problem,
    )


def assert_harmless(run: Driven) -> None:
    strips = run.app.screen._compositor.render_strips()
    width = run.app.size.width
    for strip in strips:
        assert strip.cell_length == width
        for segment in strip:
            assert UNCLEAN.search(segment.text) is None
            assert segment.style is None or not segment.style.meta.get("@click")
            assert segment.style is None or segment.style.link is None
    assert run.app.is_running
    assert run.app.return_code is None


@pytest.mark.parametrize("nasty", [NASTY[:8], NASTY[8:14], NASTY[14:]], ids=["markup and escapes", "letters", "sizes"])
async def test_hostile_words_are_shown_and_do_nothing(nasty: list[str]) -> None:
    jobs: list[Job] = []
    looks: list[Exchange] = []
    halts: dict[str, Problem] = {}
    for number, text in enumerate(nasty):
        one = hostile_job(text)
        unfinished = replace(one, target=job(f"op_{number}").target, phase=Phase.UNKNOWN, ended=None)
        jobs += [one, unfinished]
        looks += [hostile_exchange(one, text), hostile_exchange(unfinished, text)]
        halts[text or "-"] = Problem(ProblemKind.AUTH, text)
    engine = FakeEngine(clock_at_noon(), {one.key: one for one in jobs}.values(), looks)
    session = FakeSession(engine, tuple(nasty))
    session.profiles = tuple(nasty)
    session.parser = lambda _: Parsed(
        tuple(one.target for one in jobs), tuple(RejectedTarget(text, text) for text in nasty)
    )
    async with driven(session=session, size=(104, 34)) as run:
        for number in range(len(jobs)):
            await run.press("j", "y", *(("tab", "G", "tab", "y", "escape") if number % 7 == 0 else ()))
            assert_harmless(run)
        engine.halts = halts
        await run.press("d", "u", "r", "z", "tab", "tab", "escape", "a", "x", "ctrl+s", "a", "x")
        await run.shows("refused")
        assert_harmless(run)
        await run.press("escape")
        await run.resize(50, 20)
        await run.press("question_mark", "escape", "g")
        assert_harmless(run)
        assert len(run.clipboard.sent) >= len(jobs)
        assert all("\x1b" not in sent and "\n" not in sent for sent in run.clipboard.sent)


async def test_brackets_are_shown_as_they_came() -> None:
    one = replace(job("op_a", Phase.FAILED), error=JobError("[ERROR]", "[/items/0] is [red]wrong[/]"))
    async with driven([one]) as run:
        await run.shows("[ERROR]  [/items/0] is [red]wrong[/]")


async def test_control_sequences_are_shown_as_escapes() -> None:
    one = replace(job("op_a", Phase.FAILED), error=JobError("\x1b]52;c;aGFjaw==\x07", None))
    async with driven([one]) as run:
        await run.shows("\\x1b]52;c;aGFjaw==\\x07")
