"""The known profiles, and which of them a target means when it does not say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jobdeck.domain.job import JobKey, Resource, Target
from jobdeck.domain.text import clean, mask_keys
from jobdeck.providers.ids import is_id
from jobdeck.providers.profile import Profile

PROVIDER_TITLES: dict[str, str] = {"thehog": "The Hog", "sonarly": "Sonarly"}

_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_KEY = re.compile(r"\b((?:ak|sk|hog)_(?:live_|test_)?|gh[opsur]_|github_pat_)[A-Za-z0-9_-]{8,}")
_SHOWN = 80


class TargetError(ValueError):
    """A target was refused: the message is clean, one line, and says what and why."""


def shown(text: str) -> str:
    """Return `text` fit for a message: clean, at most 80 characters of it, and no more than the head of an API key."""
    cut = clean(mask_keys(text[: 2 * _SHOWN])[:_SHOWN])
    return f"{cut}…" if len(text) > _SHOWN else cut


@dataclass(frozen=True, slots=True)
class Directory:
    """The profiles by name, and the name of the default one (None: there is no default)."""

    profiles: Mapping[str, Profile]
    default: str | None = None

    @property
    def default_profile(self) -> Profile | None:
        """The default profile, or the only one there is."""
        if self.default is not None and self.default in self.profiles:
            return self.profiles[self.default]
        return next(iter(self.profiles.values())) if len(self.profiles) == 1 else None

    def in_order(self) -> tuple[Profile, ...]:
        """Return the profiles in the order in which they are tried: the default first."""
        first = self.default_profile
        rest = (profile for profile in self.profiles.values() if profile is not first)
        return (first, *rest) if first is not None else tuple(rest)

    def named(self, name: str, text: str) -> Profile:
        """Return the profile called `name`; raises `TargetError`, about `text`, when there is none."""
        if name in self.profiles:
            return self.profiles[name]
        hint = ""
        if is_id(text) and self.default_profile is not None:
            hint = f"; if the ID itself has a colon, write {self.default_profile.name}:{shown(text)}"
        raise TargetError(f"{shown(text)}: no profile is called {shown(name)!r} ({self._known()}){hint}")

    def speaking(self, provider: str, text: str) -> Profile:
        """Return the default profile if it speaks `provider`, else the only one that does.

        Raises `TargetError`, about `text`, that lists the candidates.
        """
        default = self.default_profile
        if default is not None and default.provider == provider:
            return default
        found = [profile for profile in self.profiles.values() if profile.provider == provider]
        if len(found) == 1:
            return found[0]
        title = PROVIDER_TITLES.get(provider, provider)
        if not found:
            raise TargetError(f"{shown(text)}: this needs a profile of {title}, and there is none ({self._known()})")
        names = ", ".join(clean(profile.name) for profile in found)
        message = f"{shown(text)}: several profiles speak {title}; write PROFILE:{shown(text)} with one of {names}"
        raise TargetError(message)

    def for_bare_id(self, job_id: str) -> Profile:
        """Return the profile that an ID alone means: the default one, always.

        Only without a default does the shape decide: 24 hexadecimal digits are Sonarly's, all else The Hog's.
        """
        if self.default_profile is not None:
            return self.default_profile
        return self.speaking("sonarly" if _OBJECT_ID.fullmatch(job_id) else "thehog", job_id)

    def _known(self) -> str:
        names = ", ".join(clean(name) for name in self.profiles)
        return f"known: {names}" if names else "no profile is configured"


def make_target(profile: Profile, resource: Resource, job_id: str, account_group: str | None = None) -> Target:
    """Build a target of `profile`, taking its default account group where one is needed and none is given.

    Raises `TargetError` for what is no ID, for a missing account group, and for one where there are none.
    """
    check_id(job_id)
    if profile.described is not None:
        from jobdeck.providers.places import target_in  # noqa: PLC0415 - for those with a described API alone

        return target_in(profile, profile.described, job_id, account_group)
    if profile.provider == "thehog":
        if account_group is not None:
            name = f"{shown(account_group)}/{shown(job_id)}"
            raise TargetError(f"{name}: profile {clean(profile.name)} speaks The Hog, which has no account groups")
        return Target(JobKey(profile.name, None, job_id), profile.provider, resource)
    group = account_group if account_group is not None else profile.account_group
    if group is None:
        name = clean(profile.name)
        message = (
            f"{shown(job_id)}: a Sonarly job needs its account group; write ACCOUNT_GROUP/{shown(job_id)}, "
            f"or set account_group in profile {name}"
        )
        raise TargetError(message)
    if not is_id(group):
        raise TargetError(f"{shown(group)}/{shown(job_id)}: {shown(group)!r} is not an account group ID")
    return Target(JobKey(profile.name, group, job_id), profile.provider, Resource.PROSPECTING)


def check_id(job_id: str) -> None:
    """Raise `TargetError` for what is no job's ID, or looks like an API key."""
    if not is_id(job_id):
        message = (
            f"{shown(job_id)}: not a job ID (letters, digits and _ . ~ : - , at most 200, a letter or digit first)"
        )
        raise TargetError(message)
    if _KEY.match(job_id):
        # Pasted by mistake, it would be sent in a URL and stored with the job.
        raise TargetError(f"{shown(job_id)}: this looks like an API key, not a job ID")
