"""The grammar of the command line, its help and examples."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from jobdeck import __version__
from jobdeck.cli.suggestions import misplaced_command, suggest_command
from jobdeck.domain.text import mask_keys, one_line
from jobdeck.files import expand_home

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


_EPILOG = """\
targets:
  op_01HZ…                             an ID, in the default profile
  PROFILE:ID                           an ID in a given profile
  ACCOUNT_GROUP/JOB_ID                 a job in a scope, such as an account group
  OWNER/REPO/ID                        the same, for a scope of several parts
  https://…/api/operations/op_01HZ…    a poll URL, absolute or relative
  FILE, -                              read targets or 202 responses from a file or stdin;
                                       write ./FILE if the name could also be an ID
  PROFILE:-                            read from stdin; bare IDs belong to PROFILE
  (none)                               your saved watch list

options without a command:
  --discover                           show recent jobs listed by the APIs
  --team                               show everything your team watches, from the team database
  --batch NAME                         name the targets as a batch; without targets, show only that batch
  --record FILE                        record the session to a new private file, for jobdeck replay
  --config FILE                        read this configuration file
  --no-store                           keep state in memory only; save nothing to disk

examples:
  jobdeck demo                         try it: no key, no configuration
  jobdeck op_01HZ… op_01J0…            watch two operations
  curl … | jobdeck -                   watch the job you just started

exit codes:
  0 all succeeded, 1 a job failed, 2 usage or configuration error, 3 partial success, 4 not authorized,
  5 cancelled, 6 not found, 7 unreachable, 70 internal error, 124 timed out,
  129/130/143 hangup, interrupted, terminated, 141 broken pipe
"""

_USAGE = "jobdeck [OPTION …] [TARGET …]\n       jobdeck COMMAND [OPTION …] [TARGET …]"


class Parser(argparse.ArgumentParser):
    """Reports usage errors with control characters removed and anything that looks like an API key masked."""

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Refuse unknown arguments with the usage of their command; argparse would show that of all commands."""
        parsed, extra = super().parse_known_args(args, namespace)
        if extra:
            self.error(f"unrecognized arguments: {' '.join(extra)}")
        return parsed, extra

    def error(self, message: str) -> NoReturn:
        """Exit with 2 and a usage line on stderr."""
        super().error(one_line(mask_keys(message)))


def build_parser(*wanted: str) -> argparse.ArgumentParser:
    """Return the parser of these commands, or of all; ``open`` stands for ``jobdeck [TARGET…]``.

    Building it takes 1 ms for one command, 7 ms for all.
    """
    parser = Parser(
        prog="jobdeck",
        usage=_USAGE,
        description="A terminal monitor for API jobs in flight: every job, every stage, every request ID.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"jobdeck {__version__}")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND", prog="jobdeck")
    for name in wanted or COMMANDS:
        _ADD[name](commands)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; exits with 2 and a usage line on stderr if they are invalid."""
    globals_, rest = _split_globals(list(argv))
    rest = _as_options(rest)
    if rest and rest[0] in {"-h", "--help", "--version"}:
        return build_parser().parse_args(rest[:1])
    if rest and rest[0] in COMMANDS:
        parser, line = build_parser(rest[0]), [rest[0], *globals_, *rest[1:]]
    else:
        if rest and (mistake := suggest_command(rest[0], WORDS)) is not None:
            build_parser().error(mistake)
        parser, line = build_parser("open"), ["open", *globals_, *rest]
    arguments = parser.parse_args(line)
    if (mistake := misplaced_command(_targets_typed(arguments, rest), WORDS)) is not None:
        parser.error(mistake)
    return arguments


def _as_options(words: list[str]) -> list[str]:
    """Translate ``help``, ``help COMMAND`` and ``version`` into options."""
    if words[:1] == ["version"]:
        return ["--version"]
    if words[:1] != ["help"]:
        return words
    if len(words) == 1:
        return ["--help"]
    if words[1] not in COMMANDS:
        build_parser().error(f"unknown command {words[1]!r}; run 'jobdeck help' for a list")
    return [words[1], "--help"]


def _targets_typed(arguments: argparse.Namespace, words: list[str]) -> list[str]:
    """Return the targets before ``--``; after it, every word is a target."""
    end = words.index("--") if "--" in words else len(words)
    named = getattr(arguments, "targets", None) or [getattr(arguments, "target", None)]
    return [target for target in named if target in words[:end]]


def _split_globals(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split off the options that may precede a command."""
    taken = 0
    while taken < len(arguments):
        word = arguments[taken]
        if word == "--config":
            taken += 2
        elif word == "--no-store" or word.startswith("--config="):
            taken += 1
        else:
            break
    return arguments[:taken], arguments[taken:]


def _command(
    commands: "Commands",
    name: str,
    *,
    summary: str,
    description: str,
    example: str,
    settings: bool = True,
    saves: bool = True,
) -> argparse.ArgumentParser:
    """Add a command; with `settings` it reads the configuration, and `saves` says whether it can save anything."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"example: jobdeck {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if settings:
        _add_config(parser, saves=saves)
    return parser


def _add_open(commands: "Commands") -> None:
    opened = commands.add_parser("open", prog="jobdeck", usage=_USAGE, allow_abbrev=False)
    add_open(opened)
    opened.add_argument("targets", nargs="*", metavar="TARGET", help="see jobdeck --help")


def add_open(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``jobdeck`` without a command."""
    _add_config(parser)
    parser.add_argument("--discover", action="store_true", help="show recent jobs listed by the APIs")
    parser.add_argument("--team", action="store_true", help="show everything your team watches")
    _add_batch(parser, "; without targets, show only that batch")
    _add_record(parser)


def _add_config(parser: argparse.ArgumentParser, *, saves: bool = True) -> None:
    parser.add_argument(
        "--config", type=_path, metavar="FILE", help="configuration file (default: $JOBDECK_CONFIG, or the user's)"
    )
    # Every command takes it, for it may stand before one; where nothing is saved the help leaves it out.
    no_store = "keep state in memory only; save nothing to disk" if saves else argparse.SUPPRESS
    parser.add_argument("--no-store", action="store_true", help=no_store)


def _add_batch(parser: argparse.ArgumentParser, without: str = "") -> None:
    parser.add_argument(
        "--batch",
        metavar="NAME",
        type=_batch_name,
        help=f"name the targets as a batch (filter with batch:NAME){without}",
    )


def _batch_name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("a batch needs a name")
    return text.strip()[:200]


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record",
        type=_path,
        metavar="FILE",
        help="record the session, with all responses, to a new private file for jobdeck replay",
    )


def _add_demo(commands: "Commands") -> None:
    demo = _command(
        commands,
        "demo",
        summary="try jobdeck on simulated jobs: no API key, no configuration",
        description="Open the screen on simulated jobs from two APIs, errors included, over real HTTP on loopback.",
        example="demo --jobs 300 --seed 7",
        settings=False,
    )
    demo.add_argument(
        "--jobs",
        type=_count,
        default=24,
        metavar="N",
        help="number of jobs, 1 to 10000 (default: 24); 100 or more simulate a whole night",
    )
    demo.add_argument(
        "--seed", type=int, default=1, metavar="S", help="random seed; the same seed gives the same jobs (default: 1)"
    )
    demo.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="simulation speed (default: 1)")
    _add_record(demo)


def _add_status(commands: "Commands") -> None:
    status = _command(
        commands,
        "status",
        summary="poll each target once and print a table, or JSON lines",
        description="Poll each target once and print its state. The exit code reflects the worst outcome.",
        example="status --json op_01HZ… | jq .phase",
    )
    status.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    status.add_argument("targets", nargs="+", metavar="TARGET", help="see jobdeck --help")


def _add_watch(commands: "Commands") -> None:
    watch = _command(
        commands,
        "watch",
        summary="print a line for every change until all jobs have finished",
        description="Print a line for every change until all targets have finished. The exit code gives the outcome.",
        example="watch --json - < ids.txt | jq -c .change",
    )
    _add_appear(watch)
    watch.add_argument("--json", action="store_true", help="print one JSON object per change")
    _add_batch(watch)
    _add_record(watch)
    watch.add_argument("targets", nargs="+", metavar="TARGET", help="see jobdeck --help")


def _add_appear(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--appear",
        type=duration,
        metavar="DURATION",
        help="keep waiting this long for jobs the server doesn't know yet (404)",
    )


def _add_wait(commands: "Commands") -> None:
    wait = _command(
        commands,
        "wait",
        summary="block until all jobs have finished; the exit code gives the outcome",
        description="Wait until the API has reported how every target finished. A failed poll never ends the wait.",
        example="wait --timeout 30m --fail-fast - < ids.txt && ./import-results",
    )
    wait.add_argument("--any", action="store_true", help="stop as soon as any job has finished")
    wait.add_argument("--fail-fast", action="store_true", help="stop as soon as any job has failed")
    wait.add_argument(
        "--timeout",
        type=duration,
        metavar="DURATION",
        help="exit with code 124 after this long, such as 45s, 30m or 1h30m",
    )
    _add_appear(wait)
    wait.add_argument("--json", action="store_true", help="print one JSON object per job at the end and nothing else")
    _add_batch(wait)
    _add_record(wait)
    wait.add_argument("targets", nargs="+", metavar="TARGET", help="see jobdeck --help")


def _add_cancel(commands: "Commands") -> None:
    cancel = _command(
        commands,
        "cancel",
        summary="cancel jobs, where the profile allows it",
        description="Ask the API to cancel each target, then poll it once and print its state. No request is\n"
        'sent twice. The API must support cancelling, the profile must have allow = ["cancel"], and you\n'
        "must confirm.\n"
        "Exit code: 0 every request was accepted, 3 one was refused (already finished), 4 not allowed,\n"
        "6 not found, 7 the server may or may not have accepted a request.",
        example="cancel 507f1f77bcf86cd799439000/507f1f77bcf86cd799439011",
    )
    cancel.add_argument("--yes", action="store_true", help="don't ask for confirmation")
    cancel.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    cancel.add_argument("targets", nargs="+", metavar="TARGET", help="see jobdeck --help")


def _add_discover(commands: "Commands") -> None:
    discover = _command(
        commands,
        "discover",
        summary="list recent jobs, watched or not",
        description="List the newest jobs known to the APIs, watched or not. Use it to find an ID you lost.",
        example="discover --status failed --json | jq -r .id",
    )
    discover.add_argument("--profile", metavar="P", help="only this profile (default: all)")
    discover.add_argument("--limit", type=_rows, default=20, metavar="N", help="jobs per list (default: 20)")
    discover.add_argument("--status", metavar="S", help="only jobs with this status, as the API spells it")
    discover.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")


def _add_ticket(commands: "Commands") -> None:
    ticket = _command(
        commands,
        "ticket",
        summary="create a support ticket: IDs, times, states, errors, requests",
        description="Poll the job once and write what support needs to investigate it. Tickets contain no secrets,\n"
        "and no result unless you ask for it.",
        example="ticket op_01HZ… | pbcopy",
    )
    ticket.add_argument(
        "--format", choices=("markdown", "json"), default="markdown", help="output format (default: markdown)"
    )
    ticket.add_argument(
        "--include-result", action="store_true", help="include the job's result; check it for personal data"
    )
    ticket.add_argument("--note", metavar="TEXT", help="add a note at the top")
    ticket.add_argument("--output", type=_path, metavar="FILE", help="write to a file (mode 0600)")
    ticket.add_argument("target", metavar="TARGET", help="see jobdeck --help")


def _add_history(commands: "Commands") -> None:
    history = _command(
        commands,
        "history",
        summary="list saved jobs",
        description="List saved jobs, most recently active first.",
        example="history --json | jq -r 'select(.phase == \"failed\") | .id'",
        saves=False,
    )
    history.add_argument("--profile", metavar="P", help="only this profile (default: all)")
    history.add_argument("--limit", type=_rows, default=100, metavar="N", help="maximum number of rows (default: 100)")
    form = history.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    form.add_argument("--format", choices=("csv", "json", "markdown"), help="print CSV, JSON lines or a Markdown table")
    history.add_argument(
        "--purge",
        nargs="?",
        type=_days,
        const=30.0,
        metavar="DAYS",
        help="delete anything older (default: 30 days), except watched jobs and jobs with a note",
    )


def _add_requests(commands: "Commands") -> None:
    requests = _command(
        commands,
        "requests",
        summary="list every request sent, with its request ID",
        description="List requests, newest first: all of them, those for a target, or the one with a given request ID.",
        example="requests 3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a",
        saves=False,
    )
    requests.add_argument("--profile", metavar="P", help="only this profile (default: all)")
    requests.add_argument("--limit", type=_rows, default=100, metavar="N", help="maximum number of rows (default: 100)")
    requests.add_argument("--json", action="store_true", help="print one JSON object per line instead of a table")
    requests.add_argument("target", nargs="?", metavar="TARGET", help="a target, a request ID or a trace ID")


def _add_doctor(commands: "Commands") -> None:
    doctor = _command(
        commands,
        "doctor",
        summary="check configuration, credentials (masked), connectivity, rate limits, terminal, database",
        description="Check everything jobdeck depends on, with one request per profile.\n"
        "With --provider and --body, send nothing and show how a saved response is parsed\n"
        "(exit code 1 if it is not a job).",
        example="doctor --provider acme --body run.json",
    )
    doctor.add_argument("--profile", metavar="P", help="only this profile (default: all)")
    doctor.add_argument("--provider", metavar="NAME", help="show how a response from this API is parsed")
    doctor.add_argument("--body", type=_path, metavar="FILE", help="the response: a file, or - for standard input")
    doctor.add_argument("--json", action="store_true", help="print one JSON object per line instead of text")


def _add_store(commands: "Commands") -> None:
    store = _command(
        commands,
        "store",
        summary="set up, inspect or migrate the team database",
        description="Set up (init), inspect (status) or migrate the PostgreSQL database your team shares. Its URL\n"
        "comes from [store] in the configuration file, or from JOBDECK_STORE_URL.",
        example="store init",
        saves=False,
    )
    store.add_argument(
        "action",
        choices=("init", "status", "migrate"),
        metavar="init|status|migrate",
        help="create the tables, show schema and connections, or upgrade the tables to this version",
    )
    store.add_argument("--json", action="store_true", help="print the status as one JSON object")


def _add_apis(commands: "Commands") -> None:
    apis = _command(
        commands,
        "apis",
        summary="list supported APIs, or print the definition of one as a starting point",
        description="List the APIs a profile can use: built in, or defined in the configuration file or in apis/\n"
        "next to it. With NAME, print the definition of that API.",
        example="apis NAME > ~/.config/jobdeck/apis/mine.toml",
        saves=False,
    )
    apis.add_argument("name", nargs="?", metavar="NAME", help="print this definition instead of the list")


def _add_serve(commands: "Commands") -> None:
    serve = _command(
        commands,
        "serve",
        summary="serve a read-only view to browsers on this machine",
        description="Watch targets and serve a read-only view to up to four browsers on this machine. Prints\n"
        "the URL; anyone on this machine who has it can watch. All viewers share one poller.",
        example="serve --port 8707 ids.txt",
    )
    serve.add_argument("--port", type=_port, default=0, metavar="N", help="port to listen on (default: any free port)")
    serve.add_argument("--discover", action="store_true", help="include recent jobs listed by the APIs")
    serve.add_argument("targets", nargs="*", metavar="TARGET", help="what to watch (default: your saved watch list)")


def _add_simulate(commands: "Commands") -> None:
    simulate = _command(
        commands,
        "simulate",
        summary="run only the simulator, to test scripts against",
        description="Serve two simulated APIs on loopback until interrupted.",
        example="simulate --port 8080 --scenario outage.toml",
        settings=False,
    )
    simulate.add_argument(
        "--port", type=_port, default=0, metavar="N", help="port to listen on (default: any free port)"
    )
    simulate.add_argument(
        "--scenario", type=_path, metavar="FILE", help="a TOML or JSON scenario (default: the demo's)"
    )
    simulate.add_argument("--jobs", type=_count, metavar="N", help="number of demo jobs (default: 24)")
    simulate.add_argument("--seed", type=int, metavar="S", help="override the scenario's seed")
    simulate.add_argument("--speed", type=_speed, metavar="X", help="override the scenario's speed")


def _add_replay(commands: "Commands") -> None:
    replay = _command(
        commands,
        "replay",
        summary="play back a session recorded with --record",
        description="Play back a recording on the screen. Sends no requests and needs no API key.\n"
        "p plays or pauses, . and , step, + and - change the speed, @ jumps to a time, ? shows all keys.",
        example="replay incident.jobdeck --at 14:02:07 --paused",
        settings=False,
    )
    replay.add_argument(
        "--at",
        metavar="TIME",
        help="start position: a UTC time (14:02, 14:02:30), optionally with a date; an offset from the start (5m) or "
        "the end (--at=-30s); or a percentage (50%%)",
    )
    replay.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="playback speed (default: 1)")
    replay.add_argument("--paused", action="store_true", help="start paused")
    replay.add_argument("file", type=_path, metavar="FILE", help="a recording made with --record")


def _add_completion(commands: "Commands") -> None:
    completion = _command(
        commands,
        "completion",
        summary="print a completion script for your shell",
        description="Print a script that completes commands, options and file names. Save it where your shell looks\n"
        "for completions, or load it at startup: source <(jobdeck completion zsh) in ~/.zshrc, after compinit.",
        example="completion bash >> ~/.bash_completion",
        settings=False,
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish", "powershell"), help="your shell")


def _path(text: str) -> str:
    return str(expand_home(text)) if text.startswith("~") else text


def _count(text: str) -> int:
    return int(_number(text, 1, 10_000, whole=True))


def _port(text: str) -> int:
    return int(_number(text, 0, 65_535, whole=True))


def _rows(text: str) -> int:
    return int(_number(text, 1, 100_000, whole=True))


def _days(text: str) -> float:
    return _number(text, 0, 36_500)


def _speed(text: str) -> float:
    return _number(text, 0.01, 1_000)


def _number(text: str, low: float, high: float, *, whole: bool = False) -> float:
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        message = f"must be a {'whole ' if whole else ''}number from {low:g} to {high:g}"
        raise argparse.ArgumentTypeError(message)
    return value


_ADD: "dict[str, Callable[[Commands], None]]" = {
    "open": _add_open,
    "demo": _add_demo,
    "status": _add_status,
    "watch": _add_watch,
    "wait": _add_wait,
    "cancel": _add_cancel,
    "discover": _add_discover,
    "ticket": _add_ticket,
    "history": _add_history,
    "requests": _add_requests,
    "doctor": _add_doctor,
    "store": _add_store,
    "apis": _add_apis,
    "serve": _add_serve,
    "simulate": _add_simulate,
    "replay": _add_replay,
    "completion": _add_completion,
}

COMMANDS = tuple(name for name in _ADD if name != "open")
"""Words that are commands in first position; ``jobdeck -- demo`` watches a job called demo."""

WORDS = (*COMMANDS, "help", "version")


LONGEST = 366 * 86_400.0


def duration(text: str) -> float:
    """Parse a duration of up to a year into seconds; raises argparse's ArgumentTypeError."""
    from jobdeck.domain.humanize import parse_duration  # noqa: PLC0415 - not for --version and --help

    seconds = parse_duration(text)
    if seconds is None or not 0 < seconds <= LONGEST:
        message = "must be a duration such as 45s, 30m or 1h30m"
        raise argparse.ArgumentTypeError(message)
    return seconds
