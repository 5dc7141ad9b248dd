"""What the pipeline stored, read by page and found by meaning; only published runs of the encoder in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from shared.documents.search import similar
from shared.documents.views import FIELDS
from shared.platform.errors import Missing
from tests.integration.api_documents import BOARD, CREATED, IDS, NAMES, WATER

if TYPE_CHECKING:
    from tests.integration.api_server import ApiServer

pytestmark = pytest.mark.usefixtures("stored")


def pages(api: ApiServer, path: str, items: str, **query: object) -> list[list[dict[str, Any]]]:
    """Every page of a listing."""
    found = []
    while True:
        answer = api.get(path, **query)
        assert answer.status == 200, answer.json
        found.append(answer.json[items])
        if answer.json["next_page_token"] is None:
            return found
        query["page_token"] = answer.json["next_page_token"]


def test_documents_come_newest_first_page_by_page(api: ApiServer) -> None:
    """Each once, though their times of creation differ by a microsecond."""
    found = pages(api, "/v1/documents", "documents", page_size=3)
    assert [[shown["name"] for shown in page] for page in found] == [
        NAMES[:4:-1],
        NAMES[4:1:-1],
        NAMES[1::-1],
    ]


def test_documents_by_state_and_prefix(api: ApiServer) -> None:
    """A prefix lists by name; filters combine; a full last page has no successor."""
    assert [len(page) for page in pages(api, "/v1/documents", "documents", page_size=4)] == [4, 4]
    [analyzing] = pages(api, "/v1/documents", "documents", state="analyzing")
    assert [shown["name"] for shown in analyzing] == [NAMES[6], NAMES[5]]
    found = pages(api, "/v1/documents", "documents", prefix="reports/", state="completed", page_size=3)
    assert [[shown["name"] for shown in page] for page in found] == [NAMES[:3], NAMES[3:5]]
    assert pages(api, "/v1/documents", "documents", prefix="reports/1") == [[]]


def test_a_document_has_the_shape_of_the_command_line(api: ApiServer) -> None:
    """The same fields in the same order; moments as text."""
    shown = api.get(f"/v1/documents/{IDS[NAMES[0]]}").json
    assert tuple(shown) == FIELDS
    moments = dict.fromkeys(("uploaded_at", "claimed_at"), CREATED.isoformat())
    assert shown["timings"] == moments | {"total_seconds": 2.5}


@pytest.mark.parametrize("identifier", ["0" * 24, "x", "..", "A" * 24, "a" * 25, "__x__"])
def test_no_document_has_another_id(api: ApiServer, identifier: str) -> None:
    """404, for it and for its passages."""
    assert api.get(f"/v1/documents/{identifier}").status == 404
    assert api.get(f"/v1/documents/{identifier}/passages").status == 404


def test_passages_of_the_published_run_in_order(api: ApiServer) -> None:
    """Page by page, with pages, rows and figures, without vectors unless asked."""
    path = f"/v1/documents/{IDS[NAMES[0]]}/passages"
    found = pages(api, path, "passages", page_size=6)
    assert [[passage["index"] for passage in page] for page in found] == [
        list(range(6)),
        list(range(6, 12)),
        [12, 13, 14],
    ]
    assert found[0][0]["text"] == WATER
    assert "embedding" not in found[0][0]
    [[with_vector]] = pages(api, f"/v1/documents/{IDS[NAMES[1]]}/passages", "passages", embeddings="true")
    assert len(with_vector["embedding"]) == 384
    assert api.get(path).json["run"] == 2


def test_passages_by_topic_sentiment_and_action(api: ApiServer) -> None:
    """Filters combine, and pages hold what passed them."""
    path = f"/v1/documents/{IDS[NAMES[0]]}/passages"
    everything = api.get(path).json["passages"]
    found = pages(api, path, "passages", topic="E3", page_size=2)
    assert [passage["text"] for page in found for passage in page] == [WATER] * 5
    for field, label in (("sentiment", "negative"), ("action", "implemented")):
        expected = [passage["index"] for passage in everything if passage[field]["label"] == label]
        assert 0 < len(expected) < 15
        assert [passage["index"] for passage in api.get(path, **{field: label}).json["passages"]] == expected
    assert api.get(path, topic="E3", sentiment="negative", action="none").json["passages"] == []


def test_passages_by_what_matters(api: ApiServer) -> None:
    """The most salient first, page by page, within what is an initiative too; without a salience last."""
    path = f"/v1/documents/{IDS[NAMES[0]]}/passages"
    everything = api.get(path).json["passages"]
    found = pages(api, path, "passages", order="salience", page_size=4)
    listed = [passage for page in found for passage in page]
    assert sorted(passage["index"] for passage in listed) == [passage["index"] for passage in everything]
    salience = [passage["salience"] or -1.0 for passage in listed]
    assert salience == sorted(salience, reverse=True)
    initiatives = api.get(path, initiative="true", order="salience").json["passages"]
    others = api.get(path, initiative="false").json["passages"]
    assert [passage["initiative"] for passage in (*initiatives, *others)] == [
        *[True] * len(initiatives),
        *[False] * len(others),
    ]
    assert len(initiatives) + len(others) == len(everything)


def test_a_run_that_is_not_published_is_not_shown(api: ApiServer) -> None:
    """While a document is analyzed for the first time it has no passages; again, those of before."""
    first = api.get(f"/v1/documents/{IDS[NAMES[5]]}/passages").json
    assert (first["run"], first["passages"]) == (None, [])
    again = api.get(f"/v1/documents/{IDS[NAMES[6]]}/passages").json
    assert (again["run"], [passage["text"] for passage in again["passages"]]) == (
        1,
        ["Water is saved at Marl."],
    )


def test_a_page_of_what_is_gone_is_refused(api: ApiServer) -> None:
    """409: another run was published meanwhile."""
    answer = api.get(f"/v1/documents/{IDS[NAMES[0]]}/passages", page_token="1-5")
    assert (answer.status, answer.json["type"]) == (409, "urn:headrace:problem:stale-page")


def test_search_finds_by_meaning_in_published_runs_of_this_encoder(api: ApiServer) -> None:
    """The nearest first; 121 nearer passages of unpublished runs and one of another encoder do not count.

    One of another build of this encoder, as a job on a GPU runs, does. What five passages say is found once.
    """
    answer = api.get("/v1/search", q="How is water saved?", limit=3).json
    hits = answer["hits"]
    texts = [hit["text"] for hit in hits]
    assert sorted(texts) == sorted([WATER, "Water is saved at Marl.", "Our river water is returned clean."])
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1
    best = next(hit for hit in hits if hit["text"] == WATER)
    assert (best["document"], best["name"], best["title"]) == (IDS[NAMES[0]], NAMES[0], "Reports/00.Txt")
    assert (best["page"], best["row"]) == (best["index"] + 1, None)
    assert {hit["document"] for hit in hits} == {IDS[NAMES[0]], IDS[NAMES[1]], IDS[NAMES[6]]}


def test_search_within_a_topic_or_a_document(api: ApiServer) -> None:
    """Filters hold though other passages are nearer."""
    hits = api.get("/v1/search", q="How is water saved?", topic="G1").json["hits"]
    assert {hit["text"] for hit in hits} == {BOARD}
    hits = api.get("/v1/search", q="fatal accident", document=IDS[NAMES[1]]).json["hits"]
    assert [hit["document"] for hit in hits] == [IDS[NAMES[1]]]
    assert api.get("/v1/search", q="water", document="0" * 24).json["hits"] == []


def test_search_within_an_organisation_and_a_year(api: ApiServer) -> None:
    """Case and punctuation do not count, and other passages may be nearer."""
    every = {doc["id"]: doc for doc in api.get("/v1/documents", page_size=100).json["documents"]}
    name, year = next((doc["organisation"], doc["year"]) for doc in every.values() if doc["organisation"])
    asked = {"q": "How is water saved?", "limit": 50, "organisation": f"{name.upper()}."}
    found = api.get("/v1/search", **asked).json["hits"]
    assert {every[hit["document"]]["organisation"] for hit in found} == {name}
    assert api.get("/v1/search", **asked, year=year).json["hits"] == found
    assert api.get("/v1/search", **asked, year=1999).json["hits"] == []
    assert api.get("/v1/search", q="water", organisation="Nobody").json["hits"] == []


@pytest.mark.parametrize("topic", ["E99", "g1", " G1"])
def test_search_within_a_topic_that_is_none(api: ApiServer, topic: str) -> None:
    """422 with those that there are: nothing found would read as if there were no such passages."""
    answer = api.get("/v1/search", q="How is water saved?", topic=topic)
    assert answer.status == 422
    [fault] = answer.json["errors"]
    assert fault["parameter"] == "topic"
    assert "E1, E2" in fault["detail"]


@pytest.mark.parametrize("query", [{}, {"q": " "}, {"q": "a" * 10_001}, {"q": "a", "limit": 51}])
def test_a_question_that_is_none(api: ApiServer, query: dict[str, object]) -> None:
    """422 that names the parameter."""
    answer = api.get("/v1/search", **query)
    assert answer.status == 422
    assert answer.json["errors"][0]["parameter"] in {"q", "limit"}


def test_figures_are_found_by_what_they_say(api: ApiServer) -> None:
    """Those with a data point, of all documents; page by page, each once."""
    every = [figure for page in pages(api, "/v1/figures", "figures", page_size=1) for figure in page]
    assert {(figure["document"], figure["value"]) for figure in every} == {
        (IDS[NAMES[0]], 90.0),
        (IDS[NAMES[0]], 80.5),
        (IDS[NAMES[1]], 7.0),
    }
    assert len(every) == 3
    asked: list[tuple[dict[str, str], set[float]]] = [
        ({"organisation": "marl works PLC"}, {90.0, 80.5}),
        ({"period": "2023"}, {80.5, 7.0}),
        ({"period": "2023", "unit": "MWh", "topic": "E1", "datapoint": "E1-5.energy"}, {80.5, 7.0}),
        ({"datapoint": "E1-5.gas"}, set()),
        ({"unit": "t"}, set()),
    ]
    for query, values in asked:
        [found] = pages(api, "/v1/figures", "figures", **query)
        assert {figure["value"] for figure in found} == values


def test_figures_of_a_document_are_all_of_its_figures(api: ApiServer) -> None:
    """Also those without a data point; with where they stand."""
    found = pages(api, "/v1/figures", "figures", document=IDS[NAMES[0]], page_size=2)
    assert [[figure["value"] for figure in page] for page in found] == [[90.0, 80.5], [1.0]]
    first = found[0][0]
    assert (first["page"], first["passage"], first["table"], first["cell"]) == (1, 0, 0, [1, 1])
    assert (first["name"], first["organisation"], first["run"]) == (NAMES[0], "Marl Works plc", 2)
    [coded] = pages(api, "/v1/figures", "figures", document=IDS[NAMES[0]], datapoint="E1-5.energy")
    assert [figure["value"] for figure in coded] == [90.0, 80.5]
    assert pages(api, "/v1/figures", "figures", document=IDS[NAMES[5]]) == [[]]  # nothing is published
    assert pages(api, "/v1/figures", "figures", document="0" * 24) == [[]]


def test_tables_come_page_by_page(api: ApiServer) -> None:
    """In their order, with their number; a document without any has none."""
    path = f"/v1/documents/{IDS[NAMES[0]]}/tables"
    found = pages(api, path, "tables", page_size=2)
    assert [[table["number"] for table in page] for page in found] == [[0, 1], [2]]
    assert found[0][0]["rows"][0]["cells"][1]["text"] == "1"
    assert pages(api, f"/v1/documents/{IDS[NAMES[5]]}/tables", "tables") == [[]]
    assert api.get(f"/v1/documents/{'0' * 24}/tables").status == 404


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/figures", {"document": IDS[NAMES[0]], "page_token": f"{IDS[NAMES[0]]}-1-1"}),
        ("/v1/figures", {"document": IDS[NAMES[0]], "page_token": f"{IDS[NAMES[1]]}-2-1"}),
        ("/v1/figures", {"page_token": f"{IDS[NAMES[0]]}-1-1"}),
        (f"/v1/documents/{IDS[NAMES[0]]}/tables", {"page_token": "1-0"}),
    ],
)
def test_pages_of_figures_of_a_run_that_is_over(api: ApiServer, path: str, query: dict[str, str]) -> None:
    """409, as its figures are numbered anew."""
    answer = api.get(path, **query)
    assert (answer.status, answer.json["type"]) == (409, "urn:headrace:problem:stale-page")


@pytest.mark.parametrize(
    "query", [{"page_token": "x"}, {"period": "last year"}, {"page_size": 1_001}, {"document": "x"}]
)
def test_questions_for_figures_that_are_none(api: ApiServer, query: dict[str, object]) -> None:
    """422 that names the parameter."""
    answer = api.get("/v1/figures", **query)
    assert answer.status == 422
    assert {fault["parameter"] for fault in answer.json["errors"]} == set(query)


@pytest.mark.parametrize(
    ("question", "values"),
    [
        ("total energy consumption of Marl in 2023", [80.5]),
        ("total energy consumption Marl Works", [80.5, 90.0]),  # the latest first
        ("total energy consumption 2023", [7.0, 80.5]),
        ("1 total energy consumption at Marl in 2023", [80.5]),  # a number names no organisation
        ("1&1 total energy consumption", [7.0]),
        ("total energy consumption 1999", []),
        ("total energy consumption Marl 2021", []),  # which another organisation does not answer
        ("total energy consumption 2023 at Total", [7.0, 80.5]),  # a word of the data point names none
        ("How is water saved?", []),
    ],
)
def test_a_search_answers_with_facts_first(api: ApiServer, question: str, values: list[float]) -> None:
    """Where the question names a data point; passages follow as ever."""
    answer = api.get("/v1/search", q=question).json
    assert [fact["value"] for fact in answer["facts"]] == values
    assert answer["hits"]


def test_facts_of_a_search_within_a_topic_or_document(api: ApiServer) -> None:
    """Filters hold for them too."""
    question = "total energy consumption"
    found = api.get("/v1/search", q=question, document=IDS[NAMES[1]]).json["facts"]
    assert [fact["value"] for fact in found] == [7.0]
    assert api.get("/v1/search", q=question, topic="G1").json["facts"] == []


def test_sides_are_compared(api: ApiServer) -> None:
    """As many as are named, each with every field of the description."""
    records = [api.firestore.collection("outcomes").document(f"{at:024}") for at in range(2)]
    for at, record in enumerate(records):
        about = dict.fromkeys(("language", "members", "duplicate_of", "problem", "title"))
        about |= {"document": record.id, "bucket": "b", "name": f"{at}.pdf", "run": 1, "generation": "1"}
        about |= {"organisation": "Tarnholm", "organisation_key": "tarnholm", "year": 2024 + at}
        about |= {"received_at": CREATED, "completed_at": CREATED, "passages": 10 + at, "sentiment": {}}
        record.set(about | {"topics": {"E1": {"passages": 5}}, "actions": {}})
    answer = api.send("GET", "/v1/comparisons?side=Tarnholm+2024&side=Tarnholm+2025")
    for record in records:
        record.delete()
    assert answer.status == 200, answer.json
    assert answer.json["over_time"]
    assert [side["label"] for side in answer.json["sides"]] == ["Tarnholm 2024", "Tarnholm 2025"]
    assert [cell["change"] for cell in answer.json["topics"][0]["cells"]] == [None, -4.55]


@pytest.mark.parametrize(
    ("sides", "status", "says"),
    [
        ([], 422, "side: Field required"),
        (["Tarnholm 2024"], 422, "side: "),
        (["Tarnholm 2024"] * 5, 422, "side: "),
        (["Tarnholm", "Tarnholm 2024"], 422, "side: "),
        (["0" * 24, "1" * 24], 404, "has no result"),
        (["Nobody 2024", "Nobody 2025"], 404, "No document of Nobody reports on 2024"),
    ],
)
def test_sides_that_cannot_be_compared(api: ApiServer, sides: list[str], status: int, says: str) -> None:
    """What is no side is refused by its parameter; what is not there is not found."""
    query = urlencode([("side", side) for side in sides])
    answer = api.send("GET", f"/v1/comparisons?{query}")
    assert answer.status == status
    assert says in answer.json["detail"]
    assert {fault["parameter"] for fault in answer.json.get("errors", ())} == (
        {"side"} if status == 422 else set()
    )


def test_passages_like_one(api: ApiServer) -> None:
    """Only published runs of this encoder count, nearest first; the passage and its copies are left out."""
    text, hits = similar(api.firestore, IDS[NAMES[0]], 0, limit=2)
    assert text == WATER
    assert [(hit.document, hit.text) for hit in hits] == [
        (IDS[NAMES[6]], "Water is saved at Marl."),
        (IDS[NAMES[1]], "Our river water is returned clean."),
    ]
    assert WATER not in {hit.text for hit in similar(api.firestore, IDS[NAMES[0]], 3, limit=50)[1]}
    for document, index in ((IDS[NAMES[0]], 15), (IDS[NAMES[5]], 0), ("0" * 24, 0)):
        with pytest.raises(Missing):
            similar(api.firestore, document, index, limit=2)
        assert api.get(f"/v1/documents/{document}/passages/{index}/similar").status == 404
    answered = api.get(f"/v1/documents/{IDS[NAMES[0]]}/passages/0/similar", limit=2)
    assert answered.json == {"hits": [hit.model_dump() for hit in hits]}
    for wrong in ("x", "-1", "1" * 10):
        assert api.get(f"/v1/documents/{IDS[NAMES[0]]}/passages/{wrong}/similar").status == 404
