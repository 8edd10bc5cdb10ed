"""tmux and GNU screen: programs between us and the terminal that a person looks at."""

from collections.abc import Mapping

PIECE_BYTES = 700
"""GNU screen drops what is longer: its strings end after 768 bytes."""

_START, _END = "\x1bP", "\x1b\\"


def in_gnu_screen(environ: Mapping[str, str]) -> bool:
    """Return whether GNU screen is what draws.

    Its own variable is inherited by a tmux that is started in it, as tmux's is the other way round; TERM with a dot
    (``screen.xterm-256color``) is its alone, and comes with a login to another machine.
    """
    return not environ.get("TMUX") and (bool(environ.get("STY")) or environ.get("TERM", "").startswith("screen."))


def passed_through(sequence: str, environ: Mapping[str, str]) -> str:
    """Return a sequence for the terminal as the multiplexer in front of it, if there is one, hands it on."""
    if environ.get("TMUX"):
        return f"{_START}tmux;{sequence.replace(chr(27), chr(27) * 2)}{_END}"
    if not in_gnu_screen(environ):
        return sequence
    size = PIECE_BYTES - len(_START) - len(_END)
    return "".join(f"{_START}{sequence[at : at + size]}{_END}" for at in range(0, len(sequence), size))
