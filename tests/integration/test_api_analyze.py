"""POST /v1/analyze answers what the model says, for one caller as for many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.inference.engine import Engine
from tests.integration.api_server import MODEL

if TYPE_CHECKING:
    from tests.integration.api_server import ApiServer

TEXTS = [
    "We cut the greenhouse gas emissions of our mills by 31% between 2019 and 2025.",
    "Two contractors died when a crane collapsed at the northern plant.",
    "By 2030 every supplier will be audited for forced labour.",
    "The annual meeting takes place in the town hall.",
    "Grüße aus Zürich: unsere Kunden sind zufrieden. 🙂",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(MODEL)


def test_each_text_is_answered_in_its_place(api: ApiServer, engine: Engine) -> None:
    """The same as the engine says of the same texts in this process, and no embeddings unasked."""
    answer = api.analyze(*TEXTS)
    assert answer.status == 200
    assert answer.json["model"] == engine.digest
    outputs = engine.run(TEXTS)
    for row, result in enumerate(answer.json["results"]):
        assert list(result) == [
            "sentiment", "topics", "action", "salience", "initiative", "initiative_score", "figures",
            "truncated",
        ]  # fmt: skip
        assert result["salience"] == pytest.approx(outputs.salience[row, 0], abs=1e-3)
        scores = [result["sentiment"]["scores"][label] for label in engine.manifest.sentiments]
        assert scores == pytest.approx(outputs.sentiment[row].tolist(), abs=1e-3)
        assert (
            result["sentiment"]["label"] == engine.manifest.sentiments[int(outputs.sentiment[row].argmax())]
        )
        actions = [result["action"]["scores"][label] for label in engine.manifest.actions]
        assert actions == pytest.approx(outputs.action[row].tolist(), abs=1e-3)


def test_a_figure_that_rose_for_the_worse_is_negative(api: ApiServer) -> None:
    """Though the model alone takes it for good news, at .6."""
    [result] = api.analyze("The number of accidents at work rose to 43.").json["results"]
    assert result["sentiment"]["label"] == "negative"


def test_figures_of_a_text_have_their_meaning(api: ApiServer) -> None:
    """Number, unit and topic; what is no number has none."""
    one, none = api.analyze("In 2023 we emitted 4,100 t CO2 at our works.", "Nobody was hurt.").json[
        "results"
    ]
    assert [(each["value"], each["unit"]) for each in one["figures"]] == [(4100.0, "tCO2e")]
    assert none["figures"] == []


def test_embeddings_where_they_are_asked_for(api: ApiServer, engine: Engine) -> None:
    """One of unit length for each text."""
    results = api.analyze(*TEXTS, embeddings=True).json["results"]
    vectors = np.array([result["embedding"] for result in results])
    assert vectors.shape == (len(TEXTS), engine.manifest.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)
    assert np.einsum("nd,nd->n", vectors, engine.run(TEXTS).embedding) == pytest.approx(1, abs=1e-3)


def test_a_long_text_is_cut_and_says_so(api: ApiServer) -> None:
    """Beyond the model's window a text is not read."""
    results = api.analyze("Water. " * 1000, "Water.").json["results"]
    assert [result["truncated"] for result in results] == [True, False]


@pytest.mark.parametrize(
    ("texts", "pointers"),
    [
        (["a", " \n"], ["#/texts/1"]),
        (["a" * 10_001, "b", ""], ["#/texts/0", "#/texts/2"]),
        (["a"] * 257, ["#/texts"]),
        ([], ["#/texts"]),
    ],
)
def test_texts_that_cannot_be_read_are_named(api: ApiServer, texts: list[str], pointers: list[str]) -> None:
    """422 with the index of each."""
    answer = api.analyze(*texts)
    assert answer.status == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == pointers


def test_as_many_texts_as_are_allowed(api: ApiServer) -> None:
    """256 at once, in order: each is recognised by its topic."""
    pair = ("Our water withdrawal fell by a tenth.", "The board adopted an anti-corruption code of conduct.")
    results = api.analyze(*pair * 128).json["results"]
    topics = [{topic["name"] for topic in result["topics"]} for result in results]
    assert len(topics) == 256
    assert all("E3" in found and "G1" not in found for found in topics[::2])
    assert all("G1" in found and "E3" not in found for found in topics[1::2])


def test_an_answer_does_not_depend_on_its_company(api: ApiServer) -> None:
    """Requests that share a pass of the model are not mixed up, and each is answered as if it were alone."""
    texts = [f"{text} ({number})" for number in range(12) for text in TEXTS]

    def analyzed(text: str) -> Any:
        [result] = api.analyze(text, embeddings=True).json["results"]
        return [*result["embedding"], *result["sentiment"]["scores"].values()]

    alone = np.array([analyzed(text) for text in texts])
    with ThreadPoolExecutor(16) as pool:
        together = np.array(list(pool.map(analyzed, texts)))
    assert together == pytest.approx(alone, abs=1e-3)
    assert len(np.unique(alone.round(4), axis=0)) == len(texts)
