"""How good search is, beside the encoder's original embedding, on questions whose answers were judged.

Those passages were read that were among the ten best of an embedding or of a search for words (BM25). Grade
2: the passage answers the question; 1: it is about the same. All others count as 0.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.accuracy.measures import gain, interval
from benchmarks.accuracy.shipped import run_shipped
from model_export.assemble import embedding_graph
from model_export.graph import Float32
from model_export.run import run_graph
from model_export.sources import load_packaged
from training.passages import digest, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

QUESTIONS = Path(__file__).parent / "data" / "questions.tsv"
_FIRST = 10
_COMPARED = 2000
"""Passages on which the two embeddings are compared."""


class Question(NamedTuple):
    """A question, and the grades of the passages judged, by the hash of their text."""

    text: str
    grades: dict[str, int]


def read_questions(path: Path = QUESTIONS) -> list[Question]:
    """In the file, `answers` are graded 2 and `related` 1."""
    return [
        Question(
            row["question"],
            {
                name: grade
                for grade, column in ((1, "related"), (2, "answers"))
                for name in _names(row[column])
            },
        )
        for row in read_rows(path)
    ]


def _names(cell: str) -> list[str]:
    return cell.split(",") if cell else []


def table(analyses: Sequence[Mapping[str, Any]], model: Path, weights: Path) -> str:
    """Markdown: nDCG over the first ten passages for three ways to search; how near the embeddings are."""
    passages = {
        digest(passage["text"]): passage
        for analysis in analyses
        for passage in analysis["passages"]
        if passage["kind"] == "text"
    }
    questions = read_questions()
    asked = [question.text for question in questions]
    texts = [passage["text"] for passage in passages.values()]
    checkpoint = load_packaged(weights)
    graph = embedding_graph(checkpoint, Float32())
    original = run_graph(graph, checkpoint.tokenizer, texts + asked)[0].astype(np.float64)
    said = run_shipped(model, asked).embedding
    assert said is not None
    shipped = np.array([passage["embedding"] for passage in passages.values()])
    count = len(texts)
    lines = ["| | questions | nDCG@10 | 95% |", "| --- | ---: | ---: | ---: |"]
    for way, scores in {
        "shipped, int8": said @ shipped.T,
        "original, fp32": original[count:] @ original[:count].T,
        "words (TF-IDF)": _words(texts, asked),
    }.items():
        gains = _gains(scores, list(passages), questions)
        low, high = interval(partial(_mean, gains), np.arange(len(gains))) or (0.0, 0.0)
        lines.append(f"| {way} | {len(gains)} | {gains.mean():.3f} | {low:.2f}-{high:.2f} |")
    chosen = np.random.default_rng(0).permutation(count)[:_COMPARED]
    cosines = (original[chosen] * shipped[chosen]).sum(axis=1)
    judged = {name for question in questions for name in question.grades}
    held = len(judged & passages.keys())
    about = f"Over {count:,} passages of {len(analyses)} documents, {held} of the {len(judged)} with a grade."
    low, middle = np.percentile(cosines, 5), cosines.mean()
    near = f"mean {middle:.4f} (goal 0.985), 5th percentile {low:.4f}"
    lines += [
        "",
        about,
        f"Cosine of the shipped embedding to the original, {len(chosen):,} passages: {near}.",
    ]
    return "\n".join(lines)


def _gains(scores: Floats, names: Sequence[str], questions: Sequence[Question]) -> Floats:
    rankings = np.argsort(-scores, axis=1, kind="stable")[:, :_FIRST].tolist()
    return np.array(
        [
            gain([names[place] for place in ranking], question.grades, _FIRST)
            for ranking, question in zip(rankings, questions, strict=True)
        ]
    )


def _mean(gains: Floats, rows: NDArray[np.intp]) -> float:
    return float(gains[rows].mean())


def _words(texts: Sequence[str], asked: Sequence[str]) -> Floats:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(sublinear_tf=True)
    known = vectoriser.fit_transform(texts)
    return np.asarray((vectoriser.transform(asked) @ known.T).toarray())
