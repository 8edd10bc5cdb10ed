"""The user's experience, in a real pty: key to paint, processor time and output, with 10,000 rows."""

import random
import sys
import time
from collections.abc import Iterator
from statistics import median

from benchmarks.goal import Goal, Number, percentile
from benchmarks.terminal import Terminal, as_installed

ROWS = 10_000
KEYS, TABLE_KEYS = 120, 30
SECONDS = 8.0
IN_VIEW = 36
"""Rows in view in a terminal of 40 lines with the list zoomed."""

CURSOR = rb"\xe2\x96\xb8 \S+ \S+ +op_"
TABLE_CURSOR = rb"48;2;1;2;3m *op_%05d"

BUSY_P50 = Goal("key to paint, 10,000 rows, 500 changes/s: p50", 10.0, "ms")
BUSY_P99 = Goal("key to paint, 10,000 rows, 500 changes/s: p99", 50.0, "ms")
OF_TABLE = Goal("key to paint, 10,000 rows, 500 changes/s: p50", 0.125, "×", "a DataTable's")
TEN = Goal("CPU, 10,000 rows, 10 changes/s", 4.0, "%")
MANY = Goal("CPU, 10,000 rows, 500 changes/s, all in view", 20.0, "%")
IDLE = Goal("CPU, idle", 0.3, "%")
IDLE_BYTES = Goal("output, idle", 0.0, "kB/s")
AGES = Goal("CPU, 36 ages ticking", 1.5, "%")
AGES_BYTES = Goal("output, 36 ages ticking", 12.0, "kB/s")
GOALS = (BUSY_P50, BUSY_P99, OF_TABLE, TEN, MANY, IDLE, IDLE_BYTES, AGES, AGES_BYTES)


def measure() -> Iterator[Number]:
    """Measure each screen for a while."""
    with _deck(500, ROWS) as terminal:
        times = list(_presses(terminal, KEYS))
    with _shown(rb"op_00000", "table", "500") as terminal:
        others = list(_table_presses(terminal))
    yield BUSY_P50.found(median(times))
    yield BUSY_P99.found(percentile(times, 0.99))
    yield OF_TABLE.found(median(times) / median(others), f"{median(others):.0f} ms")
    with _deck(10, ROWS) as terminal:
        cpu, kilobytes = terminal.watch(SECONDS)
    yield TEN.found(cpu, f"{kilobytes:.1f} kB/s")
    with _deck(500, IN_VIEW, alone=True) as terminal:
        cpu, kilobytes = terminal.watch(SECONDS)
    yield MANY.found(cpu, f"{kilobytes:.1f} kB/s")
    with _deck(0, 0, standing=True) as terminal:
        cpu, kilobytes = terminal.watch(SECONDS)
    yield IDLE.found(cpu)
    yield IDLE_BYTES.found(kilobytes)
    with _deck(0, 0, alone=True) as terminal:
        cpu, kilobytes = terminal.watch(SECONDS)
    yield AGES.found(cpu)
    yield AGES_BYTES.found(kilobytes)


def _shown(pattern: bytes, *arguments: str) -> Terminal:
    terminal = Terminal([sys.executable, "-m", "benchmarks.screens", *arguments], as_installed())
    try:
        terminal.until(pattern)
    except TimeoutError:
        terminal.end()
        raise
    terminal.drain(1.5)
    return terminal


def _deck(rate: int, among: int, *, standing: bool = False, alone: bool = False) -> Terminal:
    terminal = _shown(CURSOR, "deck", str(rate), str(among), "standing" if standing else "going")
    if alone:
        terminal.type(b"z")
        terminal.drain(1.5)
    return terminal


def _presses(terminal: Terminal, times: int) -> Iterator[float]:
    """Press `down`, and yield the milliseconds until the next row is painted with the cursor."""
    for row in range(1, times + 1):
        terminal.drain(random.uniform(0.02, 0.08))
        begun = time.perf_counter()
        terminal.type(b"\x1b[B")
        terminal.until(CURSOR + b"%05d" % (ROWS - 1 - row))
        yield (time.perf_counter() - begun) * 1_000


def _table_presses(terminal: Terminal) -> Iterator[float]:
    for row in range(1, TABLE_KEYS + 1):
        terminal.drain(random.uniform(0.02, 0.08))
        begun = time.perf_counter()
        terminal.type(b"\x1b[B")
        terminal.until(TABLE_CURSOR % row, raw=True)
        yield (time.perf_counter() - begun) * 1_000
