"""Writing a recording beside the engine, which never waits for it."""

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
"""How often the recording reaches the disk: a killed process loses at most the last of them."""

BACKLOG = 20_000
"""Entries that may wait to be written: a disk that takes no more must not fill the memory."""

CLOSE_SECONDS = 1.5
LEVEL = 9

_log = logging.getLogger(__name__)


class Writer:
    """Writes entries in a thread of its own, in their order.

    The first error ends it: `on_error` is called once, from that thread, with a line that says so, and every later
    entry is dropped. Nothing raises once it has been made.
    """

    def __init__(self, path: Path, header: Header, on_error: Callable[[str], object]) -> None:
        """Make the file, readable by its owner alone; raises `RecordingError`, also for one that is there already."""
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
        """Write an entry soon; does not wait."""
        if self._failed:
            return
        try:
            self._queue.put_nowait(entry)
        except Full:
            self._fail("the disk is too slow")

    def close(self, at: Instant) -> bool:
        """Write what is left and the end; returns whether that was done within a second or two."""
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
            # The first lines go to the disk at once, then never more often than is worth a block of its own.
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
