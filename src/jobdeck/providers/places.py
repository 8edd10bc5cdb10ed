"""Targets of described APIs: a job is an ID in a place, which the variables of its URL make up."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from jobdeck.domain.job import JobKey, Resource, Target
from jobdeck.domain.text import clean
from jobdeck.providers.description import Description
from jobdeck.providers.directory import TargetError, check_id, make_target, shown
from jobdeck.providers.profile import Profile
from jobdeck.providers.url_template import ID, PieceError


def variables_in(described: Description, path: str, name: str, query: str = "") -> Mapping[str, str] | None:
    """Return the variables in the path of a poll URL, and the ID of its query where it is there; None of another shape.

    Raises `TargetError`, about `name`, when the shape is right and a part of it is not.
    """
    try:
        found = described.url.match(path)
    except PieceError as error:
        raise TargetError(f"{name}: {shown(str(error))!r} is neither an ID nor a part of a path") from None
    if found is None or described.id_parameter is None:
        return found
    given = [value for key, value in parse_qsl(query) if key == described.id_parameter]
    if len(given) != 1:
        return None
    check_id(given[0])
    return {**found, ID: given[0]}


def target_at(profile: Profile, described: Description, values: Mapping[str, str]) -> Target:
    """Build a target of a profile of a described API from the variables of its URL, the ID among them."""
    check_id(values[ID])
    group = described.group_of(values)
    if group is None and described.values_of(None, profile.variables):
        # As a key without a place it would read like one in the profile's own.
        message = (
            f"{shown(values[ID])}: profile {clean(profile.name)} asks elsewhere: a job without a place needs another"
        )
        raise TargetError(message)
    return Target(JobKey(profile.name, group, values[ID]), profile.provider, Resource.JOB)


def target_named(profile: Profile, described: Description, text: str) -> Target:
    """Return the target that a text names to a described API: a path without its slash, ``PLACE/ID``, or an ID.

    A path is tried first, so that the full name of a Google operation is one. Raises `TargetError`.
    """
    try:
        values = described.url.match(f"/{text}") if described.id_parameter is None else None
    except PieceError:
        values = None
    if values is not None:
        return target_at(profile, described, values)
    place, _, job_id = text.rpartition("/")
    return make_target(profile, Resource.JOB, job_id, place or None)


def target_in(profile: Profile, described: Description, job_id: str, account_group: str | None) -> Target:
    """Build a target from its place and its ID; the profile's variables stand for what of the place is not given.

    `job_id` is known to be one. Raises `TargetError`.
    """
    values = described.values_of(account_group, profile.variables)
    if values is None:
        place, name = "/".join(described.place), clean(profile.name)
        given = f"{shown(account_group)}/{shown(job_id)}" if account_group else shown(job_id)
        message = f"{given}: a job of {described.title} is written {place}/ID" + (
            f", or set {', '.join(described.place)} in [profiles.{name}.variables]" if account_group is None else ""
        )
        raise TargetError(message if place else f"{given}: a job of {described.title} is its ID alone")
    return Target(JobKey(profile.name, described.group_of(values), job_id), profile.provider, Resource.JOB)
