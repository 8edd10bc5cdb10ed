"""The terminal's title and progress bar, which show the jobs' progress while another window is in front."""

import os
from collections.abc import Callable, Mapping

SAVE_TITLE, RESTORE_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""Terminals without these sequences ignore them; the shell then sets the title with its next prompt."""

NO_PROGRESS = "\x1b]9;4;0\x07"
NORMAL, ERROR, PAUSED = 1, 2, 4
"""States of a terminal's progress bar, as defined by ConEmu for OSC 9;4."""


class TerminalTitle:
    """Writes title and progress whenever they change."""

    def __init__(self, write: Callable[[str], object], environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._write = write
        self._has_title = has_title(environ)
        self._has_progress = has_progress(environ)
        self._last = ""

    def show(self, ended: int, total: int, failed: int, *, paused: bool) -> None:
        """Show how many jobs have finished, and how many of those failed."""
        sequence = ""
        if self._has_title:
            counted = f" {ended}/{total}" if total else ""
            sequence += f"\x1b]2;jobdeck{counted}{f', {failed} failed' if failed else ''}\x07"
        if self._has_progress:
            state = PAUSED if paused else ERROR if failed else NORMAL
            sequence += f"\x1b]9;4;{state};{100 * ended // total}\x07" if ended < total else NO_PROGRESS
        if sequence != self._last:
            self._last = sequence
            self._write(sequence)


def has_title(environ: Mapping[str, str]) -> bool:
    """Whether a terminal has a title; the Linux console would print it."""
    return environ.get("TERM", "") not in {"", "dumb", "linux"}


def has_progress(environ: Mapping[str, str]) -> bool:
    """Whether a terminal is known to draw progress for OSC 9;4; others show it as a notification, or not at all."""
    if "TMUX" in environ or "STY" in environ:
        return False
    if "WT_SESSION" in environ or environ.get("ConEmuANSI") == "ON":
        return True
    return environ.get("TERM_PROGRAM") == "ghostty"


def start_sequence(environ: Mapping[str, str]) -> str:
    """Return the sequence that saves the terminal's title."""
    return SAVE_TITLE if has_title(environ) else ""


def end_sequence(environ: Mapping[str, str]) -> str:
    """Return the sequence that restores the title and removes the progress bar."""
    return (NO_PROGRESS if has_progress(environ) else "") + (RESTORE_TITLE if has_title(environ) else "")
