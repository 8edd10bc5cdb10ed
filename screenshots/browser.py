"""Take the picture of `jobdeck serve` in a real Chromium: the real command on the simulator, some seconds in."""

import asyncio
import tempfile
from pathlib import Path

from tests.cli.harness import environment
from tests.serve.browser import CHROMIUM, chromium
from tests.serve.test_browser import DRAWN, serving

from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.server import ThreadedSimulator

HERE = Path(__file__).parent
SECONDS = 12.0
"""After which the demo shows a job in every state that matters."""


async def main() -> None:
    """Write ``browser.png``; says so where there is no Chromium."""
    if CHROMIUM is None:
        print("browser.png stays as it is: there is no Chromium here")
        return
    scenario = demo_scenario(jobs=24, seed=3, speed=6)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ThreadedSimulator(scenario) as simulator:
        home = Path(folder)
        env = environment(simulator.url, home)
        async with serving(*demo_targets(scenario), env=env) as (url, _), chromium(home / "profile") as browser:
            tab = await browser.tab(1116, 628)
            await tab.open(url)
            await tab.until(DRAWN)
            await asyncio.sleep(SECONDS)
            await tab.type("g")
            await asyncio.sleep(1)
            (HERE / "browser.png").write_bytes(await tab.picture())


if __name__ == "__main__":
    asyncio.run(main())
