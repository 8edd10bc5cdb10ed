"""Completion of a filter's last term: keys, and values that the jobs have."""

import re
from collections.abc import Callable, Iterable
from itertools import islice

from textual.suggester import Suggester

from jobdeck.tui.job_filter import KEYS, MEASURES, values_of
from jobdeck.tui.job_table import Row

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
