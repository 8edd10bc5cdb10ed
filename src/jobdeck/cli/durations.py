"""Durations as people write them."""

import argparse
import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
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
