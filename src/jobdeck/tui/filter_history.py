"""The filters that somebody has used, the newest last, for the keys up and down and for the next time."""

import json

from jobdeck.domain.text import mask_keys

MOST = 50
LONGEST = 500


class FilterHistory:
    """Goes back and forth through filters. What looks like an API key is never remembered."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._at: int | None = None
        self._typed = ""

    @property
    def text(self) -> str:
        """The filters as `restore` reads them."""
        return json.dumps(self._texts)

    def restore(self, text: str) -> None:
        """Take the filters of last time; nothing where they cannot be read."""
        try:
            read = json.loads(text) if text else []
        except ValueError:
            return
        if isinstance(read, list):
            self._texts = [one for one in read if isinstance(one, str) and len(one) <= LONGEST][-MOST:]

    def add(self, text: str) -> bool:
        """Remember a filter as the newest; returns whether it was."""
        self._at = None
        if not text or len(text) > LONGEST or mask_keys(text) != text:
            return False
        self._texts = [*(one for one in self._texts if one != text), text][-MOST:]
        return True

    def older(self, typed: str) -> str | None:
        """Return the filter before the one that is shown; `typed` comes back after the newest. None: there is none."""
        if self._at is None:
            self._typed = typed
        at = (len(self._texts) if self._at is None else self._at) - 1
        if at < 0:
            return None
        self._at = at
        return self._texts[at]

    def newer(self) -> str | None:
        """Return the filter after the one that is shown, at last what was typed; None while none is shown."""
        if self._at is None:
            return None
        self._at += 1
        if self._at < len(self._texts):
            return self._texts[self._at]
        self._at = None
        return self._typed
