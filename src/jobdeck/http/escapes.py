"""Escapes of URLs, JSON, JavaScript and HTML undone, and where each character of what results comes from."""

import re
from collections.abc import Iterator, Sequence

LONGEST = 12
"""Characters that one may take: ``&amp;amp;#47;``, ``\\\\\\\\u002f``."""

_NAMES = {
    "excl": "!", "quot": '"', "num": "#", "dollar": "$", "percnt": "%", "amp": "&", "apos": "'", "lpar": "(",
    "rpar": ")", "ast": "*", "midast": "*", "plus": "+", "comma": ",", "period": ".", "sol": "/", "colon": ":",
    "semi": ";", "lt": "<", "equals": "=", "gt": ">", "quest": "?", "commat": "@", "lsqb": "[", "lbrack": "[",
    "bsol": "\\", "rsqb": "]", "rbrack": "]", "hat": "^", "lowbar": "_", "underbar": "_", "grave": "`",
    "diacriticalgrave": "`", "lcub": "{", "lbrace": "{", "verbar": "|", "vert": "|", "verticalline": "|",
    "rcub": "}", "rbrace": "}",
}  # fmt: skip
_BEHIND_BACKSLASH = frozenset("\"'/\\")


class _Characters(dict[str, str]):
    """Escapes and what they stand for, worked out once each."""

    def __missing__(self, escape: str) -> str:
        self[escape] = found = _character(escape)
        return found


class Decoder:
    """Undoes the escapes of those characters that matter, in a text in lower case.

    What is in no secret, such as a blank, need not be understood, and is by far the most that is escaped. What begins
    an escape always matters.
    """

    def __init__(self, chars: str) -> None:
        wanted = frozenset(chars) | frozenset("%\\&#;")
        self._pattern = re.compile(_escapes_of(wanted, backslash=True))
        # Two backslashes are one in JSON, or one and the beginning of an escape: with a key that has one, both.
        self._other = re.compile(_escapes_of(wanted, backslash=False)) if "\\" in chars else None
        self._known = _Characters()

    def decode(self, text: str) -> str:
        """Return `text` with its escapes undone, once."""
        known = self._known
        return self._pattern.sub(lambda match: known[match[0]], text)

    def view(self, view: "View") -> "View":
        """Return what `decode` gives, with where it comes from."""
        return view.replaced(self._pattern, self._known)

    def otherwise(self, text: str) -> Iterator[str]:
        """Yield the other way to read `text`, where there is one."""
        known = self._known
        if self._other is not None:
            yield self._other.sub(lambda match: known[match[0]], text)

    def otherwise_viewed(self, view: "View") -> Iterator["View"]:
        """Yield what `otherwise` gives, with where it comes from."""
        if self._other is not None:
            yield view.replaced(self._other, self._known)


class View:
    """A text made of another: `span` says where in that a part of it comes from."""

    __slots__ = ("_ends", "_starts", "text")

    def __init__(self, text: str, starts: Sequence[int] | None = None, ends: Sequence[int] | None = None) -> None:
        self.text = text
        self._starts = range(len(text)) if starts is None else starts
        self._ends = range(1, len(text) + 1) if ends is None else ends

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Return from where to where the characters from `begin` to `end` come from."""
        return self._starts[begin], self._ends[end - 1]

    def replaced(self, pattern: re.Pattern[str], known: dict[str, str]) -> "View":
        """Return this with what a pattern finds replaced by what is known of it."""
        return self._with([(match.start(), match.end(), known[match[0]]) for match in pattern.finditer(self.text)])

    def without(self, pattern: re.Pattern[str]) -> "View":
        """Return this without what a pattern finds."""
        return self._with([(match.start(), match.end(), "") for match in pattern.finditer(self.text)])

    def _with(self, changes: Sequence[tuple[int, int, str]]) -> "View":
        if not changes:
            return self
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for begin, end, new in changes:
            pieces += (self.text[at:begin], new)
            starts += self._starts[at:begin]
            ends += self._ends[at:begin]
            if new:
                starts.append(self._starts[begin])
                ends.append(self._ends[end - 1])
            at = end
        pieces.append(self.text[at:])
        starts += self._starts[at:]
        ends += self._ends[at:]
        return View("".join(pieces), starts, ends)


def _escapes_of(wanted: frozenset[str], *, backslash: bool) -> str:
    """Return a pattern for the escapes of `wanted` as URLs, JSON, JavaScript and HTML write them, in lower case."""
    codes = sorted({ord(case) for char in wanted if char.isascii() for case in (char, char.upper())})
    seconds: dict[str, str] = {}
    for code in codes:
        seconds[f"{code:02x}"[0]] = seconds.get(f"{code:02x}"[0], "") + f"{code:02x}"[1]
    hexadecimal = "|".join(f"{first}[{second}]" for first, second in seconds.items())
    decimal = "|".join(map(str, codes))
    names = "|".join(sorted((name for name, char in _NAMES.items() if char in wanted), key=len, reverse=True))
    plain = "".join(re.escape(char) for char in sorted(_BEHIND_BACKSLASH & wanted) if backslash or char != "\\")
    return (
        rf"%(?:u00)?(?:{hexadecimal})"
        rf"|\\(?:(?:u00|x)(?:{hexadecimal}){f'|[{plain}]' if plain else ''})"
        rf"|&(?:\#(?:0{{0,6}}(?:{decimal})(?![0-9])|x0{{0,6}}(?:{hexadecimal})(?![0-9a-f]))|(?:{names})(?![0-9a-z]));?"
    )


def _character(escape: str) -> str:
    name = escape.rstrip(";")
    if name.startswith("&#x"):
        return chr(int(name[3:], 16)).lower()
    if name.startswith("&#"):
        return chr(int(name[2:])).lower()
    if name.startswith("&"):
        return _NAMES[name[1:]]
    if len(escape) == 2:
        return escape[1]
    return chr(int(escape[-2:], 16)).lower()
