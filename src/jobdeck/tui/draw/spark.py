"""Progress over time in one line of small bars."""

from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(samples: Sequence[tuple[float, float]], until: float, width: int) -> str:
    """Return how a fraction grew from its first sample to the moment `until`, in `width` cells.

    Each cell shows the last value known at its end; empty with fewer than two samples or no time between.
    """
    if len(samples) < 2 or width < 1 or until <= samples[0][0]:
        return ""
    first = samples[0][0]
    cells: list[str] = []
    at = 0
    for cell in range(width):
        end = first + (until - first) * (cell + 1) / width
        while at + 1 < len(samples) and samples[at + 1][0] <= end:
            at += 1
        cells.append(LEVELS[min(int(samples[at][1] * len(LEVELS)), len(LEVELS) - 1)])
    return "".join(cells)
