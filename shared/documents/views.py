"""Show documents and passages to readers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field, NonNegativeInt, PositiveInt

from shared.platform.records import (
    ARCHIVE,
    SENTIMENTS,
    TOPICS,
    ErrorInfo,
    ListedSentence,
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
    tags: list[str] = Field(default_factory=list)
    """As stated at upload."""
    facts_from: dict[str, Literal["upload", "document", "name", "person"]] = Field(default_factory=dict)
    """Where title, organisation and year come from; what comes from the file's name is a guess."""
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
    tables: NonNegativeInt | None
    figures: NonNegativeInt | None
    """Numbers with their meaning, in tables and sentences."""
    sentiment: dict[SentimentLabel, NonNegativeInt]
    """Passages by label."""
    topics: dict[str, NonNegativeInt]
    """Passages by topic."""
    initiatives: NonNegativeInt
    """Passages that are one."""
    summary: list[SummarySentence]
    """What matters most first."""
    incidents: list[ListedSentence] = Field(default_factory=list)
    """What went wrong, the gravest and surest first."""
    initiatives_top: list[ListedSentence] = Field(default_factory=list)
    """The initiatives that matter most, and are surest to be some, first."""
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
BROWSER = "https://storage.cloud.google.com"
"""Serves an object to whoever is signed in and may read it."""


def document_view(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored document as a `DocumentView` in JSON types."""
    view = {field: stored.get(field) for field in FIELDS}
    for field in ("ocr_pages", "recognised", "incidents", "initiatives_top"):
        view[field] = view[field] or []
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


def object_link(bucket: str, name: str, page: int | None, storage_host: str | None) -> str:
    """Return an object's address in a browser; viewers of PDF open it at the page.

    `storage_host` is the address of the emulator that serves it; None: Cloud Storage does.
    """
    fragment = f"#page={page}" if page else ""
    if storage_host is None:
        # A browser would resolve "a/../b" and "a//b" before it asks, and ask for another object.
        plain = not {"", ".", ".."} & set(name.split("/"))
        return f"{BROWSER}/{quote(bucket, safe='')}/{quote(name, safe='/' if plain else '')}{fragment}"
    host = storage_host if "://" in storage_host else f"http://{storage_host}"
    path = f"storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
    return f"{host.rstrip('/')}/{path}?alt=media{fragment}"


def quantity(value: float, unit: str | None) -> str:
    """Return a value with its unit as people write it: 1,234.5 tCO2e, 12.5%, EUR 3,200,000."""
    small = value != 0 and abs(value) < 0.001  # noqa: PLR2004 - which four decimals would not show
    number = f"{value:.3g}" if small else f"{value:,.4f}".rstrip("0").rstrip(".")
    if unit is None or unit == "year":
        return number if unit is None else f"{value:.0f}"
    if unit == "%":
        return f"{number}%"
    return f"{unit} {number}" if _is_currency(unit) else f"{number} {unit}"


def _is_currency(unit: str) -> bool:
    return len(unit) == 3 and unit.isascii() and unit.isalpha() and unit.isupper()  # noqa: PLR2004 - ISO 4217
