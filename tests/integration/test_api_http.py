"""Who is let in, what is refused and how, over real connections."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.api_server import Answer, ApiServer

TEXTS = {"texts": ["We plan to cut our emissions by half."]}


def check_problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json
    assert document["status"] == status
    assert document["type"].startswith("urn:headrace:problem:")
    assert document["instance"].startswith("urn:uuid:")
    assert document["title"]
    assert document["detail"]
    check_headers(answer)


def check_headers(answer: Answer) -> None:
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def raw(api: ApiServer, *parts: bytes) -> bytes:
    """Send bytes as they are; what comes back until the other side is silent."""
    received = b""
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as connection:
        for part in parts:
            connection.sendall(part)
        while b"}" not in received and (data := connection.recv(65536)):
            received += data
    return received


@pytest.mark.parametrize("key", [None, "", "wrong", "ключ".encode().decode("latin-1")])
@pytest.mark.parametrize("path", ["/v1/documents", "/v1/search?q=a", "/v1/nothing", "/robots.txt", "/"])
def test_nothing_without_a_key(api: ApiServer, path: str, key: str | None) -> None:
    """401 wherever it is aimed at; only robots.txt, which the framework refuses by itself, is a 404."""
    answer = api.send("GET", path, X_API_Key=key)
    check_problem(answer, 404 if path == "/robots.txt" else 401)
    if answer.status == 401:
        assert answer.headers["WWW-Authenticate"]


def test_both_keys_open_while_they_are_rotated(api: ApiServer) -> None:
    """Every hash in the secret is a key's."""
    for key in api.keys:
        assert api.send("GET", "/v1/documents", X_API_Key=key).status == 200


def test_the_description_needs_no_key(api: ApiServer) -> None:
    """It tells how to send one."""
    answer = api.send("GET", "/openapi.json", X_API_Key=None)
    assert answer.status == 200
    assert answer.json["openapi"].startswith("3.1")
    assert answer.json["components"]["securitySchemes"]["ApiKey"]["name"] == "X-API-Key"
    check_headers(answer)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/analyze", "POST"),
        ("POST", "/v1/search", "GET, HEAD"),
        ("TRACE", "/v1/documents", "GET, HEAD"),
        ("BREW", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(api: ApiServer, method: str, path: str, allow: str) -> None:
    """405 with Allow, for methods of one's own invention, too."""
    answer = api.send(method, path)
    check_problem(answer, 405)
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize("path", ["/", "/v2/analyze", "/v1/documents/", "/v1/documents/" + "0" * 24, "/%00"])
def test_an_unknown_path(api: ApiServer, path: str) -> None:
    """404, for a document that does not exist as for a path that does not."""
    check_problem(api.send("GET", path), 404)


def test_a_body_of_another_type(api: ApiServer) -> None:
    """415."""
    check_problem(api.send("POST", "/v1/analyze", TEXTS, Content_Type="text/plain"), 415)


def test_a_body_that_is_not_json(api: ApiServer) -> None:
    """400."""
    check_problem(api.send("POST", "/v1/analyze", b'{"texts": ['), 400)


def test_a_body_too_large_is_refused_before_it_is_sent(api: ApiServer) -> None:
    """413 as soon as its length is known."""
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: a\r\nX-API-Key: {api.keys[0]}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 1048577\r\n\r\n"
    answer = raw(api, head.encode())
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(("size", "status"), [(1024 * 1024 + 1, b"413"), (1024 * 1024, b"422"), (2, b"422")])
def test_a_body_in_chunks_is_measured_as_it_comes(api: ApiServer, size: int, status: bytes) -> None:
    """413 past the limit though no length was announced; within it the body is read whole."""
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: a\r\nX-API-Key: {api.keys[0]}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"{}".ljust(size)
    chunks = [body[start : start + 65536] for start in range(0, size, 65536)]
    framed = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""]]
    assert raw(api, head.encode(), *framed).startswith(b"HTTP/1.1 " + status)


def test_a_chunk_that_is_none(api: ApiServer) -> None:
    """400: the body did not arrive whole."""
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: a\r\nX-API-Key: {api.keys[0]}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"
    assert raw(api, head.encode()).startswith(b"HTTP/1.1 400")


def test_a_connection_lives_on_after_a_refusal(api: ApiServer) -> None:
    """What was not read of a refused body is not taken for the next request."""
    head = f"POST /v1/nothing HTTP/1.1\r\nHost: a\r\nX-API-Key: {api.keys[0]}\r\nContent-Length: 3000\r\n\r\n"
    following = f"GET /v1/documents HTTP/1.1\r\nHost: a\r\nX-API-Key: {api.keys[0]}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"x" * 3000 + following.encode())
        received = b""
        while received.count(b"HTTP/1.1") < 2 or not received.endswith(b"}"):
            data = connection.recv(65536)
            assert data, received
            received += data
    assert b"HTTP/1.1 404" in received
    assert b"HTTP/1.1 200" in received


def test_one_line_is_logged_for_each_request(api: ApiServer) -> None:
    """Method, route template, status, time and number of texts; neither texts nor keys nor ids."""
    before = len(api.logged())
    api.send("POST", "/v1/analyze", {"texts": ["Zanzibar", "quokka"]})
    api.send("GET", "/v1/search?q=Zanzibar")
    api.send(
        "GET", "/v1/documents/" + "7" * 24, X_Cloud_Trace_Context="0af7651916cd43dd8448eb211c80319c/1;o=1"
    )
    refused = api.send("GET", "/v1/documents", X_API_Key="guess-7531")
    api.send("GET", "/favicon.ico")
    lines = api.logged()[before:]
    assert [(line["method"], line["route"], line["status"], line.get("texts")) for line in lines] == [
        ("POST", "/v1/analyze", 200, 2),
        ("GET", "/v1/search", 200, None),
        ("GET", "/v1/documents/{id}", 404, None),
        ("GET", "/v1/documents", 401, None),
        ("GET", "(none)", 404, None),
    ]
    assert all(line["elapsed_ms"] >= 0 for line in lines)
    assert lines[2]["logging.googleapis.com/trace"].endswith("/traces/0af7651916cd43dd8448eb211c80319c")
    assert lines[3]["instance"] == refused.json["instance"]
    written = json.dumps(lines)
    for secret in ("Zanzibar", "quokka", "7531", "7" * 24, *api.keys):
        assert secret not in written
