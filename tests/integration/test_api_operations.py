"""Uploads, replays, dead letters and erasures over HTTP; versions of what is read; the page of the API."""

from __future__ import annotations

import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.firestore_v1.base_query import FieldFilter

from shared.api.keys import Scope
from shared.documents.store import document_id
from tests.documents import made
from tests.integration.api_documents import IDS, NAMES
from tests.integration.firestore_server import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.api_server import ApiServer

BUCKET = f"{PROJECT}-uploads"


@pytest.fixture(autouse=True)
def nothing_left(api: ApiServer) -> Iterator[None]:
    """Other tests list what there is."""
    yield
    documents = api.firestore.collection("documents")
    for snapshot in documents.where(filter=FieldFilter("bucket", "==", BUCKET)).stream():
        snapshot.reference.delete()


def store(api: ApiServer, name: str, **fields: Any) -> str:
    """A document of this name; its id."""
    identifier = document_id(BUCKET, name)
    document = made(id=identifier, bucket=BUCKET, name=name, **fields)
    api.firestore.collection("documents").document(identifier).set(document.model_dump())
    return identifier


def test_an_upload_takes_the_bytes_without_a_key(api: ApiServer) -> None:
    """201 with the address, the headers and the id that the document will have."""
    begun = api.send("POST", "/v1/uploads", {"name": "a/b.txt", "size": 5, "tags": ["x"]})
    assert begun.status == 201, begun.json
    assert begun.json["id"] == document_id(BUCKET, "a/b.txt")
    request = urllib.request.Request(
        begun.json["url"], data=b"Text.", method=begun.json["method"], headers=begun.json["headers"]
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "a.mp4", "size": 5}, "unsupported-type"),
        ({"name": "a.txt", "size": 2**40}, "too-many-bytes"),
        ({"name": "../a.txt", "size": 5}, "invalid"),
        ({"name": "a.txt"}, "invalid"),
    ],
)
def test_an_upload_that_would_be_rejected_is_refused(api: ApiServer, body: object, code: str) -> None:
    """422 with the code that the document would end with."""
    answer = api.send("POST", "/v1/uploads", body)
    assert (answer.status, answer.json["type"]) == (422, f"urn:headrace:problem:{code}")


def test_documents_are_begun_again(api: ApiServer) -> None:
    """202 with the run that each replaces; the same asked again replaces the same run."""
    failed = store(api, "failed.txt", state="failed", run=3)
    for _ in range(2):
        answer = api.send("POST", "/v1/replays", {"documents": [failed]})
        assert answer.status == 202
        assert answer.json == {"documents": [{"id": failed, "name": "failed.txt", "replaces_run": 3}]}
    every = api.send("POST", "/v1/replays", {"documents": "failed"}).json["documents"]
    assert failed in {each["id"] for each in every}
    assert api.send("POST", "/v1/replays", {"documents": ["0" * 24]}).status == 404
    wrong: tuple[dict[str, object], ...] = ({}, {"documents": []}, {"documents": "every"})
    for neither in wrong:
        assert api.send("POST", "/v1/replays", neither).status == 422


def test_a_message_that_was_given_up_is_replayed(api: ApiServer) -> None:
    """It is listed with its reason; 409 once its document has moved on."""
    document = store(api, "given-up.txt", state="failed", run=2)
    letter = {
        "reason": {"code": "deliveries_exhausted", "message": "Given up.", "hint": "See the log."},
        "function": "analyze",
        "subscription": None,
        "document": document,
        "run": 2,
        "replay": f"headrace replay {document}",
        "data": {"sha256": "0" * 64, "size": 3},
        "published_at": None,
        "recorded_at": datetime(2026, 7, 1, tzinfo=UTC),
    }
    api.firestore.collection("dead_letters").document("a" * 24).set(letter)
    [listed] = api.get("/v1/dead-letters").json["dead_letters"]
    assert (listed["id"], listed["document"], listed["replayed_at"]) == ("a" * 24, document, None)
    path = f"/v1/dead-letters/{'a' * 24}/replay"
    assert api.send("POST", path).json["documents"][0]["replaces_run"] == 2
    store(api, "given-up.txt", state="completed", run=3)
    assert api.send("POST", path).status == 409
    assert api.send("POST", f"/v1/dead-letters/{'b' * 24}/replay").status == 404


def test_a_document_is_erased_with_what_stays_said(api: ApiServer) -> None:
    """Its record is gone, its file stays unless it is asked for; erased again it is not found."""
    document = store(api, "erased.txt", state="completed")
    answer = api.send("DELETE", f"/v1/documents/{document}")
    assert answer.status == 200, answer.json
    [erased] = answer.json["erased"]
    assert (erased["id"], erased["files"], erased["kept"]) == (document, 0, None)
    assert any("erased.txt" in each for each in erased["stays"])
    assert api.get(f"/v1/documents/{document}").status == 404
    assert api.send("DELETE", f"/v1/documents/{document}").status == 404
    under_way = store(api, "under-way.txt", state="analyzing")
    refused = api.send("DELETE", f"/v1/documents/{under_way}?with_file=true")
    assert (refused.status, refused.json["type"]) == (409, "urn:headrace:problem:conflict")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("path", ["", "/passages", "/passages?page_size=2"])
def test_what_somebody_has_is_not_sent_again(api: ApiServer, path: str) -> None:
    """304 with the same ETag and no body, until the document changes; another query has another."""
    whole = f"/v1/documents/{IDS[NAMES[0]]}{path}"
    first = api.send("GET", whole)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = api.send("GET", whole, If_None_Match=f'"other", {tag}')
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert api.send("GET", whole, If_None_Match='"other"').status == 200
    other = api.send("GET", f"/v1/documents/{IDS[NAMES[1]]}{path}", If_None_Match=tag)
    assert other.status == 200


@pytest.mark.usefixtures("stored")
def test_documents_are_filtered_as_in_the_console(api: ApiServer) -> None:
    """By what is known of them, sorted; a token of another order is refused."""
    organisation = {"organisation": "Tarnholm  FIBRE", "year": 2031}
    document = store(api, "filtered.txt", organisation="Tarnholm Fibre", year=2031, tags=["Esg"])
    for query in (organisation, {"text": "tarn filt"}, {"tag": "esg"}, {"prefix": "filtered"}):
        assert [each["id"] for each in api.get("/v1/documents", **query).json["documents"]] == [document]
    token = api.get("/v1/documents", sort="name", page_size=1).json["next_page_token"]
    assert api.get("/v1/documents", sort="name", page_token=token).status == 200
    refused = api.get("/v1/documents", page_token=token)
    assert (refused.status, refused.json["errors"][0]["parameter"]) == (422, "page_token")


def test_the_page_needs_no_key_and_loads_nothing(api: ApiServer) -> None:
    """HTML under a policy that allows its own style alone, with every operation."""
    answer = api.send("GET", "/docs", X_API_Key=None)
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = answer.body.decode()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    for operation in ("analyze", "begin", "erase"):
        assert f'id="{operation}"' in page


def test_each_operation_needs_its_scope(api: ApiServer) -> None:
    """A key that may only read neither uploads nor erases."""
    scopes = {
        (method, path): operation["security"]
        for path, methods in api.get("/openapi.json").json["paths"].items()
        for method, operation in methods.items()
    }
    assert scopes["post", "/v1/uploads"] == [{"ApiKey": [Scope.UPLOAD]}]
    assert scopes["delete", "/v1/documents/{id}"] == [{"ApiKey": [Scope.OPERATE]}]
    assert scopes["get", "/v1/documents"] == [{"ApiKey": [Scope.READ]}]
