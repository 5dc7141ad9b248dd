"""Does a function know that Pub/Sub calls it, and does what fails for good end where somebody looks?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.diagnosis.findings import Finding
from shared.platform.settings import DEAD_LETTERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.pubsub_v1 import Subscription

CALLERS, TRANSIT, UNDELIVERED = "push tokens", "transit", "undelivered"
NOT_LOCAL = "not on a local stack"


def judge_subscription(found: Subscription, *, cloud: bool) -> Iterator[Finding]:
    """Of one subscription."""
    name = found.name.rpartition("/")[2]
    push = found.push_config
    update = f"gcloud pubsub subscriptions update {name} --project={found.name.split('/')[1]}"
    if push.push_endpoint:
        yield _caller(name, found, update, cloud=cloud)
        yield _transit(name, push.push_endpoint, update, cloud=cloud)
    yield _undelivered(name, found, update)


def _caller(name: str, found: Subscription, update: str, *, cloud: bool) -> Finding:
    account = found.push_config.oidc_token.service_account_email
    if account:
        return Finding(CALLERS, "ok", f"{name}: signed as {account}")
    if not cloud:
        return Finding(CALLERS, "unknown", f"{name}: a token that says who calls: {NOT_LOCAL}")
    fix = f"{update} --push-auth-service-account=ITS_OWN"
    return Finding(CALLERS, "wrong", f"{name}: pushed without a token that says who calls.", fix)


def _transit(name: str, endpoint: str, update: str, *, cloud: bool) -> Finding:
    if endpoint.startswith("https://"):
        return Finding(TRANSIT, "ok", f"{name}: pushed over TLS")
    if not cloud:
        return Finding(TRANSIT, "unknown", f"{name}: TLS: {NOT_LOCAL}")
    detail = f"{name}: pushed to {endpoint}, in plain text."
    return Finding(TRANSIT, "wrong", detail, f"{update} --push-endpoint=https://…")


def _undelivered(name: str, found: Subscription, update: str) -> Finding:
    if found.topic.rpartition("/")[2] == DEAD_LETTERS:
        return Finding(UNDELIVERED, "ok", f"{name}: the end of the line, kept for as long as the topic says")
    if found.dead_letter_policy.dead_letter_topic:
        return Finding(UNDELIVERED, "ok", f"{name}: to {found.dead_letter_policy.dead_letter_topic}")
    if not found.push_config.push_endpoint:
        return Finding(UNDELIVERED, "ok", f"{name}: not pushed, so that whoever pulls decides")
    fix = f"{update} --dead-letter-topic={DEAD_LETTERS} --max-delivery-attempts=100"
    return Finding(UNDELIVERED, "wrong", f"{name}: what fails for good is lost.", fix)
