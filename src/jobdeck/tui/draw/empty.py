"""What the list says where it has no row to show."""

from jobdeck.tui.draw.spans import EMPTY, Line, Role

OPENING: tuple[Line, ...] = (EMPTY, (("  opening…", Role.DIM),))
"""What is said until the engine is there."""

NO_JOBS: tuple[Line, ...] = (EMPTY, (("  No jobs are watched.", Role.STRONG),))

EMPTY_DECK: tuple[Line, ...] = (
    *NO_JOBS,
    EMPTY,
    (("  a", Role.KEY), ("  adds targets: paste IDs, poll URLs, or the answers that accepted your jobs", Role.DIM)),
    (("  or, from the shell:  ", Role.DIM), ("curl … | jobdeck -", Role.TEXT)),
)


NOTHING_PASSES: tuple[Line, ...] = (
    EMPTY,
    (("  No job passes the filter.  ", Role.STRONG), ("esc", Role.KEY), (" shows all", Role.DIM)),
)
