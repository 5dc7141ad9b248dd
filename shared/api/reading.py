"""Answer with the model: read texts at once, and search what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared.api.batcher import Batcher
from shared.api.models import AnalyzeResponse, SearchResponse, TextResult, check_texts, check_topic
from shared.documents.figures import facts
from shared.documents.search import search as nearest
from shared.inference.engine import Engine, interpret
from shared.platform.settings import settings
from shared.text.datapoints import assign
from shared.text.directions import corrected
from shared.text.figures import Context, figures_of_text

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.api.models import AnalyzeRequest, SearchQuery

Model = Callable[[], tuple[Engine, Batcher]]
"""Returns the model and the queue before it; the first call may load it."""


def analyze(model: Model, asked: AnalyzeRequest) -> AnalyzeResponse:
    """Return each text's result, in order.

    Raises:
        Problem: 422, a text is blank or too long, or there are too many.
    """
    check_texts(asked.texts, settings())
    engine, batcher = model()
    results = []
    for text, (outputs, row) in zip(asked.texts, batcher.run(asked.texts), strict=True):
        read = interpret(engine.manifest, outputs, row)
        names = [topic.name for topic in read.topics]
        fields: dict[str, Any] = read._asdict() | {
            "sentiment": corrected(read.sentiment, text),
            "figures": assign(figures_of_text(text, Context()), text=text, topics=names),
            "truncated": bool(outputs.truncated[row]),
        }
        if asked.embeddings:
            fields["embedding"] = outputs.embedding[row].tolist()
        results.append(TextResult(**fields))
    return AnalyzeResponse(model=engine.digest, results=results)


def search(client: firestore.Client, model: Model, asked: SearchQuery) -> SearchResponse:
    """Return figures that answer a question, and the passages nearest to it.

    Raises:
        Problem: 422, the question is blank or too long, or the model has no such topic.
    """
    check_texts([asked.q], settings(), "q")
    engine, batcher = model()
    check_topic(asked.topic, engine.manifest.topics)
    [(outputs, row)] = batcher.run([asked.q])
    hits = nearest(
        client,
        outputs.embedding[row].tolist(),
        space=engine.manifest.space,
        limit=asked.limit,
        topic=asked.topic,
        document=asked.document,
        organisation=asked.organisation,
        year=asked.year,
    )
    # Figures are chosen by what the question itself names.
    question = " ".join(str(part) for part in (asked.q, asked.organisation, asked.year) if part)
    known = facts(client, question, topic=asked.topic, document=asked.document)
    return SearchResponse(model=engine.digest, facts=known, hits=hits)
