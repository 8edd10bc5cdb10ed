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
        ('[job]\nurl = "/jobs"', "[providers.acme.job]: url must contain {id}, or query"),
        ('[rate_limits]\ncodes = ["4"]', "[providers.acme]: unknown key rate_limits (did you mean rate_limit?)"),
        ('[rate_limit]\nmesages = ["x"]', "[providers.acme.rate_limit]: unknown key mesages (did you mean messages?)"),
        ('[rate_limit]\nmessages = "slow"', "[providers.acme.rate_limit]: messages must be a list of strings"),
        ("[rate_limit]\ncodes = [4]", "[providers.acme.rate_limit]: codes must be a list of strings"),
        ('[rate_limit]\nmessages = ["a"]', "messages has 'a', but needs at least 5 characters"),
        ('[field]\nid = "$.id"', "[providers.acme]: unknown key field (did you mean fields?)"),
        ('[job]\nurl = "jobs/{id}"', "url must be a path that starts with /"),
        ('[job]\nurl = "/jobs/{id}?a=b"', "put parameters in the query table"),
        ('[job]\nurl = "/jobs/{ID}"', "variables must look like {name} or {name*}, in lowercase"),
        ('[job]\nurl = "/jobs/{a}{id}"', "only one variable per path segment"),
        ('[job]\nurl = "/{id}/{id}"', "has {id} more than once"),
        ('[job]\nurl = "/{a*}/{b*}/{id}"', "only one variable with a *"),
        ('[job]\nurl = "/{id*}"', "an ID is a single path segment"),
        ('[job]\nurl = "/a//{id}"', "an invalid path segment"),
        ('[job]\nurl = "/../{id}"', "an invalid path segment"),
        ('[job]\nurl = 7', "url must be a string of printable ASCII"),
        ("job = 3", "[providers.acme.job] must be a table"),
        ('[job]\nurl = "/j/{id}"\nurls = 3', "[providers.acme.job]: unknown key urls (did you mean url?)"),
        ('titel = "x"\n[job]\nurl = "/j/{id}"', "[providers.acme]: unknown key titel (did you mean title?)"),
        ("[fields]", "[providers.acme.fields]: status is missing: set the JSONPath of the status, or of the boolean"),
        ('[fields]\nstatus = "status"', "status is not a valid JSONPath: 'status': a JSONPath must start with $"),
        ('[fields]\nstatus = "$..s"', "status is not a valid JSONPath: '$..s': descendants (..) are not supported"),
        ("[fields]\nstatus = 3", "[providers.acme.fields]: status must be a JSONPath such as $.status, or a list"),
        ('[fields]\nstatus = ["$.a", 3]', "status must be a JSONPath such as $.status, up to 500 characters, or"),
        ('[fields]\nstate = "$.s"', "unknown key state (did you mean status?)"),
        ('[fields]\nstatus = "$.s"\nprogress_unit = "percents"', "fraction, percent, ratio, count, not percents (did"),
        ('[fields]\nstatus = "$.s"\nprogress_unit = "count"', "progress_total is missing"),
        ('[fields]\nstatus = "$.s"\nprogress_total = "$.t"', 'progress_total requires progress_unit = "count"'),
        ('[fields]\nstatus = "$.s"\nid_required = "no"', "id_required must be true or false"),
        ('[fields]\nstatus = "$.s"\ntime_unit = "ms"', "must be one of auto, rfc3339, seconds, milliseconds, not ms"),
        ('[fields]\nstatus = "$.s"\ndone_needs_result = true', "done_needs_result requires result"),
        ('[fields.facts]\nx = "y"', "[providers.acme.fields.facts]: x is not a valid JSONPath"),
        ('[phases]\nsuceeded = ["ok"]', "[providers.acme.phases]: unknown key suceeded (did you mean succeeded?)"),
        ('[phases]\nsucceeded = "ok"', 'succeeded must be a list of strings, such as ["done", "finished"]'),
        ('[phases]\nrunning = ["ok"]', "[providers.acme.phases]: succeeded or another final phase is missing"),
        ('[phases]\nsucceeded = ["ok"]\nfailed = ["ok"]', "failed has 'ok', which is also in succeeded"),
        ('[phases]\nsucceeded = ["ok"]\nother = "failed"', "other must be queued, running or unknown"),
        ('[phases]\nsucceeded = ["ok"]\nother = "done"', "other must be one of queued, running"),
        ('[phases]\nsucceeded = ["ok"]\noutcome = ["ok"]', "outcome has 'ok', which also has a phase"),
        ('[phases]\nsucceeded = ["ok"]\noutcome = ["end"]', "outcome and the outcome field must be used together"),
        ('[phases]\nsucceeded = ["ok"]\ndone = ["ok"]', "done has 'ok', which also has a phase"),
        ('[phases]\nsucceeded = ["ok"]\nmissing = "failed"', "missing must be queued or running: a missing status"),
        ('[phases]\nsucceeded = ["ok"]\nmissing = "running"', "missing requires the id field"),
        ('[phases]\nfailed = ["no"]\ncancelled_codes = ["1"]', "cancelled_codes requires the error or error_code"),
        ('[stages]\nitems = "$.steps"', "[providers.acme.stages]: items is a single value, '$.steps'"),
        ('[list]\nurl = "/jobs"\nitems = "$.jobs"', "'$.jobs': give the path to each item, such as $.jobs[*]"),
        (
            '[list]\nurl = "/jobs"\nitems = "$[*]"\nlimit_parameter = "n"\nquery = { n = 5 }',
            "limit_parameter is 'n', which is already set",
        ),
        (
            '[list]\nurl = "/jobs"\nitems = "$[*]"\nlimit_parameter = "n"\nstatus_parameter = "n"',
            "status_parameter is 'n', which is already set",
        ),
        ('[job]\nurl = "/jobs/{id}"\nquery = { run = "{id}" }', "url must not contain {id}"),
        ('[job]\nurl = "/jobs/{id}"\nquery = { run = "x{id}" }', "query.run may be exactly {id}"),
        (
            '[list]\nurl = "/j"\nitems = "$[*]"\nquery = { of = "{id}" }\n[fields]\nid = "$.i"\nstatus = "$.s"',
            "query must not contain {id}",
        ),
        ('base_url = "https://acme.example?v=1"', "base_url is not allowed: a base URL must not have a query"),
        ('[stages]\nname = "$.n"', "[providers.acme.stages]: items is missing"),
        ('[stages]\nurl = "/jobs/{id}/steps"', "[providers.acme.stages]: items is missing"),
        ('[stages]\nitems = "$[*]"\nquery = { n = 5 }', "query requires url, the path to request"),
        ('[stages]\nitems = "$[*]"\nurl = "/{who}/{id}"', "url has {who}, which is not in the job URL"),
        ('[stages]\nitems = "$[*]"\nurl = "/steps"', "url must contain {id}, or query must have a"),
        ('[result]\npath = "$.output"', "[providers.acme.result]: url is missing: where the result is, such as"),
        ('[result]\nurl = "output/{id}"', "url must be a path, such as /jobs/{id}/result, or the location"),
        ('[result]\nurl = "https://acme.example/x/{id}"', "[providers.acme.result]: url must be a path, such as"),
        ('[result]\nurl = "$.url["', "[providers.acme.result]: url is not a valid JSONPath: '$.url['"),
        ('[result]\nurl = "header:Location"', "url must be a header name in lowercase, not 'header:Location'"),
        ('[result]\nurl = "/jobs/{id}?full=1"', "put parameters in the query table"),
        ('[result]\nurl = "/jobs/{id}/o"\nquery = { key = "5" }', "query.key is not allowed: URLs are saved and shown"),
        ('[result]\nurl = "$.url"\nquery = { n = 5 }', "query works only with a path"),
        ('[result]\nurl = "/o/{id}"\npaths = "$"', "[providers.acme.result]: unknown key paths (did you mean path?)"),
        (
            '[result]\nurl = "/o/{id}"\n[fields]\ndone = "$.d"\nresult = "$.r"\ndone_needs_result = true',
            "[providers.acme.result]: url and fields.done_needs_result cannot be combined",
        ),
        ('[actions.cancel]\nurl = "/jobs/cancel"', "[providers.acme.actions.cancel]: url must contain {id}"),
        ('[actions.cancel]\nurl = "/{who}/{id}"', "url has {who}, which is not in the job URL of job"),
        ('[actions.cancel]\nurl = "/j/{id}"\nmethod = "GET"', "method must be POST, PUT, PATCH or DELETE"),
        ('[actions.cancel]\nurl = "/j/{id}"\nphases = ["failed"]', "phases may be queued, running and unknown"),
        ('[actions.cancel]\nurl = "/j/{id}"\nresources = ["jobs"]', "jobs, which is not a resource (did you mean job"),
        ('[actions.cancel]\nurl = "/j/{id}"\nbody = "{id}"', "body must be JSON, with variables such as {id} only"),
        ('[actions.cancel]\nurl = "/j/{id}"\nretries = 3', "[providers.acme.actions.cancel]: unknown key retries"),
        ('[actions.retry]\nurl = "/j/{id}"', "[providers.acme.actions]: unknown key retry (known: cancel)"),
        (
            '[[actions.cancel]]\nurl = "/j/{id}"\n[[actions.cancel]]\nurl = "/k/{id}"',
            "[providers.acme.actions.cancel.1]: resources has job, which another cancel action already has",
        ),
        ('[list]\nurl = "/jobs"', "[providers.acme.list]: items is missing"),
        ('[list]\nurl = "/jobs"\nitems = "$[*]"', "[providers.acme]: lists need the id field of job"),
        ('[list]\nurl = "/jobs/{id}"\nitems = "$[*]"', "url must not contain {id}"),
        ('[list]\nurl = "/{who}/jobs"\nitems = "$[*]"', "url has {who}, which is not in the job URL"),
        ('[list]\nurl = "/jobs"\nitems = "$[*]"\ncursor = "$.c"', "cursor and cursor_parameter must be used together"),
        (
            '[list]\nurl = "/jobs"\nitems = "$[*]"\npage_parameter = "p"\noffset_parameter = "o"',
            "offset_parameter and page_parameter cannot be combined",
        ),
        ('[list]\nurl = "/jobs"\nitems = "$[*]"\npage = 0', "page must be a whole number from 1 to 1000"),
        ('[auth]\nscheme = "digest"', "scheme must be one of bearer, header, basic, none, not digest"),
        ('[auth]\nscheme = "header"', "header is missing"),
        ('[auth]\nheader = "X-Key"', 'header requires scheme = "header"'),
        ('[auth]\nscheme = "header"\nheader = "Host"', "header must be a header that may carry a credential"),
        ('[auth]\nscheme = "header"\nheader = "X-Key"\nprefix = "$(id) "', "prefix must be plain text"),
        ('[auth]\nscheme = "basic"', "user is missing"),
        ('[auth]\nuser = "me"', 'user requires scheme = "basic"'),
        ('[headers]\nCookie = "a=b"', "headers.Cookie cannot be set"),
        ('[headers]\nAuthorization = "x"', "headers.Authorization cannot be set"),
        ('[headers]\nX-Api-Key = "abc"', "headers.X-Api-Key may contain a credential: put it in auth"),
        ('[job]\nurl = "/j/{id}"\nquery = { api_key = "abc" }', "query.api_key is not allowed: URLs are saved"),
        ('[list]\nurl = "/j"\nitems = "$[*]"\nquery = { key = "abc" }', "query.key is not allowed"),
        ('[headers]\nX-A = "$(id)"', "headers.X-A may contain only letters, digits"),
        ('[headers]\nX-A = "a\\nb"', "X-A must be a string of printable ASCII"),
        ('[headers]\n"X A" = "b"', "X A must be a name of letters"),
        ('request_id_headers = ["x: y"]', "request_id_headers must be header names, not x: y"),
        ('base_url = "http://acme.example"', "base_url is not allowed: http is allowed only for loopback"),
        ("requests_per_minute = true", "requests_per_minute must be a whole number from 1 to 60000"),
        ('typical = "soon"', "typical must be a duration such as 45s, 30m or 1h30m, not 'soon'"),
        ('typical = "0s"', "typical must be"),
        ("typical = 180", "typical must be a string"),
        ('[variables]\nregion = "eu"', "variables.region is not used (used: none)"),
        ('[job]\nurl = "/j/{id}"\nquery = { v = "{Version}" }', "variables must look like {name}"),
        ('like = "google"', "[providers.acme]: like refers to an unknown API: google"),
        ("like = 3", "like refers to an unknown API: 3"),
        ('like = "acme"', "[providers.acme]: circular like: acme → acme"),
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
    with pytest.raises(PageError, match="circular like: acme → b → c → b"):
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
