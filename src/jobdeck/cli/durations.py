"""Durations as people write them."""

import argparse
import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z?", re.ASCII)
LONGEST = 366 * 86_400.0


def duration(text: str) -> float:
    """Return the seconds of ``90``, ``45s``, ``30m`` or ``1h30m``; for argparse, raises its ArgumentTypeError."""
    seconds = None
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        seconds = float(text)
    elif len(text) <= 40 and re.fullmatch(r"(?:\d+(?:\.\d+)?[hms])+", text, re.ASCII):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
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
