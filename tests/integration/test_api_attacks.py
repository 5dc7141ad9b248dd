"""Requests of somebody who wants in, or wants to break something: over plain sockets, byte by byte."""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from shared.api.description import DESCRIBED
from shared.api.endpoints import ENDPOINTS
from shared.api.keys import Scope, make
from tests.integration.api_documents import IDS, NAMES
from tests.integration.api_server import THREADS

if TYPE_CHECKING:
    from tests.integration.api_server import Answer, ApiServer

SECONDS = 30
NOT_A_PLACE = (
    *("", "x", "-", "1", "-1-1", "1--1", "2-", "-2", "1-1-1-1-1", "0-0", "2-0.5", "2-1e3", "2- 1", " 2-1"),
    *("2-1\n", "2-1\x00", "\u0662-\u0661", "\ud7ff", "2-" + "9" * 19, "9" * 19 + "-1", "9" * 400 + "-1"),
    *("null", "[]", '{"run":2}', "' OR 1=1", "../" * 9, "%00", "__x__", "0" * 24, "0" * 24 + "-1-1"),
    *(IDS[NAMES[1]] + "-2-0", IDS[NAMES[1]].upper(), IDS[NAMES[0]] + "-1-1", IDS[NAMES[0]] + "/passages"),
    *(base64.urlsafe_b64encode(b'["newest", 1, "x"]').decode(), "A" * 4_000, "\U0001f511" * 50),
)


def exchanged(api: ApiServer, *parts: bytes, until: bytes = b"}") -> bytes:
    """What comes back for these bytes, up to `until` or the end of the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", api.port), timeout=SECONDS) as connection:
        for part in parts:
            connection.sendall(part)
        while until not in received and (data := connection.recv(65536)):
            received += data
    return received


def head(api: ApiServer, *lines: str, start: str = "GET /v1/documents HTTP/1.1") -> bytes:
    """A request's head; KEY in a line is the API's key."""
    filled = [line.replace("KEY", api.keys[0]) for line in lines]
    return "\r\n".join([start, "Host: a", *filled, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    "lines",
    [
        ["X_API_Key: KEY"],
        ["X-API-Key : KEY"],
        ["X-API-Key: guess", "X-API-Key: KEY"],
        ["X-API-Key: KEY", "X-API-Key: guess"],
        ["X-API-Key: KEY,KEY"],
        ["X-API-Key: guess\r\n KEY"],
        ["X-Forwarded-API-Key: KEY"],
        ["Authorization: Bearer KEY"],
        ["Cookie: X-API-Key=KEY; key=KEY"],
        ["X-API-Key: \xa0KEY"],
        ["X-API-Key: KEY\x00"],
    ],
)
def test_a_key_in_another_place_is_none(api: ApiServer, lines: list[str]) -> None:
    """Nor beside another, in several lines, or in a header that reads like its own: 400 or 401."""
    answer = exchanged(api, head(api, *lines, "Connection: close"), until=b"never")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401")), answer[:200]


@pytest.mark.parametrize(
    "place", ["/v1/documents/{}", "/v1/documents?page_token={}", "/{}", "/v1/search?q=a&{}"]
)
def test_nothing_of_a_request_becomes_a_header_of_its_answer(api: ApiServer, place: str) -> None:
    """However an end of line is written."""
    for end in ("%0d%0a", "%0a", "%0D%0A%20", "%E5%98%8A%E5%98%8D", "%u000a"):
        path = place.format(f"x{end}Set-Cookie:a=b{end}X-Injected:1")
        for answer in (api.send("GET", path), api.send("GET", path, X_API_Key=None)):
            assert 400 <= answer.status < 500
            assert not {"set-cookie", "x-injected", "location"} & {name.lower() for name in answer.headers}


def test_no_header_changes_the_method_or_the_path(api: ApiServer) -> None:
    """Those that proxies and frameworks know do nothing here."""
    others = {"X_HTTP_Method_Override": "POST", "X_Original_URL": "/openapi.json", "X_Rewrite_URL": "/x"}
    assert api.send("GET", "/v1/analyze", **others).status == 405
    assert api.send("GET", "/v1/documents", X_API_Key=None, **others).status == 401


@pytest.mark.parametrize(
    "framing",
    [
        ["Content-Length: 5", "Content-Length: 44"],
        ["Content-Length: 44", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Content-Length: +44"],
        ["Content-Length: -1"],
        ["Content-Length: 44, 44"],
        ["Content-Length: 0x2c"],
    ],
)
def test_no_request_hides_in_the_body_of_another(api: ApiServer, framing: list[str]) -> None:
    """Where two readings of its length are possible, there is one answer, and the connection ends."""
    hidden = b"0\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
    start = "POST /v1/analyze HTTP/1.1"
    request = head(api, "X-API-Key: KEY", "Content-Type: application/json", *framing, start=start)
    answer = exchanged(api, request + hidden, until=b"never")
    assert answer.count(b"HTTP/1.1 ") <= 1, answer
    assert b'"openapi"' not in answer
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer[:200]


@pytest.mark.parametrize("status", [401, 403])
def test_a_body_is_not_waited_for_before_the_key_is_checked(api: ApiServer, status: int) -> None:
    """Who may not ask is answered after the head, though a body is announced that never comes."""
    _, weak = make(api.firestore, f"weak {status}", (Scope.UPLOAD,))
    lines = ["Content-Type: application/json", "Content-Length: 1000000"]
    lines += [f"X-API-Key: {weak}"] if status == 403 else []
    answer = exchanged(api, head(api, *lines, start="POST /v1/analyze HTTP/1.1") + b'{"texts"')
    assert answer.startswith(f"HTTP/1.1 {status}".encode()), answer[:200]


def test_slow_bodies_do_not_hold_up_others(api: ApiServer) -> None:
    """Half of the threads wait for bodies; others are served meanwhile, the slow ones when they are whole."""
    body = b'{"texts": ["We plan to halve our emissions."]}'
    lines = ["X-API-Key: KEY", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    start = head(api, *lines, start="POST /v1/analyze HTTP/1.1")
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=SECONDS))
            for _ in range(THREADS // 2)
        ]
        for connection in slow:
            connection.sendall(start + body[:7])
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: api.get("/v1/documents").status, range(8)))
        assert answers == [200] * 8
        for connection in slow:
            connection.sendall(body[7:])
        assert {connection.recv(65536)[:12] for connection in slow} == {b"HTTP/1.1 200"}


@pytest.mark.parametrize("sent", [0, 1, 20])
def test_a_body_that_breaks_off(api: ApiServer, sent: int) -> None:
    """The connection ends before its body: nothing is computed, and the next request is answered."""
    lines = ["X-API-Key: KEY", "Content-Type: application/json", "Content-Length: 46"]
    request = head(api, *lines, start="POST /v1/analyze HTTP/1.1") + b'{"texts": ["We plan to halve'[:sent]
    with socket.create_connection(("127.0.0.1", api.port), timeout=SECONDS) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(65536)
    assert not answer or answer.startswith(b"HTTP/1.1 400"), answer[:200]
    assert api.get("/v1/documents").status == 200


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\x00", b"\xff\xfe{\x00}\x00", b"[" * 400_000, b'{"texts":' * 50_000, b"9" * 100_000),
        *(b'{"texts": ["\xff"]}', b'{"texts": ["\\ud800"]}', b'{"texts": [NaN]}', b'{"texts": [1e999]}'),
        *(b'{"texts": [""]}', b'{"texts": []}', b'{"texts": ["a"], "__proto__": {}}', b'{"texts": ["a"]} {}'),
        *(b'{"texts": {"0": "a"}}', b'{"texts": "a"}', b'\xef\xbb\xbf{"texts": ["a"], "x": 1}'),
        gzip.compress(b'{"texts": ["' + b"a" * 50_000_000 + b'"]}', compresslevel=1, mtime=0),
    ],
    ids=lambda body: repr(body[:24]),
)
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_broken_body(api: ApiServer, body: bytes, encoding: str | None) -> None:
    """4xx with a problem document, also where it says that it is packed: nothing is unpacked."""
    answer = api.send("POST", "/v1/analyze", body, Content_Encoding=encoding)
    assert answer.status in {400, 413, 415, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.body) < 10_000


def test_a_head_too_large(api: ApiServer) -> None:
    """It is refused, and the next request is answered."""
    for line in ("X-Large: " + "x" * 100_000, "\r\n".join(f"X-{number}: x" for number in range(2_000))):
        answer = exchanged(api, head(api, "X-API-Key: KEY", line), until=b"never")
        assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    answer = exchanged(api, head(api, start=f"GET /v1/{'x' * 20_000} HTTP/1.1"), until=b"never")
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert api.get("/v1/documents").status == 200


MOST = {"documents": 100, "passages": 100, "tables": 50, "figures": 1_000, "letters": 100}
MOST |= {"initiatives": 100, "digests": 100}
"""Size of a page that has all."""
PAGED = [one for one in ENDPOINTS if one.query and "page_token" in one.query.model_fields]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("endpoint", PAGED, ids=lambda one: one.name)
def test_a_cursor_that_was_tampered_with(api: ApiServer, endpoint: Any) -> None:
    """It is refused, or a place in the same list: nothing fails, and nothing else is shown."""
    path, query = endpoint.path.replace("{id}", IDS[NAMES[0]]), {}
    if endpoint.name == "figures":
        query = {"document": IDS[NAMES[0]]}
    whole = rows(api.get(path, page_size=MOST[endpoint.name], **query))
    first = api.get(path, page_size=1, **query).json["next_page_token"]
    assert first is not None or endpoint.name in {"tables", "figures", "letters", "digests"}
    tokens = [*NOT_A_PLACE]
    if first is not None:
        tokens += [first[:-1], first[1:], first + "0", first + "\n", " " + first, first.swapcase(), first * 2]
        tokens += [first[:at] + "9" + first[at + 1 :] for at in range(len(first))]
    for token in tokens:
        answer = api.get(path, page_size=MOST[endpoint.name], page_token=token, **query)
        assert answer.status in {200, 409, 422}, (token, answer.body)
        if answer.status == 200:
            assert all(row in whole for row in rows(answer)), token


def rows(answer: Answer) -> list[str]:
    """What a page lists, each as text."""
    found = next(value for value in answer.json.values() if isinstance(value, list))
    return [json.dumps(row, sort_keys=True) for row in found]


NAMED = [one for one in DESCRIBED if "{" in one.path]


@pytest.mark.parametrize("endpoint", NAMED, ids=lambda one: f"{one.method} {one.path}")
def test_a_path_leads_nowhere_else(api: ApiServer, endpoint: Any) -> None:
    """What stands for an id is one, or there is nothing: no other collection, no name of Firestore's own."""
    ids = ("..", ".", "__x__", "a%2fb", "..%2fkeys", "%00", "%0a", "x" * 2_000, "%ed%a0%80", "-1", "9" * 400)
    for value in (*ids, "..%2f..%2fkeys%2ffirst", "%c0%ae%c0%ae", "\\", "*", "%25", "%d9%a1" * 24):
        path = re.sub(r"{\w+}", lambda _, value=value: value, endpoint.path)  # type: ignore[misc]
        answer = api.send(endpoint.method, path, b"{}" if endpoint.body else None)
        assert answer.status in {404, 405, 422}, (value, answer.status, answer.body)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "/", "/etc/passwd", "../keys/x", "a/../b", "a//b", "a/", "x" * 1_025, "é" * 513),
        *("a\r\nX-Injected: 1", "a\x00.pdf", "\x1b[2J.pdf", "\ud800.pdf", "a.zip!/b", "C:\\x\n"),
    ],
    ids=ascii,
)
def test_an_upload_has_no_name_that_leads_elsewhere(api: ApiServer, name: str) -> None:
    """422, and no address for its bytes."""
    answer = api.send("POST", "/v1/uploads", {"name": name, "size": 3})
    assert answer.status in {400, 422}
    assert "url" not in answer.json


@pytest.mark.parametrize(
    "name", ["<script>alert(1)<%2fscript>.pdf", "=cmd|' .pdf", "\u202efdp.exe.pdf", "%2e%2e.pdf"]
)
def test_an_odd_name_is_data(api: ApiServer, name: str) -> None:
    """It comes back as it was sent, as JSON that no browser takes for a page, and in no header."""
    answer = api.send("POST", "/v1/uploads", {"name": name, "size": 3})
    assert answer.json["name"] == name
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not any(name in value for value in answer.headers.values())
