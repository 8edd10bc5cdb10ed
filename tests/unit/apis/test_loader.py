"""A description is read strictly: what is wrong is said with file, table, key and what was expected."""

import tomllib

import pytest

from jobdeck.apis.pages import Page, PageLibrary, built_in_names
from jobdeck.apis.spec import ApiSpec, PartSource
from jobdeck.apis.tables import PageError
from jobdeck.domain.job import Part
from jobdeck.domain.phase import Phase

LEAST = """
[job]
url = "/jobs/{id}"
[fields]
status = "$.status"
[phases]
succeeded = ["ok"]
"""


def describe(name: str, tables: dict[str, object], file: str) -> ApiSpec:
    own = {key: Page(table, file, f"providers.{key}") for key, table in tables.items()}  # type: ignore[arg-type]
    return PageLibrary(own).spec(name)


def read(text: str, **others: str) -> ApiSpec:
    tables = {"acme": tomllib.loads(text), **{name: tomllib.loads(other) for name, other in others.items()}}
    return describe("acme", tables, "config.toml")


def test_the_least_description() -> None:
    acme = read(LEAST)
    assert (acme.name, acme.title, acme.source) == ("acme", "acme", "config.toml")
    assert acme.default_resource.kind == "job"
    assert [dict(method.headers) for method in acme.auth] == [{"Authorization": "Bearer {token}"}]
    assert acme.phases.words == {"ok": Phase.SUCCEEDED}
    assert acme.lists == ()


@pytest.mark.parametrize("name", built_in_names())
def test_each_description_that_comes_along_is_one(name: str) -> None:
    page = PageLibrary().spec(name)
    assert (page.name, page.source) == (name, f"{name}.toml (built in)")
    like = describe("mine", {"mine": {"like": name}}, "config.toml")
    assert like.resources == page.resources
    assert like.title == page.title


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("", "config.toml: [providers.acme.job]: url is missing: the path of a job, such as /v1/jobs/{id}"),
        ('[job]\nurl = "/jobs"', "[providers.acme.job]: url must have {id} in it, or query a parameter"),
        ('[rate_limits]\ncodes = ["4"]', "[providers.acme]: unknown key rate_limits (did you mean rate_limit?)"),
        ('[rate_limit]\nmesages = ["x"]', "[providers.acme.rate_limit]: unknown key mesages (did you mean messages?)"),
        ('[rate_limit]\nmessages = "slow"', "[providers.acme.rate_limit]: messages must be a list of texts"),
        ("[rate_limit]\ncodes = [4]", "[providers.acme.rate_limit]: codes must be a list of texts"),
        ('[rate_limit]\nmessages = ["a"]', "messages has 'a', and must have at least 5 characters"),
        ('[field]\nid = "$.id"', "[providers.acme]: unknown key field (did you mean fields?)"),
        ('[job]\nurl = "jobs/{id}"', "url must be a path that begins with /"),
        ('[job]\nurl = "/jobs/{id}?a=b"', "parameters belong into the table query"),
        ('[job]\nurl = "/jobs/{ID}"', "a variable must read {name} or {name*}, in small letters"),
        ('[job]\nurl = "/jobs/{a}{id}"', "one variable between two slashes"),
        ('[job]\nurl = "/{id}/{id}"', "has {id} more than once"),
        ('[job]\nurl = "/{a*}/{b*}/{id}"', "one variable with a * only"),
        ('[job]\nurl = "/{id*}"', "an ID is one part of the path"),
        ('[job]\nurl = "/a//{id}"', "which no path has"),
        ('[job]\nurl = "/../{id}"', "which no path has"),
        ('[job]\nurl = 7', "url must be a text of printable ASCII"),
        ("job = 3", "[providers.acme.job] must be a table"),
        ('[job]\nurl = "/j/{id}"\nurls = 3', "[providers.acme.job]: unknown key urls (did you mean url?)"),
        ('titel = "x"\n[job]\nurl = "/j/{id}"', "[providers.acme]: unknown key titel (did you mean title?)"),
        ("[fields]", "[providers.acme.fields]: status is missing: give the JSONPath of the status, or of the boolean"),
        ('[fields]\nstatus = "status"', "status is not a valid JSONPath: 'status': a JSONPath begins with $"),
        ('[fields]\nstatus = "$..s"', "status is not a valid JSONPath: '$..s': descendants (..) are not searched"),
        ("[fields]\nstatus = 3", "[providers.acme.fields]: status must be a JSONPath such as $.status, or a list"),
        ('[fields]\nstatus = ["$.a", 3]', "status must be a JSONPath such as $.status of at most 500 characters, or"),
        ('[fields]\nstate = "$.s"', "unknown key state (did you mean status?)"),
        ('[fields]\nstatus = "$.s"\nprogress_unit = "percents"', "fraction, percent, ratio, count, not percents (did"),
        ('[fields]\nstatus = "$.s"\nprogress_unit = "count"', "progress_total is missing"),
        ('[fields]\nstatus = "$.s"\nprogress_total = "$.t"', 'progress_total is for progress_unit = "count" only'),
        ('[fields]\nstatus = "$.s"\nid_required = "no"', "id_required must be true or false"),
        ('[fields]\nstatus = "$.s"\ntime_unit = "ms"', "must be one of auto, rfc3339, seconds, milliseconds, not ms"),
        ('[fields]\nstatus = "$.s"\ndone_needs_result = true', "done_needs_result needs result"),
        ('[fields.facts]\nx = "y"', "[providers.acme.fields.facts]: x is not a valid JSONPath"),
        ('[phases]\nsuceeded = ["ok"]', "[providers.acme.phases]: unknown key suceeded (did you mean succeeded?)"),
        ('[phases]\nsucceeded = "ok"', 'succeeded must be a list of texts, such as ["done", "finished"]'),
        ('[phases]\nrunning = ["ok"]', "[providers.acme.phases]: succeeded or another phase that ends a job is"),
        ('[phases]\nsucceeded = ["ok"]\nfailed = ["ok"]', "failed has 'ok', which succeeded has as well"),
        ('[phases]\nsucceeded = ["ok"]\nother = "failed"', "other must be queued, running or unknown"),
        ('[phases]\nsucceeded = ["ok"]\nother = "done"', "other must be one of queued, running"),
        ('[phases]\nsucceeded = ["ok"]\noutcome = ["ok"]', "outcome has 'ok', which has a phase as well"),
        ('[phases]\nsucceeded = ["ok"]\noutcome = ["end"]', "outcome and the field outcome need each other"),
        ('[phases]\nsucceeded = ["ok"]\ndone = ["ok"]', "done has 'ok', which has a phase as well"),
        ('[phases]\nsucceeded = ["ok"]\nmissing = "failed"', "missing must be queued or running: no status at all"),
        ('[phases]\nsucceeded = ["ok"]\nmissing = "running"', "missing needs the field id"),
        ('[phases]\nfailed = ["no"]\ncancelled_codes = ["1"]', "cancelled_codes needs the field error or error_code"),
        ('[stages]\nitems = "$.steps"', "[providers.acme.stages]: items is one value, '$.steps'"),
        ('[list]\nurl = "/jobs"\nitems = "$.jobs"', "'$.jobs': give the path to each, such as $.jobs[*]"),
        (
            '[list]\nurl = "/jobs"\nitems = "$[*]"\nlimit_parameter = "n"\nquery = { n = 5 }',
            "limit_parameter is 'n', which is asked with anyway",
        ),
        (
            '[list]\nurl = "/jobs"\nitems = "$[*]"\nlimit_parameter = "n"\nstatus_parameter = "n"',
            "status_parameter is 'n', which is asked with anyway",
        ),
        ('[job]\nurl = "/jobs/{id}"\nquery = { run = "{id}" }', "url must not have {id} in it"),
        ('[job]\nurl = "/jobs/{id}"\nquery = { run = "x{id}" }', "query.run may be {id} as a whole"),
        (
            '[list]\nurl = "/j"\nitems = "$[*]"\nquery = { of = "{id}" }\n[fields]\nid = "$.i"\nstatus = "$.s"',
            "query must not have {id} in it",
        ),
        ('base_url = "https://acme.example?v=1"', "base_url is refused: a base URL has no query and no fragment"),
        ('[stages]\nname = "$.n"', "[providers.acme.stages]: items is missing"),
        ('[stages]\nurl = "/jobs/{id}/steps"', "[providers.acme.stages]: items is missing"),
        ('[stages]\nitems = "$[*]"\nquery = { n = 5 }', "query needs url, the path to ask with it"),
        ('[stages]\nitems = "$[*]"\nurl = "/{who}/{id}"', "url has {who}, which the URL of a job has not"),
        ('[stages]\nitems = "$[*]"\nurl = "/steps"', "url must have {id} in it, or query a parameter with it: /steps"),
        ('[result]\npath = "$.output"', "[providers.acme.result]: url is missing: where the result is, such as"),
        ('[result]\nurl = "output/{id}"', "url must be a path, such as /jobs/{id}/result, or where the answer has"),
        ('[result]\nurl = "https://acme.example/x/{id}"', "[providers.acme.result]: url must be a path, such as"),
        ('[result]\nurl = "$.url["', "[providers.acme.result]: url is not a valid JSONPath: '$.url['"),
        ('[result]\nurl = "header:Location"', "url must name a header in small letters, not 'header:Location'"),
        ('[result]\nurl = "/jobs/{id}?full=1"', "parameters belong into the table query"),
        ('[result]\nurl = "/jobs/{id}/o"\nquery = { key = "5" }', "query.key is refused: URLs are kept and shown"),
        ('[result]\nurl = "$.url"\nquery = { n = 5 }', "query is for a path only: a URL of the answer has its own"),
        ('[result]\nurl = "/o/{id}"\npaths = "$"', "[providers.acme.result]: unknown key paths (did you mean path?)"),
        (
            '[result]\nurl = "/o/{id}"\n[fields]\ndone = "$.d"\nresult = "$.r"\ndone_needs_result = true',
            "[providers.acme.result]: url and fields.done_needs_result exclude each other",
        ),
        ('[list]\nurl = "/jobs"', "[providers.acme.list]: items is missing"),
        ('[list]\nurl = "/jobs"\nitems = "$[*]"', "[providers.acme]: lists need the field id of job"),
        ('[list]\nurl = "/jobs/{id}"\nitems = "$[*]"', "url must not have {id} in it"),
        ('[list]\nurl = "/{who}/jobs"\nitems = "$[*]"', "url has {who}, which the URL of a job has not"),
        ('[list]\nurl = "/jobs"\nitems = "$[*]"\ncursor = "$.c"', "cursor and cursor_parameter need each other"),
        (
            '[list]\nurl = "/jobs"\nitems = "$[*]"\npage_parameter = "p"\noffset_parameter = "o"',
            "offset_parameter and page_parameter are two ways to the next page: give one",
        ),
        ('[list]\nurl = "/jobs"\nitems = "$[*]"\npage = 0', "page must be a whole number from 1 to 1000"),
        ('[auth]\nscheme = "digest"', "scheme must be one of bearer, header, basic, none, not digest"),
        ('[auth]\nscheme = "header"', "header is missing"),
        ('[auth]\nheader = "X-Key"', 'header is for scheme = "header" only'),
        ('[auth]\nscheme = "header"\nheader = "Host"', "header must be the name of a header that may hold a key"),
        ('[auth]\nscheme = "header"\nheader = "X-Key"\nprefix = "$(id) "', "prefix must be plain words"),
        ('[auth]\nscheme = "basic"', "user is missing"),
        ('[auth]\nuser = "me"', 'user is for scheme = "basic" only'),
        ('[headers]\nCookie = "a=b"', "headers.Cookie cannot be set"),
        ('[headers]\nAuthorization = "x"', "headers.Authorization cannot be set"),
        ('[headers]\nX-Api-Key = "abc"', "headers.X-Api-Key is refused: what could be a key belongs into auth"),
        ('[job]\nurl = "/j/{id}"\nquery = { api_key = "abc" }', "query.api_key is refused: URLs are kept and shown"),
        ('[list]\nurl = "/j"\nitems = "$[*]"\nquery = { key = "abc" }', "query.key is refused"),
        ('[headers]\nX-A = "$(id)"', "headers.X-A must be letters, digits"),
        ('[headers]\nX-A = "a\\nb"', "X-A must be a text of printable ASCII"),
        ('[headers]\n"X A" = "b"', "X A must be a name of letters"),
        ('request_id_headers = ["x: y"]', "request_id_headers must be names of headers, not x: y"),
        ('base_url = "http://acme.example"', "base_url is refused: http is accepted for a loopback address only"),
        ("requests_per_minute = true", "requests_per_minute must be a whole number from 1 to 60000"),
        ('typical = "soon"', "typical must be a length of time such as 45s, 30m or 1h30m, not 'soon'"),
        ('typical = "0s"', "typical must be a length of time"),
        ("typical = 180", "typical must be a text"),
        ('[variables]\nregion = "eu"', "variables.region is used nowhere (used: none)"),
        ('[job]\nurl = "/j/{id}"\nquery = { v = "{Version}" }', "a variable must read {name}"),
        ('like = "google"', "[providers.acme]: like names no API: google"),
        ("like = 3", "like names no API: 3"),
        ('like = "acme"', "[providers.acme]: like leads back to itself: acme → acme"),
    ],
)  # fmt: skip
def test_a_wrong_description_is_an_error_that_says_where_and_what(more: str, told: str) -> None:
    wrong = tomllib.loads(more)
    whole = {} if more == "" else tomllib.loads(LEAST)
    with pytest.raises(PageError) as caught:
        describe("acme", {"acme": {**whole, **wrong}}, "config.toml")
    assert told in str(caught.value)
    assert str(caught.value).startswith("config.toml: [providers.acme")


def test_a_circle_of_likes_is_named() -> None:
    with pytest.raises(PageError, match="itself: acme → b → c → b"):
        read('like = "b"', b='like = "c"', c='like = "b"')


def test_what_is_said_goes_over_what_it_is_like() -> None:
    mine = read(
        'like = "base"\ntitle = "Mine"\n[fields]\nprogress = []\nkind = "$.k"\n[phases]\nfailed = ["gone", "ok"]',
        base='like = "azure-async"\n[phases]\nsucceeded = ["ok", "fine"]',
    )
    assert (mine.title, mine.base_url) == ("Mine", "https://management.azure.com")
    assert mine.default_resource.fields.progress.value == ()
    assert mine.default_resource.fields.kind == ("$.k",)
    # A word that means something else now no longer means what it did.
    assert mine.phases.words == {
        "fine": Phase.SUCCEEDED, "gone": Phase.FAILED, "ok": Phase.FAILED,
        "Canceled": Phase.CANCELLED, "Cancelled": Phase.CANCELLED,
    }  # fmt: skip
    assert mine.phases.other is Phase.RUNNING


def test_a_resource_has_parts_of_its_own_beside_those_said_for_all() -> None:
    page = """
    stages = { url = "/jobs/{id}/steps", query = { of = "{id}", v = "{version}" }, items = "$[*]" }
    result = { url = ["$.url", "header:location"] }
    variables = { version = "2" }
    fields = { status = "$.status" }
    phases = { succeeded = ["ok"] }
    [resources.one]
    url = "/jobs/{id}"
    [resources.two]
    url = "/{team}/jobs/{id}"
    [resources.two.result]
    url = "/{team}/jobs/{id}/output"
    path = "$.output"
    """
    acme = read(page)
    one, two = (acme.resources[name].parts for name in ("one", "two"))
    assert one[Part.RESULT] == PartSource(link=("$.url", "header:location"))
    assert two[Part.RESULT].url is not None
    assert two[Part.RESULT].url.text == "/{team}/jobs/{id}/output"
    assert one[Part.STAGES] == two[Part.STAGES]
    assert one[Part.STAGES].query == (("of", "{id}"), ("v", "{version}"))
