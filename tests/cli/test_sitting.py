"""A sitting at the screen, as far as it goes without one."""

from pathlib import Path

import pytest

from jobdeck.cli.sitting import Sitting
from jobdeck.config import ConfigError
from jobdeck.wiring import Wiring
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
        sitting = Sitting(Wiring(env, config), ())
        engine = await sitting.open()
        await sitting.close()
        await engine.aclose()
        return {key.profile for key in engine.jobs}, sitting.notices

    running = Wiring({**data, **KEYS}, config).open(listed=True)
    running.engine.add([make_target("op_1"), make_target("a" * 24, "sonarly", "prospecting")])
    await running.engine.aclose()
    shown, (notice,) = await opened("HOG_KEY")
    assert shown == {"hog"}
    why = f"{config}: [profiles.sonarly]: token: the environment variable SONARLY_KEY is not set"
    assert notice == f"profile sonarly left out: {why}"
    with pytest.raises(ConfigError, match="_KEY is not set"):
        await opened()
    assert await opened("HOG_KEY", "SONARLY_KEY") == ({"hog", "sonarly"}, ()), "it is on the list as before"
