"""What is written of a changed line is what changed, and the screen is as if all of it had been."""

import re

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from jobdeck.tui.tight import TightUpdate
from jobdeck.tui.widgets.job_list import JobList
from tests.tui.drive import driven
from tests.tui.world import job

WIDTH = 24
CONSOLE = Console(color_system="truecolor", force_terminal=True, width=WIDTH)


def line(*texts: str) -> Strip:
    return Strip([Segment(text, Style(color=f"color({20 + place})")) for place, text in enumerate(texts)])


def screen_after(written: str) -> list[str]:
    screen = pyte.Screen(WIDTH, 2)
    stream = pyte.Stream(screen)
    stream.feed("\x1b[1;1H" + "." * WIDTH + "\x1b[2;1H" + "." * WIDTH)
    stream.feed(written)
    return list(screen.display)


LINES = [
    {0: line("● run  ", "op_1 ", "會議  ", "1m09s"), 23: line("|")},
    {0: line("○ wait ", "op_2 ", "done 1m10s"), 22: None},
]
ENDS = [[23, 24], [22, 24]]


@pytest.mark.parametrize(
    ("spans", "shown"),
    [
        ([(0, 0, 24), (1, 0, 22)], ["● run  op_1 會議  1m09s|", "○ wait op_2 done 1m10s.."]),
        ([(0, 18, 23), (1, 17, 22)], ["..................1m09s.", ".................1m10s.."]),
        ([(0, 12, 24)], ["............會議  1m09s|", "." * 24]),
        ([(0, 0, 5), (1, 7, 11)], ["● run...................", ".......op_2............."]),
        ([(1, 22, 24)], ["." * 24, "." * 24]),
    ],
)
def test_only_the_spans_are_written(spans: list[tuple[int, int, int]], shown: list[str]) -> None:
    written = TightUpdate(LINES, spans, ENDS).render_segments(CONSOLE)
    assert screen_after(written) == shown
    assert len(written) <= len(ChopsUpdate(LINES, spans, ENDS).render_segments(CONSOLE))


async def test_a_second_that_passes_writes_no_more_than_the_cells_that_tick() -> None:
    async with driven([job(f"op_{number}") for number in range(5)]) as run:
        jobs, compositor = run.app.deck.query_one(JobList), run.app.screen._compositor
        run.session.clock.advance(1.0)
        jobs.tick(run.session.clock.now())
        compositor.update_widgets({jobs})
        update = compositor.render_partial_update()
        assert isinstance(update, TightUpdate)
        written = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", " ", update.render_segments(CONSOLE))
        assert written.split() == ["2m06s", "?", "5s"] * 5
