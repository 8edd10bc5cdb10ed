"""Identifiers in the documented shapes, drawn from a key: the same key gives the same ID in every run."""

import random
import uuid

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def dice(key: str) -> random.Random:
    """A generator that depends on nothing but `key`."""
    return random.Random(key)  # noqa: S311 - reproducible play, no secret


def ulid(key: str) -> str:
    """26 characters of Crockford's base 32 that begin like today's ULIDs."""
    return "01" + "".join(dice(key).choices(_CROCKFORD, k=24))


def object_id(key: str) -> str:
    """24 hexadecimal digits."""
    return f"{dice(key).getrandbits(96):024x}"


def request_id(key: str) -> str:
    """A UUID of version 4."""
    return str(uuid.UUID(int=dice(key).getrandbits(128), version=4))
