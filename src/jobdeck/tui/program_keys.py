"""Keys of the user's own, which run programs with the selected jobs."""

from collections.abc import Iterable, Sequence

from jobdeck.app.session import ProgramKey, SessionControls
from jobdeck.domain import humanize
from jobdeck.domain.job import Job
from jobdeck.tui.actions import ACTIONS
from jobdeck.tui.cell_text import middle
from jobdeck.tui.render.help import HelpSection, key_section

RESERVED = frozenset({"ctrl+c", "ctrl+q", "ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m"})
"""What ends the screen, and what terminals send for backspace, tab and enter."""


def taken_key(keys: Iterable[str]) -> tuple[str, str] | None:
    """Return the first of these keys that is built in, and what it does; None when all of them are free."""
    built_in = {key: action.label for action in ACTIONS for key in action.keys}
    built_in.update(dict.fromkeys(RESERVED, "reserved"))
    return next(((key, built_in[key]) for key in keys if key in built_in), None)


class ProgramKeys:
    """Runs programs; without `controls` there are none."""

    def __init__(self, controls: SessionControls | None) -> None:
        self._controls = controls
        keys = controls.program_keys if controls is not None else ()
        self.keys: dict[str, ProgramKey] = {one.key: one for one in keys}

    @property
    def help(self) -> list[HelpSection]:
        """What the help says of them; nothing where there are none."""
        return [key_section("Your keys", [(one.key, one.label) for one in self.keys.values()])] if self.keys else []

    def run(self, key: str, jobs: Sequence[Job]) -> str:
        """Run the program of a key once for each job; returns what a person is told."""
        one = self.keys.get(key)
        if one is None or self._controls is None:
            return ""
        if not jobs:
            return "no job selected"
        if not self._controls.run_program(key, jobs):
            return "still starting, try again in a moment"
        subject = middle(jobs[0].key.id, 40) if len(jobs) == 1 else humanize.pluralize(len(jobs), "job")
        return f"{one.label}: started for {subject}"
