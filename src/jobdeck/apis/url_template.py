"""Templates of URLs' paths: ``/repos/{owner}/{repo}/runs/{id}`` in both directions, so that a URL stays data.

A variable stands for one part of the path; ``{parent*}``, alone between two slashes, for any number of parts, none
among them. Every part is percent-encoded with nothing safe, and decoded once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from jobdeck.apis.ids import is_id

ID = "id"
MAX_TEMPLATE = 500
_VARIABLE = re.compile(r"\{([a-z][a-z0-9_]{0,31})(\*?)\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~:@!$&'()+,;=-]*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PIECE = re.compile(r"[A-Za-z0-9_.~:@+-]{1,200}")


class TemplateError(ValueError):
    """A template is none; the message says why."""


class PieceError(ValueError):
    """A path has the shape of a template, but a part of it is no ID and no value; the message is that part."""


def is_piece(text: str) -> bool:
    """Whether `text` may stand for one part of a path (``.github`` may; ``.`` and ``..`` never)."""
    return _PIECE.fullmatch(text) is not None and text not in {".", ".."}


@dataclass(frozen=True, slots=True)
class Part:
    """What stands between two slashes: a literal, or a variable with what is around it; `many` takes several."""

    before: str
    variable: str | None = None
    after: str = ""
    many: bool = False


@dataclass(frozen=True, slots=True)
class UrlTemplate:
    """The path of a URL, with variables; some APIs want a slash at its end."""

    text: str
    parts: tuple[Part, ...]
    slash: str = ""

    @classmethod
    def parse(cls, text: str) -> "UrlTemplate":
        """Return the template that `text` describes; raises `TemplateError`."""
        if not text.startswith("/") or len(text) > MAX_TEMPLATE:
            raise TemplateError(f"must be a path that starts with /, up to {MAX_TEMPLATE} characters")
        if "?" in text or "#" in text:
            raise TemplateError("must be a path only: put parameters in the query table")
        slash = "/" if text.endswith("/") else ""
        parts = tuple(_part(piece) for piece in text[1:].removesuffix("/").split("/"))
        names = [part.variable for part in parts if part.variable is not None]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise TemplateError(f"has {{{twice}}} more than once")
        if sum(part.many for part in parts) > 1:
            raise TemplateError("may have only one variable with a *")
        return cls(text, parts, slash)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, in their order."""
        return tuple(part.variable for part in self.parts if part.variable is not None)

    @property
    def greedy_variable(self) -> str | None:
        """The variable that stands for any number of parts, if there is one."""
        return next((part.variable for part in self.parts if part.many), None)

    def path(self, values: Mapping[str, str]) -> str:
        """Return the path with `values` of all variables, each part encoded; raises KeyError for one that is missing.

        Only the variable with a ``*`` is taken apart at its slashes, and may be left out.
        """
        return "".join(f"/{piece}" for piece in self._pieces(values)) + self.slash

    def match(self, path: str) -> dict[str, str] | None:
        """Return the variables' values in `path`, decoded; None when it has another shape.

        Raises `PieceError` when the shape is right, but a part is no ID or no value.
        """
        path = path.removesuffix(self.slash) if self.slash else path
        pieces = path[1:].split("/") if path.startswith("/") else []
        spare = len(pieces) - len(self.parts)
        if self.greedy_variable is None and spare != 0:
            return None
        if self.greedy_variable is not None and spare < -1:
            return None
        taken: list[tuple[Part, list[str]]] = []
        rest = iter(pieces)
        for part in self.parts:
            count = spare + 1 if part.many else 1
            taken.append((part, [next(rest) for _ in range(count)]))
        for part, found in taken:
            if not part.many and not _fits(part, found[0]):
                return None
        return {
            part.variable: "/".join(_decode(part, piece) for piece in found)
            for part, found in taken
            if part.variable is not None
        }

    def _pieces(self, values: Mapping[str, str]) -> Iterator[str]:
        for part in self.parts:
            if part.variable is None:
                yield part.before
            elif part.many:
                yield from (_encode_segment(piece) for piece in values.get(part.variable, "").split("/") if piece)
            else:
                yield part.before + _encode_segment(values[part.variable]) + part.after


def _part(piece: str) -> Part:
    match = _VARIABLE.search(piece)
    if match is None:
        if "{" in piece or "}" in piece or "*" in piece:
            raise TemplateError(f"has {piece!r}; variables must look like {{name}} or {{name*}}, in lowercase")
        if not piece or not _LITERAL.fullmatch(piece) or piece in {".", ".."}:
            raise TemplateError(f"has an invalid path segment {piece!r}")
        return Part(piece)
    before, after, many = piece[: match.start()], piece[match.end() :], bool(match[2])
    if not _LITERAL.fullmatch(before) or not _LITERAL.fullmatch(after) or (many and (before or after)):
        raise TemplateError(
            f"has {piece!r}: only one variable per path segment, and one with a * must be the whole segment"
        )
    if match[1] == ID and many:
        raise TemplateError("has {id*}: an ID is a single path segment")
    return Part(before, match[1], after, many)


def _fits(part: Part, piece: str) -> bool:
    if part.variable is None:
        return piece == part.before
    around = len(part.before) + len(part.after)
    return len(piece) >= around and piece.startswith(part.before) and piece.endswith(part.after)


def _decode(part: Part, piece: str) -> str:
    inner = piece[len(part.before) : len(piece) - len(part.after)]
    decoded = _decode_segment(inner)
    if decoded is not None and (is_id(decoded) if part.variable == ID else is_piece(decoded)):
        return decoded
    raise PieceError(inner)


def _encode_segment(text: str) -> str:
    """Return `text` as one segment of a path or one value of a query, percent-encoded with nothing safe."""
    return quote(text, safe="")


def _decode_segment(text: str) -> str | None:
    """Return a segment decoded once; None where its escapes are broken or it is no UTF-8.

    Once only: a doubly encoded dot or slash keeps its per cent sign.
    """
    if _BROKEN_ESCAPE.search(text):
        return None
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return None
