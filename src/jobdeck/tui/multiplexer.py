"""tmux and GNU screen, which stand between jobdeck and the user's terminal."""

from collections.abc import Mapping

PIECE_BYTES = 700
"""GNU screen drops longer sequences: its strings end after 768 bytes."""

_START, _END = "\x1bP", "\x1b\\"


def in_gnu_screen(environ: Mapping[str, str]) -> bool:
    """Whether GNU screen draws the output.

    A tmux started in it inherits its variable, and the other way round; a TERM with a dot (``screen.xterm-256color``)
    is GNU screen's alone, and survives a login to another machine.
    """
    return not environ.get("TMUX") and (bool(environ.get("STY")) or environ.get("TERM", "").startswith("screen."))


def passed_through(sequence: str, environ: Mapping[str, str]) -> str:
    """Return a sequence for the user's terminal, wrapped such that a multiplexer passes it on."""
    if environ.get("TMUX"):
        return f"{_START}tmux;{sequence.replace(chr(27), chr(27) * 2)}{_END}"
    if not in_gnu_screen(environ):
        return sequence
    size = PIECE_BYTES - len(_START) - len(_END)
    return "".join(f"{_START}{sequence[at : at + size]}{_END}" for at in range(0, len(sequence), size))
