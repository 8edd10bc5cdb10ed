"""A session of the screen, as far as it goes without a screen."""

import asyncio
from pathlib import Path

import pytest

from jobdeck.app.context import AppContext
from jobdeck.app.live_session import FIRST, LiveSession
from jobdeck.config import ConfigError
from tests.builders import make_target

KEYS = {"HOG_KEY": "hog_live_canary_0123456789", "SONARLY_KEY": "sk_live_canary_0123456789"}
CONFIG = """
[profiles.hog]
provider = "thehog"
base_url = "http://127.0.0.1:9"
token = "env:HOG_KEY"
[profiles.sonarly]
provider = "sonarly"
base_url = "http://127.0.0.1:9"
token = "env:SONARLY_KEY"
account_group = "507f1f77bcf86cd799439011"
"""


async def test_the_watch_list_is_opened_without_the_profiles_whose_keys_are_missing(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    data = {"JOBDECK_DATA_DIR": str(tmp_path / "data")}

    async def opened(*names: str) -> tuple[set[str], tuple[str, ...]]:
        env = {**data, **{name: KEYS[name] for name in names}}
        session = LiveSession(AppContext(env, config), ())
        engine = (await session.open()).view
        await session.close()
        return {key.profile for key in engine.jobs}, session.notices

    running = await AppContext({**data, **KEYS}, config).open(listed=True)
    running.engine.add([make_target("op_1"), make_target("a" * 24, "sonarly", "prospecting")])
    await running.engine.aclose()
    shown, (notice,) = await opened("HOG_KEY")
    assert shown == {"hog"}
    why = f"{config}: [profiles.sonarly]: token: the environment variable SONARLY_KEY is not set"
    assert notice == f"profile sonarly skipped: {why}"
    with pytest.raises(ConfigError, match="_KEY is not set"):
        await opened()
    assert await opened("HOG_KEY", "SONARLY_KEY") == ({"hog", "sonarly"}, ()), "it is on the list as before"


async def test_a_long_watch_list_is_shown_from_its_beginning_and_read_to_its_end_while_the_engine_runs(
    tmp_path: Path,
) -> None:
    config, env = tmp_path / "config.toml", {"JOBDECK_DATA_DIR": str(tmp_path / "data"), **KEYS}
    config.write_text(CONFIG)
    names = [f"op_{number:03d}" for number in range(FIRST + 50)]
    running = await AppContext(env, config).open(listed=True)
    running.engine.add(map(make_target, names))
    await running.engine.aclose()
    session = LiveSession(AppContext(env, config), ())
    first = await session.load_saved_jobs()
    assert [job.key.id for job in first] == names[:FIRST]
    assert session.reading == len(names)
    engine = await session.start()
    assert list(engine.jobs.values()) == list(first)
    engine.remove([first[0].key])
    async with asyncio.timeout(30):
        while session.reading:
            await asyncio.sleep(0.01)
    assert [key.id for key in engine.jobs] == names[1:], "and what was removed meanwhile stays so"
    await session.close()
