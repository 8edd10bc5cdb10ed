"""Files for a command's output: private, and an error of the command when they cannot be written."""

from pathlib import Path

from jobdeck.cli.errors import CommandError
from jobdeck.wiring.private_file import PrivateFileError
from jobdeck.wiring.private_file import write_private as write


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, whole or not at all; raises `CommandError` when it cannot be written."""
    try:
        write(path, text)
    except PrivateFileError as error:
        raise CommandError(str(error)) from None
