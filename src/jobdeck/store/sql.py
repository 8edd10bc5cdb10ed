"""Builds statements from parts, in a file of its own because only here text becomes SQL."""

from typing import LiteralString


def sql(template: LiteralString, **parts: str) -> str:
    """Return a statement with the `parts` put where the template names them, as in ``{columns}``.

    Parts are constants of this package and names from the schema. Text of a user, a server or a row is a parameter of
    the statement, never a part.
    """
    return template.format(**parts)
