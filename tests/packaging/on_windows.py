"""What a process does that looks as on Windows: ``python -m tests.packaging.on_windows FOLDER`` tells it as JSON."""

import asyncio
import contextlib
import importlib
import io
import json
import os
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.packaging.as_windows import pretend


def imports(_: Path) -> int:
    import jobdeck

    names = [found.name for found in pkgutil.walk_packages(jobdeck.__path__, "jobdeck.")]
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    return len(names)


def commands(folder: Path) -> dict[str, tuple[int, str, str]]:
    return {
        " ".join(arguments): _command(arguments)
        for arguments in (
            ["--version"],
            ["status", "--json", "op_done"],
            ["status", "/api/enrichments/en_bad"],
            ["wait", "op_done"],
            ["watch", "--json", "op_done"],
            ["ticket", "op_done", "--output", str(folder / "ticket.md")],
            ["doctor"],
            ["op_done"],
            ["history", "--json"],
        )
    }


def _command(arguments: list[str]) -> tuple[int, str, str]:
    from jobdeck.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else -1
    return int(code), out.getvalue(), err.getvalue()


def damage(folder: Path) -> tuple[list[str], bool]:
    from jobdeck.store import open_store

    path = folder / "damaged" / "jobdeck.db"
    open_store(path, "first").store.close()
    path.write_bytes(b"\x00" * 8192)
    opened = open_store(path, "second")
    aside = any(one.name.startswith("jobdeck.db.corrupt-") for one in path.parent.iterdir())
    return [notice.kind.value for notice in opened.notices], aside


def opening(folder: Path) -> tuple[str, list[str], list[str]]:
    from jobdeck.store.errors import StoreLockedError
    from jobdeck.store.sqlite import place

    alone = folder / "alone"
    alone.mkdir()
    said = "both were in"
    with place.alone(alone):
        place._LOCK_SECONDS = 0.1
        try:
            with place.alone(alone):
                pass
        except StoreLockedError as error:
            said = str(error)
    with place.alone(alone):
        inside = [one.name for one in alone.iterdir()]
    return said, inside, [one.name for one in alone.iterdir()]


def processes(_: Path) -> list[bool]:
    from jobdeck.store.actors import has_gone, new_actor

    here = new_actor().rpartition(":")[0]
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return [has_gone(one) for one in (f"{here}:{gone.pid}-0123abcd", new_actor(), f"{here}:9999999999-0123abcd")]


def slow_hooks(folder: Path) -> tuple[list[str], str, list[str]]:
    """With Windows' program that kills a tree, and without."""
    from jobdeck.wiring import hooks

    hooks.HOOK_SECONDS = 0.2
    programs = folder / "programs"
    programs.mkdir()
    program = programs / "taskkill"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/told\nkill -9 "$4"\n', encoding="utf-8")
    program.chmod(0o755)
    os.environ["PATH"] = str(programs)
    first = _hook()
    program.unlink()
    return first, (folder / "told").read_text(encoding="utf-8"), _hook()


def _hook() -> list[str]:
    from jobdeck.config.hooks import Hook
    from jobdeck.domain.phase import Phase
    from jobdeck.wiring.hooks import HookRunner
    from tests.builders import make_job

    complaints: list[str] = []

    async def run() -> None:
        slow = Hook((sys.executable, "-c", "import time; time.sleep(60)"), frozenset({Phase.FAILED}))
        await HookRunner((slow,), {}, frozenset(), lambda _: {}, complaints.append).run(make_job(phase=Phase.FAILED))

    asyncio.run(run())
    return complaints


def screen(_: Path) -> tuple[int | None, list[str]]:
    from jobdeck.cli.sitting import Sitting
    from jobdeck.config import Settings
    from jobdeck.tui.app import JobdeckApp
    from jobdeck.wiring import Wiring

    async def look() -> tuple[int | None, list[str]]:
        app = JobdeckApp(Sitting(Wiring({}, settings=Settings({}, None, None)), ()))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("ctrl+z")
            await pilot.pause()
            told = [notice.message for notice in app._notifications]
            await pilot.press("ctrl+c")
        return app.return_code, told

    return asyncio.run(look())


def ways(_: Path) -> dict[str, Any]:
    from jobdeck.cli import simulate, terminal
    from jobdeck.tui import clipboard
    from jobdeck.tui.terminal import why_not_suspended

    tool = clipboard.native_tool({}, lambda name: name)
    return {
        "clipboard": tool and tool.name,
        "suspended": why_not_suspended(remote=False),
        "drawn on": terminal.screen_stream() is sys.stdout,
        "variables": simulate._setting({"A": "b", "C": "d"}),
    }


DEEDS: tuple[Callable[[Path], Any], ...] = (
    imports,
    commands,
    damage,
    opening,
    processes,
    screen,
    ways,
    slow_hooks,
)


def main() -> None:
    pretend()
    told: dict[str, Any] = {}
    for deed in DEEDS:
        try:
            told[deed.__name__] = deed(Path(sys.argv[1]))
        except Exception:  # noqa: BLE001 - told to the tests, whatever it is
            told[deed.__name__] = traceback.format_exc()
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
