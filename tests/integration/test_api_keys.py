"""Keys over real connections: what each opens, how often, and until when."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.api.description import DESCRIBED
from shared.api.keys import CACHE_SECONDS, COLLECTION, Scope, make, revoke, rotate
from shared.documents.store import now
from tests.integration.test_api_http import check_problem

if TYPE_CHECKING:
    from tests.integration.api_server import ApiServer

NOWHERE = "0" * 24
SLACK = 10.0
"""Seconds for requests to a busy machine."""


def test_every_endpoint_wants_its_scope(api: ApiServer) -> None:
    """A key with all others gets 403, whatever else is wrong with its request; nothing is computed."""
    for endpoint in DESCRIBED:
        others = tuple(scope for scope in Scope if scope != endpoint.scope)
        _, secret = make(api.firestore, f"without {endpoint.name}", others)
        path = re.sub(r"{\w+}", NOWHERE, endpoint.path)
        answer = api.send(endpoint.method, path, X_API_Key=secret)
        check_problem(answer, 403)
        assert str(endpoint.scope) in answer.json["detail"]


def test_a_key_with_the_scope_opens(api: ApiServer) -> None:
    """Its use is noted, and its id is logged; its secret is neither."""
    key, secret = make(api.firestore, "reader", (Scope.READ,))
    before = len(api.logged())
    assert api.send("GET", "/v1/documents", X_API_Key=secret).status == 200
    record = api.firestore.collection(COLLECTION).document(key.id).get().to_dict() or {}
    assert now() - record["used_at"] < timedelta(minutes=1)
    written = api.logged()[before:]
    assert written[0]["key"] == key.id
    assert secret not in json.dumps(written) + repr(record)


@pytest.mark.parametrize("path", ["/v1/nothing", "/"])
def test_any_key_learns_that_there_is_nothing(api: ApiServer, path: str) -> None:
    """404, whatever its scopes."""
    _, secret = make(api.firestore, f"uploader{path}", (Scope.UPLOAD,))
    check_problem(api.send("GET", path, X_API_Key=secret), 404)


def test_a_revoked_key_opens_nothing_soon(api: ApiServer) -> None:
    """Within the time for which instances trust what they know, and it says that it was revoked."""
    key, secret = make(api.firestore, "leaked", (Scope.READ,))
    assert api.send("GET", "/v1/documents", X_API_Key=secret).status == 200
    revoke(api.firestore, key.id)
    deadline = time.monotonic() + CACHE_SECONDS + SLACK
    while (answer := api.send("GET", "/v1/documents", X_API_Key=secret)).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    check_problem(answer, 401)
    assert answer.json["type"] == "urn:headrace:problem:key-revoked"


def test_an_expired_key_opens_nothing(api: ApiServer) -> None:
    """401, with the reason."""
    _, secret = make(api.firestore, "past", (Scope.READ,), expires=timedelta(seconds=-1))
    answer = api.send("GET", "/v1/documents", X_API_Key=secret)
    check_problem(answer, 401)
    assert answer.json["type"] == "urn:headrace:problem:key-expired"


def test_both_secrets_of_a_rotated_key_open(api: ApiServer) -> None:
    """Until the grace is over."""
    _, old = make(api.firestore, "rotated", (Scope.READ,))
    _, new = rotate(api.firestore, "rotated", timedelta(days=1))
    for secret in (old, new):
        assert api.send("GET", "/v1/documents", X_API_Key=secret).status == 200


def test_a_key_over_its_limit_is_told_to_wait(api: ApiServer) -> None:
    """Requests at once too: no more pass than the limit says, and what follows has a time to come again."""
    _, secret = make(api.firestore, "eager", (Scope.READ,), per_minute=2)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.send("GET", "/v1/documents", X_API_Key=secret), range(8)))
    assert sorted(answer.status for answer in answers) == [200, 200] + [429] * 6
    refused = next(answer for answer in answers if answer.status == 429)
    check_problem(refused, 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 30


@pytest.mark.parametrize("key", ["headrace_", "headrace_" + "a" * 12 + "_" + "b" * 43, "x" * 8000])
def test_a_guess_opens_nothing(api: ApiServer, key: str) -> None:
    """In the form of a key, or longer than any."""
    check_problem(api.send("GET", "/v1/documents", X_API_Key=key), 401)


def test_the_description_names_the_scopes(api: ApiServer) -> None:
    """Every operation is described with its scope, for people and for programs."""
    paths = api.send("GET", "/openapi.json", X_API_Key=None).json["paths"]
    for endpoint in DESCRIBED:
        operation = paths[endpoint.path][endpoint.method.lower()]
        assert operation["security"] == [{"ApiKey": [endpoint.scope]}]
        assert f"`{endpoint.scope}`" in operation["description"]
        assert {"401", "403", "429"} <= set(operation["responses"])
