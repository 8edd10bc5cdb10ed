"""An exception in words that may be shown."""

from jobdeck.domain.text import one_line


def failure_text(error: BaseException) -> str:
    """Return an error in one line.

    Only our own errors speak for themselves: the text of a library's may hold what it was given, a malformed key
    for one, so that of it only the name is told.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    name = type(error).__name__
    if type(error).__module__.split(".")[0] == "jobdeck":
        return one_line(str(error), 1_024) or name
    return f"an unexpected {name}"
