"""What goes wrong with recordings."""


class RecordingError(Exception):
    """A recording cannot be begun or read; the message names the file, the line if there is one, and says why."""
