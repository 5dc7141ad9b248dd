"""Show documents and passages to readers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, NonNegativeInt, PositiveInt

from shared.platform.records import (
    ARCHIVE,
    SENTIMENTS,
    TOPICS,
    ErrorInfo,
    PassageResult,
    Progress,
    Recognition,
    Record,
    SentimentLabel,
    State,
    SummarySentence,
)


class DocumentView(Record):
    """A document: where it has got to, and what its published run says."""

    id: str
    bucket: str
    name: str
    generation: str
    """Generation of the object in the bucket; a string, as it has 64 bits."""
    state: State
    run: PositiveInt
    published_run: PositiveInt | None
    """The run whose results are shown; null before the first completes."""
    route: str | None
    """Who analyzes it: `function` or `job`."""
    progress: Progress | None = None
    """Progress of the long job."""
    media_type: str | None
    size: NonNegativeInt
    """Bytes."""
    title: str | None
    organisation: str | None
    year: PositiveInt | None
    """The year that the document reports on."""
    language: str | None
    pages: NonNegativeInt | None
    ocr_pages: list[PositiveInt]
    """Pages whose text can only be had by recognising it, and is missing."""
    recognised: list[Recognition] = Field(default_factory=list)
    """Pages whose text was recognised."""
    members: NonNegativeInt | None
    """Members of an archive, each a document of its own."""
    archive: str | None
    """The id of the archive that it is a member of."""
    passages: NonNegativeInt | None
    tokens: NonNegativeInt | None
    sentiment: dict[SentimentLabel, NonNegativeInt]
    """Passages by label."""
    topics: dict[str, NonNegativeInt]
    """Passages by topic."""
    initiatives: NonNegativeInt
    """Passages with a topic and an action."""
    summary: list[SummarySentence]
    warnings: list[str]
    error: ErrorInfo | None
    duplicate_of: str | None
    timings: dict[str, str | float]
    """Moments (RFC 3339) and durations (seconds)."""
    cost: dict[str, float]
    """`cpu_seconds` that were measured, and `usd`: an estimate, of a run that completed."""
    model: str | None
    """Digest of the model."""


FIELDS = tuple(DocumentView.model_fields)
"""The fields of a document object in this order; fields are added, never renamed."""
PASSAGE_FIELDS = tuple(PassageResult.model_fields)


def document_view(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored document as a `DocumentView` in JSON types."""
    view = {field: stored.get(field) for field in FIELDS}
    view["ocr_pages"] = view["ocr_pages"] or []
    view["recognised"] = view["recognised"] or []
    view["archive"] = (stored.get("metadata") or {}).get(ARCHIVE)
    for field, order in (("sentiment", SENTIMENTS), ("topics", TOPICS)):  # Firestore keeps no order of keys
        counts = view[field] or {}
        view[field] = {name: counts.get(name, 0) for name in (*order, *sorted(counts.keys() - set(order)))}
    view["timings"] = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in (stored.get("timings") or {}).items()
    }
    return view


def passage_view(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored passage as a `PassageResult` in JSON types; with its vector if that was read."""
    shown = {field: stored[field] for field in PASSAGE_FIELDS if field in stored}
    if "embedding" in shown:
        shown["embedding"] = list(shown["embedding"])
    return shown
