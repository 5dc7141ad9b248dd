"""Search the stored passages by meaning.

Only passages of published runs count. Which run is published is read from the documents after the vector
search, not from a flag on the passages: a flag on thousands of passages could not switch at once, and a
search would see half of two runs. Passages of other runs are few and soon deleted, so fetching more than
asked for and filtering costs little.

The model that read a passage need not be the one that reads the question: a job on a GPU runs the same
encoder in another precision. Their embeddings must be comparable (`Manifest.space`).

Firestore needs vector indexes over the collection group `passages`: (space, embedding), and with a filter
(space, topic_names, embedding), (document, space, embedding), (document, space, topic_names, embedding).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeInt, PositiveInt

from shared.documents.catalogue import Filters, list_documents
from shared.documents.outcomes import organisation_key
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import fields_of
from shared.platform.clients import where
from shared.platform.errors import Missing
from shared.platform.records import Record
from shared.platform.tables import PassageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import firestore

MAX_HITS = 50
MAX_NEAREST = 1000
"""What Firestore returns at most; a search looks no further."""
MARGIN = 2
"""Passages fetched at first for each that is asked for."""
GROWTH = 5
"""How many times as many the next time, where too few of them were of published runs."""
MAX_TOGETHER = 8
"""Documents of an organisation or year that are searched one by one, if there are no more of them."""
SECONDS = 20.0
"""How long Firestore may take for one query."""
_FIELDS = ("document", "run", "index", "page", "row", "kind", "text", "salience")
_JUDGED = (*_FIELDS, "action", "topic_names")
_SHOWN = ("name", "title", "published_run", "organisation", "year")


class Hit(Record):
    """A passage and how near it is."""

    document: str
    name: str
    """The document's name in its bucket."""
    title: str | None
    index: NonNegativeInt
    """Number of the passage in its document."""
    page: PositiveInt | None
    row: PositiveInt | None
    kind: PassageKind
    text: str
    score: float
    """Cosine of the angle between question and passage, from -1 to 1."""
    salience: float | None = None
    """How much it matters to an analyst, from 0 to 3; None if the model does not say it."""


def search(  # noqa: PLR0913 - the filters of a search
    client: firestore.Client,
    question: Sequence[float],
    *,
    space: str,
    limit: int,
    topic: str | None = None,
    document: str | None = None,
    organisation: str | None = None,
    year: int | None = None,
) -> list[Hit]:
    """Return the passages nearest to `question`, nearest first; of those with the same words one.

    Fewer than `limit` where there are no more, or where the 1,000 nearest hold no more of published runs.

    Args:
        client: Firestore.
        question: (n,) floats of unit length.
        space: of the model that made them, from its manifest; other vectors cannot be compared with these.
        limit: 1 to `MAX_HITS`.
        topic: only passages with this topic.
        document: only passages of this document.
        organisation: only of documents of this organisation, compared without case and punctuation.
        year: only of documents that report on this year.
    """
    only = Filters(organisation=organisation, year=year)
    places = [document]
    if document is None and (organisation or year):
        rows = list_documents(client, only, limit=MAX_TOGETHER + 1, fields=("id",)).rows
        if len(rows) <= MAX_TOGETHER:
            places = [row["id"] for row in rows]
    found = [
        hit
        for place in places
        for hit in _within(client, question, limit, {"space": space, "document": place}, topic, only)
    ]
    return _distinct(sorted(found, key=lambda hit: -hit.score))[:limit]


def _within(  # noqa: PLR0913, PLR0917 - what a query names
    client: firestore.Client,
    question: Sequence[float],
    limit: int,
    equal: dict[str, str | None],
    topic: str | None,
    only: Filters,
) -> list[Hit]:
    asked = limit * MARGIN
    while True:
        passages = _nearest(client, question, asked, equal, topic)
        hits = _distinct(_published(client, passages, only))[:limit]
        if len(hits) == limit or len(passages) < asked or asked == MAX_NEAREST:
            return hits
        asked = min(asked * GROWTH, MAX_NEAREST)


def like(
    client: firestore.Client, vector: Sequence[float], *, space: str, document: str, limit: int
) -> list[dict[str, Any]]:
    """Return the passages of a document that are nearest to a vector, of whichever run, nearest first.

    They have their `score`, what the model says of them, and no vector.
    """
    return _nearest(client, vector, limit, {"space": space, "document": document}, None, _JUDGED)


def similar(
    client: firestore.Client, document: str, index: int, *, limit: int, topic: str | None = None
) -> tuple[str, list[Hit]]:
    """Return the text of a passage of a published run, and those nearest to it, without it and its copies.

    Raises:
        Missing: there is no such passage.
    """
    reference = client.collection(DOCUMENTS).document(document)
    run = (reference.get(["published_run"], timeout=SECONDS).to_dict() or {}).get("published_run")
    place = reference.collection(PASSAGES).document(f"{run}-{index}")
    passage = place.get(["text", "space", "embedding"], timeout=SECONDS).to_dict()
    if passage is None or not passage.get("embedding"):
        raise Missing("no_passage", "There is no such passage.", "Take its number from the document.")
    question, space = list(passage["embedding"]), passage["space"]
    hits = search(client, question, space=space, limit=limit + 1, topic=topic)
    own = _words(passage["text"])
    return passage["text"], [hit for hit in hits if _words(hit.text) != own][:limit]


def _distinct(hits: list[Hit]) -> list[Hit]:
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(_words(hit.text), hit)
    return list(first.values())


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _nearest(  # noqa: PLR0913, PLR0917 - what a query names
    client: firestore.Client,
    question: Sequence[float],
    limit: int,
    equal: dict[str, str | None],
    topic: str | None,
    fields: Sequence[str] = _FIELDS,
) -> list[dict[str, Any]]:
    from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
    from google.cloud.firestore_v1.vector import Vector

    query = where(
        client.collection_group(PASSAGES),
        *((field, "==", value) for field, value in equal.items() if value is not None),
        None if topic is None else ("topic_names", "array_contains", topic),
    )
    # Of vectors of unit length the dot product is the cosine, and the cheapest measure. Firestore returns the
    # distance only where the projection names it.
    nearest: Any = query.select([*fields, "score"]).find_nearest(
        "embedding",
        Vector(list(question)),
        limit,
        DistanceMeasure.DOT_PRODUCT,
        distance_result_field="score",
    )
    return [snapshot.to_dict() or {} for snapshot in nearest.get(timeout=SECONDS)]


def _published(client: firestore.Client, passages: list[dict[str, Any]], only: Filters) -> list[Hit]:
    read = fields_of(client, (passage["document"] for passage in passages), _SHOWN, timeout=SECONDS)
    asked = organisation_key(only.organisation)
    documents = {
        identifier: stored
        for identifier, stored in read.items()
        if asked in {None, organisation_key(stored["organisation"])} and only.year in {None, stored["year"]}
    }
    return [
        Hit(
            **{field: passage[field] for field in ("document", "index", "page", "row", "text")},
            kind=passage.get("kind", "text"),
            name=document["name"],
            title=document["title"],
            score=round(passage["score"], 4),
            salience=passage.get("salience"),
        )
        for passage in passages
        if (document := documents.get(passage["document"])) and document["published_run"] == passage["run"]
    ]
