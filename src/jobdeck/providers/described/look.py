"""Looking fields up in an answer, and keeping what was found where for whoever asks how it was read."""

from dataclasses import dataclass, field, replace

from jobdeck.providers.described.paths import Key, find_all
from jobdeck.providers.described.values import amount
from jobdeck.providers.description import Paths
from jobdeck.providers.lenient import text


@dataclass(frozen=True, slots=True)
class Finding:
    """Where a field was looked for: the path that found it and what it found; all its paths, where none did.

    `note` says what a person who describes the API should know of it; empty where there is nothing to say.
    """

    field: str
    paths: Paths
    value: object = None
    found: bool = False
    note: str = ""


@dataclass(slots=True)
class Look:
    """Looks fields up in one value; `named` once it was found to say which job it is about."""

    value: object
    findings: list[Finding] = field(default_factory=list)
    key: Key = None
    named: bool = False

    def up(self, name: str, paths: Paths) -> object:
        """Return the first value but null that one of `paths` finds; None when none does."""
        values = self._all(name, paths)
        if not values:
            return None
        if len(values) > 1:
            self.note(f"the first of {len(values)}")
        return values[0]

    def word(self, name: str, paths: Paths) -> str | None:
        """Return what `up` finds as clean text, None where it is neither text nor a number."""
        value = self.up(name, paths)
        found = text(value)
        if found is None and value is not None and value != "":
            self.note("not read: neither text nor a number")
        return found

    def sum(self, name: str, paths: Paths) -> int | float | None:
        """Return what all values at the first path that finds any come to; None when they are no amounts."""
        values = self._all(name, paths)
        found = amount(values)
        if values and found is None:
            self.note("not read: not all of it are numbers or lists")
        elif len(values) > 1:
            self.note(f"the first of {len(values)}, which come to {found}")
        return found

    def note(self, text: str) -> None:
        """Say something of what was found last, unless something is said already."""
        last = self.findings[-1] if self.findings else None
        if last is not None and not last.note:
            self.findings[-1] = replace(last, note=text)

    def _all(self, name: str, paths: Paths) -> list[object]:
        if not paths:
            return []
        for path in paths:
            values = [found.value for found in find_all(path, self.value) if found.value is not None]
            if values:
                self.findings.append(Finding(name, (path,), values[0], found=True))
                return values
        self.findings.append(Finding(name, paths))
        return []
