"""The description says what the service does: limits, shapes and statuses come from the same code."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from shared.api.description import DESCRIBED, describe
from shared.api.models import check_texts, text_schema
from shared.api.requests import Fault, Problem, invalid
from shared.documents.transitions import Arrival, claim
from shared.documents.views import FIELDS, document_view, passage_view
from shared.platform.records import Action, PassageResult, Sentiment, TopicScore, UploadEvent
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = Settings(
    project="p",
    uploads_bucket="u",
    work_bucket="w",
    models_bucket="m",
    results_bucket="r",
    api_max_characters=6,
    api_max_texts=3,
)
DESCRIPTION = describe(SETTINGS, ("E1", "E3"))


def validator(name: str) -> Any:
    """Of one of the description's shapes."""
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}"} | DESCRIPTION)


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_reference_leads_somewhere() -> None:
    """And every shape is referred to."""
    found = {reference.removeprefix("#/components/schemas/") for reference in references(DESCRIPTION)}
    assert found == set(DESCRIPTION["components"]["schemas"])


def test_every_endpoint_is_described() -> None:
    """With an operationId of its own, what it answers, and 401 as a problem document."""
    operations = {
        (method.upper(), path): operation
        for path, methods in DESCRIPTION["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {(endpoint.method, endpoint.path) for endpoint in DESCRIBED}
    for endpoint in DESCRIBED:
        operation = operations[endpoint.method, endpoint.path]
        assert set(operation["responses"][str(int(endpoint.status))]["content"]) == set(endpoint.produces)
        assert "application/problem+json" in operation["responses"]["401"]["content"]


def test_parameters_are_never_null() -> None:
    """In a query string there is no null, though the model has one."""
    for methods in DESCRIPTION["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                assert isinstance(parameter["schema"]["type"], str)
                assert "anyOf" not in parameter["schema"]


def test_topics_of_a_search_are_the_models() -> None:
    """All of them are told; a document's own passages may be of a model before, and have others."""
    enums = {
        path: parameter["schema"].get("enum")
        for path, methods in DESCRIPTION["paths"].items()
        for parameter in methods.get("get", {}).get("parameters", ())
        if parameter["name"] == "topic"
    }
    asked = DESCRIPTION["components"]["schemas"]["AskRequest"]["properties"]["topic"]["anyOf"]
    assert [each.get("enum") for each in asked] == [["E1", "E3"], None]
    assert enums == {
        "/v1/search": ["E1", "E3"],
        "/v1/documents": None,
        "/v1/exports": None,
        "/v1/initiatives": None,
        "/v1/documents/{id}/passages": None,
        "/v1/documents/{id}/passages/{index}/similar": None,
        "/v1/figures": None,
    }


@given(
    st.lists(
        st.text(max_size=8) | st.sampled_from(["\x1c", "\u3000", "a" * 6, "a" * 7]), min_size=1, max_size=4
    )
)
@budget(max_examples=300)
def test_texts_are_accepted_as_described(texts: list[str]) -> None:
    """The description and the check agree on what is blank, too long and too many."""
    schema = text_schema(SETTINGS)
    # JSON Schema leaves \S to the regular expressions at hand; ours are Python's.
    described = len(texts) <= 3 and all(
        1 <= len(text) <= 6 and re.search(str(schema["pattern"]), text) for text in texts
    )
    try:
        check_texts(texts, SETTINGS)
    except Problem:
        assert not described
    else:
        assert described
    body = DESCRIPTION["components"]["schemas"]["AnalyzeRequest"]["properties"]["texts"]
    assert (body["items"], body["maxItems"], body["minItems"]) == (schema, 3, 1)


def test_a_document_is_shown_as_described() -> None:
    """From the moment it is claimed: a new document has every field that the description demands."""
    moment = datetime.now(UTC)
    event = UploadEvent(bucket="b", name="n.pdf", generation=2**62, event_type="OBJECT_FINALIZE", size=1)
    claimed = claim(None, event, "0" * 24, Arrival(moment, moment, "holder", 60.0))
    assert claimed is not None
    shown = document_view(claimed.model_dump())
    assert tuple(shown) == FIELDS
    validator("DocumentView").validate(shown)
    with pytest.raises(jsonschema_rs.ValidationError):
        validator("DocumentView").validate(shown | {"state": "gone"})


def test_a_passage_is_shown_as_described() -> None:
    """What is stored beside the result stays inside."""
    result = PassageResult(
        index=0,
        page=None,
        row=3,
        span=(0, 4),
        text="Text",
        sentiment=Sentiment(label="neutral", scores={"positive": 0.2, "neutral": 0.5, "negative": 0.3}),
        topics=[TopicScore(name="E1", score=0.9)],
        action=Action(label="none", scores={"implemented": 0.1, "planned": 0.1, "none": 0.8}),
        figures=[],
    )
    stored = result.model_dump(mode="json", exclude={"embedding"}) | {"document": "d", "run": 1, "model": "m"}
    shown = passage_view(stored)
    validator("PassageResult").validate(shown)
    assert "model" not in shown
    assert passage_view(stored | {"embedding": (0.5, 0.5)})["embedding"] == [0.5, 0.5]


def test_a_problem_is_shown_as_described() -> None:
    """With and without faults."""
    problem = invalid([Fault(detail="is wrong", parameter="q")])
    for body in (problem.body(), Problem(problem.status, "x", "y").body()):
        validator("ProblemDocument").validate(json.loads(body))
