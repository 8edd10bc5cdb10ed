"""``--record FILE``: starting a recording."""

from pathlib import Path
from typing import TYPE_CHECKING

from jobdeck.cli.errors import CommandError
from jobdeck.wiring import Wiring

if TYPE_CHECKING:
    from jobdeck.recording.recorder import Recorder


def make_recorder(path: str | None, wiring: Wiring) -> "Recorder | None":
    """Make the file of a recording; None without a path. Raises `CommandError` (exit 2) when it cannot be made.

    Call it last: a command that goes no further should leave no file behind.
    """
    if path is None:
        return None
    from jobdeck.recording.entries import RecordingError  # noqa: PLC0415 - pydantic's 100 ms for recording alone
    from jobdeck.recording.recorder import Recorder  # noqa: PLC0415 - the same

    profiles = {name: str(settings.profile.provider) for name, settings in wiring.settings.profiles.items()}
    try:
        return Recorder(Path(path), profiles, wiring.clock)
    except RecordingError as error:
        raise CommandError(str(error)) from None
