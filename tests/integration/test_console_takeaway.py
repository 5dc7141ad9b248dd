"""What people take away from the console, and what they ask: over the API as it is deployed."""

from __future__ import annotations

import csv
import io
import json
import re
import socketserver
import threading
import zipfile
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from functions.console import search, takeaway
from shared.api import keys
from shared.api.keys import key_hash
from shared.platform.clients import firestore_client
from shared.platform.settings import settings
from tests.documents import made
from tests.integration.api_documents import CRANE, IDS, NAMES, WATER
from tests.integration.console_browser import KEY, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient

    from tests.integration.api_server import ApiServer

pytestmark = pytest.mark.usefixtures("stored")
DOCUMENT = IDS[NAMES[0]]
FORMULA = '=HYPERLINK("http://x.example")'
ODD = 'Bericht „2025“\r\nX-Evil: 1; filename="../../ä=.exe'


@pytest.fixture(scope="module")
def browser(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Signed in at a console that asks the API."""
    folder = tmp_path_factory.mktemp("console")
    with signed_in(folder) as client, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_API_URL", f"http://127.0.0.1:{api.port}")
        patch.setattr("shared.api.keys._first_hashes", lambda: (key_hash(api.keys[0]), key_hash(KEY)))
        keys._ring.cache_clear()
        settings.cache_clear()
        yield client
    settings.cache_clear()


def token(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/search").text)
    assert found
    return found[1]


def test_a_document_is_taken_away_in_each_format(browser: FlaskClient) -> None:
    """Whole files, each under a name that says what it is."""
    path = f"/export?id={DOCUMENT}"
    rows = list(csv.DictReader(io.StringIO(browser.get(f"{path}&format=csv&rows=passages").text)))
    assert {WATER, CRANE} < {row["text"] for row in rows}
    lines = [json.loads(line) for line in browser.get(f"{path}&format=jsonl").text.splitlines()]
    assert (lines[0]["type"], lines[0]["id"]) == ("document", DOCUMENT)
    book = browser.get(f"{path}&format=xlsx")
    assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(book.data)).namelist()
    assert book.headers["Content-Disposition"] == f"attachment; filename=headrace-{DOCUMENT}.xlsx"
    assert book.headers["Cache-Control"] == "no-store"
    parquet = browser.get(f"{path}&format=parquet").data
    assert (parquet[:4], parquet[-4:]) == (b"PAR1", b"PAR1")


def test_the_list_is_taken_away_marked_or_filtered(browser: FlaskClient, api: ApiServer) -> None:
    """What is marked wins over the filters; filters that leave nothing give heads alone."""
    reference = api.firestore.collection("documents").document(IDS[NAMES[3]])
    reference.update({"title": FORMULA})
    try:
        form = {"csrf": token(browser), "id": [IDS[NAMES[3]], IDS[NAMES[1]], IDS[NAMES[3]]]}
        marked = browser.post("/export?format=jsonl&state=failed", data=form).text
        lines = [json.loads(line) for line in marked.splitlines()]
        assert [x["id"] for x in lines if x["type"] == "document"] == [IDS[NAMES[3]], IDS[NAMES[1]]]
        whole = browser.post("/export?format=jsonl&state=analyzing", data={"csrf": token(browser)}).text
        documents = [json.loads(line) for line in whole.splitlines()]
        assert {x["id"] for x in documents if x["type"] == "document"} == {IDS[NAMES[5]], IDS[NAMES[6]]}
    finally:
        reference.update({"title": NAMES[3].title()})
    empty = browser.get("/export?format=csv&rows=passages&state=failed")
    assert empty.text.startswith("document,index,page")
    assert len(empty.text.splitlines()) == 1
    assert empty.headers["Content-Disposition"] == "attachment; filename=headrace-documents-passages.csv"


def test_a_file_that_is_not_there_is_a_page_that_says_so(browser: FlaskClient) -> None:
    """Nothing of the request is passed on unread; a filter that is none gives the API's reason."""
    for query in ("", "?format=pdf", "?format=csv&id=../..", f"?format=csv&id={'0' * 24}"):
        assert browser.get(f"/export{query}").status_code == HTTPStatus.NOT_FOUND, query
    assert browser.get("/export?format=csv&year=x").status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    many = "&".join(f"id={number:024x}" for number in range(takeaway.MAX_MARKED + 1))
    answer = browser.get(f"/export?format=csv&{many}")
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert f"At most {takeaway.MAX_MARKED}" in answer.text
    # As many as may be are one line of a request, which a server bounds.
    assert browser.get(f"/export?format=csv&{many.rpartition('&')[0]}").status_code == HTTPStatus.NOT_FOUND


def test_only_who_is_signed_in_takes_away(browser: FlaskClient) -> None:
    """Others are sent to sign in; a form of another site is refused."""
    stranger = browser.application.test_client()
    assert stranger.get(f"/export?format=csv&id={DOCUMENT}").status_code == HTTPStatus.SEE_OTHER
    assert browser.post("/export?format=csv").status_code == HTTPStatus.FORBIDDEN


def test_without_the_api_nothing_is_taken_away(browser: FlaskClient) -> None:
    """503, which says so, instead of a file that is empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_API_URL", "")
        settings.cache_clear()
        answer = browser.get(f"/export?format=csv&id={DOCUMENT}")
        assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert "Content-Disposition" not in answer.headers
        assert "does not answer" in browser.get("/search/ask?q=water").text
    settings.cache_clear()


BROKEN = {
    "it closes": b"",
    "it speaks something else": b"SSH-2.0-OpenSSH_9.2\r\n",
    "it breaks off in its head": b"HTTP/1.1 200 OK\r\nContent-",
    "it breaks off": b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"facts": [], "hi',
    "its chunks break off": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n900\r\n{",
    "its refusal breaks off": b"HTTP/1.1 422 No\r\nContent-Length: 900\r\n\r\n{",
    "it sends a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "it sends another object": b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}',
    "it sends no object": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_answer_that_cannot_be_read_is_explained(browser: FlaskClient, case: str) -> None:
    """Whatever stands where the API should: a sentence on the page, and never our own error."""
    with broken_api(BROKEN[case]) as port, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "functions.console.upstream.settings",
            lambda: settings().model_copy(update={"api_url": f"http://127.0.0.1:{port}"}),
        )
        for path in ("/search?q=water", "/search/ask?q=water"):
            page = browser.get(path)
            assert page.status_code == HTTPStatus.OK, path
            assert 'class="problem" role="alert"' in page.text, path
        if case == "it speaks something else":
            answer = browser.get(f"/export?format=csv&id={DOCUMENT}")
            assert answer.status_code == HTTPStatus.BAD_GATEWAY
            assert "The answer of the API broke off, or cannot be read." in answer.text


@contextmanager
def broken_api(answer: bytes) -> Iterator[int]:
    """Listen on a port, and answer every request with these bytes, then close."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_names_of_files_are_safe() -> None:
    """No header, folder or quote comes out of a title; what is left of nothing has a name."""
    name = takeaway.attachment(ODD, "csv")["Content-Disposition"]
    assert name.startswith("attachment; filename")
    assert not set("\r\n/\\=") & set(name.partition("''")[2])
    assert takeaway.attachment("../..", "csv")["Content-Disposition"] == (
        "attachment; filename=headrace-file.csv"
    )
    assert len(takeaway.attachment("x" * 999, "csv")["Content-Disposition"]) < 200


def test_the_pages_offer_what_can_be_taken_away(browser: FlaskClient) -> None:
    """A list with its filters, and a document once something of it is published."""
    for number, run in ((1, 1), (2, None)):
        document = made(
            id=f"{number:024x}", name="a.pdf", state="completed", published_run=run, tags=["t&=1"]
        )
        firestore_client().collection("documents").document(document.id).set(document.model_dump())
    assert 'formaction="/export?' in browser.get("/").text
    assert f"/export?id={1:024x}&amp;format=xlsx" in browser.get(f"/documents/{1:024x}").text
    assert "/export" not in browser.get(f"/documents/{2:024x}").text


def test_a_question_is_answered_with_its_places(browser: FlaskClient) -> None:
    """Without a language model: that there is none, and the passages that fit, linked to their places."""
    page = browser.get("/search/ask?q=withdrawal of water").text
    assert "No language model is set up" in page
    assert "<title>Search" in page
    assert re.search(r'href="/documents/\w+\?page=\d+&amp;passage=\d+#reader"', page)
    part = browser.get("/search/ask?q=withdrawal of water", headers={"HX-Target": "found"}).text
    assert part.lstrip().startswith('<div id="found"')
    assert "Ask in your own words" in browser.get("/search/ask").text


def test_a_question_that_cannot_be_asked_says_why(browser: FlaskClient) -> None:
    """The API's reason, on the page."""
    answer = browser.get(f"/search/ask?q={'w' * 600}")
    assert answer.status_code == HTTPStatus.OK
    assert 'role="alert"' in answer.text


def test_sentences_link_to_what_they_cite(browser: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures stand before passages, and what a model wrote is text."""
    source = {"document": DOCUMENT, "name": "a.pdf", "title": None, "page": 3, "passage": 7}
    answer = {
        "question": "q", "model": "m", "note": None,
        "sentences": [{"text": "<b>Cut</b> by 4%.", "cites": [2]}],
        "evidence": [
            {"number": 1, "text": "Water: 4%", "source": source, "figure": {"value": 4.0}},
            {"number": 2, "text": "Cut.", "source": source | {"page": None}, "figure": None},
        ],
    }  # fmt: skip
    monkeypatch.setattr(
        "functions.console.upstream.ask_api", lambda *_, **__: io.BytesIO(json.dumps(answer).encode())
    )
    page = browser.get("/search/ask?q=q").text
    assert "&lt;b&gt;Cut" in page
    assert f'href="/documents/{DOCUMENT}?passage=7#reader" title="Cut.">[2]</a>' in page
    assert page.index("<h2>Answer") < page.index("<h2>Figures") < page.index("<h2>Passages")


def test_what_a_search_shows_is_taken_away(browser: FlaskClient) -> None:
    """The same passages, as a workbook, JSON lines or CSV; nothing found is heads alone."""
    path = "/search/export?q=withdrawal of water"
    lines = [json.loads(line) for line in browser.get(f"{path}&format=jsonl").text.splitlines()]
    assert WATER in {line.get("text") for line in lines if line["type"] == "passages"}
    answer = browser.get(f"{path}&format=csv&rows=passages")
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=headrace-passages-search-withdrawal-of-water.csv"
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["text"] for row in rows] == [line["text"] for line in lines if line["type"] == "passages"]
    book = zipfile.ZipFile(io.BytesIO(browser.get(f"{path}&format=xlsx").data))
    assert "xl/worksheets/sheet2.xml" in book.namelist()
    empty = browser.get("/search/export?format=csv&rows=figures")
    assert empty.text.splitlines() == [",".join(takeaway.FIGURE)]
    for wrong in ("", "&format=parquet", "&format=csv&rows=x"):
        assert browser.get(path + wrong).status_code == HTTPStatus.NOT_FOUND
    assert "/search/export?" in browser.get("/search?q=withdrawal of water").text


def test_no_cell_is_a_formula(browser: FlaskClient) -> None:
    """In what is found, whose names and texts people upload."""
    with browser.application.test_request_context("/x?format=csv&rows=figures"):
        lists = takeaway.rows_of_search([{"metric": FORMULA, "value": -4.0, "name": "+1+1"}], [])
        row = next(csv.DictReader(io.StringIO(takeaway._send("x", lists).get_data(as_text=True))))
    assert (row["metric"], row["value"], row["name"]) == (f"'{FORMULA}", "-4.0", "'+1+1")


def test_a_statement_is_shown_once() -> None:
    """Of an organisation that repeats it in several documents; another's is another statement."""
    fact = {"organisation": "A", "metric": "m", "period": "2025", "value": 1.0, "document": "1"}
    facts = [fact, fact | {"document": "2"}, fact | {"organisation": "B"}, fact | {"value": 2.0}]
    assert search.distinct(facts) == [facts[0], facts[2], facts[3]]
