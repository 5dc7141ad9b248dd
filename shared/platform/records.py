"""The shapes that cross a boundary: messages, artefacts, stored results, command output.

Fields are added, never renamed. Firestore stores these shapes as they are.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    WrapSerializer,
    model_validator,
)

from shared.platform.tables import Box, Figure, PassageKind, Table

State = Literal[
    "received", "extracting", "analyzing", "delegated", "completed", "rejected", "failed", "erasing"
]
"""State of a document. `received` is what people are shown of a file before its document is known."""
RunState = State | Literal["superseded"]
TERMINAL: frozenset[State] = frozenset({"completed", "rejected", "failed", "erasing"})
SentimentLabel = Literal["positive", "neutral", "negative"]
ActionLabel = Literal["implemented", "planned", "none"]
SENTIMENTS: tuple[SentimentLabel, ...] = ("positive", "neutral", "negative")
TOPICS = ("E1", "E2", "E3", "E4", "E5", "S1", "S2", "S3", "S4", "G1")
"""ESRS codes, in the order every count and score uses."""
TOPIC_NAMES = {
    "E1": "climate change",
    "E2": "pollution",
    "E3": "water and marine resources",
    "E4": "biodiversity",
    "E5": "resource use and circular economy",
    "S1": "own workforce",
    "S2": "workers in the value chain",
    "S3": "affected communities",
    "S4": "consumers and end-users",
    "G1": "business conduct",
}
"""Names for people; another taxonomy has codes without names here."""

LANGUAGES: frozenset[str | None] = frozenset({"en", None})
"""Languages that the model's heads were trained on; None: a passage too short to tell is analyzed too."""

ARCHIVE = "headrace-archive"
"""Metadata of an archive's member: the archive's document."""
INSIDE = "!/"
"""Stands between the names of archive and member, as in jar: URLs. With a slash alone, the archive's name
would be an object and a folder, which buckets allow and file systems do not."""

INT64_MAX = 2**63 - 1
"""The largest integer in Firestore and in generations of Cloud Storage. A message with a larger one could
never be committed, and would come again until it has had all its deliveries.
"""
MAX_BUCKET = 222
"""Limit of Cloud Storage on a bucket's name in characters."""
MAX_NAME_BYTES = 1024
"""Limit of Cloud Storage on an object's name in bytes of UTF-8."""
MAX_FIELD_NAME_BYTES = 1500
"""Limit of Firestore on a field's name in bytes."""
MAX_METADATA_BYTES = 8 * 1024
"""Limit of Cloud Storage on an object's metadata in bytes; also used for a content type."""


def _within(most: int) -> AfterValidator:
    def check(text: str) -> str:
        if len(text.encode()) > most:
            raise ValueError(f"must have at most {most} bytes")
        return text

    return AfterValidator(check)


def _storable(metadata: dict[str, str]) -> dict[str, str]:
    """Without names that Firestore has no fields of: who uploads an object may choose any."""
    if sum(len(part.encode()) for pair in metadata.items() for part in pair) > MAX_METADATA_BYTES:
        raise ValueError(f"must have at most {MAX_METADATA_BYTES} bytes")
    return {
        key: value
        for key, value in metadata.items()
        if 0 < len(key.encode()) <= MAX_FIELD_NAME_BYTES and not (key.startswith("__") and key.endswith("__"))
    }


Natural = Annotated[int, Field(ge=0, le=INT64_MAX)]
"""A count or an index that a message carries."""
Number = Annotated[int, Field(ge=1, le=INT64_MAX)]
"""The same from one."""
DOCUMENT_ID = r"^[0-9a-f]{24}$"
DocumentId = Annotated[str, Field(pattern=DOCUMENT_ID)]
ModelDigest = Annotated[str, Field(max_length=64)]


class Record(BaseModel):
    """Immutable; unknown fields are refused, so that a misspelt field fails where it is written."""

    # A process uses few of the records, and building all of their validators takes a tenth of a second.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Recognition(Record):
    """A page whose text was recognised, not read."""

    page: PositiveInt
    confidence: float
    """From 0 to 1: the mean over the page's characters."""


_UNSAID = {each.name: each.default for each in dataclasses.fields(Figure)}


def _said(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value != _UNSAID[name]}


# A lambda, as an annotated result would replace the figure in JSON schemas.
SaidFigure = Annotated[Figure, WrapSerializer(lambda figure, serialize: _said(serialize(figure)))]
"""A figure that is written without the fields that say nothing: a row may have many."""


class Passage(Record):
    """One to a few sentences of a document, as segmentation cut them; a line of `passages.jsonl`."""

    index: NonNegativeInt
    page: PositiveInt | None = None
    row: PositiveInt | None = None
    span: tuple[NonNegativeInt, NonNegativeInt]
    """[start, end) in the document's redacted text, in code points; `text[start:end] == passage.text`."""
    text: Annotated[str, Field(min_length=1)]
    tokens: PositiveInt
    """Word pieces, the two special tokens included."""
    section: str | None = None
    """The heading it stands under, redacted."""
    label: str | None = None
    """Label or rating of a data row, as the file states it; redacted."""
    language: str | None = None
    """ISO 639-1; None if unknown."""
    kind: PassageKind = "text"
    box: Box | None = None
    """Where it stands on its page, if the format has pages."""
    table: NonNegativeInt | None = None
    """Which of the document's tables the row is of, counted from 0."""
    figures: list[SaidFigure] = Field(default_factory=list)
    """Without topic and data point, which the model helps to find."""
    tables: list[Table] = Field(default_factory=list)
    """The tables that begin with this passage."""
    organisation: str | None = None
    """The document's, where the passage has figures: their labels may name it."""


class Sentiment(Record):
    """The likeliest label and the probability of each; scores sum to 1."""

    label: SentimentLabel
    scores: dict[SentimentLabel, float]


class Action(Record):
    """The likeliest label and the probability of each; scores sum to 1."""

    label: ActionLabel
    scores: dict[ActionLabel, float]


class TopicScore(Record):
    """A topic above its threshold, with its calibrated probability."""

    name: str
    score: float


class ModelSays(Record):
    """The model's answer for a passage that a person has corrected."""

    sentiment: Sentiment | None
    topics: list[TopicScore]
    action: Action | None
    salience: float | None
    initiative: bool
    initiative_score: float | None
    figures: list[SaidFigure] | None = None
    """None where no figure was corrected."""


class Corrected(Record):
    """What people say of a passage, where that wins over the model."""

    version: PositiveInt
    """Number of the newest correction in force; who corrects the passage can say which one was seen."""
    fields: list[str]
    """What people said: `topics`, `action`, `sentiment`, `salience`, `initiative`, `figures`."""
    model_says: ModelSays


class PassageResult(Record):
    """A passage with everything the model says of it: a document of `documents/{id}/passages`."""

    index: NonNegativeInt
    page: PositiveInt | None
    row: PositiveInt | None
    span: tuple[NonNegativeInt, NonNegativeInt]
    text: str
    section: str | None = None
    label: str | None = None
    language: str | None = None
    kind: PassageKind = "text"
    box: Box | None = None
    table: NonNegativeInt | None = None
    sentiment: Sentiment | None
    """None, as topics and action, if the model does not know the language; of what is no text there are
    topics alone."""
    topics: list[TopicScore]
    """Best first; empty where no topic reaches its threshold."""
    action: Action | None
    salience: float | None = None
    """How much it matters to an analyst, from 0 (skip it) to 3 (surely in a brief of one page); of table rows
    too. None if the model does not know the language, or does not say it."""
    initiative: bool = False
    """Whether an analyst would list it as an initiative: something done, or planned. Only text is one."""
    initiative_score: float | None = None
    """Probability of that; the model's manifest has the threshold. None for what is no text, too."""
    figures: list[SaidFigure]
    truncated: bool = False
    """True where the text was longer than the model's window."""
    embedding: list[float] | None = None
    """384 floats, unit length."""
    space: str | None = None
    """Which embeddings this one can be compared with: those of the same `Manifest.space`."""
    corrected: Corrected | None = None
    """Set where people corrected or confirmed it: the labels are theirs, with probabilities of 0 and 1."""


class JudgedSentence(Record):
    """A sentence on its own, with its place and what the model says of it."""

    # Earlier versions stored fields that are gone.
    model_config = ConfigDict(frozen=True, extra="ignore")

    index: NonNegativeInt
    """Number of the passage in its document."""
    page: PositiveInt | None
    row: PositiveInt | None = None
    text: str
    topics: list[str]
    action: ActionLabel
    negative: float
    """Probability."""
    positive: float
    """Probability."""
    salience: float | None = None
    """How much it matters to an analyst, from 0 to 3; None if the model does not say it."""
    initiative: bool = False
    """Whether an analyst would list it as an initiative."""
    initiative_score: float | None = None
    """Probability of that; None if the model does not say it."""


class ListedSentence(Record):
    """A sentence of a list, such as a document's incidents."""

    index: NonNegativeInt
    """Number of the passage in its document."""
    page: PositiveInt | None
    row: PositiveInt | None
    text: str
    topics: list[str]
    action: ActionLabel
    salience: float | None
    """How much it matters to an analyst, from 0 to 3; None if the model does not say it."""
    sure: float
    """Probability that it is what the list says."""
    score: float
    """From 0 to 1: what the list is sorted by."""


class SummarySentence(Record):
    """A sentence of the summary and the page it stands on."""

    page: PositiveInt | None
    text: str


class ErrorInfo(Record):
    """The reason that a document did not complete, for people."""

    code: str
    message: str
    hint: str


class Progress(Record):
    """Progress of the long job on a document."""

    unit: Literal["pages", "passages"]
    """Pages are recognized first, if needed; then passages are analyzed."""
    done: NonNegativeInt
    total: NonNegativeInt
    rate: float | None = None
    """Units a second, over what this execution has done so far."""
    eta_seconds: float | None = None


class Source(Record):
    """A run whose passages may be copied instead of computed."""

    document: DocumentId
    run: Number


class BatchMessage(Record):
    """Passages [start, end) of a run; `byte_start`/`byte_end` locate their lines in `passages.jsonl`."""

    document: DocumentId
    run: Number
    generation: Number
    """Generation of the object: a document that was erased and comes again counts its runs from one."""
    model: ModelDigest
    batch: Natural
    lanes: Number
    """Whoever takes this batch up publishes batch + lanes first."""
    start: Natural
    end: Number
    byte_start: Natural
    byte_end: Number
    source: Source | None = None
    artefact: Annotated[str, _within(MAX_NAME_BYTES)]
    """Where its run's passages lie, with a slash at its end."""

    @model_validator(mode="after")
    def _holds_passages(self) -> Self:
        if not (self.start < self.end and self.byte_start < self.byte_end):
            raise ValueError("a batch holds at least one passage")
        return self


class UploadEvent(Record):
    """The part of a Cloud Storage notification that ingest needs."""

    bucket: Annotated[str, Field(min_length=1, max_length=MAX_BUCKET)]
    name: Annotated[str, Field(min_length=1), _within(MAX_NAME_BYTES)]
    generation: Number
    event_type: Annotated[str, Field(max_length=64)]
    content_type: Annotated[str, _within(MAX_METADATA_BYTES)] | None = None
    size: Natural
    metadata: Annotated[dict[str, str], AfterValidator(_storable)] = Field(default_factory=dict)
    restart_run: Number | None = None
    """The run that this event replaces by a new one: a replay, or a run met by another model."""


class AnnouncedFigure(Record):
    """A value of an ESRS data point, without any words of the document."""

    datapoint: str
    value: float
    unit: str | None
    period: str | None
    page: PositiveInt | None
    confidence: float


class ResultMessage(Record):
    """Published to `results` when a run ends; consumers dedupe on document and run."""

    document: str
    run: PositiveInt
    bucket: str
    name: str
    generation: str
    state: State
    model: str | None
    organisation: str | None = None
    year: PositiveInt | None = None
    """The year that the document reports on."""
    initiatives: NonNegativeInt = 0
    """Passages that are one."""
    incidents: NonNegativeInt = 0
    """Sentences that the document's record lists as incidents."""
    datapoints: list[AnnouncedFigure] = Field(default_factory=list)
    """The surest figures with a data point, as they follow each other in the document."""
