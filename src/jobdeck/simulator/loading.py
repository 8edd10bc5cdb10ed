"""Scenarios from TOML and JSON files."""

import json
from collections.abc import Sequence
from pathlib import Path

from jobdeck.documents import MAX_JSON, MAX_TOML, DocumentError, parse_json, parse_toml
from jobdeck.files import as_utf8, read_regular
from jobdeck.simulator.scenario import Scenario, ScenarioError

_MAX_PROBLEMS = 20
"""How many problems of one file an error names."""


def load_scenario(path: Path | str) -> Scenario:
    """Read a scenario from a `.toml` or `.json` file.

    Raises ScenarioError, which names the file and every key that is unknown or has a bad value; OSError when the
    file cannot be read.
    """
    path = Path(path)
    try:
        match path.suffix.lower():
            case ".toml":
                data: object = parse_toml(as_utf8(read_regular(path, MAX_TOML)).decode())
            case ".json":
                data = parse_json(as_utf8(read_regular(path, MAX_JSON)))
            case other:
                raise ScenarioError(
                    f"{path}: a scenario is a .toml or .json file, not {other or 'one without a suffix'}"
                )
    except (UnicodeDecodeError, DocumentError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    return read_scenario(data, name=str(path))


def read_scenario(data: object, name: str = "scenario") -> Scenario:
    """Read a scenario from plain data (dicts, lists, strings, numbers); ScenarioError as `load_scenario`."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - slower than the server's start, and for files only

    try:
        # As JSON, for which pydantic's strict mode still accepts arrays as tuples and strings as enumerations.
        return TypeAdapter(Scenario).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        texts = [_problem_text(problem["loc"], problem["type"], problem["msg"]) for problem in problems[:_MAX_PROBLEMS]]
        more = f"; and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
        raise ScenarioError(f"{name}: " + "; ".join(texts) + more) from error


def _problem_text(location: Sequence[int | str], kind: str, message: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in location).lstrip(".")
    match kind:
        case "unexpected_keyword_argument":
            return f"{where}: unknown key"
        case "value_error":
            # The dataclass's own message begins with the key's name.
            own = message.removeprefix("Value error, ")
            return f"{where}.{own}" if where else own
        case "missing":
            return f"{where}: missing"
        case _:
            return f"{where}: {message[:1].lower()}{message[1:]}" if where else message
