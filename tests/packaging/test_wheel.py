"""The wheel works without the source beside it."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

HEADLESS = """
import asyncio, jobdeck, sys
from pathlib import Path
from jobdeck.app.live_session import LiveSession
from jobdeck.config import Settings
from jobdeck.tui.app import JobdeckApp
from jobdeck.app.context import AppContext

assert Path(jobdeck.__file__).is_relative_to(sys.prefix), jobdeck.__file__

async def main():
    app = JobdeckApp(LiveSession(AppContext({}, settings=Settings({}, None, None)), ()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.stylesheet.source, "no styles were found"
        await pilot.press("q")
    return app.return_code

print("left with", asyncio.run(main()))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=150)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_styles_the_descriptions_and_the_type_marker(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("jobdeck/styles/") and name.endswith(".tcss") for name in names)
    assert "jobdeck/py.typed" in names
    assert "jobdeck/apis/builtin/google-lro.toml" in names
    assert not any(name.startswith(("tests", "benchmarks")) for name in names)


def test_the_app_starts_headless_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(libraries)
    # Libraries come from the environment of the tests; a path named in a .pth file does not have its own .pth files
    # read, so the editable install of the source beside it stays out of sight.
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run = subprocess.run(
        [python, "-c", HEADLESS],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "TERM": "xterm-256color", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "left with 0" in run.stdout
