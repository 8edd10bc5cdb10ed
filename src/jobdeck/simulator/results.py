"""Built-in results: plausible, harmless, and the same for the same job."""

import random

from jobdeck.simulator.dialect import JsonObject
from jobdeck.simulator.scenario import JobScript, Outcome, Resource, ResultKind, seeded_random

_FIRST = (
    "Amara",
    "Bjarne",
    "Chiara",
    "Dmitri",
    "Eun-ji",
    "Farid",
    "Grace",
    "Håkon",
    "Inês",
    "Jürgen",
    "Keiko",
    "Lamar",
)
_LAST = ("Achterberg", "Bianchi", "Castillo", "Dupré", "Eriksen", "Fofanah", "Gupta", "Hoang", "Ilves", "Johansson")
_TITLES = ("VP Engineering", "Head of Platform", "Director of Data", "Staff Engineer", "CTO", "Engineering Manager")
_COMPANIES = ("Northwind Robotics", "Juniper Freight", "Halcyon Labs", "Mistral Foods", "Osprey Analytics", "Tern & Co")


def result_of(script: JobScript) -> object:
    """Return the result of an operation: the script's own result, else the built-in one of its kind."""
    return _built_in(script) if script.result is None else script.result


def _built_in(script: JobScript) -> JsonObject:
    rng = seeded_random(f"result/{script.id}")
    match script.result_kind or _default_kind(script.resource):
        case ResultKind.ENRICHMENT:
            return _enrichment(rng)
        case ResultKind.PEOPLE_SEARCH:
            return _people(rng, script.outcome)
        case ResultKind.COMPANY_SEARCH:
            return {"data": [{"name": name, "domain": _domain(name)} for name in _COMPANIES], "meta": {}}
        case ResultKind.DEEP_RESEARCH:
            return _research(rng, script.query)
        case ResultKind.CRAWL:
            return _crawl(rng)
        case ResultKind.WEB_SEARCH:
            return {"data": search_results(script), "meta": {}}


def search_results(script: JobScript) -> list[object]:
    """Return the `results` of a search: the script's own list, else built-in rows."""
    if isinstance(script.result, list):
        return script.result
    rng = seeded_random(f"result/{script.id}")
    return [_search_hit(rng, number) for number in range(rng.randint(3, 12))]


def _default_kind(resource: Resource) -> ResultKind:
    match resource:
        case Resource.ENRICHMENT:
            return ResultKind.ENRICHMENT
        case Resource.SEARCH:
            return ResultKind.WEB_SEARCH
        case Resource.OPERATION | Resource.PROSPECTING:
            return ResultKind.DEEP_RESEARCH


def _domain(company: str) -> str:
    return company.split(maxsplit=1)[0].lower() + ".example"


def _person(rng: random.Random, company: str) -> JsonObject:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return {"name": f"{first} {last}", "title": rng.choice(_TITLES), "company": company}


def _enrichment(rng: random.Random) -> JsonObject:
    company = rng.choice(_COMPANIES)
    contacts = [
        {
            **_person(rng, company),
            "email": {"value": f"contact{n}@{_domain(company)}", "verified": rng.random() < 0.8},
        }
        for n in range(rng.randint(1, 5))
    ]
    return {"contacts": contacts, "creditsUsed": len(contacts)}


def _people(rng: random.Random, outcome: Outcome) -> JsonObject:
    company = rng.choice(_COMPANIES)
    partial = outcome is Outcome.PARTIAL_SUCCESS
    evidence = ("profile_current_job",) if partial else ("company_page", "company_page", "profile_current_job")
    rows = [{**_person(rng, company), "companyMatchEvidence": rng.choice(evidence)} for _ in range(rng.randint(4, 9))]
    meta: JsonObject = {
        "targetAccountSearchMode": "profile_current_company" if partial else "linkedin_company_page",
        "targetAccountOutcome": (
            "unverified_or_conflicting_linkedin_candidates" if partial else "verified_linkedin_handle"
        ),
        "providerOutcome": "hit",
    }
    if partial:
        meta["message"] = (
            f"The company page of {company} could not be verified; people were matched by their current-company text."
        )
    return {"data": rows, "meta": meta}


def _research(rng: random.Random, query: str) -> JsonObject:
    company = rng.choice(_COMPANIES)
    return {
        "question": query,
        "summary": f"{company} is hiring for its platform team and has moved two services to a new region.",
        "confidence": round(rng.uniform(0.6, 0.95), 2),
        "sources": [
            {"url": f"https://{_domain(name)}/news/{rng.randint(100, 999)}", "title": f"{name}: news"}
            for name in rng.sample(_COMPANIES, 3)
        ],
    }


def _crawl(rng: random.Random) -> JsonObject:
    domain = _domain(rng.choice(_COMPANIES))
    pages = [{"url": f"https://{domain}/{path}", "status": 200} for path in ("", "about", "team", "careers", "blog")]
    return {"pages": pages, "totalPages": len(pages)}


def _search_hit(rng: random.Random, number: int) -> JsonObject:
    company = rng.choice(_COMPANIES)
    return {
        "url": f"https://{_domain(company)}/posts/{rng.randint(1000, 9999)}",
        "title": f"{company} on {rng.choice(_TITLES).lower()} hiring ({number + 1})",
        "content": None,
        "published_at": None,
    }
