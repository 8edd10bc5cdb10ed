"""How to ask again is known of every job, whether it was ever asked for by itself or only seen in lists."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.tickets import make_ticket
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
    context = AppContext({"JOBDECK_DATA_DIR": str(tmp_path)}, settings=settings_for(HERE))
    target = parse_target(text, context.registry)
    assert context.curl(target).endswith(f" {HERE}{path}")
    running = await context.open()
    running.engine.add([target])
    assert f" {HERE}{path}\n" in await make_ticket(context, running, [target.key])
    await running.engine.aclose()


def test_a_request_is_sent_again_as_it_was_and_a_stranger_nowhere() -> None:
    context = AppContext({}, settings=settings_for(HERE))
    listed = replace(make_exchange(), job=None, url=f"{HERE}/api/operations?limit=100")
    assert context.curl(listed).endswith(f" '{HERE}/api/operations?limit=100'")
    assert context.curl(make_target("op_1", "no such profile")) == ""


def test_what_is_asked_for_by_post_is_sent_again_with_its_body(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        """
        profiles.own = { provider = "graph", base_url = "https://api.example", token = "env:TOKEN" }
        [providers.graph]
        job = { url = "/graphql", method = "POST", body = '{"id": "{id}"}' }
        fields.status = "$.state"
        phases.succeeded = ["done"]
        """
    )
    context = AppContext({}, config)
    target = parse_target("own:it's", context.registry)
    line = context.curl(target)
    assert shlex.split(line) == [
        *("curl", "-sS", "-X", "POST", "-H", "Authorization: Bearer $TOKEN", "-H", "Content-Type: application/json"),
        *("-d", '{"id": "it\'s"}', "https://api.example/graphql"),
    ]
    asked = replace(make_exchange(), profile="own", job=target.key, method="POST", url="https://api.example/graphql")
    assert context.curl(asked) == line
    assert "-d" not in context.curl(replace(asked, url="https://api.example/other"))


@pytest.mark.parametrize("allow", ['["cancel"]', "[]"])
def test_a_cancel_request_is_copied_with_its_body(tmp_path: Path, allow: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
        profiles.own = {{ provider = "builds", base_url = "https://api.example", token = "env:TOKEN", allow = {allow} }}
        [providers.builds]
        job.url = "/builds/{{id}}"
        fields.status = "$.state"
        phases.succeeded = ["done"]
        actions.cancel = {{ url = "/builds/{{id}}/status", method = "PUT", body = '{{"stop": "{{id}}"}}' }}
        """
    )
    context = AppContext({}, config)
    target = parse_target("own:b1", context.registry)
    url = "https://api.example/builds/b1/status"
    sent = replace(make_exchange(), profile="own", job=target.key, method="PUT", url=url)
    assert shlex.split(context.curl(sent))[-3:] == ["-d", '{"stop": "b1"}', url]
    assert "-d" not in shlex.split(context.curl(replace(sent, method="POST")))
