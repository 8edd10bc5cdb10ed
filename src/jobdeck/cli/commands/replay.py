"""``jobdeck replay``: the screen on a recording."""

import argparse
from pathlib import Path

from jobdeck.app.replay_session import ReplaySession
from jobdeck.cli.exit_codes import CommandError
from jobdeck.cli.log import STATUS_LINE
from jobdeck.cli.screen import require_terminal, run_screen
from jobdeck.domain.text import one_line
from jobdeck.recording.entries import RecordingError
from jobdeck.recording.reader import read_recording
from jobdeck.recording.replay import ReplayEngine
from jobdeck.recording.times import TimeParseError


def run(arguments: argparse.Namespace) -> int:
    """Read the recording and open the screen on it; reads no configuration and writes nothing."""
    STATUS_LINE.show(f"jobdeck: reading {one_line(arguments.file, 60)}…")
    try:
        recording = read_recording(Path(arguments.file))
    except RecordingError as error:
        raise CommandError(str(error)) from None
    finally:
        STATUS_LINE.clear()
    replay = ReplayEngine(recording, speed=arguments.speed, playing=not arguments.paused)
    if arguments.at is not None:
        try:
            replay.seek(replay.parse_time(arguments.at))
        except TimeParseError as error:
            raise CommandError(f"--at: {error}") from None
    require_terminal(piped=False)
    return run_screen(ReplaySession(recording, replay), replay, command="replay")
