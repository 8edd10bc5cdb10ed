"""The user's own keys, which run programs for the selected jobs."""

from collections.abc import Iterable, Sequence

from jobdeck.app.session import ProgramKey, SessionControls
from jobdeck.domain.job import Job
from jobdeck.tui.actions import ACTIONS
from jobdeck.tui.cell_text import describe_jobs
from jobdeck.tui.engine_actions import NOT_OPEN
from jobdeck.tui.render.help import HelpSection, key_section

RESERVED = frozenset({"ctrl+c", "ctrl+q", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"})
"""Keys that end the screen, and those that terminals send for backspace, tab and enter."""


def taken_key(keys: Iterable[str]) -> tuple[str, str] | None:
    """Return the first of these keys that is built in, and what it does; None if all are free."""
    built_in = {key: action.label for action in ACTIONS for key in action.keys}
    built_in.update(dict.fromkeys(RESERVED, "reserved"))
    return next(((key, built_in[key]) for key in keys if key in built_in), None)


class ProgramKeys:
    """Runs the programs of the user's keys; without `controls` there are none."""

    def __init__(self, controls: SessionControls | None) -> None:
        self._controls = controls
        keys = controls.program_keys if controls is not None else ()
        self.keys: dict[str, ProgramKey] = {one.key: one for one in keys}

    @property
    def help(self) -> list[HelpSection]:
        """The help section of these keys; empty if there are none."""
        return [key_section("Your keys", [(one.key, one.label) for one in self.keys.values()])] if self.keys else []

    def run(self, key: str, jobs: Sequence[Job]) -> str:
        """Run the program of a key once per job; returns the message to show."""
        one = self.keys.get(key)
        if one is None or self._controls is None:
            return ""
        if not jobs:
            return "no job selected"
        if not self._controls.run_program(key, jobs):
            return NOT_OPEN
        return f"{one.label}: started for {describe_jobs([job.key for job in jobs])}"
