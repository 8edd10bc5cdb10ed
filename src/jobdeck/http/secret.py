"""A credential that never appears in text by accident."""

import re

_WELL_FORMED = re.compile(r"[\x21-\x7e]{8,512}")
_seen: set[str] = set()


class MalformedSecretError(ValueError):
    """A credential is not 8 to 512 printable ASCII characters. The message never contains it."""


def secrets_seen() -> frozenset[str]:
    """Return every credential that this process has read, even malformed ones; only for the redactor of crash files."""
    return frozenset(_seen)


class Secret:
    """A credential: its text forms are masked, and only `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str, origin: str = "the credential") -> None:
        """Take `value` without surrounding white space.

        Raises `MalformedSecretError`, which names `origin` (where it was found), if it cannot be sent in a header.
        """
        value = value.strip()
        _seen.add(value)
        if not _WELL_FORMED.fullmatch(value):
            message = f"{origin} is not 8 to 512 printable ASCII characters (no blanks, no line breaks)"
            raise MalformedSecretError(message)
        self._value = value

    def reveal(self) -> str:
        """Return the credential itself; only for the function that puts it into a request."""
        return self._value

    @property
    def masked(self) -> str:
        """A part of the credential, enough to recognize it (``sk_live_…4f2a``), too little to use it."""
        value = self._value
        if len(value) < 16:
            return "…"
        head = re.match(r"(?:hog|[a-z]{2})(?:_live|_test)?_", value)
        return f"{head[0] if head else ''}…{value[-4:]}"

    def __repr__(self) -> str:
        return f"Secret({self.masked!r})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never pickled")
