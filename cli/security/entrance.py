"""Does the API answer a stranger? It is asked where a stranger could reach it.

Behind a load balancer its own address is closed: there Google's front end answers, whatever the API does.
https://docs.cloud.google.com/run/docs/securing/ingress
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.run_v2 import IngressTraffic

from cli.diagnosis.findings import Finding

if TYPE_CHECKING:
    from google.cloud.run_v2 import Service

ASKED = "API without key"
UNAUTHORISED = (401, 403)
SUCCESS = range(200, 300)


def addresses(api: Service, domain: str | None) -> list[str]:
    """Where a stranger reaches it, as far as is known: Cloud Run does not know the balancer's domain."""
    open_ingress = api.ingress == IngressTraffic.INGRESS_TRAFFIC_ALL and not api.default_uri_disabled
    return ([api.uri] if open_ingress else []) + ([f"https://{domain}"] if domain else [])


def unasked() -> Finding:
    """Of one that no known address leads to."""
    detail = (
        "api's own address takes no calls from the internet; of a domain that leads to it nothing is said."
    )
    return Finding(ASKED, "unknown", detail, "headrace doctor --security --domain=DOMAIN, as in infra/")


def judge_answer(address: str, status: int, fix: str) -> Finding:
    """Of a call for documents without a key; `fix` closes what answers it."""
    if status in UNAUTHORISED:
        return Finding(ASKED, "ok", f"{address} answers {status}")
    if status in SUCCESS:
        return Finding(ASKED, "wrong", f"{address} answers {status} to who has no key.", fix)
    detail = f"{address} answers {status}: that says nothing about keys, and may not be the API's answer."
    return Finding(ASKED, "unknown", detail, "Ask where the API is reached: --domain=DOMAIN")
