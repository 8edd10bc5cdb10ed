"""Which of many exchanges a ticket shows: what told something, before what said again what was known."""

from collections.abc import Collection, Sequence
from typing import TypeAlias

from jobdeck.domain.exchange import Exchange

NEWEST = 4
"""So many of the newest are shown whatever they told: they say how the job is asked about now."""

Piece: TypeAlias = "Exchange | int"
"""An exchange, or how many in its place are left out."""


def evidence(exchanges: Sequence[Exchange], told: Collection[str], most: int) -> tuple[Piece, ...]:
    """Return at most `most` of the exchanges, newest first as they are, with what is left out between them counted.

    An exchange told something when it brought no answer, or when its request ID is among those of `told`. Of an
    hour of lists that all say "running" few are worth a place; the one that was refused is what support looks for.
    """
    if len(exchanges) <= most:
        return tuple(exchanges)
    telling = [at for at, item in enumerate(exchanges) if item.problem is not None or item.support_id in told]
    order = dict.fromkeys((*range(min(NEWEST, most)), *telling, *range(len(exchanges))))
    kept = sorted(list(order)[:most])
    pieces: list[Piece] = []
    before = -1
    for at in (*kept, len(exchanges)):
        if at - before > 1:
            pieces.append(at - before - 1)
        if at < len(exchanges):
            pieces.append(exchanges[at])
        before = at
    return tuple(pieces)
