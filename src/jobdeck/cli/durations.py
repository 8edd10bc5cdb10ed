"""Durations as people write them."""

import argparse

LONGEST = 366 * 86_400.0


def duration(text: str) -> float:
    """Return the seconds of a length of time of up to a year; for argparse, raises its ArgumentTypeError."""
    from jobdeck.domain.words import seconds_of  # noqa: PLC0415 - not for --version and --help

    seconds = seconds_of(text)
    if seconds is None or not 0 < seconds <= LONGEST:
        message = "not a duration such as 45s, 30m or 1h30m"
        raise argparse.ArgumentTypeError(message)
    return seconds
