"""Going back to the shell for a while, with the process stopped until `fg`."""

import os
import signal
import sys

IGNORED = sys.platform != "win32" and signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
"""Whether we were started with the signal that stops a process ignored; Textual's driver replaces that."""


def why_not_suspended(*, remote: bool) -> str:
    """Return in a line why nobody could bring a suspended screen back; empty where a shell can."""
    if remote:
        return "not suspended: this screen is not in a terminal of its own"
    if sys.platform == "win32":
        return "not suspended: Windows knows no such thing"
    if IGNORED:
        return "not suspended: whoever started jobdeck has it ignore ctrl+z"
    if os.getpgrp() == os.getsid(0):
        # Whatever opened this terminal runs us alone in it, and would wait for ever.
        return "not suspended: no shell has started this screen that could bring it back"
    return ""


def stop_until_continued() -> None:
    """Stop this process and all that a shell started with it, as ctrl+z does elsewhere; returns after `fg`.

    A `make` or a script that waits for us would otherwise keep the shell waiting.
    """
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGTSTP)
