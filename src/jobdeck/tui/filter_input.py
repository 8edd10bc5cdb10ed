"""Typing a filter: earlier filters, and suggestions."""

import json
import re
from collections.abc import Callable, Iterable
from itertools import islice

from textual.suggester import Suggester

from jobdeck.domain.text import mask_keys
from jobdeck.tui.job_filter import KEYS, MEASURES, values_of
from jobdeck.tui.job_table import Row

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


ROWS = 2_000
"""Rows that are searched for values: 3 ms."""

_LAST = re.compile(r'(?:^|\s)!?([^\s"]*)$')
_PLAIN = re.compile(r'[^\s",\\]{1,100}')
_KEYED = re.compile(r"([a-z]+)([:=])(.+)")


class FilterSuggester(Suggester):
    """Completes the last term of a filter."""

    def __init__(self, rows: Callable[[], Iterable[Row]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._rows = rows

    async def get_suggestion(self, value: str) -> str | None:
        """Return the filter with its last term completed, or None."""
        last = _LAST.search(value)
        term = last[1] if last else ""
        if not term:
            return None
        keyed = _KEYED.fullmatch(term)
        if keyed is None:
            key = next((key for key in (*KEYS, *MEASURES) if key.startswith(term) and len(term) >= 2), None)
            return None if key is None else value + key[len(term) :] + (">" if key in MEASURES else ":")
        key, typed = keyed[1], keyed[3].rsplit(",", 1)[-1]
        if key not in KEYS or not typed:
            return None
        found = self._value(key, typed)
        return None if found is None else value[: len(value) - len(typed)] + found

    def _value(self, key: str, typed: str) -> str | None:
        """Return the most frequent value of a key that starts with `typed` and needs no quotes."""
        counts: dict[str, int] = {}
        for row in islice(self._rows(), ROWS):
            for text in values_of(key, row.job, row.category.word):
                if text.casefold().startswith(typed.casefold()) and _PLAIN.fullmatch(text):
                    counts[text] = counts.get(text, 0) + 1
        if not counts:
            return None
        return max(sorted(counts), key=counts.__getitem__)
