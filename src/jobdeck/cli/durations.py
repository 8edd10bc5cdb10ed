"""Durations as people write them."""

import argparse
import re

_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z?", re.ASCII)
LONGEST = 366 * 86_400.0


def duration(text: str) -> float:
    """Return the seconds of a length of time of up to a year; for argparse, raises its ArgumentTypeError."""
    from jobdeck.domain.words import seconds_of  # noqa: PLC0415 - not for --version and --help

    seconds = seconds_of(text)
    if seconds is None or not 0 < seconds <= LONGEST:
        message = "not a duration such as 45s, 30m or 1h30m"
        raise argparse.ArgumentTypeError(message)
    return seconds


def moment(text: str) -> float | str:
    """Return a time of day (``14:02:07``) as it is, and a duration in seconds; raises argparse's ArgumentTypeError."""
    if _CLOCK.fullmatch(text):
        return text.removesuffix("Z")
    try:
        return duration(text)
    except argparse.ArgumentTypeError as error:
        message = f"{error}, and no time of day such as 14:02:07"
        raise argparse.ArgumentTypeError(message) from None
