"""Large answers, parsed in a thread: nothing there may hold the interpreter, which the screen needs as well."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from jobdeck.apis.damaged import Parse
from jobdeck.apis.extract import ParsedBody, ResponseBody
from jobdeck.providers.http import IN_THREAD
from jobdeck.providers.json_pieces import LargeJson
from jobdeck.providers.problems import not_json


def parse_in_pieces(parse: Parse, body: ResponseBody) -> ParsedBody:
    """Return what `parse` finds in a body, of which a large one is read and let go of a piece at a time."""
    if len(body.data) < IN_THREAD:
        return parse(body)
    with _without_collection():
        try:
            document = LargeJson(body.data)
        except ValueError:
            return ParsedBody(problem=not_json(body.data, body.status))
        try:
            return parse(replace(body, document=document))
        finally:
            document.close()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Let no garbage be collected: going through millions of values for some takes a third of a second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
