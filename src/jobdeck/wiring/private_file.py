"""Files that only their owner can read, whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from jobdeck.domain.text import one_line


class PrivateFileError(Exception):
    """The file could not be written; the message names it and says why, in one line."""


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600 through a temporary one beside it, so that a reader never sees half of it.

    Raises `PrivateFileError` when it cannot be written; the file that was there before then stays.
    """
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        message = f"cannot write {one_line(str(path), 200)}: {error.strerror or type(error).__name__}"
        raise PrivateFileError(message) from None
