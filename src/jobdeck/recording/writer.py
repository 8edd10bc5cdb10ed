"""Writes a recording in a thread; the engine never waits for it."""

import gzip
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import IO

from jobdeck.domain.instant import Instant
from jobdeck.domain.text import one_line
from jobdeck.recording.codec import MAX_BYTES, MAX_LINE, Encoder
from jobdeck.recording.entries import Entry, Header, RecordingError

FLUSH_SECONDS = 5.0
"""How often the recording is flushed: a killed process loses at most this much."""

BACKLOG = 20_000
"""Entries that may wait to be written: a full disk must not fill the memory."""

CLOSE_SECONDS = 1.5
LEVEL = 9

_log = logging.getLogger(__name__)


class Writer:
    """Writes entries in order, in its own thread.

    The first error stops it: `on_error` is called once, from that thread, with a message, and later entries are
    dropped. After construction nothing raises.
    """

    def __init__(self, path: Path, header: Header, on_error: Callable[[str], object]) -> None:
        """Create the file, readable only by its owner; raises `RecordingError`, also if it already exists."""
        self._name = one_line(str(path), 200)
        self._file = _create(path, self._name)
        self._header = header
        self._encoder = Encoder()
        self._on_error = on_error
        self._queue: Queue[Entry | Instant] = Queue(BACKLOG)
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="jobdeck-recording", daemon=True)
        self._thread.start()

    def write(self, entry: Entry) -> None:
        """Queue an entry; never blocks."""
        if self._failed:
            return
        try:
            self._queue.put_nowait(entry)
        except Full:
            self._fail("the disk is too slow")

    def close(self, at: Instant) -> bool:
        """Write the remaining entries and the end; returns whether that succeeded in time."""
        with suppress(Full):
            self._queue.put_nowait(at)
        self._thread.join(CLOSE_SECONDS)
        return not self._thread.is_alive() and not self._failed

    def _run(self) -> None:
        try:
            with self._file, gzip.GzipFile("", "wb", LEVEL, self._file, mtime=0) as packed:
                packed.write(self._encoder.header(self._header) + b"\n")
                self._write(packed)
        except OSError as error:
            self._fail(error.strerror or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a recording that breaks must not break what it records
            _log.exception("an entry was not recorded")
            self._fail(f"internal error ({type(error).__name__})")

    def _write(self, packed: gzip.GzipFile) -> None:
        flushed, dirty, written = 0.0, True, 0
        while not self._failed:
            # The first lines are flushed at once, later ones only as often as a separate compressed block is worth.
            due = flushed + FLUSH_SECONDS - time.monotonic()
            if dirty and due <= 0:
                packed.flush()
                self._file.flush()
                flushed, dirty = time.monotonic(), False
                continue
            try:
                entry = self._queue.get(timeout=due if dirty else None)
            except Empty:
                continue
            line = self._encoder.line(entry)
            if len(line) > MAX_LINE or written + len(line) > MAX_BYTES - MAX_LINE:
                self._fail("it has reached its maximum size")
                return
            written += packed.write(line + b"\n")
            dirty = True
            if isinstance(entry, Instant):
                return

    def _fail(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            self._on_error(f"recording to {self._name} stopped: {reason}")


def _create(path: Path, name: str) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        return os.fdopen(os.open(path, flags, 0o600), "wb")
    except FileExistsError:
        raise RecordingError(f"{name} already exists; a recording never overwrites a file") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise RecordingError(f"cannot record to {name}: {why or type(error).__name__}") from None
