"""Requests and responses of the API; the OpenAPI description is made from these models."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from shared.api.requests import Fault, invalid
from shared.digests.records import ListedDigest
from shared.documents.catalogue import Sort
from shared.documents.compare import MAX_SIDES, SIDE
from shared.documents.contents import Format, RowKind
from shared.documents.corrected import Change, Correction
from shared.documents.figures import CURSOR, DocumentTable, KnownFigure
from shared.documents.replay import LETTER_ID
from shared.documents.search import MAX_HITS, Hit
from shared.documents.views import DocumentView
from shared.platform.records import (
    MAX_NAME_BYTES,
    Action,
    ActionLabel,
    DocumentId,
    ErrorInfo,
    PassageResult,
    Record,
    Sentiment,
    SentimentLabel,
    State,
    TopicScore,
)
from shared.platform.tables import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.platform.settings import Settings

MAX_PAGE = 100
MAX_FIGURES = 1_000
"""Figures of a page."""
MAX_TABLES = 50
"""Tables of a page."""
MAX_WORD = 200
"""Limit on an organisation or a unit in characters."""
DIGEST_ID = r"^[a-z][A-Za-z0-9-]{0,99}$"
CATALOGUE_CURSOR = r"^[A-Za-z0-9_-]{1,4000}$"
PLACE = r"^[1-9][0-9]{0,8}-[0-9]{1,9}$"
"""A run, and the number of its last passage or table."""


class Shape(Record):
    """A part of an answer. What checks it is built when it is first used, not in every cold start."""

    model_config = ConfigDict(defer_build=True)


class Query(BaseModel):
    """Parameters of a query string, converted from text to the fields' types."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _whole_number(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise ValueError("must be a whole number")
    return value


def _truth(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value


Truth = Annotated[bool, BeforeValidator(_truth)]
Year = Annotated[int, Field(ge=1, le=9999), BeforeValidator(_whole_number)]
Word = Annotated[str, Field(min_length=1, max_length=MAX_WORD)]
Topic = Annotated[str, Field(min_length=1, max_length=64, description="Code of a topic.", examples=["E1"])]


class AnalyzeRequest(BaseModel):
    """Texts to analyze; types are not coerced, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    texts: list[str] = Field(min_length=1)
    embeddings: bool = Field(default=False, description="Whether to return the vectors too.")


class TextResult(Shape):
    """The result for one text."""

    sentiment: Sentiment
    topics: list[TopicScore]
    """Topics that reach their threshold, best first."""
    action: Action
    salience: float | None = None
    """How much it matters to an analyst, from 0 to 3; None if the model does not say it."""
    initiative: bool
    """Whether an analyst would list it as an initiative."""
    initiative_score: float | None = None
    """Probability of that; None if the model does not say it."""
    figures: list[Figure]
    """Numbers with their meaning."""
    truncated: bool
    """Whether the text is longer than the model's window, so that only its beginning was read."""
    embedding: list[float] | None = None
    """A vector of unit length, if it was asked for."""


class AnalyzeResponse(Shape):
    """One result per text, in the order of the texts."""

    model: str
    """Digest of the model."""
    results: list[TextResult]


class AskRequest(BaseModel):
    """A question; types are not coerced, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    question: str = Field(min_length=1, max_length=500, pattern=r"\S", description="In words.")
    topic: Topic | None = None
    document: DocumentId | None = Field(default=None, description="Only from the document with this id.")
    organisation: Word | None = Field(default=None, description="Only from documents of this organisation.")
    year: int | None = Field(
        default=None, ge=1900, le=2099, description="Only from documents that report on this year."
    )


class Selection(Query):
    """A selection of documents, and their order."""

    state: State | None = None
    organisation: Word | None = Field(default=None, description="Case and punctuation do not count.")
    year: Year | None = Field(default=None, description="The year that it reports on.")
    topic: Topic | None = None
    tag: Word | None = None
    language: str | None = Field(default=None, pattern="^[a-z]{2,8}$", examples=["en"])
    text: Word | None = Field(
        default=None, description="Words, or beginnings of them, of name, title and organisation."
    )
    prefix: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_NAME_BYTES,
        description="Only documents whose name begins so, ordered by name.",
    )
    sort: Sort = "newest"


class DocumentsQuery(Selection):
    """A selection of documents, and a page of it."""

    page_size: Annotated[int, BeforeValidator(_whole_number)] = Field(default=50, ge=1, le=MAX_PAGE)
    page_token: Annotated[str, Field(pattern=CATALOGUE_CURSOR)] | None = Field(
        default=None, description="`next_page_token` of the page before, of the same selection and order."
    )


class ExportQuery(Selection):
    """What to export, and how."""

    format: Format = Field(description="xlsx and jsonl hold everything, csv and parquet one kind of rows.")
    rows: RowKind = Field(default="figures", description="What csv and parquet hold.")
    document: list[DocumentId] = Field(
        default_factory=list,
        max_length=MAX_PAGE,
        description="Only the documents with these ids, instead of a selection; given once for each.",
    )


class ProgressEvent(Shape):
    """Where a document is; what an event of `/v1/documents/{id}/progress` says."""

    document: str
    state: State
    run: int
    published_run: int | None
    done: int
    """Batches, or what the long job counts."""
    total: int | None
    """Null before the document is planned."""
    error: ErrorInfo | None


class InitiativesQuery(Query):
    """A selection of initiatives, and a page of it."""

    topic: Topic | None = None
    action: Literal["implemented", "planned"] | None = None
    organisation: Word | None = Field(default=None, description="Case and punctuation do not count.")
    year: Year | None = Field(default=None, description="The year that its document reports on.")
    page_size: Annotated[int, BeforeValidator(_whole_number)] = Field(default=50, ge=1, le=MAX_PAGE)
    page_token: Annotated[str, Field(pattern=f"^{CURSOR}$")] | None = Field(
        default=None, description="`next_page_token` of the page before."
    )


class Initiative(Shape):
    """An initiative, and the document that it is in."""

    document: str
    name: str
    title: str | None
    organisation: str | None
    year: int | None
    run: int
    passage: PassageResult


class InitiativePage(Shape):
    """Initiatives of published runs, what matters most first."""

    initiatives: list[Initiative]
    """A page may have fewer than asked for although others follow."""
    next_page_token: str | None
    """Null on the last page."""


class CorrectionRequest(RootModel[Annotated[Change, Field(discriminator="kind")]]):
    """What is right of a passage, a figure or a document."""

    model_config = ConfigDict(defer_build=True)


class CorrectionPage(Shape):
    """All corrections of a document, the newest first, with those that were undone."""

    corrections: list[Correction]


class DigestsQuery(Query):
    """A page of digests."""

    schedule: Annotated[str, Field(pattern=DIGEST_ID)] | None = Field(
        default=None, description="Only of the schedule with this name."
    )
    page_size: Annotated[int, BeforeValidator(_whole_number)] = Field(default=20, ge=1, le=MAX_PAGE)
    page_token: Annotated[str, Field(pattern=DIGEST_ID)] | None = Field(
        default=None, description="`next_page_token` of the page before."
    )


class DigestPage(Shape):
    """Digests, by the end of their windows, the last first."""

    digests: list[ListedDigest]
    next_page_token: str | None
    """Null on the last page."""


class DigestRequest(BaseModel):
    """A digest to make now."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    schedule: str | None = Field(
        default=None, pattern=DIGEST_ID, description="Whose filter, zone and window it has."
    )
    days: int | None = Field(
        default=None, ge=1, le=366, description="How far it goes back instead; without a schedule 7."
    )
    end: AwareDatetime | None = Field(
        default=None,
        description="Until when, in the past; now by default. With an end, asking again is the same digest.",
    )


class AskedDigest(Shape):
    """A digest that will be there in a while."""

    id: str


class DocumentPage(Shape):
    """Documents, newest first; by name if a prefix was asked for."""

    documents: list[DocumentView]
    """A page may have fewer than asked for although others follow."""
    next_page_token: str | None
    """Null on the last page. A token stays valid when documents are erased."""


class ErasureQuery(Query):
    """What to erase of a document."""

    with_file: Truth = Field(
        default=False, description="Whether to erase the uploaded file too, in all its versions."
    )


class Erasure(Shape):
    """What was erased of one document, and what stays."""

    id: str
    name: str
    files: int
    """Versions of the uploaded file that were deleted."""
    newer: list[str]
    """Generations of the file that came meanwhile, and stay."""
    digests: list[str]
    """Digests that quoted the document, and no longer do."""
    copies: list[str]
    """Documents of the same content, which stay."""
    stays: list[str]
    """What stays, where, and for how long."""
    kept: str | None
    """What was not erased because it came meanwhile."""


class ErasureReport(Shape):
    """What was erased: the document, and the members of an archive."""

    erased: list[Erasure]


class ReplayRequest(BaseModel):
    """Which documents to begin again."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    documents: Literal["failed"] | Annotated[list[DocumentId], Field(min_length=1, max_length=MAX_PAGE)] = (
        Field(description='Ids, or "failed" for every document that has failed.')
    )


class Replayed(Shape):
    """A document that is begun again."""

    id: str
    name: str
    replaces_run: int


class ReplayReport(Shape):
    """What is begun again."""

    documents: list[Replayed]


class LettersQuery(Query):
    """A page of dead letters."""

    page_size: Annotated[int, BeforeValidator(_whole_number)] = Field(default=50, ge=1, le=MAX_PAGE)
    page_token: Annotated[str, Field(pattern=LETTER_ID)] | None = Field(
        default=None, description="`next_page_token` of the page before."
    )


class PassagesQuery(Query):
    """A selection of passages, and a page of it."""

    topic: Topic | None = None
    sentiment: SentimentLabel | None = None
    action: ActionLabel | None = None
    initiative: Truth | None = Field(default=None, description="Only what is an initiative, or is none.")
    order: Literal["document", "salience"] = Field(
        default="document",
        description="salience: what matters most first; passages without a salience come last.",
    )
    embeddings: Truth = Field(default=False, description="Whether to return the vectors too.")
    page_size: Annotated[int, BeforeValidator(_whole_number)] = Field(default=50, ge=1, le=MAX_PAGE)
    page_token: Annotated[str, Field(pattern=PLACE)] | None = Field(
        default=None, description="`next_page_token` of the page before."
    )


class PassagePage(Shape):
    """Passages of a document's published run, in the order that was asked for."""

    document: str
    run: int | None
    """Null if no run is published; then there are no passages."""
    passages: list[PassageResult]
    next_page_token: str | None
    """Null on the last page."""


class FiguresQuery(Query):
    """A selection of figures, and a page of it."""

    document: DocumentId | None = Field(
        default=None,
        description="Only of the document with this id; otherwise only figures with a data point.",
    )
    organisation: str | None = Field(default=None, min_length=1, max_length=MAX_WORD)
    datapoint: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Code of a data point.",
        examples=["E1-6.scope1"],
    )
    topic: Topic | None = None
    period: str | None = Field(
        default=None,
        pattern=r"^[0-9][0-9A-Z/-]{3,9}$",
        description="A year, which has its parts too, or a part of one.",
        examples=["2023", "2023-H1"],
    )
    unit: str | None = Field(default=None, min_length=1, max_length=MAX_WORD)
    page_size: Annotated[int, BeforeValidator(_whole_number)] = Field(default=100, ge=1, le=MAX_FIGURES)
    page_token: Annotated[str, Field(pattern=f"^{CURSOR}$")] | None = Field(
        default=None, description="`next_page_token` of the page before."
    )


class FigurePage(Shape):
    """Figures of published runs, by document and in its order."""

    figures: list[KnownFigure]
    """A page may have fewer than asked for although others follow."""
    next_page_token: str | None
    """Null on the last page."""


class TablesQuery(Query):
    """A page of a document's tables."""

    page_size: Annotated[int, BeforeValidator(_whole_number)] = Field(default=20, ge=1, le=MAX_TABLES)
    page_token: Annotated[str, Field(pattern=PLACE)] | None = Field(
        default=None, description="`next_page_token` of the page before."
    )


class TablePage(Shape):
    """Tables of a document's published run, in the order of the document."""

    document: str
    run: int | None
    """Null if no run is published; then there are no tables."""
    tables: list[DocumentTable]
    next_page_token: str | None
    """Null on the last page."""


class ComparisonQuery(Query):
    """What to compare."""

    side: list[Annotated[str, Field(max_length=MAX_WORD, pattern=SIDE)]] = Field(
        min_length=2,
        max_length=MAX_SIDES,
        description="Id of a document, or an organisation and a year behind it; given once for each side.",
        examples=[["Tarnholm Fibre 2024", "Tarnholm Fibre 2025"]],
    )


class SearchQuery(Query):
    """A question, and what to search."""

    q: str = Field(description="What to look for, in words.")
    limit: Annotated[int, BeforeValidator(_whole_number)] = Field(default=10, ge=1, le=MAX_HITS)
    topic: Topic | None = None
    document: DocumentId | None = Field(default=None, description="Only in the document with this id.")
    organisation: Word | None = Field(default=None, description="Only in documents of this organisation.")
    year: Year | None = Field(default=None, description="Only in documents that report on this year.")


class SearchResponse(Shape):
    """Figures, and then passages, nearest first."""

    model: str
    """Digest of the model; only passages that it analyzed can be found."""
    facts: list[KnownFigure]
    """Figures that answer the question, if it names a data point, best first."""
    hits: list[Hit]


class SimilarQuery(Query):
    """How many passages, and on what."""

    limit: Annotated[int, BeforeValidator(_whole_number)] = Field(default=10, ge=1, le=MAX_HITS - 1)
    topic: Topic | None = None


class SimilarResponse(Shape):
    """Passages, nearest first."""

    hits: list[Hit]


def text_schema(settings: Settings) -> dict[str, object]:
    """The JSON Schema of a text that `check_texts` accepts."""
    return {"type": "string", "minLength": 1, "maxLength": settings.api_max_characters, "pattern": r"\S"}


def check_texts(texts: Sequence[str], settings: Settings, place: Literal["texts", "q"] = "texts") -> None:
    """Refuse texts that are blank, too long or too many.

    Raises:
        Problem: 422, with the index of each.
    """
    most = settings.api_max_characters
    if len(texts) > settings.api_max_texts:
        detail = f"There are {len(texts)} texts; at most {settings.api_max_texts} are read at once."
        raise invalid([Fault(detail=detail, pointer="#/texts")])
    faults = []
    for position, text in enumerate(texts):
        pointer, parameter = (f"#/texts/{position}", None) if place == "texts" else (None, place)
        if not text.strip():
            faults.append(Fault(detail="The text is blank.", pointer=pointer, parameter=parameter))
        elif len(text) > most:
            detail = f"The text has {len(text):,} characters; at most {most:,} are read."
            faults.append(Fault(detail=detail, pointer=pointer, parameter=parameter))
    if faults:
        raise invalid(faults)


def check_topic(asked: str | None, topics: Sequence[str]) -> None:
    """Refuse a topic that the model does not know; with a model that only embeds, any is allowed.

    Raises:
        Problem: 422, with the known topics.
    """
    if asked is not None and topics and asked not in topics:
        raise invalid([Fault(detail=f"must be one of {', '.join(topics)}", parameter="topic")])
