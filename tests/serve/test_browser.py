"""The screen in a real browser, over the real command."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment
from tests.serve.browser import CHROMIUM, Tab, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here; make browser installs one")

DRAWN = "document.body && document.body.classList.contains('-first-byte')"


@asynccontextmanager
async def serving(*targets: str, env: dict[str, str]) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jobdeck", "serve", *targets, env=env, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(100):
            url = (await process.stdout.readline()).decode().strip()
        yield url, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_two_tabs_show_the_screen_take_keys_and_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    scenario = demo_scenario(jobs=12, seed=1, speed=5)
    with ThreadedSimulator(scenario) as simulator:
        env = environment(simulator.url, tmp_path)
        async with (
            serving(*demo_targets(scenario), env=env) as (url, process),
            chromium(tmp_path / "profile") as browser,
        ):
            origin = url.partition("/?")[0]
            tabs = [await browser.tab(), await browser.tab()]
            for tab in tabs:
                await tab.open(url)
                await tab.until(DRAWN)
                assert await tab.evaluate("location.search") == "", "the token stays in the address bar"
                copied = await copied_id(tab)
                assert copied in {record.request_id for record in simulator.requests}
            elsewhere = [one for one in browser.requested if not one.startswith((origin, origin.replace("http", "ws")))]
            assert elsewhere == []
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(100):
                assert await process.wait() == 143
            for tab in tabs:
                await tab.until("document.body.classList.contains('-closed')")


async def copied_id(tab: Tab) -> str:
    """Copy the selected job's request ID as a person does, and return what the browser was given to copy."""
    await tab.send("Page.bringToFront")
    await tab.evaluate("window.copied = ''; navigator.clipboard.writeText = async text => { window.copied = text }")
    async with asyncio.timeout(100):
        while not (text := await tab.evaluate("window.copied")):
            await tab.type("y")
            await asyncio.sleep(0.2)
    return str(text)
