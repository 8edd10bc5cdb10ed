"""What a recording may hold: the writer keeps to it, and the reader refuses more, for a file is anybody's."""

FORMAT = "jobdeck-recording"
VERSION = 1

MAX_LINE = 4 * 1024 * 1024
"""Bytes of one line."""

MAX_BYTES = 1024 * 1024 * 1024
"""Bytes of a whole recording, unpacked: some days of a busy deck."""

MAX_WEIGHT = 2_000_000
"""Facts of a whole recording; a list counts for its rows, too."""

MAX_BODIES = 512 * 1024 * 1024
"""Characters of all bodies of a recording, unpacked."""

MAX_TEXT = 256 * 1024
"""Characters of one body, and of one result: what is larger is left out, and that is said in its place."""

WEIGHT_OF_ROWS = 16
"""So many unchanged rows of a list weigh as much as a fact: they share what they say."""
