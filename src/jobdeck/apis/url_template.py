"""Templates of URL paths, such as ``/repos/{owner}/{repo}/runs/{id}``, to build paths and to match them.

A variable stands for one segment of the path; a greedy one, ``{parent*}`` alone between two slashes, for any number of
segments, even none. Every segment is percent-encoded with nothing safe, and decoded once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from jobdeck.domain.text import clean

MAX_ID = 200
_ASCII = re.compile(r"[\x21-\x2e\x30-\x5b\x5d-\x7e]{1,200}")


def is_id(text: object) -> bool:
    """Whether `text` may be an ID: 1 to 200 characters, no control character, white space, slash or backslash.

    ``.`` and ``..`` are no IDs: they would lead to another path. Characters outside ASCII must be printable and clean.
    """
    if not isinstance(text, str) or text in {".", ".."}:
        return False
    if text.isascii():
        return _ASCII.fullmatch(text) is not None
    unsafe = any(character.isspace() or character in "/\\" for character in text)
    return len(text) <= MAX_ID and text.isprintable() and not unsafe and clean(text) == text


ID = "id"
MAX_TEMPLATE = 500
_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]{0,31})(\*?)\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~:@!$&'()+,;=-]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PIECE = re.compile(r"[A-Za-z0-9_.~:@+-]{1,200}")


class TemplateError(ValueError):
    """A template is invalid; the message says why."""


class PieceError(ValueError):
    """A path has the shape of a template, but a segment is no ID and no value; the message is that segment."""


def is_piece(text: str) -> bool:
    """Whether `text` may be one segment of a path (``.github`` may; ``.`` and ``..`` may not)."""
    return _PIECE.fullmatch(text) is not None and text not in {".", ".."}


@dataclass(frozen=True, slots=True)
class PathSegment:
    """The text between two slashes: a literal (`before`), or a variable with text around it, greedy if `many`."""

    before: str
    variable: str | None = None
    after: str = ""
    many: bool = False


@dataclass(frozen=True, slots=True)
class UrlTemplate:
    """The path of a URL, with variables."""

    text: str
    segments: tuple[PathSegment, ...]
    # A trailing slash, which some APIs require.
    slash: str = ""

    @classmethod
    def parse(cls, text: str) -> "UrlTemplate":
        """Return the template that `text` describes; raises `TemplateError`."""
        if not text.startswith("/") or len(text) > MAX_TEMPLATE:
            raise TemplateError(f"must be a path that starts with /, up to {MAX_TEMPLATE} characters")
        if "?" in text or "#" in text:
            raise TemplateError("must be a path only: put parameters in the query table")
        slash = "/" if text.endswith("/") else ""
        segments = tuple(_parse_segment(piece) for piece in text[1:].removesuffix("/").split("/"))
        names = [segment.variable for segment in segments if segment.variable is not None]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise TemplateError(f"has {{{twice}}} more than once")
        if sum(segment.many for segment in segments) > 1:
            raise TemplateError("may have only one variable with a *")
        return cls(text, segments, slash)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in order."""
        return tuple(segment.variable for segment in self.segments if segment.variable is not None)

    @property
    def greedy_variable(self) -> str | None:
        """The variable that stands for any number of segments; None if there is none."""
        return next((segment.variable for segment in self.segments if segment.many), None)

    def path(self, values: Mapping[str, str]) -> str:
        """Return the path with `values` for all variables, each segment encoded; raises KeyError if one is missing.

        Only the value of the greedy variable is split at its slashes, and may be missing.
        """
        return "".join(f"/{piece}" for piece in self._pieces(values)) + self.slash

    def match(self, path: str) -> dict[str, str] | None:
        """Return the variables' values in `path`, decoded; None if it has another shape.

        Raises `PieceError` if the shape is right, but a segment is no ID or no value.
        """
        path = path.removesuffix(self.slash) if self.slash else path
        pieces = path[1:].split("/") if path.startswith("/") else []
        spare = len(pieces) - len(self.segments)
        if self.greedy_variable is None and spare != 0:
            return None
        if self.greedy_variable is not None and spare < -1:
            return None
        matched: list[tuple[PathSegment, list[str]]] = []
        rest = iter(pieces)
        for segment in self.segments:
            count = spare + 1 if segment.many else 1
            matched.append((segment, [next(rest) for _ in range(count)]))
        for segment, found in matched:
            if not segment.many and not _fits(segment, found[0]):
                return None
        return {
            segment.variable: "/".join(_decode(segment, piece) for piece in found)
            for segment, found in matched
            if segment.variable is not None
        }

    def _pieces(self, values: Mapping[str, str]) -> Iterator[str]:
        for segment in self.segments:
            if segment.variable is None:
                yield segment.before
            elif segment.many:
                yield from (_encode_piece(piece) for piece in values.get(segment.variable, "").split("/") if piece)
            else:
                yield segment.before + _encode_piece(values[segment.variable]) + segment.after


def _parse_segment(piece: str) -> PathSegment:
    match = _VARIABLE.search(piece)
    if match is None:
        if "{" in piece or "}" in piece or "*" in piece:
            raise TemplateError(f"has {piece!r}; variables must look like {{name}} or {{name*}}, in lowercase")
        if not piece or not _LITERAL.fullmatch(piece) or piece in {".", ".."}:
            raise TemplateError(f"has an invalid path segment {piece!r}")
        return PathSegment(piece)
    before, after, many = piece[: match.start()], piece[match.end() :], bool(match[2])
    if not _LITERAL.fullmatch(before) or not _LITERAL.fullmatch(after) or (many and (before or after)):
        raise TemplateError(
            f"has {piece!r}: only one variable per path segment, and one with a * must be the whole segment"
        )
    if match[1] == ID and many:
        raise TemplateError("has {id*}: an ID is a single path segment")
    return PathSegment(before, match[1], after, many)


def _fits(segment: PathSegment, piece: str) -> bool:
    if segment.variable is None:
        return piece == segment.before
    around = len(segment.before) + len(segment.after)
    return len(piece) >= around and piece.startswith(segment.before) and piece.endswith(segment.after)


def _decode(segment: PathSegment, piece: str) -> str:
    inner = piece[len(segment.before) : len(piece) - len(segment.after)]
    decoded = _decode_piece(inner)
    if decoded is not None and (is_id(decoded) if segment.variable == ID else is_piece(decoded)):
        return decoded
    raise PieceError(inner)


def _encode_piece(text: str) -> str:
    """Return `text` percent-encoded with nothing safe."""
    return quote(text, safe="")


def _decode_piece(text: str) -> str | None:
    """Return a piece of a path decoded once; None if its escapes are broken or it is not UTF-8.

    Since it is decoded only once, a doubly encoded dot or slash keeps its percent sign.
    """
    if _BROKEN_ESCAPE.search(text):
        return None
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return None
