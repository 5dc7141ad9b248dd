"""The API is asked where strangers reach it, and only an answer of its own proves something."""

from __future__ import annotations

import pytest
from google.cloud.run_v2 import Service

from cli.security.entrance import ASKED, addresses, judge_answer

OWN, DOMAIN = "https://api-x.run.app", "https://api.example.org"


@pytest.mark.parametrize(
    ("ingress", "closed", "domain", "expected"),
    [
        ("ALL", False, None, [OWN]),
        ("ALL", False, "api.example.org", [OWN, DOMAIN]),
        ("ALL", True, None, []),
        ("ALL", True, "api.example.org", [DOMAIN]),
        ("INTERNAL_LOAD_BALANCER", False, None, []),
        ("INTERNAL_LOAD_BALANCER", False, "api.example.org", [DOMAIN]),
        ("INTERNAL_ONLY", False, None, []),
    ],
)
def test_it_is_asked_where_the_internet_reaches_it(
    ingress: str, domain: str | None, expected: list[str], *, closed: bool
) -> None:
    """At its own address while that is open, and at the balancer's."""
    api = Service(uri=OWN, ingress=f"INGRESS_TRAFFIC_{ingress}", default_uri_disabled=closed)
    assert addresses(api, domain) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "ok"),
        (403, "ok"),
        (200, "wrong"),
        (204, "wrong"),
        (404, "unknown"),  # Google's front end, or a balancer that leads elsewhere
        (429, "unknown"),
        (503, "unknown"),
    ],
)
def test_only_an_answer_about_keys_proves_something(status: int, expected: str) -> None:
    """To cut the API off is advised only where it lets strangers in."""
    found = judge_answer(OWN, status, "close it")
    assert (found.check, found.status) == (ASKED, expected)
    assert str(status) in found.detail
    assert (found.fix == "close it") is (expected == "wrong")
