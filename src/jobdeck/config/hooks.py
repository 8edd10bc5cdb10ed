"""Hooks: the user's programs that run when a job finishes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobdeck.config.errors import ConfigError
from jobdeck.domain.job import Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.files import expand_home

ENDS = tuple(phase.value for phase in Phase if phase.terminal)
KEYS = MappingProxyType(
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
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f" (known: {', '.join(KEYS)})"
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
