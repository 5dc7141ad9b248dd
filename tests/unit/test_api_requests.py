"""What a request is refused for before anything is computed."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import NotFound, ServiceUnavailable
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Request

from shared.api.endpoints import ENDPOINTS, OPENAPI, PATTERNS, route
from shared.api.models import AnalyzeRequest, DocumentsQuery, PassagesQuery, SearchQuery, check_texts
from shared.api.requests import (
    MAX_FAULTS,
    Problem,
    read_body,
    read_query,
)
from shared.api.serving import as_problem, refuse
from shared.platform.errors import SetupError
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from shared.api.models import Query

SETTINGS = Settings(
    project="p",
    uploads_bucket="u",
    work_bucket="w",
    models_bucket="m",
    results_bucket="r",
    api_max_characters=20,
    api_max_texts=3,
)
MAX_BYTES = 100


def request(body: bytes = b"{}", **environ: Any) -> Request:
    given: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }
    return Request({name: value for name, value in (given | environ).items() if value is not None})


def refused(body: bytes, **environ: Any) -> dict[str, Any]:
    with pytest.raises(Problem) as caught:
        read_body(request(body, **environ), AnalyzeRequest, MAX_BYTES)
    document: dict[str, Any] = json.loads(caught.value.body())
    return document


def test_a_body_that_announces_too_much_is_not_read() -> None:
    """413 by its length alone."""
    unread = BytesIO(b"x" * 1000)
    document = refused(b"", CONTENT_LENGTH=str(MAX_BYTES + 1), **{"wsgi.input": unread})
    assert (document["status"], document["type"]) == (413, "urn:headrace:problem:too-large")
    assert unread.tell() == 0


def test_a_chunked_body_is_read_no_further_than_the_limit() -> None:
    """Without a length, as gunicorn hands over chunks: 413 once the limit is passed."""
    endless = BytesIO(b"x" * 1_000_000)
    chunked: dict[str, Any] = {"CONTENT_LENGTH": None, "wsgi.input_terminated": True, "wsgi.input": endless}
    assert refused(b"", **chunked)["status"] == 413
    assert endless.tell() <= MAX_BYTES + 1
    short: dict[str, Any] = {**chunked, "wsgi.input": BytesIO(b'{"texts": ["a"]}')}
    assert read_body(request(**short), AnalyzeRequest, MAX_BYTES).texts == ["a"]


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "json"]
)
def test_only_json_is_read(content_type: str | None) -> None:
    """Any other content type is 415."""
    assert refused(b'{"texts": ["a"]}', CONTENT_TYPE=content_type)["status"] == 415


@pytest.mark.parametrize("body", [b"", b"{", b"texts", b'{"texts": ["\\ud800"]}', b"\xff\xfe", b"{}{}"])
def test_what_is_not_json_is_a_bad_request(body: bytes) -> None:
    """400; a lone surrogate is no text either."""
    assert refused(body)["status"] == 400


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/texts"),
        ({"texts": []}, "#/texts"),
        ({"texts": "a"}, "#/texts"),
        ({"texts": ["a", 1]}, "#/texts/1"),
        ({"texts": ["a"], "embeddings": "true"}, "#/embeddings"),
        ({"texts": ["a"], "a/b~": 1}, "#/a~1b~0"),
        ([], "#"),
    ],
)
def test_another_shape_is_named_by_its_place(body: object, pointer: str) -> None:
    """422 with a JSON pointer to each fault."""
    document = refused(json.dumps(body).encode())
    assert document["status"] == 422
    assert [fault["pointer"] for fault in document["errors"]] == [pointer]


def test_few_faults_are_listed() -> None:
    """A body with a thousand faults is not answered with a thousand lines."""
    with pytest.raises(Problem) as caught:
        read_body(request(json.dumps({"texts": [0] * 1000}).encode()), AnalyzeRequest, 10_000)
    assert len(caught.value.faults) == MAX_FAULTS


@pytest.mark.parametrize(
    ("texts", "pointers"),
    [
        (["a", "", "b"], ["#/texts/1"]),
        ([" \n\t\u2003", "a", "\x1c"], ["#/texts/0", "#/texts/2"]),
        (["x" * 20, "x" * 21], ["#/texts/1"]),
        (["a"] * 4, ["#/texts"]),
    ],
)
def test_texts_that_cannot_be_analyzed(texts: list[str], pointers: list[str]) -> None:
    """Blank, too long, too many: each is named by its index."""
    with pytest.raises(Problem) as caught:
        check_texts(texts, SETTINGS)
    assert caught.value.status == 422
    assert [fault.pointer for fault in caught.value.faults] == pointers


@pytest.mark.parametrize(
    ("query", "model", "parameters"),
    [
        ("page_size=0", DocumentsQuery, ["page_size"]),
        ("page_size=101", DocumentsQuery, ["page_size"]),
        ("page_size=1_0", DocumentsQuery, ["page_size"]),
        ("page_size=+7", DocumentsQuery, ["page_size"]),
        ("state=done", DocumentsQuery, ["state"]),
        ("prefix=", DocumentsQuery, ["prefix"]),
        ("page_token=a.b", DocumentsQuery, ["page_token"]),
        ("page_tokem=1", DocumentsQuery, ["page_tokem"]),
        ("state=failed&state=completed", DocumentsQuery, ["state"]),
        ("embeddings=yes&action=maybe", PassagesQuery, ["action", "embeddings"]),
        ("page_token=0-1", PassagesQuery, ["page_token"]),
        ("", SearchQuery, ["q"]),
        ("q=a&limit=51", SearchQuery, ["limit"]),
        ("q=a&document=A", SearchQuery, ["document"]),
    ],
)
def test_parameters_of_no_use_are_named(query: str, model: type[Query], parameters: list[str]) -> None:
    """422, and the unknown is refused as the misspelt is."""
    arguments = Request({"QUERY_STRING": query}).args
    with pytest.raises(Problem) as caught:
        read_query(arguments, model)
    assert caught.value.status == 422
    assert sorted(fault.parameter or "" for fault in caught.value.faults) == parameters


def test_parameters_are_read_as_their_types() -> None:
    """Numbers and truth values come as text."""
    arguments = MultiDict({"page_size": "100", "embeddings": "true", "page_token": "2-17"})
    asked = read_query(arguments, PassagesQuery)
    assert (asked.page_size, asked.embeddings, asked.page_token) == (100, True, "2-17")


def test_every_endpoint_is_found() -> None:
    """A path leads to its endpoint, with what it names; the description stands beside them."""
    for endpoint in ENDPOINTS:
        names = re.findall(r"{(\w+)}", endpoint.path)
        found, arguments = route(endpoint.method, re.sub(r"{\w+}", "abc", endpoint.path))
        assert found == endpoint
        assert arguments == dict.fromkeys(names, "abc")
        assert set(names) <= set(PATTERNS)


@pytest.mark.parametrize("path", ["/", "", "/v1", "/v1/analyze/", "/v1/documents/a/b", "/V1/search"])
def test_other_paths_are_not_found(path: str) -> None:
    """404, never a redirect."""
    with pytest.raises(Problem) as caught:
        route("GET", path)
    assert caught.value.status == 404


def test_other_methods_are_told_which_are_right() -> None:
    """405 with Allow."""
    for method, path, allowed in (
        ("GET", "/v1/analyze", "POST"),
        ("DELETE", "/v1/documents", "GET, HEAD"),
        ("TRACE", OPENAPI, "GET, HEAD"),
    ):
        with pytest.raises(Problem) as caught:
            route(method, path)
        assert (caught.value.status, caught.value.headers) == (405, {"Allow": allowed})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SetupError("the key is s3cret"), 503),
        (ServiceUnavailable("s3cret"), 503),  # type: ignore[no-untyped-call]  # the library has no types
        (NotFound("s3cret"), 503),  # type: ignore[no-untyped-call]
        (ZeroDivisionError("s3cret"), 500),
        (ValueError("s3cret"), 500),
    ],
)
def test_our_own_errors_tell_a_caller_nothing(error: Exception, status: int) -> None:
    """The status says whether to try again; what happened stands in the log alone."""
    problem = as_problem(error)
    assert problem.status == status
    assert ("Retry-After" in problem.headers) == (status == 503)
    assert b"s3cret" not in problem.body()


def test_the_framework_refuses_in_our_form() -> None:
    """What functions-framework raises by itself becomes a problem document, in whatever it was."""
    response = refuse(request(), MethodNotAllowed())
    assert response.status_code == 405
    assert response.content_type == "application/problem+json"
    assert json.loads(response.get_data())["type"] == "urn:headrace:problem:method-not-allowed"


@given(st.binary(max_size=200).filter(lambda body: b"texts" not in body))
def test_no_body_is_an_error_of_ours(body: bytes) -> None:
    """Whatever bytes come, a problem says that the request is at fault."""
    with pytest.raises(Problem) as caught:
        read_body(request(body), AnalyzeRequest, 1000)
    assert caught.value.status in {400, 422}


def test_a_body_that_breaks_off_is_the_callers_fault() -> None:
    """Fewer bytes than announced: 400."""
    assert refused(b'{"texts"', CONTENT_LENGTH="50")["status"] == 400
