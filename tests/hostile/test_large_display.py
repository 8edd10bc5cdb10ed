"""Rule 20: what is too much for a screen is cut and said to be, and a result of eight megabytes holds no key up."""

import asyncio
import gc
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobdeck.domain.exchange import ExchangeContent
from jobdeck.domain.job import JobError
from jobdeck.domain.phase import Phase
from jobdeck.simulator.scenario import JobFailure, JobScript, Outcome, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from jobdeck.tui.cell_text import DETAIL_LIMIT, LINE_LIMIT, truncate, wrap
from jobdeck.tui.render.detail import ScheduleInfo, detail_lines
from jobdeck.tui.render.spans import plain
from jobdeck.tui.render.tabs import raw_lines
from tests.cli.harness import environment, jobdeck
from tests.tui.drive import driven
from tests.tui.world import NOON, exchange, job, key

HOLD_SECONDS = 0.05
MOST = 8 * 2**20 - 100
SHAPES = {
    "en_rows": json.dumps({"data": [{"name": "n" * 30, "number": number} for number in range(MOST // 56)]}),
    "en_word": json.dumps({"data": "\n" * (MOST // 2), "x" * 1_000: 1}),
}


@contextmanager
def held() -> Iterator[list[float]]:
    """Give the processor time that each callback of the loop takes: as long, no key is heard."""
    took: list[float] = []
    real = asyncio.events.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        begun = time.thread_time()
        real(handle)
        took.append(time.thread_time() - begun)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.events.Handle, "_run", measured)
        # Collecting garbage stops whoever is at it just then; it is not the screen's doing.
        gc.disable()
        try:
            yield took
        finally:
            gc.enable()


async def test_a_result_of_eight_megabytes_holds_the_loop_for_fifty_milliseconds_at_most() -> None:
    jobs = [job(name, Phase.SUCCEEDED, result=text) for name, text in SHAPES.items()]
    async with driven([job("en_warm", Phase.SUCCEEDED, result='{"a": [1]}'), *jobs], size=(120, 40)) as run:
        for name, text in {"en_warm": '{"a": [1]}', **SHAPES}.items():
            run.engine.bodies[key(name)] = text.encode()
        for name in ("en_warm", *SHAPES):
            with held() as took:
                while re.search(rf"▸ ✓ done +{name}", run.text) is None:
                    await run.press("j")
                await run.press("right_square_bracket")
                await run.shows("[Result]")
                await run.until(lambda: "reading" not in run.text)
                await run.press("tab", "j", "enter")
                if name == "en_word":
                    await run.shows("data  4.2 MB")
                await run.press("escape" if name == "en_word" else "enter", "tab", "tab", "right_square_bracket")
                await run.shows("saves the whole")
                await run.press(*["right_square_bracket"] * 3)
                await run.shows("[Stages]")
            if name != "en_warm":
                # A processor that others share takes up to twice as long for the same work.
                assert max(took) < 2 * HOLD_SECONDS, name


def test_cells_messages_and_details_are_cut_and_say_so() -> None:
    long = "wörd " * 400_000
    assert len(truncate(long, 10_000)) <= 257
    message = [
        plain(line)
        for line in detail_lines(job("op_a", Phase.FAILED, error=JobError("E", long)), ScheduleInfo(), NOON, 118)
    ]
    assert sum(len(line) for line in message) < 4_096 + 2_000
    assert any("truncated" in line for line in message)
    for body in (long.encode(), b"\n" * 5_000_000, b"[" + b"1," * 2_000_000 + b"1]"):
        lines = [plain(line) for line in raw_lines(ExchangeContent(exchange("op_a"), body=body), "op_a", 118)]
        assert len(lines) <= LINE_LIMIT + 2
        assert sum(len(line) for line in lines) <= DETAIL_LIMIT * 2
        assert f"truncated, {len(body)} bytes" in lines[0]
        assert "saves the whole" in lines[0]
    cut = wrap(long, 80)
    assert len(cut) <= LINE_LIMIT
    assert cut[-1].startswith("… (truncated, ")


def test_a_long_message_is_cut_for_the_command_line_too(tmp_path: Path) -> None:
    failure = JobFailure("E" * 10_000, "m" * 100_000)
    script = JobScript(id="op_bad", arrival=-60.0, duration=10.0, outcome=Outcome.FAILED, error=failure)
    with ThreadedSimulator(Scenario(jobs=(script,))) as server:
        env = environment(server.url, tmp_path)
        error = jobdeck("status", "--json", "op_bad", env=env).object["error"]
        table = jobdeck("status", "op_bad", env=env).out
        ticket = jobdeck("ticket", "op_bad", env=env).out
    assert error["message"] == "m" * 4_096 + "… (truncated, 100000 bytes)"
    assert max(len(line) for line in table.splitlines()) < 4_096 + 600
    assert len(ticket) < 60_000
