"""What a people search says about how it was tied to its target account, in words."""

from collections.abc import Iterable

MEANINGS: dict[str, dict[str, str]] = {
    "targetAccountSearchMode": {
        "linkedin_company_page": "people were looked for through the company's page",
        "profile_current_company": "people were looked for by the current company in their profiles",
        "unavailable": "there was no way to tie people to the account",
    },
    "targetAccountOutcome": {
        "provided_linkedin_handle": "the company's handle was given",
        "verified_linkedin_handle": "the company's handle was found and verified",
        "unverified_or_conflicting_linkedin_candidates": "handles were found, but none could be verified",
        "unresolved": "no handle of the company was found",
    },
    "providerOutcome": {
        "hit": "the provider returned rows",
        "empty_clean": "the provider found nobody",
        "empty_partial_failure": "nothing came back, and a part of the provider failed",
    },
}
EVIDENCE = "companyMatchEvidence"
EVIDENCE_MEANINGS = {
    "company_page": "matched through the company's page",
    "profile_current_job": "matched through the current company in the profile",
}


def in_words(name: str, value: str) -> str | None:
    """Return what a fact of a search means to a person; None for what speaks for itself."""
    if name == EVIDENCE:
        told = [
            f"{count} {EVIDENCE_MEANINGS[word]}"
            for word, _, count in (part.strip().rpartition(" ") for part in value.split(","))
            if word in EVIDENCE_MEANINGS
        ]
        return "; ".join(told) or None
    return MEANINGS.get(name, {}).get(value)


def about_account(facts: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return name, raw value and meaning of the facts about the target account."""
    names = {*MEANINGS, EVIDENCE}
    return [(name, value, in_words(name, value) or "") for name, value in facts if name in names]
