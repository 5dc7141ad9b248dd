"""The console's pages over what the pipeline stored."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import FailedPrecondition

from shared.api import findings
from shared.documents.store import now
from shared.platform.clients import firestore_client, publisher
from shared.platform.lease import Lease
from shared.platform.settings import TICKS, settings
from tests.documents import made
from tests.integration.console_browser import signed_in
from tests.integration.test_corrections import BOARD, CRANE, TEXTS, WATER, completed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient

EVIL = '"><script>alert(1)</script>'
ESCAPED = "&lt;script&gt;"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with signed_in(tmp_path_factory.mktemp("console")) as client:
        publisher().create_topic(name=f"projects/{settings().project}/topics/{TICKS}")
        yield client


def put(number: int, **fields: Any) -> str:
    identifier = f"{number:024x}"
    document = made(id=identifier, **fields)
    firestore_client().collection("documents").document(identifier).set(document.model_dump())
    return identifier


def test_an_empty_list_says_what_to_do(browser: FlaskClient) -> None:
    """And another sentence where filters leave nothing."""
    for each in firestore_client().collection("documents").stream():
        each.reference.delete()
    assert "No documents yet" in browser.get("/").text
    assert "No document fits" in browser.get("/?tag=none").text


def test_documents_are_filtered_and_paged(browser: FlaskClient) -> None:
    """By htmx the list alone comes; the next page has what the first had not."""
    for number in range(60):
        put(number, name=f"paged-{number}.pdf", tags=["paged"], created_at=now() + timedelta(seconds=number))
    page = browser.get("/?tag=paged", headers={"HX-Target": "list"}).text
    assert page.lstrip().startswith('<div id="list">')
    assert "60 documents" in page
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    rest = browser.get(following[1].replace("&amp;", "&")).text
    first, second = (set(re.findall(r'id="row-(\w+)"', each)) for each in (page, rest))
    assert (len(first), len(second), first & second) == (40, 20, set())
    assert "First page" in rest


def test_what_people_upload_is_shown_as_text(browser: FlaskClient) -> None:
    """Names, titles, organisations, tags, errors: in lists, and on a page of their own."""
    error = {"code": "c", "message": EVIL, "hint": EVIL}
    fields = {"name": f"{EVIL}.pdf", "title": EVIL, "organisation": EVIL, "tags": [EVIL], "warnings": [EVIL]}
    identifier = put(900, state="rejected", error=error, **fields)
    for path in (
        "/?state=rejected",
        f"/documents/{identifier}",
        f"/?text={EVIL}&organisation={EVIL}",
        f"/search?q={EVIL}",
    ):
        page = browser.get(path).text
        assert ESCAPED in page, path
        assert "<script>alert" not in page, path


def test_a_rejected_document_says_why_and_what_to_do(browser: FlaskClient) -> None:
    """And no empty results below."""
    error = {"code": "encrypted", "message": "It is locked.", "hint": "Take the password off."}
    page = browser.get(f"/documents/{put(901, state='rejected', error=error)}").text
    assert "rejected: It is locked." in page
    assert "What to do: Take the password off." in page
    assert "Key figures" not in page


def test_a_document_is_followed_until_it_is_done(browser: FlaskClient) -> None:
    """Then its page is loaded anew; one that begins again is waited for."""
    identifier = put(902, state="analyzing", run=2)
    assert "being analyzed" in browser.get(f"/documents/{identifier}").text.casefold()
    assert "HX-Redirect" not in browser.get(f"/documents/{identifier}/state").headers
    put(902, state="completed", run=2)
    assert "HX-Redirect" not in browser.get(f"/documents/{identifier}/state?after=2").headers
    assert browser.get(f"/documents/{identifier}/state").headers["HX-Redirect"] == f"/documents/{identifier}"


def test_a_document_shows_what_matters_first(browser: FlaskClient) -> None:
    """Initiatives and incidents with the place where they stand; the reader is fetched afterwards."""
    document = completed()
    page = browser.get(f"/documents/{document.id}").text
    initiatives, incidents = (page.index(f'id="h-{name}"') for name in ("initiatives", "incidents"))
    assert initiatives < page.index(TEXTS[WATER], initiatives) < incidents
    assert page.index(TEXTS[CRANE], incidents) > incidents
    assert f'hx-get="/documents/{document.id}/read"' in page
    reader = browser.get(f"/documents/{document.id}/read").text
    assert [text in reader for text in TEXTS] == [True] * len(TEXTS)
    assert reader.index(TEXTS[0]) < reader.index(TEXTS[-1])
    part = browser.get(f"/documents/{document.id}/passages?initiative=true").text
    assert TEXTS[WATER] in part
    assert TEXTS[BOARD] not in part
    assert "%" in browser.get(f"/documents/{document.id}/passages/{WATER}/scores").text


def test_more_like_a_passage_leaves_out_the_passage_and_its_copies(browser: FlaskClient) -> None:
    """It stands above; the same words in another document are nothing new."""
    document, _ = completed(), completed()
    page = browser.get(f"/search/like/{document.id}/{WATER}").text
    assert page.count(TEXTS[WATER]) == 1
    assert TEXTS[BOARD] in page
    assert page.count(TEXTS[BOARD]) == 1
    for wrong in (f"{'f' * 24}/0", "x/0", f"{document.id}/9999"):
        assert browser.get(f"/search/like/{wrong}").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/read",
        "/state",
        "/places?page=1",
        "/1/pages/1",
        "/passages",
        "/passages/0/scores",
        "/passages?topic=",
    ],
)
def test_what_is_not_there_is_404(browser: FlaskClient, path: str) -> None:
    """Not an error of ours, whatever the id looks like."""
    for identifier in ("f" * 24, "..", "x" * 2000, "A" * 24):
        assert browser.get(f"/documents/{identifier}{path}").status_code == HTTPStatus.NOT_FOUND


def test_digests_are_made_on_request(browser: FlaskClient) -> None:
    """By the function that makes them; until then the page waits, but not for ever."""
    page = browser.get("/digests").text
    token = re.search(r'name="csrf" value="(\w+)"', page)
    assert token
    answer = browser.post("/digests", data={"csrf": token[1], "days": "30"})
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert "is being made" in browser.get(answer.location).text
    assert "Reading documents" in browser.get(f"{answer.location}/state").text
    assert browser.get("/digests/now-20200101T000000000000Z").status_code == HTTPStatus.NOT_FOUND
    refused = browser.post("/digests", data={"csrf": token[1], "days": "30", "schedule": "none"})
    assert refused.status_code == HTTPStatus.NOT_FOUND
    assert "There is no schedule none" in refused.text


def test_operations_show_what_the_doctor_finds(browser: FlaskClient) -> None:
    """The same lines, with what to do about each, and what is well left out."""
    lost = Lease(token=1, holder="h", expires_at=now() - timedelta(hours=2))
    put(903, name="slow.pdf", state="extracting", lease=lost)
    error = {"code": "c", "message": "It broke.", "hint": "Mend it."}
    put(904, name="broken.pdf", state="failed", error=error)
    page = html.unescape(browser.get("/operations").text)
    assert "Mend it." in page
    found = [each for each in findings.stored(firestore_client(), None) if each.status != "ok"]
    assert {"failed", "standing still"} <= {each.check for each in found}
    for each in found:
        assert re.split(r"\d+ s\b", each.detail)[0] in page, "but for seconds, which go by"
        assert each.fix is None or each.fix in page


def test_operations_are_shown_where_a_check_cannot_ask(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while an index is being built: what could be asked is shown, and that something could not."""

    def unready(_: object) -> None:
        raise FailedPrecondition("The query requires an index.")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(findings, "check_notified", unready)
    answer = browser.get("/operations")
    assert answer.status_code == HTTPStatus.OK
    assert "Not everything could be asked." in answer.text


def test_a_message_that_was_replayed_needs_nobody(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others of the last day are counted, up to a number."""
    assert browser
    client = firestore_client()
    letters = [client.collection("dead_letters").document(f"{number:024x}") for number in range(3)]
    reason = {"code": "c", "message": "It broke.", "hint": "Mend it."}
    for number, letter in enumerate(letters):
        recorded = now() - timedelta(minutes=number)
        letter.set({"reason": reason, "replay": None, "recorded_at": recorded, "replayed_at": None})
    letters[0].update({"replayed_at": now()})
    [found] = findings.check_dead_letters(client)
    assert (found.status, found.fix) == ("warning", "Mend it.")
    assert found.detail == "2 in the last day, 3 in all; the newest: It broke."
    monkeypatch.setattr(findings, "LETTERS_SHOWN", 3)
    [found] = findings.check_dead_letters(client)
    assert found.detail.startswith("2 or more in the last day")
    for letter in letters[1:]:
        letter.delete()
    [found] = findings.check_dead_letters(client)
    assert (found.status, found.detail) == (
        "ok",
        "none in the last day that was not replayed, 1 in all",
    )
    letters[0].delete()
