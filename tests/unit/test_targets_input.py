import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.apis import target_input
from jobdeck.apis.target_input import Parsed, parse_input
from jobdeck.apis.targets import MAX_INPUT, ProfileRegistry
from tests.cleanness import is_clean
from tests.unit.http.samples import HOG_ACCEPTED, HOG_RATE_LIMITED, JOB, OP, SONARLY_ACCEPTED, sonarly_error
from tests.unit.test_targets import BARE_SONARLY, BOTH, GROUP, HOG, SONARLY, directory, hog, prospecting

ACCEPTED = replace(hog(OP), accepted_request_id="3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a")
ACCEPTED_SONARLY = replace(prospecting(JOB), accepted_trace_id="trace-9")


def parse(data: bytes | object, among: ProfileRegistry = BOTH) -> Parsed:
    return parse_input(data if isinstance(data, bytes) else json.dumps(data).encode(), among)


def refusal(data: object, among: ProfileRegistry = BOTH) -> str:
    parsed = parse(data, among)
    assert parsed.targets == ()
    ((_, reason),) = parsed.refused
    return reason


def test_lines_of_any_form_are_read_and_comments_and_blanks_skipped() -> None:
    data = b"# mine\n\n  op_1 \r\n\t/api/v1/search/s1\nhog:op_2\r\n#op_3\ng/j\n"
    assert parse(data).targets == (hog("op_1"), hog("s1", "search"), hog("op_2"), prospecting("j", "g"))


def test_the_documented_accepted_bodies_keep_the_ids_of_their_acceptance() -> None:
    assert parse(HOG_ACCEPTED) == Parsed((ACCEPTED,))
    assert parse(SONARLY_ACCEPTED) == Parsed((ACCEPTED_SONARLY,))


@pytest.mark.parametrize("gap", [b"", b"\n", b" ", b"\r\n\r\n"])
def test_bodies_may_follow_each_other_in_any_way(gap: bytes) -> None:
    pretty = json.dumps(json.loads(SONARLY_ACCEPTED), indent=2).encode()
    assert parse(HOG_ACCEPTED + gap + pretty + gap).targets == (ACCEPTED, ACCEPTED_SONARLY)


def test_bodies_lines_arrays_and_strings_may_be_mixed() -> None:
    data = b"op_7\n[" + HOG_ACCEPTED + b', "op_8",\n[' + SONARLY_ACCEPTED + b']]\n# end\n"op_9"\n'
    assert parse(data).targets == (hog("op_7"), ACCEPTED, hog("op_8"), ACCEPTED_SONARLY, hog("op_9"))


def test_a_scrapers_accepted_body_is_wrapped_in_data() -> None:
    inner = {"id": "op_1", "operationId": "op_1", "status": "queued", "pollUrl": "/api/operations/op_1"}
    body = {"data": inner, "meta": {"requestId": "r"}}
    assert parse(body).targets == (replace(hog("op_1"), accepted_request_id="r"),)


def test_a_searchs_accepted_body_is_in_snake_case() -> None:
    body = {"id": "s1", "status": "queued", "poll_url": "/api/v1/search/s1", "meta": {"request_id": "r"}}
    assert parse(body).targets == (replace(hog("s1", "search"), accepted_request_id="r"),)


def test_the_newest_id_wins_and_meta_may_be_absent() -> None:
    assert parse({"id": "old", "operationId": "op_1", "status": "queued"}).targets == (hog("op_1"),)
    assert parse({"id": "op_1", "status": "queued", "meta": None}).targets == (hog("op_1"),)


def test_the_poll_url_decides_resource_and_profile() -> None:
    body = {"id": "e1", "status": "queued", "pollUrl": "https://developer.thehog.ai/api/enrichments/e1"}
    among = directory(SONARLY, HOG, default="sonarly")
    assert parse(body, among).targets == (hog("e1", "enrichment"),)


def test_a_poll_url_of_another_job_or_origin_refuses_the_body() -> None:
    assert "for another job, op_2" in refusal({"id": "op_1", "pollUrl": "/api/operations/op_2"})
    reason = refusal({"id": "op_1", "pollUrl": "https://evil.example/api/operations/op_1"})
    assert reason.startswith("https://evil.example: no profile uses this origin")


def test_list_answers_name_all_their_jobs() -> None:
    operations = [{"id": "op_1", "status": "processing"}, {"id": "op_2", "status": "queued"}]
    assert parse(operations).targets == (hog("op_1"), hog("op_2"))
    searches = {"data": [{"id": "s1", "status": "queued", "type": "web_search", "query": "q"}], "next_cursor": None}
    assert parse(searches).targets == (hog("s1", "search"),)
    jobs = {"success": True, "data": {"items": [{"jobId": "j1"}, {"jobId": "j2"}], "hasMore": False}, "traceId": "t"}
    assert parse(jobs).targets == (prospecting("j1"), prospecting("j2"))


def test_a_sonarly_body_needs_the_profiles_account_group() -> None:
    assert "account_group" in refusal(SONARLY_ACCEPTED, directory(BARE_SONARLY))
    assert "without a job ID" in refusal(SONARLY_ACCEPTED, directory(HOG))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            HOG_RATE_LIMITED,
            "an error response: no job was started: Rate limit exceeded. Please slow down and retry. (3f7a…)",
        ),
        (sonarly_error("INSUFFICIENT_CREDITS", "top up"), "an error response: no job was started: top up (trace-err)"),
        ({"error": "Bad\x1b[2J"}, "an error response: no job was started: Bad\\x1b[2J"),
        ({"success": False, "data": None, "error": None}, "without a message"),
        ({"data": {"rows": []}, "meta": {"requestId": "r"}}, "completed immediately"),
        ({"id": "m1", "cadence_minutes": 5, "status": "active"}, "a monitor's settings"),
        ({"hello": "world"}, "without a job ID"),
        ({"id": "..", "status": "queued"}, "not a job ID"),
        ([1], "neither a target nor a 202 response"),
    ],
)
def test_a_body_that_names_no_job_is_refused_with_the_reason(body: object, words: str) -> None:
    assert words in refusal(body)


def test_one_refusal_does_not_lose_the_others() -> None:
    parsed = parse(b'op_1\nnot a job\n{oops}\n{"id": \nop_2\n')
    assert parsed.targets == (hog("op_1"), hog("op_2"))
    assert [text for text, _ in parsed.refused] == ["not a job", "{oops}", '{"id": ']


def test_a_job_is_named_once_and_keeps_the_ids_of_its_acceptance() -> None:
    assert parse(b"op_1\n" + OP.encode() + b"\nop_1\n" + HOG_ACCEPTED).targets == (hog("op_1"), ACCEPTED)


def test_what_windows_shells_pipe_is_read() -> None:
    assert parse(b"\xef\xbb\xbfop_1\r\n").targets == (hog("op_1"),)
    assert parse("op_1\r\nop_2\r\n".encode("utf-16")).targets == (hog("op_1"), hog("op_2"))


def test_user_information_of_a_refused_url_is_not_repeated() -> None:
    parsed = parse(b"https://me:hunter2@developer.thehog.ai/api/operations/op_1\n")
    assert "hunter2" not in repr(parsed)
    assert parsed.refused[0][0] == "https://developer.thehog.ai"


def test_json_deeper_than_200_levels_is_refused_and_the_rest_read() -> None:
    for depth in (201, 100_000):
        parsed = parse(b"[" * depth + b"]" * depth + b"\nop_1\n")
        assert parsed.targets == (hog("op_1"),)
        assert "deeper than 200" in parsed.refused[0][1]
    assert parse(b"[" * 200 + b'"op_1"' + b"]" * 200).targets == (hog("op_1"),)


def test_brackets_in_strings_end_no_value() -> None:
    assert parse(b'{"id": "op_1", "note": "}]\\"}\\\\"}op_2').targets == (hog("op_1"), hog("op_2"))


def test_an_input_too_big_is_refused_whole() -> None:
    parsed = parse(b"op_1\n" + b"#" * MAX_INPUT)
    assert parsed.targets == ()
    assert "at most 8388608" in parsed.refused[0][1]


def test_a_hundred_thousand_targets_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert target_input.MAX_TARGETS == 100_000
    monkeypatch.setattr(target_input, "MAX_TARGETS", 1_000)
    parsed = parse(b"\n".join(b"op_%d" % number for number in range(1_001)))
    assert len(parsed.targets) == 1_000
    assert parsed.refused == (("rest of the input", "more than 1000 targets"),)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b"{\n" * 199 + b"{}\n" * 30_000, id="unclosed"),
        pytest.param(b'{"' * 100_000, id="strings"),
        pytest.param(b"[" * 150_000, id="brackets"),
        pytest.param(b'{"\n' * 70_000, id="broken strings"),
        pytest.param(b"x y\n" * 70_000, id="bad lines"),
        pytest.param(b"{}" * 100_000, id="no line ends"),
    ],
)
def test_no_input_costs_more_than_its_size(hostile: bytes) -> None:
    before = time.process_time()
    assert parse(hostile).targets == ()
    assert time.process_time() - before < 5.0


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\\n #op_1/').map(str.encode))
def test_any_bytes_give_targets_or_clean_refusals(data: bytes) -> None:
    parsed = parse(data)
    for text, reason in parsed.refused:
        assert is_clean(text)
        assert is_clean(reason)
        assert reason


def test_accepted_ids_are_cleaned_and_cut() -> None:
    body = {"id": "op_1", "meta": {"requestId": "\x1b]52;" + "r" * 500}, "traceId": ["no"]}
    (target,) = parse(body).targets
    assert target.accepted_request_id is not None
    assert target.accepted_request_id.startswith("\\x1b]52;rrr")
    assert len(target.accepted_request_id) == 200
    assert target.accepted_trace_id is None


def test_the_account_group_of_a_body_is_taken_when_it_says_one() -> None:
    body = {"success": True, "data": {"jobId": "j1", "accountGroupId": "g9"}, "traceId": "t"}
    assert parse(body).targets[0].key.account_group == "g9"
    assert GROUP != "g9"


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        (b"op_1 op_2", ["op_1", "op_2"]),
        (b"op_3,op_4, hog:op_5", ["op_3", "op_4", "op_5"]),
        (b"hog:op_1,hog:op_2", ["op_1", "op_2"]),
        (b"/api/operations/op_1 op_2 /api/operations/3", ["op_1", "op_2", "3"]),
        (b"hog:import hog:17", ["import", "17"]),
        (b"g/" + JOB.encode() + b"  g/" + JOB[::-1].encode(), [JOB, JOB[::-1]]),
        (
            b"3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a 4f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a",
            ["3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a", "4f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a"],
        ),
    ],
)
def test_several_targets_may_stand_on_one_line(line: bytes, ids: list[str]) -> None:
    found = parse(line)
    assert [target.key.id for target in found.targets] == ids
    assert found.refused == ()


@pytest.mark.parametrize(
    "line",
    [
        "please look at op_1",
        "the 3 jobs of 11/29 took 2x as long",
        "and/or e2e/ci 4xx 5xx",
        "2026-11-29 14:02:01 op_1",
        "20261129T140201Z op_1 op_2",
        "1732871234 op_1",
        "202 503 429",
        "some_snake case_names here_too",
        "op_1 req_2",
        "op_1 4bf92f3577b34da6a3ce929d0e0e4736",
        "op_1 /not/a/poll/url",
        "hog: op_1 and op_2",
    ],
)
def test_a_line_with_any_word_that_may_be_no_target_is_one_mistake(line: str) -> None:
    found = parse(f"op_8\n{line}\nop_9".encode())
    assert [target.key.id for target in found.targets] == ["op_8", "op_9"]
    assert [text for text, _ in found.refused] == [line]
