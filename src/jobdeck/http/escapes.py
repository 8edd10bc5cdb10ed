"""Decoding the escapes of URLs, JSON, JavaScript and HTML, with the origin of each decoded character."""

import re
from collections.abc import Iterator, Sequence

MAX_ESCAPE = 12
"""Most characters of an escape: ``&amp;amp;#47;``, ``\\\\\\\\u002f``."""

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
    """Escapes and their characters, each computed once."""

    def __missing__(self, escape: str) -> str:
        self[escape] = found = _character(escape)
        return found


class Decoder:
    """Decodes the escapes of the characters `chars`, and of those that begin an escape, in a text in lower case.

    Other characters, such as a space, are in no secret, and are by far the most common escapes: they are skipped.
    """

    def __init__(self, chars: str) -> None:
        wanted = frozenset(chars) | frozenset("%\\&#;")
        self._pattern = re.compile(_escapes_of(wanted, backslash=True))
        # Two backslashes are an escaped one, or one and the beginning of an escape; a secret with one needs both.
        self._alternative = re.compile(_escapes_of(wanted, backslash=False)) if "\\" in chars else None
        self._characters = _Characters()

    def decode(self, text: str) -> str:
        """Return `text` with its escapes decoded, once."""
        characters = self._characters
        return self._pattern.sub(lambda match: characters[match[0]], text)

    def decode_mapped(self, text: "MappedText") -> "MappedText":
        """Return the text that `decode` returns, mapped to the original."""
        return text.replaced(self._pattern, self._characters)

    def alternatives(self, text: str) -> Iterator[str]:
        """Yield the other reading of `text`, if there is one."""
        characters = self._characters
        if self._alternative is not None:
            yield self._alternative.sub(lambda match: characters[match[0]], text)

    def mapped_alternatives(self, text: "MappedText") -> Iterator["MappedText"]:
        """Yield the texts that `alternatives` yields, mapped to the original."""
        if self._alternative is not None:
            yield text.replaced(self._alternative, self._characters)


class MappedText:
    """A text derived from an original; `span` maps a part of it back to the original."""

    __slots__ = ("_ends", "_starts", "text")

    def __init__(self, text: str, starts: Sequence[int] | None = None, ends: Sequence[int] | None = None) -> None:
        self.text = text
        self._starts = range(len(text)) if starts is None else starts
        self._ends = range(1, len(text) + 1) if ends is None else ends

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Return begin and end in the original of the characters from `begin` to `end`."""
        return self._starts[begin], self._ends[end - 1]

    def replaced(self, pattern: re.Pattern[str], replacements: dict[str, str]) -> "MappedText":
        """Return the text with each match of a pattern replaced."""
        matches = pattern.finditer(self.text)
        return self._with([(match.start(), match.end(), replacements[match[0]]) for match in matches])

    def without(self, pattern: re.Pattern[str]) -> "MappedText":
        """Return the text without the matches of a pattern."""
        return self._with([(match.start(), match.end(), "") for match in pattern.finditer(self.text)])

    def _with(self, changes: Sequence[tuple[int, int, str]]) -> "MappedText":
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
        return MappedText("".join(pieces), starts, ends)


def _escapes_of(wanted: frozenset[str], *, backslash: bool) -> str:
    """Return a pattern for the escapes of `wanted` in URLs, JSON, JavaScript and HTML, in lower case."""
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
