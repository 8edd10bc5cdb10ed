"""Run all benchmarks, or the named ones: ``python -m benchmarks [--full] [--readme] [NAME…]``.

``--full`` selects the long form of those that have one. The output ends with a table of all numbers, which ``--readme``
writes into the README; numbers of benchmarks that were not run stay unchanged.
"""

import argparse
import importlib
import os
import sys

from benchmarks.goal import Number
from benchmarks.readme import NUMBERED, README, machine, table, with_numbers

OTHERS = ("scheduling",)
"""Benchmarks with tables of their own."""


def main() -> int:
    """Run the benchmarks and return 1 if one of them missed a goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--full", action="store_true", help="the long form, of those that have one")
    parser.add_argument("--readme", action="store_true", help="put the numbers into the README")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join((*NUMBERED, *OTHERS))}")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in (*NUMBERED, *OTHERS)]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    if sys.platform != "linux":
        parser.error("CPU time and memory are read from /proc: run this on Linux")
    chosen = arguments.names or [*NUMBERED, *(() if arguments.readme else OTHERS)]
    numbers: list[Number] = []
    missed = False
    for name in chosen:
        sys.stdout.write(f"\n{name} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)\n")
        sys.stdout.flush()
        if name in OTHERS:
            missed = bool(importlib.import_module(f"benchmarks.{name}").main()) or missed
        else:
            numbers += measured(name)
    missed = missed or not all(number.met for number in numbers)
    sys.stdout.write(f"\n{machine()}\n\n{table(numbers)}\n")
    if arguments.readme:
        README.write_text(with_numbers(README.read_text(encoding="utf-8"), numbers), encoding="utf-8")
    return int(missed)


def measured(name: str) -> list[Number]:
    """Run a benchmark and print each number as it arrives; it must yield one for each of its goals."""
    module = importlib.import_module(f"benchmarks.{name}")
    numbers: list[Number] = []
    for number in module.measure():
        numbers.append(number)
        word = "ok  " if number.met else "MISS"
        sys.stdout.write(f"  {word} {number.goal.name:<56} goal {number.goal.text:<34} measured {number.measured}\n")
        sys.stdout.flush()
    assert [number.goal for number in numbers] == list(module.GOALS), name
    return numbers


if __name__ == "__main__":
    sys.exit(main())
