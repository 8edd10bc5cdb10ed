"""Identifiers in the documented shapes, drawn from a key: the same key gives the same ID in every run."""

import random
import uuid

DEFAULT_GROUP = "507f1f77bcf86cd799439011"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_TARGETS = {
    "operation": "{id}",
    "enrichment": "/api/enrichments/{id}",
    "search": "/api/v1/search/{id}",
    "prospecting": "/v1/accounts/{group}/prospecting/{id}",
}


def target_of(resource: str, job_id: str, account_group: str | None) -> str:
    """How a user names a job: by a relative poll URL, or its bare ID."""
    return _TARGETS[resource].format(id=job_id, group=account_group)


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
