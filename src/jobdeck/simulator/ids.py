"""Random numbers and IDs that depend on a key alone: the same key gives the same ones in every run."""

import random
import uuid

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def seeded_random(key: str) -> random.Random:
    """A random number generator whose seed is `key`."""
    return random.Random(key)  # noqa: S311 - reproducible, no secret


def ulid(key: str) -> str:
    """26 characters of Crockford's base 32 that begin like today's ULIDs."""
    return "01" + "".join(seeded_random(key).choices(_CROCKFORD, k=24))


def object_id(key: str) -> str:
    """24 hexadecimal digits."""
    return f"{seeded_random(key).getrandbits(96):024x}"


def request_id(key: str) -> str:
    """A UUID of version 4."""
    return str(uuid.UUID(int=seeded_random(key).getrandbits(128), version=4))
