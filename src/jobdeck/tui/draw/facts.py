"""Facts of a job in words: what a value means to a person, as its API's page explains it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

Meanings = Mapping[str, Mapping[str, str]]
"""What the values of facts mean, by the fact's name."""

NO_MEANINGS: Meanings = MappingProxyType({})


def meaning_of(meanings: Meanings, name: str, value: str) -> str | None:
    """Return what a fact means; None for what speaks for itself.

    A counted fact is explained word by word: ``company_page 3`` becomes ``3 matched through …``.
    """
    known = meanings.get(name)
    if not known:
        return None
    if value in known:
        return known[value]
    counts = (part.strip().rpartition(" ") for part in value.split(","))
    found = [f"{count} {known[word]}" for word, _, count in counts if word in known and count.isdigit()]
    return "; ".join(found) or None


def explained(facts: Iterable[tuple[str, str]], meanings: Meanings) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of the facts that a page explains."""
    return [(name, value, meaning_of(meanings, name, value) or "") for name, value in facts if name in meanings]
