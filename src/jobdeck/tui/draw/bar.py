"""Progress bars with half a cell's precision."""

from jobdeck.tui.draw.spans import Line, Role

FULL, HALF, TRACK = "━", "╸", "─"


def bar(progress: float | None, width: int, role: Role) -> Line:
    """Return a bar of exactly `width` cells; None is an empty track.

    It looks full only at 1 and empty only at 0: the last half cell is kept back until it is true.
    """
    if width <= 0:
        return ()
    if progress is None:
        return ((TRACK * width, Role.FAINT),)
    halves = round(progress * width * 2)
    if progress < 1.0:
        halves = min(halves, width * 2 - 1)
    if progress > 0.0:
        halves = max(halves, 1)
    filled = FULL * (halves // 2) + HALF * (halves % 2)
    rest = TRACK * (width - len(filled))
    if not rest:
        return ((filled, role),)
    return ((filled, role), (rest, Role.FAINT)) if filled else ((rest, Role.FAINT),)
