"""`headrace search`: stored passages by meaning, asked of Firestore directly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from cli.results import stored
from shared.documents.search import search as nearest
from shared.inference.engine import Engine
from shared.inference.manifest import read_manifest
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError
from shared.platform.records import TOPIC_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console


def search(
    question: str, *, model: Path, limit: int, topic: str | None, document: str | None
) -> list[dict[str, Any]]:
    """The passages of published runs that are nearest to the question, nearest first.

    Raises:
        HeadraceError: the question is blank, or there is no such document, or the model has no such topic.
        SetupError: there is no model.
    """
    if not question.strip():
        raise HeadraceError('What should be looked for? headrace search "water saved in production"')
    if document is not None:
        document = stored(document)["id"]
    if topic is not None:
        topic = known_topic(topic, read_manifest(model).topics)
    engine = Engine(model)
    hits = nearest(
        firestore_client(),
        engine.run([question]).embedding[0].tolist(),
        space=engine.manifest.space,
        limit=limit,
        topic=topic,
        document=document,
    )
    return [hit.model_dump() for hit in hits]


def known_topic(asked: str, topics: Sequence[str]) -> str:
    """The topic that is meant, in whatever case; of a model that only embeds, any can be.

    Raises:
        HeadraceError: there is none.
    """
    if not topics or asked in topics:
        return asked
    for topic in topics:
        if topic.casefold() == asked.casefold():
            return topic
    known = ", ".join(
        f"{topic} ({TOPIC_NAMES[topic]})" if topic in TOPIC_NAMES else topic for topic in topics
    )
    raise HeadraceError(f"There is no topic {asked!r}; there are: {known}.")


def print_hits(console: Console, hits: list[dict[str, Any]]) -> None:
    """Each hit: its score, its document and page, and its text."""
    if not hits:
        console.print("Nothing was found among the passages that this model has read.")
    for hit in hits:
        where = f"p. {hit['page']}" if hit["page"] else f"row {hit['row']}" if hit["row"] else ""
        facts = "  ".join(filter(None, [hit["name"], where, hit["document"]]))
        console.print(Text.assemble((f"{hit['score']:.2f}  ", "cyan"), (facts, "bright_black")))
        console.print(Padding(Text(hit["text"]), (0, 0, 1, 6)))
