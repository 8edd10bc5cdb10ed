"""Rule 5 at the terminal: a hostile run writes what a harmless one writes, and no control sequence besides."""

import re
from pathlib import Path

from jobdeck.domain.text import clean
from jobdeck.simulator.scenario import Api, JobFailure, JobScript, Outcome, Resource, Scenario, StageScript
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment
from tests.support.terminal import OnTerminal

HOSTILE = (
    "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\x1b[?1049l\x1bP1$r\x1b\\\x90q\x9c",
    "\x07\r\x08\x7f\x00\u202ereversed\u2066\u200b\ufeff",
    '[@click=app.quit]x[/] [/items/0] a[b=" [red on red]y[/red]',
)
SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])")
COUNTED = re.compile(
    r"^(\x1b\[)[0-9;:]*([mHABCDGdJK])$|^(\x1b\]2;jobdeck)(?: [0-9]+/[0-9]+(?:, [0-9]+ failed)?)?(\x07)$"
)
TABS = ("Stages", "Result", "Timeline", "Diff")


def scenario(words: tuple[str, ...]) -> Scenario:
    """Say `words` wherever a server's words go."""
    escape, invisible, markup = words
    ended = {"arrival": -60.0, "duration": 10.0}
    result = {escape: invisible, markup: [escape, markup], "plain": markup}
    return Scenario(
        jobs=(
            JobScript(
                id="op_bad", outcome=Outcome.FAILED, error=JobFailure(markup, escape, {invisible: escape}), **ended
            ),
            JobScript(id="en_good", resource=Resource.ENRICHMENT, result=result, **ended),
            JobScript(
                Api.SONARLY,
                Resource.PROSPECTING,
                "pr_stages",
                stages=(
                    StageScript(escape, duration=5.0),
                    StageScript(markup, duration=5.0),
                    StageScript(invisible, duration=1e6),
                ),
                arrival=-12.0,
            ),
        )
    )


def written(words: tuple[str, ...], home: Path) -> str:
    """Return all that a walk through jobs, tabs and a ticket writes to the terminal."""
    script = scenario(words)
    with ThreadedSimulator(script) as server:
        env = environment(server.url, home)
        group = script.jobs[2].account_group
        targets = ("op_bad", "/api/enrichments/en_good", f"sonarly:{group}/pr_stages")
        with OnTerminal(*targets, env=env, size=(120, 40)) as run:
            run.until("✗ failed", "✓ done", "● run")
            for job, tabs in zip(targets, (TABS, TABS[:2], TABS[2:3]), strict=True):
                for tab in tabs:
                    run.until(f"[{tab}]", job.rpartition("/")[2])
                    run.press("]" if tab != "Result" else "]]")
                run.press("j")
            run.press("Y")
            run.until("Support ticket")
            run.press("\x1b")
            run.until_true(lambda: "Support ticket" not in run.text)
            # It is written once a second, and not before the first.
            run.until_true(lambda: b"\x1b]2;jobdeck 2/3" in run.data)
            run.press("q")
            assert run.leave() == 0
            assert run.restored
    return run.data.decode()


def kinds(data: str) -> set[str]:
    """Return the sorts of control sequences and characters: places, colours and counts may differ."""
    found = {COUNTED.sub(r"\1\3…\2\4", match[0]) for match in SEQUENCE.finditer(data)}
    rest = SEQUENCE.sub("", data)
    return found | {char for char in rest if not char.isprintable()}


def test_a_hostile_run_writes_no_control_sequence_that_a_harmless_one_does_not(tmp_path: Path) -> None:
    harmless = written(tuple(clean(text) for text in HOSTILE), tmp_path / "harmless")
    hostile = written(HOSTILE, tmp_path / "hostile")
    assert kinds(hostile) == kinds(harmless)
    for once in ("\x1b[?1049h", "\x1b[?1049l"):
        assert hostile.count(once) == harmless.count(once) == 1
    words = SEQUENCE.sub("", hostile)
    assert "\\x1b]52;c;aGk=" in words
    assert "[@click=app.quit]" in words
