"""The programs of the configuration: hooks, and keys that run one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobdeck.config.errors import ConfigError
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.files import expand_home

ENDS = tuple(phase.value for phase in Phase if phase.terminal)
HOOK_KEYS = MappingProxyType(
    {
        "run": "the program and its arguments, as a list (no shell is involved; `~` in the program path is expanded)",
        "on": "the outcomes it runs for: `succeeded`, `partial`, `failed`, `cancelled` (default: all)",
        "profiles": "the profiles it runs for (default: all)",
        "once": (
            "`me` (default): once per person watching the job; `team`: once per team sharing a [database](team.md), on "
            "whichever jobdeck sees the job finish first. Configure a `team` hook for every member"
        ),
    }
)
"""The keys of a hook, with explanations for the reference."""

MAX_HOOKS = 16
ONCE = ("me", "team")


@dataclass(frozen=True, slots=True)
class Hook:
    """A program with arguments that runs when jobs finish."""

    run: tuple[str, ...]
    on: frozenset[Phase]
    """The outcomes it runs for."""
    profiles: frozenset[str] | None = None
    """The profiles it runs for; None means all."""
    team: bool = False
    """Run once for the whole team, not once per user."""

    @property
    def name(self) -> str:
        """The program's name."""
        return one_line(self.run[0].rsplit("/", 1)[-1], 60)

    def wants(self, job: Job) -> bool:
        """Whether it runs for a finished job."""
        return job.phase in self.on and (self.profiles is None or job.key.profile in self.profiles)


def read_hooks(raw: object, where: str, profiles: Iterable[str]) -> tuple[Hook, ...]:
    """Read the array ``[[hooks]]``; raises `ConfigError` with what is wrong and where."""
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise ConfigError(f"{where}: hooks must be tables such as [[hooks]]")
    if len(raw) > MAX_HOOKS:
        raise ConfigError(f"{where}: too many hooks: {len(raw)}, at most {MAX_HOOKS} allowed")
    known = frozenset(profiles)
    return tuple(_hook(item, f"{where}: [[hooks]] number {number}", known) for number, item in enumerate(raw, 1))


def _hook(item: Mapping[str, object], where: str, profiles: frozenset[str]) -> Hook:
    for key in item:
        if key not in HOOK_KEYS:
            hint = did_you_mean(key, HOOK_KEYS) or f" (known: {', '.join(HOOK_KEYS)})"
            raise ConfigError(f"{where}: unknown key {one_line(key, 80)}{hint}")
    run = read_program(item, where)
    named = _texts(item, "on", where) if "on" in item else ENDS
    for end in named:
        if end not in ENDS:
            raise ConfigError(f"{where}: on must be one of {', '.join(ENDS)}, not {one_line(end, 40)}")
    chosen = _texts(item, "profiles", where) if "profiles" in item else None
    for profile in chosen or ():
        if profile not in profiles:
            raise ConfigError(f"{where}: unknown profile in profiles: {one_line(profile, 80)}")
    once = item.get("once", ONCE[0])
    if once not in ONCE:
        raise ConfigError(f"{where}: once must be one of {', '.join(ONCE)}, not {one_line(str(once), 40)}")
    ends = frozenset(Phase(end) for end in named)
    return Hook(run, ends, None if chosen is None else frozenset(chosen), team=once == "team")


def read_program(item: Mapping[str, object], where: str) -> tuple[str, ...]:
    """Return the program and arguments of `run`; raises `ConfigError`."""
    run = _texts(item, "run", where)
    if not run or not run[0].strip() or any("\0" in part for part in run):
        raise ConfigError(f'{where}: run must be a program and its arguments, such as ["notify-slack", "--urgent"]')
    if run[0].startswith("~"):  # there is no shell to expand it
        run = (str(expand_home(run[0])), *run[1:])
    return run


def _texts(item: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    value = item.get(key)
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise ConfigError(f"{where}: {key} must be a list of strings (no shell splits it)")
    return tuple(value)


USER_KEYS = MappingProxyType(
    {
        "run": "the program and its arguments, as a list (no shell is involved; `~` in the program path is expanded)",
        "label": "its name in the help and the palette (default: the name of the program)",
    }
)
"""The settings of a key, with explanations for the reference."""

MAX_KEYS = 32
LONGEST_LABEL = 40
_KEY = re.compile(r"ctrl\+[a-z]|alt\+[a-z0-9]|f(?:[1-9]|1[0-2])|[A-Za-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class UserKey:
    """A key, the program it runs, and its label."""

    key: str
    run: tuple[str, ...]
    label: str


def read_user_keys(raw: object, where: str) -> tuple[UserKey, ...]:
    """Read the table ``[keys]``; raises `ConfigError` with what is wrong and where."""
    if not isinstance(raw, dict) or not all(isinstance(item, dict) for item in raw.values()):
        raise ConfigError(f'{where}: keys must be tables, written "ctrl+o" = {{ run = ["my-tool"] }} under [keys]')
    if len(raw) > MAX_KEYS:
        raise ConfigError(f"{where}: at most {MAX_KEYS} keys, not {len(raw)}")
    return tuple(_user_key(name, item, f"{where}: [keys] {one_line(name, 40)}") for name, item in raw.items())


def _user_key(name: str, item: Mapping[str, object], where: str) -> UserKey:
    if not _KEY.fullmatch(name):
        raise ConfigError(
            f"{where}: must be a letter, a digit, f1 to f12, ctrl+ and a letter, or alt+ and a letter or digit"
        )
    for key in item:
        if key not in USER_KEYS:
            hint = did_you_mean(key, USER_KEYS) or f" (known: {', '.join(USER_KEYS)})"
            raise ConfigError(f"{where}: unknown key {one_line(key, 80)}{hint}")
    run = read_program(item, where)
    label = item.get("label", run[0].rsplit("/", 1)[-1])
    if not isinstance(label, str) or not label.strip():
        raise ConfigError(f"{where}: label must be a non-empty string")
    return UserKey(name, run, one_line(label.strip(), LONGEST_LABEL))
