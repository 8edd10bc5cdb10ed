"""Whether a text could still drive a terminal: by Unicode's own categories, and by the list that `clean` goes by."""

import unicodedata

from jobdeck.domain.text import clean


def is_clean(text: str, *, lines: bool = False) -> bool:
    """Whether `clean` would change nothing, and no control character and no half of a character is left."""
    rest = text.replace("\n", "") if lines else text
    return clean(rest) == rest and not any(unicodedata.category(char) in {"Cc", "Cs"} for char in rest)
