"""The console's forms that put right what the model says, and its queue of what to check first."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from functions.console.app import application
from shared.api import keys
from shared.api.keys import Scope
from shared.documents.corrections import corrections_of
from shared.platform.clients import firestore_client
from tests.integration.console_browser import signed_in
from tests.integration.test_corrections import (
    BOARD,
    CRANE,
    GAS,
    TEXTS,
    WATER,
    Report,
    completed,
    figures,
    passage,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from shared.documents.model import Document


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with signed_in(tmp_path_factory.mktemp("console")) as client:
        yield client


def fields_of(page: str) -> dict[str, Any]:
    """What the first form of a part would send as it stands."""
    form = page[page.index('<form class="card"') : page.index("</form>", page.index('<form class="card"'))]
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf'{each}="([^"]*)"', tag) for each in ("name", "value"))
        is_sent = "type=" in tag and ('type="hidden"' in tag or " checked" in tag)
        if name and value and is_sent:
            if name[1] in {"topics", "skipped"}:
                found.setdefault(name[1], []).append(value[1])
            else:
                found[name[1]] = value[1]
    return found


def post(browser: FlaskClient, where: str, data: dict[str, Any]) -> TestResponse:
    return browser.post(where, data=data, headers={"HX-Request": "true"})


def form_of(browser: FlaskClient, document: Document, index: int) -> tuple[str, str]:
    where = f"/documents/{document.id}/passages/{index}/correct"
    return where, browser.get(where).text


def test_a_passage_is_put_right_where_it_stands(browser: FlaskClient) -> None:
    """What the form does not change is not said; the passage comes back as it is then, and can be undone."""
    document = completed()
    where, page = form_of(browser, document, CRANE)
    sent = fields_of(page)
    assert post(browser, where, sent).status_code == HTTPStatus.OK
    assert not corrections_of(firestore_client(), document.id)
    answer = post(browser, where, sent | {"sentiment": "neutral", "topics": ["S2", "S1"]})
    assert "corrected" in answer.text
    assert "got worse" not in answer.text
    [said] = corrections_of(firestore_client(), document.id)
    assert said.fields == {"sentiment": "neutral", "topics": ["S1", "S2"]}
    _, page = form_of(browser, document, CRANE)
    assert "<s>got worse</s> neither" in page
    undoing = f"/documents/{document.id}/corrections/{said.id}/undo"
    answer = post(browser, undoing, {"csrf": sent["csrf"], "index": str(CRANE)})
    assert "got worse" in answer.text
    assert passage(document, CRANE)["sentiment"]["label"] == "negative"


def test_who_was_slower_is_told_so(browser: FlaskClient) -> None:
    """Nothing of another person is overridden unseen."""
    document = completed()
    where, page = form_of(browser, document, CRANE)
    say(document, CRANE, sentiment="positive", by="Ben")
    answer = post(browser, where, fields_of(page) | {"sentiment": "neutral"})
    assert answer.status_code == HTTPStatus.CONFLICT
    assert "Somebody was faster" in answer.text
    assert passage(document, CRANE)["sentiment"]["label"] == "positive"


def test_a_figure_is_put_right(browser: FlaskClient) -> None:
    """Its value and unit; or it is none."""
    document = completed()
    _, page = form_of(browser, document, GAS)
    token = fields_of(page)["csrf"]
    assert 'name="was_value" value="7"' in page
    where = f"/documents/{document.id}/passages/{GAS}/figures/0"
    sent = {"csrf": token, "run": "1", "metric": "gas use", "was_value": "7", "was_unit": "MWh"}
    sent |= {"was_datapoint": "E1-5.gas", "unit": "kWh", "value": "7,000", "datapoint": "E1-5.gas"}
    assert post(browser, where, sent).status_code == HTTPStatus.OK
    assert figures(document)[0] == (0, 7000.0, "kWh", "E1-5.gas", 1.0)
    assert post(browser, where, sent | {"value": "many"}).status_code == HTTPStatus.BAD_REQUEST
    assert post(browser, where, sent | {"datapoint": "E1-5.coke"}).status_code == HTTPStatus.CONFLICT
    post(browser, where, sent | {"not_a_figure": "1"})
    assert [each[0] for each in figures(document)] == [1]


def test_facts_are_put_right_and_listed(browser: FlaskClient) -> None:
    """The document's page of corrections shows each, and undoes it."""
    document = completed()
    where = f"/documents/{document.id}/corrections"
    token = re.search(r'name="csrf" value="([^"]+)"', browser.get(where).text)
    assert token
    sent = {
        "csrf": token[1],
        "title": "Read",
        "organisation": "<b>Aulder</b>",
        "year": "2024",
        "tags": "a, b",
    }
    answer = browser.post(f"/documents/{document.id}/facts", data=sent)
    assert answer.status_code == HTTPStatus.SEE_OTHER
    now = Report().now(document.id)
    assert (now.title, now.organisation, now.year, now.tags) == ("Read", "<b>Aulder</b>", 2024, ["a", "b"])
    page = browser.get(where).text
    assert "&lt;b&gt;Aulder&lt;/b&gt;" in page
    assert "<b>Aulder" not in page
    browser.post(f"/documents/{document.id}/corrections/000001/undo", data={"csrf": token[1]})
    assert Report().now(document.id).organisation == "Aulder AG"
    assert "undone by" in browser.get(where).text
    bad = browser.post(f"/documents/{document.id}/facts", data=sent | {"year": "x"})
    assert bad.status_code == HTTPStatus.BAD_REQUEST


def test_the_queue_goes_from_passage_to_passage(browser: FlaskClient) -> None:
    """Confirmed, corrected, or left for later; in the end nothing is left but what was left."""
    document = completed()
    page = browser.get(f"/check?document={document.id}").text
    assert TEXTS[BOARD] in page
    page = post(browser, "/check", fields_of(page)).text
    assert TEXTS[WATER] in page
    assert corrections_of(firestore_client(), document.id)[0].confirms
    page = post(browser, "/check", fields_of(page) | {"later": "1"}).text
    assert TEXTS[CRANE] in page
    page = post(browser, "/check", fields_of(page) | {"sentiment": "neutral"}).text
    assert "Nothing is left to check but what you left for later" in page
    assert "You have checked 2" in page
    assert passage(document, CRANE)["sentiment"]["label"] == "neutral"
    assert TEXTS[WATER] in browser.get(f"/check?document={document.id}").text


def test_every_label_of_the_queue_has_a_key(browser: FlaskClient) -> None:
    """And none has two meanings."""
    document = completed()
    page = browser.get(f"/check?document={document.id}").text
    found = re.findall(r'data-key="([^"]+)"', page)
    assert len(set(found)) == len(found) == 3 + 3 + 1 + 10 + 4 + 2


@pytest.mark.usefixtures("browser")
def test_who_may_only_read_sees_no_form() -> None:
    """Nor the queue, nor can anything be sent."""
    document = completed()
    _, secret = keys.make(firestore_client(), "reader", (Scope.READ,))
    reader = application().test_client()
    reader.post("/sign-in", data={"key": secret})
    page = reader.get(f"/documents/{document.id}/corrections").text
    assert "/check" not in page
    assert "/facts" not in page
    for where in ("/check", f"/documents/{document.id}/passages/{CRANE}/correct"):
        assert reader.get(where).status_code == HTTPStatus.FORBIDDEN
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token
    sent = {"csrf": token[1], "sentiment": "neutral", "run": "1"}
    for where in (f"/documents/{document.id}/passages/{CRANE}/correct", f"/documents/{document.id}/facts"):
        assert reader.post(where, data=sent).status_code == HTTPStatus.FORBIDDEN
    assert not corrections_of(firestore_client(), document.id)
