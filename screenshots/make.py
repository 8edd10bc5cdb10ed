"""Draw the pictures of the README: the real app on the demo of 300 jobs, a minute and a half into its night."""

import asyncio
import re
from pathlib import Path

from jobdeck.app.live_session import LiveSession
from jobdeck.cli.commands.demo import open_demo
from jobdeck.simulator.demo import demo_scenario
from jobdeck.simulator.server import ThreadedSimulator
from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.theme import DARK, LIGHT

HERE = Path(__file__).parent
SIZE = (150, 40)
SECONDS = 90.0
"""After which 300 jobs have failed for five reasons, stalled, finished, and taught how many finish a minute."""

_WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


async def main() -> None:
    """Draw them all."""
    scenario = demo_scenario(jobs=300, seed=1)
    with ThreadedSimulator(scenario) as simulator:
        context, targets = open_demo(scenario, simulator.url, 1.0)
        app = JobdeckApp(LiveSession(context, targets), theme=DARK.name)
        async with app.run_test(size=SIZE, notifications=False) as pilot:
            await asyncio.sleep(SECONDS)

            async def picture(name: str, *keys: str) -> None:
                await pilot.press(*keys)
                await asyncio.sleep(2.0)
                svg = _WEB_FONTS.sub("", app.export_screenshot(title="jobdeck"))
                (HERE / f"{name}.svg").write_text(svg, "utf-8")

            await picture("overview", "g", "j")
            await picture("groups", "b", "l")
            await picture("ticket", "Y")
            app.theme = LIGHT.name
            await picture("light", "escape", "escape", "g", "4")
            await pilot.press("q")


if __name__ == "__main__":
    asyncio.run(main())
