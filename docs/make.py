"""Write the reference from the code: commands, configuration, output and its JSON schema."""

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from jobdeck.apis.pages import PageLibrary, built_in_names
from jobdeck.app.json_shapes import SHAPES
from jobdeck.cli.parser import COMMANDS, build_parser
from jobdeck.config.hooks import KEYS as HOOK_KEYS
from jobdeck.config.settings import PROFILE_KEYS, TOP_KEYS

HERE = Path(__file__).parent
WIDTH = 100
MADE = "<!-- Made from the code by `make docs`; a test holds them together. -->"


def commands() -> str:
    """Return the page of the commands: what `--help` says of each."""
    parser = build_parser()
    (group,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    parts = ["# Commands", MADE, "What `jobdeck --help` and `jobdeck COMMAND --help` say.", _help("jobdeck", parser)]
    for name in COMMANDS:
        parts += [f"## jobdeck {name}", _help(f"jobdeck {name}", group.choices[name])]
    return "\n\n".join(parts) + "\n"


def _help(name: str, parser: argparse.ArgumentParser) -> str:
    made = parser.formatter_class
    parser.formatter_class = lambda prog: made(prog, width=WIDTH)  # type: ignore[assignment] - called as a class is
    text = parser.format_help()
    return f"```text\n{text.strip()}\n```"


def configuration() -> str:
    """Return the page of the configuration's keys."""
    parts = [
        "# Configuration",
        MADE,
        (
            "`~/.config/jobdeck/config.toml`, else the platform's own place for configuration; `--config FILE` and "
            "`JOBDECK_CONFIG` name another. A key that is not known is an error that names it. Without a file, the "
            "profiles `thehog` and `sonarly` are there when their environment variables are: `THE_HOG_ACCESS_KEY` and "
            "`THE_HOG_SECRET_KEY`, or `THE_HOG_API_KEY`; `SONARLY_API_KEY`; with `THEHOG_BASE_URL` and "
            "`SONARLY_BASE_URL` for another origin. With one or without, [every other API](apis.md) whose variables "
            "are set is a profile of its name as soon as something names it."
        ),
        (
            "A secret is written as `env:NAME`, `file:PATH` (a file of mode 0600), `keyring:SERVICE/USER` (with the "
            "extra `keyring`), `prompt` (it is typed, unseen, once in a run), or plainly in a configuration of mode "
            "0600. No option takes one."
        ),
        "## The file",
        _table("key", TOP_KEYS),
        "## [profiles.NAME]",
        _table("key", PROFILE_KEYS),
        "## [[hooks]]",
        _table("key", HOOK_KEYS),
        "## [providers.NAME]",
        "See [Your own API](providers.md); a page may be a file of its own, `apis/NAME.toml` beside this one.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: str, rows: Mapping[str, str]) -> str:
    return "\n".join([f"| {head} | |", "|---|---|", *(f"| `{key}` | {text} |" for key, text in rows.items())])


def apis() -> str:
    """Return the page of the APIs that come along."""
    parts = [
        "# APIs",
        MADE,
        (
            "What a profile's `provider` can name. Each is a page in [one language](providers.md), which `jobdeck apis "
            "NAME` prints. Where its environment variables are set, `NAME:ID` or a poll URL is enough."
        ),
        "\n".join(
            [
                "| `provider` | API | jobs | a target | environment |",
                "|---|---|---|---|---|",
                *map(_api, built_in_names()),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _api(name: str) -> str:
    spec = PageLibrary().spec(name)
    resource = spec.default_resource
    jobs = ", ".join(dict.fromkeys(each.kind for each in spec.resources.values())) + ("; listed" if spec.lists else "")
    place = "/".join(("…" if each == resource.url.greedy_variable else each.upper()) for each in resource.place)
    target = f"`{name}:{place + '/' if place else ''}ID`"
    ways = [" and ".join(f"`{variable}`" for variable in way.env.values()) for way in spec.auth if way.env]
    base = [f"`{spec.base_url_env}`, the base URL"] if spec.base_url_env and not spec.base_url else []
    environment = "; ".join([*base, " or ".join(ways)] if ways else base) or "in a profile"
    return f"| `{name}` | {spec.title} | {jobs} | {target} | {environment} |"


def output() -> str:
    """Return the page of the JSON that commands write."""
    parts = [
        "# Output",
        MADE,
        (
            "With `--json` a command writes one object a line to standard output, in ASCII, and nothing else. Every "
            "key is always there. Times are RFC 3339 in UTC, durations seconds, progress a fraction from 0 to 1. "
            "The same as a [JSON schema](output.schema.json)."
        ),
    ]
    for shape in SHAPES:
        title = shape.__name__.removesuffix("Object").removesuffix("Event")
        parts += [f"## {title}", shape.__doc__ or "", _fields(shape)]
    return "\n\n".join(parts) + "\n"


def _fields(shape: type) -> str:
    rows = []
    for name, hint in get_type_hints(shape, include_extras=True).items():
        kind, meaning = get_args(hint) if get_origin(hint) is Annotated else (hint, "")
        rows.append(f"| `{name}` | {_type(kind)} | {meaning} |")
    return "\n".join(["| key | type | |", "|---|---|---|", *rows])


def _type(kind: Any) -> str:
    names = {str: "string", float: "number", int: "integer", bool: "boolean", type(None): "null", Any: "any"}
    if kind in names:
        return names[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is list:
        return f"array of {_type(inner[0])}"
    if origin is dict:
        return "object"
    if all(isinstance(one, str) for one in inner) and inner:
        return ", ".join(f"`{one}`" for one in inner)
    if inner:
        return " or ".join(_type(one) for one in inner)
    name = kind.__name__.removesuffix("Object")
    return f"[{name}](#{name.lower()})"


def schema() -> str:
    """Return the JSON schema of every shape; written here, for pydantic reads these only from Python 3.12 on."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What jobdeck writes with --json",
        "$defs": {shape.__name__: _object_schema(shape) for shape in SHAPES},
    }
    return json.dumps(made, indent=2) + "\n"


def _object_schema(shape: type) -> dict[str, Any]:
    hints = get_type_hints(shape, include_extras=True)
    fields = {name: {**_schema(get_args(hint)[0]), "description": get_args(hint)[1]} for name, hint in hints.items()}
    return {
        "type": "object",
        "description": shape.__doc__,
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _schema(kind: Any) -> dict[str, Any]:
    names = {str: "string", float: "number", int: "integer", bool: "boolean", type(None): "null"}
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if kind in names:
        return {"type": names[kind]}
    if origin is list:
        return {"type": "array", "items": _schema(inner[0])}
    if origin is dict:
        return {"type": "object"}
    if inner and all(isinstance(one, str) for one in inner):
        return {"enum": list(inner)}
    if inner:
        return {"anyOf": [_schema(one) for one in inner]}
    return {"$ref": f"#/$defs/{kind.__name__}"}


PAGES = {
    "apis.md": apis,
    "commands.md": commands,
    "configuration.md": configuration,
    "output.md": output,
    "output.schema.json": schema,
}


def main(pages: Iterable[str] = PAGES) -> None:
    """Write the pages."""
    for name in pages:
        (HERE / name).write_text(re.sub(r"[ \t]+$", "", PAGES[name](), flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    main()
