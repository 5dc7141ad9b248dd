"""The console's page of comparisons, over what is stored."""

from __future__ import annotations

import csv
import io
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.digests.made import MONDAY, aggregate, passage, record, vector
from benchmarks.digests.made import store as store_document
from functions.console import compare, session
from functions.console.app import application
from shared.api import keys
from shared.api.keys import key_hash
from shared.documents import plans
from shared.documents.figures import DocumentFigure, Packed, pack
from shared.platform import clients
from shared.platform.clients import firestore_client
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient

KEY = "k" * 43
NAME = "Tarnholm <b>Fibre</b>"
PLAN = vector(("the boilers", 1.0))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Signed in; two years of a company whose name is markup."""
    cached: list[Any] = [session._secret, session._serializer, keys._ring]
    with serving(tmp_path_factory.mktemp("console")), pytest.MonkeyPatch.context() as patch:
        for each in cached:
            each.cache_clear()
        patch.setattr(clients, "secret", lambda *_: key_hash(KEY).encode())
        patch.setattr("shared.api.keys._first_hashes", lambda: (key_hash(KEY),))
        put(2024, 200)
        put(2025, 150)
        client = application().test_client()
        client.post("/sign-in", data={"key": KEY})
        yield client
    for each in cached:
        each.cache_clear()


def put(year: int, value: float) -> None:
    """A report with a data point; the plan of 2024 is only in a passage of 2025 of which nothing was kept."""
    kept = [passage(0, "The boilers will be replaced.", ["E1"], action="planned", embedding=PLAN)]
    others = [passage(at, f"Report {year} says {at}.") for at in range(1, 25)]
    if year == 2025:
        kept = [passage(0, "A canteen was opened.", ["S1"], action="implemented")]
        others[0] = passage(
            1, "The boilers were replaced in May.", ["E1"], action="implemented", embedding=PLAN
        )
    stored = record(f"{year}.pdf", MONDAY, organisation=NAME, year=year)
    store_document(firestore_client(), stored, aggregate([*kept, *others[1:]]), [*kept, *others])
    figure = DocumentFigure(
        kind="quantity", value=value, unit="tCO2e", text=f"{value:g} t", period=str(year),
        datapoint="E1-6.scope1", passage=3, page=7,
    )  # fmt: skip
    coded = {"datapoints": pack(Packed(figures=(figure,))), "codes": ["E1-6.scope1"]}
    firestore_client().collection("outcomes").document(stored["id"]).update(coded)


def test_the_page_offers_what_there_is(browser: FlaskClient) -> None:
    """Organisations with their years, and comparisons to begin with."""
    page = browser.get("/compare").text
    assert '<option value="Tarnholm &lt;b&gt;Fibre&lt;/b&gt; 2025">' in page
    [link] = re.findall(r'href="(/compare\?side=[^"]+)"', page)
    answer = browser.get(link.replace("&amp;", "&"))
    assert answer.status_code == HTTPStatus.OK
    assert "<b>Fibre" not in answer.text


def test_a_comparison_shows_change_plans_and_places(browser: FlaskClient) -> None:
    """The plan is found in a passage that was not kept, whose page a link opens."""
    page = browser.get("/compare", query_string={"side": [f"{NAME} 2025", f"{NAME} 2024"]}).text
    assert "-25.0%" in page
    assert "better" in page
    assert "150 tCO2e</a>" in page
    assert re.search(r'href="/documents/[0-9a-f]{24}\?page=7&passage=3"', page.replace("&amp;", "&"))
    assert re.search(r"<strong>Planned before, implemented now</strong> \(1\)", page)
    assert "The boilers were replaced in May." in page


def test_what_cannot_be_compared_is_said_beside_the_form(browser: FlaskClient) -> None:
    """And the form keeps what was typed."""
    answer = browser.get("/compare", query_string={"side": [f"{NAME} 2025", '"><script>']})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "neither the id of a document" in answer.text
    assert 'value="&#34;&gt;&lt;script&gt;"' in answer.text


def test_documents_that_were_marked_are_compared(browser: FlaskClient) -> None:
    """The list leads to an address that names them, without the token."""
    found = re.search(r'"X-CSRF-Token": "([^"]+)"', browser.get("/compare").text.replace("&#34;", '"'))
    assert found is not None
    answer = browser.post("/compare", data={"csrf": found[1], "id": ["1" * 24, "x", "0" * 24, "1" * 24]})
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert answer.location == f"/compare?side={'1' * 24}&side={'0' * 24}"


def test_documents_are_called_by_their_names(browser: FlaskClient) -> None:
    """Nobody knows them by their ids; each can be taken out, and another side can be named."""
    ids = [record(f"{year}.pdf", MONDAY)["id"] for year in (2024, 2025)]
    page = browser.get("/compare", query_string={"side": [*ids, f"{NAME} 2025", *ids]}).text
    [form] = re.findall(r'<form class="filters sides".+?</form>', page, re.DOTALL)
    fields = re.findall(r'<input type="checkbox" name="side" value="(\w+)" checked> ([^<]+)<', form)
    assert fields == [(ids[0], "2024"), (ids[1], "2025")] * 2
    assert re.findall(r'list="offered" value="([^"]+)"', form) == ["Tarnholm &lt;b&gt;Fibre&lt;/b&gt; 2025"]
    unknown = browser.get("/compare", query_string={"side": ["f" * 24, ids[0]]}).text
    assert f'list="offered" value="{"f" * 24}"' in unknown


def test_plans_are_looked_for_as_long_as_there_is_time(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards nothing is said of them, and the page says so."""
    monkeypatch.setattr(plans, "LOOK_SECONDS", 0.0)
    page = browser.get("/compare", query_string={"side": [f"{NAME} 2025", f"{NAME} 2024"]}).text
    assert "1 plans of" in page
    assert "time ran out" in page
    assert re.search(r"<strong>Planned before, perhaps mentioned now</strong> \(1\)", page)


def test_so_many_sides_are_offered(browser: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the newest documents, and so many comparisons to begin with."""
    monkeypatch.setattr(compare, "MAX_SUGGESTED", 0)
    assert "To begin with" not in browser.get("/compare").text
    monkeypatch.setattr(compare, "MAX_OFFERED", 1)
    assert browser.get("/compare").text.count("<option") == 1
    monkeypatch.setattr(compare, "MAX_SIDE", 3)
    assert 'value="Tar"' in browser.get("/compare?side=Tarnholm+2025").text


def test_a_comparison_is_taken_away(browser: FlaskClient) -> None:
    """Its data points with their change, in every format that the page offers."""
    page = browser.get("/compare", query_string={"side": [f"{NAME} 2024", f"{NAME} 2025"]}).text
    links = [each.replace("&amp;", "&") for each in re.findall(r'href="(/compare/export[^"]+)"', page)]
    assert len(links) == 5
    answers = [browser.get(link) for link in links]
    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    rows = list(csv.DictReader(io.StringIO(next(x.text for x in answers if "data-points" in str(x.headers)))))
    assert [(row["code"], row["value"], row["change"]) for row in rows] == [
        ("E1-6.scope1", "200.0", ""),
        ("E1-6.scope1", "150.0", "-25.0"),
    ]
    assert "The boilers will be replaced." in next(
        x.text for x in answers if "headrace-plans" in str(x.headers)
    )
    assert browser.get("/compare/export?side=x&format=csv").status_code == HTTPStatus.CONFLICT
    assert browser.get("/compare/export?format=csv").status_code == HTTPStatus.CONFLICT
