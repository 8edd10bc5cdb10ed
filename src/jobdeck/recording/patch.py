"""A text told as what it has in common with an older one: most bodies differ from the last in a few numbers."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias

Patch: TypeAlias = Sequence[str | tuple[int, int]]
"""Pieces in order: a text of its own, or (characters to skip, characters to take) of the older text.

Skipping counts from the end of the last piece taken: where one number replaces another, it is always about the same.
"""

_PIECES = re.compile(r"[^,\n]*[,\n]|[^,\n]+")


class PatchError(ValueError):
    """A piece points outside the older text, or the whole is larger than allowed."""


def make_patch(old: str, new: str) -> list[str | tuple[int, int]]:
    """Return what makes `new` of `old`; takes time in proportion to both."""
    pieces = _PIECES.findall(old)
    offsets = [0, *accumulate(len(piece) for piece in pieces)]
    counts = Counter(pieces)
    lone = {piece: place for place, piece in enumerate(pieces) if counts[piece] == 1}
    patch: list[str | tuple[int, int]] = []
    at = end = 0
    for piece in _PIECES.findall(new):
        if not (at < len(pieces) and pieces[at] == piece):
            at = lone.get(piece, at)
        if at < len(pieces) and pieces[at] == piece:
            _take(patch, offsets[at] - end, len(piece))
            end = offsets[at] + len(piece)
        elif patch and isinstance(patch[-1], str):
            patch[-1] += piece
        else:
            patch.append(piece)
        at += 1
    return patch


def apply_patch(old: str, patch: Patch, limit: int) -> str:
    """Return the text that `patch` makes of `old`; raises `PatchError`, also for one of more than `limit`."""
    parts: list[str] = []
    size = end = 0
    for piece in patch:
        if isinstance(piece, str):
            part = piece
        else:
            skip, length = piece
            begin, end = end + skip, end + skip + length
            if begin < 0 or length < 0 or end > len(old):
                raise PatchError("a body refers to what was never there")
            part = old[begin:end]
        size += len(part)
        if size > limit:
            raise PatchError("a body is larger than a recording holds")
        parts.append(part)
    return "".join(parts)


def _take(patch: list[str | tuple[int, int]], skip: int, length: int) -> None:
    last = patch[-1] if patch else None
    if isinstance(last, tuple) and skip == 0:
        patch[-1] = (last[0], last[1] + length)
    else:
        patch.append((skip, length))
