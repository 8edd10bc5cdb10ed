"""How to ask again is known of every job, whether it was ever asked for by itself or only seen in lists."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.wiring import Wiring
from jobdeck.wiring.tickets import make_ticket
from tests.builders import make_exchange, make_target
from tests.engine.running import settings_for

HERE = "https://api.example"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("op_1", "/api/operations/op_1"),
        ("/api/v1/search/op_1", "/api/v1/search/op_1"),
        ("sonarly:507f/abc", "/v1/accounts/507f/prospecting/abc"),
    ],
)
async def test_a_job_is_asked_for_again_by_its_own_url(text: str, path: str, tmp_path: Path) -> None:
    wiring = Wiring({"JOBDECK_DATA_DIR": str(tmp_path)}, settings=settings_for(HERE))
    target = parse_target(text, wiring.registry)
    assert wiring.curl(target).endswith(f" {HERE}{path}")
    running = wiring.open()
    running.engine.add([target])
    assert f" {HERE}{path}\n" in await make_ticket(wiring, running, [target.key])
    await running.engine.aclose()


def test_a_request_is_sent_again_as_it_was_and_a_stranger_nowhere() -> None:
    wiring = Wiring({}, settings=settings_for(HERE))
    listed = replace(make_exchange(), job=None, url=f"{HERE}/api/operations?limit=100")
    assert wiring.curl(listed).endswith(f" '{HERE}/api/operations?limit=100'")
    assert wiring.curl(make_target("op_1", "no such profile")) == ""
