"""Filters that were used before, newest last, for the up and down keys and the next run."""

import json

from jobdeck.domain.text import mask_keys

MOST = 50
LONGEST = 500


class FilterHistory:
    """Steps through earlier filters. A filter that contains something like an API key is not saved."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._at: int | None = None
        self._typed = ""

    @property
    def text(self) -> str:
        """The history as `restore` reads it."""
        return json.dumps(self._texts)

    def restore(self, text: str) -> None:
        """Load a saved history; an unreadable one is ignored."""
        try:
            read = json.loads(text) if text else []
        except ValueError:
            return
        if isinstance(read, list):
            self._texts = [one for one in read if isinstance(one, str) and len(one) <= LONGEST][-MOST:]

    def add(self, text: str) -> bool:
        """Add a filter as the newest; returns whether it was added."""
        self._at = None
        if not text or len(text) > LONGEST or mask_keys(text) != text:
            return False
        self._texts = [*(one for one in self._texts if one != text), text][-MOST:]
        return True

    def older(self, typed: str) -> str | None:
        """Return the next older filter, or None; `typed` is returned again after the newest one."""
        if self._at is None:
            self._typed = typed
        at = (len(self._texts) if self._at is None else self._at) - 1
        if at < 0:
            return None
        self._at = at
        return self._texts[at]

    def newer(self) -> str | None:
        """Return the next newer filter, and after the newest one the typed text; None if no older one is shown."""
        if self._at is None:
            return None
        self._at += 1
        if self._at < len(self._texts):
            return self._texts[self._at]
        self._at = None
        return self._typed
