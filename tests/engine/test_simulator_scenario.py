import json
from collections import Counter
from pathlib import Path

import pytest

from jobdeck.cli.commands.demo import demo_estimates
from jobdeck.scheduling.estimates import Estimates
from jobdeck.simulator.demo import demo_batch, demo_scenario, demo_targets
from jobdeck.simulator.lifecycle import State, state_at
from jobdeck.simulator.scenario import (
    Api,
    Fault,
    FaultKind,
    JobScript,
    Outcome,
    RateLimit,
    Resource,
    Scenario,
    ScenarioError,
    StageScript,
    Stall,
    load_scenario,
    read_scenario,
)

TOML = """
seed = 7
speed = 2
poll_urls = "absolute"

[[jobs]]
id = "op_fixed"
stall = { at = 0.3, seconds = 5 }
result = { rows = [1, { deep = true }] }

[[jobs]]
api = "sonarly"
resource = "prospecting"
outcome = "completed"
stages = [{ name = "import", duration = 10 }, { name = "enrichment", duration = 30 }]

[[faults]]
kind = "status"
status = 503
start = 3
end = 9

[[limits]]
api = "thehog"
bucket = "polling"
limit = 30
reset = "epoch_ms"
"""


def test_a_toml_file_reads_as_the_dataclasses_it_describes(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(TOML)
    scenario = load_scenario(path)
    assert scenario.jobs[0].id == "op_fixed"
    assert scenario.jobs[0].stall == Stall(0.3, 5.0)
    assert scenario.jobs[0].result == {"rows": [1, {"deep": True}]}
    assert scenario.jobs[1].run_seconds == 40
    assert scenario.jobs[1].stages[0] == StageScript("import", duration=10.0)
    assert scenario.faults == (Fault(FaultKind.STATUS, status=503, start=3.0, end=9.0),)
    assert scenario.limits[0].limit == 30


def test_json_and_toml_say_the_same(tmp_path: Path) -> None:
    data = {"seed": 7, "jobs": [{"duration": 5, "outcome": "failed"}], "faults": [{"kind": "drip", "count": 1}]}
    as_json, as_toml = tmp_path / "a.json", tmp_path / "a.toml"
    as_json.write_text(json.dumps(data))
    as_toml.write_text('seed = 7\n[[jobs]]\nduration = 5\noutcome = "failed"\n[[faults]]\nkind = "drip"\ncount = 1\n')
    assert load_scenario(as_json) == load_scenario(as_toml)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"seeed": 1}, "seeed: unknown key"),
        ({"jobs": [{}, {"stages": [{"name": "a", "shar": 2}]}]}, "jobs[1].stages[0].shar: unknown key"),
        ({"speed": 0}, "speed: must be above 0, not 0.0"),
        ({"speed": float("nan")}, "speed: input should be a finite number"),
        ({"jobs": [{"duration": "5"}]}, "jobs[0].duration: input should be a valid number"),
        ({"jobs": [{"outcome": "lost"}]}, "jobs[0].outcome: input should be 'succeeded', 'completed'"),
        ({"jobs": [{"stall": {"at": 2}}]}, "jobs[0].stall.at: must be within 0–1, not 2.0"),
        ({"jobs": [{"id": "a"}, {"id": "a"}]}, "jobs: 'a' is there more than once"),
        ({"jobs": [{"id": "../x"}]}, "jobs[0].id: '../x' is not an ID"),
        ({"jobs": [{"resource": "prospecting"}]}, "jobs[0].resource: thehog has no prospecting"),
        (
            {"jobs": [{"resource": "search", "outcome": "cancelled"}]},
            "jobs[0].outcome: a search never ends as cancelled",
        ),
        ({"jobs": [{"stages": [{"name": ""}]}]}, "jobs[0].stages[0].name: must not be empty"),
        ({"jobs": [{"stages": [{"name": "a", "duration": 1}, {"name": "b"}]}]}, "stages: give every stage a duration"),
        ({"faults": [{"kind": "status"}]}, "faults[0].status: a status fault needs one"),
        ({"faults": [{"kind": "status", "status": 99}]}, "faults[0].status: must be within 200–599, not 99"),
        ({"faults": [{}]}, "faults[0].kind: missing"),
        ({"limits": [{"api": "thehog", "limit": 0}]}, "limits[0].limit: must be at least 1, not 0"),
        ({"seed": "x", "speed": "y"}, "seed: input should be a valid integer; speed: input should be a valid number"),
        ([], "should be an object"),
    ],
)
def test_a_bad_scenario_is_refused_with_the_key_by_name(data: object, complaint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_scenario(data)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("s.yaml", b"a: 1", "a scenario is a .toml or .json file, not .yaml"),
        ("s.toml", b"a = ", "s.toml: "),
        ("s.json", b"{", "s.json: "),
        ("s.json", b"\xff\xfe", "s.json: "),
        ("s.json", b"[" * 100_000, "s.json: "),
        ("s.toml", b"when = 2020-01-01\n", "when: unknown key"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused_by_its_name(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert complaint in str(caught.value)


def test_ids_left_out_are_drawn_from_the_seed_in_the_documented_shapes() -> None:
    prospecting = JobScript(api=Api.SONARLY, resource=Resource.PROSPECTING)
    one, same, other = (Scenario(seed=seed, jobs=(JobScript(), prospecting)) for seed in (1, 1, 2))
    assert one == same
    assert one.jobs[0].id != other.jobs[0].id
    assert len(one.jobs[0].id) == len("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T")
    assert one.jobs[0].id.startswith("op_01")
    assert len(one.jobs[1].id) == 24
    assert int(one.jobs[1].id, 16) > 0


def test_two_limits_of_one_bucket_are_refused() -> None:
    with pytest.raises(ScenarioError, match="thehog general"):
        Scenario(limits=(RateLimit(Api.THEHOG, 1), RateLimit(Api.THEHOG, 2)))


@pytest.mark.parametrize("jobs", [1, 5, 24, 60])
def test_the_demo_can_watch_each_of_its_jobs_from_the_first_moment(jobs: int) -> None:
    scenario = demo_scenario(jobs)
    states = [state_at(job, 0.0) for job in scenario.jobs]
    assert len(states) == jobs
    assert all(state is not None and not state.state.ended for state in states)
    lost = [job for job in scenario.jobs if state_at(job, 1_000.0) is None]
    assert len(lost) <= 1


def test_the_demo_is_lively_and_shows_every_fate_within_two_minutes() -> None:
    scenario = demo_scenario()
    assert scenario == demo_scenario(24, seed=1)
    assert Counter(job.api for job in scenario.jobs) == {Api.THEHOG: 16, Api.SONARLY: 8}
    at_once = Counter(state.state for job in scenario.jobs if (state := state_at(job, 0.0)))
    assert at_once[State.RUNNING] >= 8
    assert at_once[State.QUEUED] >= 4
    later = Counter(state.state for job in scenario.jobs if (state := state_at(job, 120.0)))
    assert set(later) >= {State.RUNNING, State.SUCCEEDED, State.FAILED, State.PARTIAL, State.CANCELLED}
    for_good = Counter(state.state for job in scenario.jobs if (state := state_at(job, 36_000.0)))
    assert for_good[State.RUNNING] == 2


def test_the_demo_shows_a_failure_a_stall_and_an_outage_within_45_seconds() -> None:
    scenario = demo_scenario()
    states = [state for job in scenario.jobs if (state := state_at(job, 40.0))]
    failed = [state.script for state in states if state.state is State.FAILED]
    assert len(failed) == 3
    assert Counter(script.error.code for script in failed if script.error)["UPSTREAM_TIMEOUT"] == 2, "two failed alike"
    known = Estimates(json.loads(demo_estimates(1.0)["hog"]))
    (stalled,) = (state for state in states if state.script.stall is not None)
    unusual = known.stall_after(stalled.script.resource.value)
    assert unusual is not None
    assert stalled.updated + unusual < 40
    outage = next(fault for fault in scenario.faults if fault.kind is FaultKind.RESET_BEFORE)
    assert outage.end is not None
    assert 20 < outage.start < outage.end - 10 < 45
    assert {job.resource.value for job in scenario.jobs if known.eta(job.resource.value, 5.0, None)} == {
        "operation",
        "enrichment",
        "search",
    }


def test_three_hundred_jobs_look_like_a_night() -> None:
    scenario = demo_scenario(300)
    assert scenario == demo_scenario(300, seed=1)
    assert scenario != demo_scenario(300, seed=2)
    states = [state for job in scenario.jobs if (state := state_at(job, 60.0))]
    counts = Counter(state.state for state in states)
    assert counts[State.SUCCEEDED] + counts[State.RUNNING] > 200
    assert 20 <= counts[State.FAILED] <= 50
    codes = Counter(state.script.error.code for state in states if state.state is State.FAILED and state.script.error)
    assert len([code for code, times in codes.items() if times > 1]) >= 5
    assert codes.most_common(1)[0][0] == "RATE_LIMITED"
    assert {demo_batch(job) for job in scenario.jobs} == {"crm import", "lead enrichment", "account research"}


def test_a_prospecting_job_of_the_demo_fails_in_a_stage_after_twenty_seconds() -> None:
    failing = [
        job for job in demo_scenario().jobs if job.outcome is Outcome.FAILED and job.resource is Resource.PROSPECTING
    ]
    before, after = state_at(failing[0], 19.9), state_at(failing[0], 20.1)
    assert before is not None
    assert after is not None
    assert before.state is State.RUNNING
    assert [stage.state for stage in after.stages] == [State.SUCCEEDED, State.FAILED]
    assert failing[0].error is not None
    assert failing[0].error.code == "UPSTREAM_TIMEOUT"


def test_targets_are_named_as_a_user_would_name_them() -> None:
    scenario = Scenario(
        jobs=(
            JobScript(id="op_a"),
            JobScript(id="op_b", resource=Resource.ENRICHMENT),
            JobScript(id="op_c", resource=Resource.SEARCH),
            JobScript(id="d", api=Api.SONARLY, resource=Resource.PROSPECTING, account_group="g1"),
        )
    )
    assert demo_targets(scenario) == [
        "op_a",
        "/api/enrichments/op_b",
        "/api/v1/search/op_c",
        "/v1/accounts/g1/prospecting/d",
    ]
