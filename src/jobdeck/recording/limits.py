"""What a recording may hold: the writer keeps to it, and the reader refuses more, for a file is anybody's."""

from dataclasses import dataclass

FORMAT = "jobdeck-recording"
VERSION = 2

ORDERED_SINCE = 2
"""The first version whose requests have their place in the order of sending."""

MAX_LINE = 4 * 1024 * 1024
"""Bytes of one line."""

MAX_BYTES = 256 * 1024 * 1024
"""Bytes of a whole recording, unpacked: some days of a busy deck."""

MAX_WEIGHT = 2_000_000
"""Facts of a whole recording; a list counts for its rows, too."""

MAX_BODIES = 512 * 1024 * 1024
"""Characters of all bodies of a recording, unpacked; those beyond are left out."""

MAX_TEXT = 256 * 1024
"""Characters of one body, and of one result: what is larger is left out, and that is said in its place."""

WEIGHT_OF_ROWS = 16
"""So many unchanged rows of a list weigh as much as a fact: they share what they say."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a recording of some size may amount to: a small one must not take the time and memory of a large one.

    Real ones unpack to some 8 times their size, with a line for every 80 bytes of it, and 145 kB of one that was made
    to hurt took 18 s and 614 MB.
    """

    size: int
    """Bytes of the file."""

    @property
    def unpacked(self) -> int:
        """Bytes that it may unpack to."""
        return min(MAX_BYTES, 8 * 1024 * 1024 + 100 * self.size)

    @property
    def lines(self) -> int:
        """Lines that it may have."""
        return 20_000 + self.size // 2

    @property
    def weight(self) -> int:
        """Facts that it may tell."""
        return min(MAX_WEIGHT, 50_000 + 2 * self.size)

    @property
    def bodies(self) -> int:
        """Characters of bodies that are kept; a body that changed a little takes some 40 bytes of the file."""
        return min(MAX_BODIES, 32 * 1024 * 1024 + 500 * self.size)

    @property
    def copied(self) -> int:
        """Characters that may be moved to put bodies together."""
        return 1024 * 1024 * 1024 + 4_000 * self.size
