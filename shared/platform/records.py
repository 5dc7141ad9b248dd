"""The shapes that cross a boundary: messages, artefacts, stored results, command output.

Fields are added, never renamed. Firestore stores these shapes as they are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

State = Literal[
    "received", "extracting", "analyzing", "delegated", "completed", "rejected", "failed", "superseded"
]
TERMINAL: frozenset[State] = frozenset({"completed", "rejected", "failed", "superseded"})
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
"""For people; a taxonomy of one's own has codes without names here."""

LANGUAGES: frozenset[str | None] = frozenset({"en", None})
"""Which the model's heads were trained on; None: a passage too short to tell is read as if it were."""

FACTS = (
    "media_type", "language", "title", "organisation", "year", "pages", "ocr_pages", "recognised",
    "members", "passages", "tokens", "warnings",
)  # fmt: skip
"""What a document's record says of its file."""
ARCHIVE = "headrace-archive"
"""Metadata of an archive's member: the archive's document."""


class Record(BaseModel):
    """Immutable; unknown fields are refused, so that a misspelt field fails where it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Recognition(Record):
    """A page whose text was recognised, not read."""

    page: PositiveInt
    confidence: float
    """From 0 to 1: the mean over the page's characters."""


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
    """Of a data row: what the file itself says of it, in a label or rating column; redacted."""
    language: str | None = None
    """ISO 639-1; None where it cannot be told."""


class Figure(Record):
    """An amount, percentage, year or quantity named in a passage."""

    kind: Literal["amount", "percentage", "year", "quantity"]
    value: float
    unit: str | None
    """ISO currency code, "%", "year", or the unit as normalised (t, kg, kWh, MWh, m3, km, people …)."""
    text: str
    """As it stands in the passage."""


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
    sentiment: Sentiment | None
    """None where the model does not know the language: then no topic is told either, and no action."""
    topics: list[TopicScore]
    """Best first; empty where no topic reaches its threshold."""
    action: Action | None
    figures: list[Figure]
    truncated: bool = False
    """True where the text was longer than the model's window."""
    embedding: list[float] | None = None
    """384 floats, unit length."""
    space: str | None = None
    """Which embeddings this one can be compared with: those of the same `Manifest.space`."""


def is_initiative(result: PassageResult) -> bool:
    """A passage with a topic and an action: the unit that researchers count."""
    return bool(result.topics) and result.action is not None and result.action.label != "none"


class SummarySentence(Record):
    """A sentence of the summary and the page it stands on."""

    page: PositiveInt | None
    text: str


class ErrorInfo(Record):
    """What a person is told about a document that did not complete."""

    code: str
    message: str
    hint: str


class Progress(Record):
    """How far the long job is with a document."""

    unit: Literal["pages", "passages"]
    """Pages are recognised first, where that is needed; then passages are analysed."""
    done: NonNegativeInt
    total: NonNegativeInt
    rate: float | None = None
    """Units a second, over what this execution has done so far."""
    eta_seconds: float | None = None


class Source(Record):
    """A run whose passages may be copied instead of computed."""

    document: str
    run: PositiveInt


class BatchMessage(Record):
    """Passages [start, end) of a run; `byte_start`/`byte_end` locate their lines in `passages.jsonl`."""

    document: str
    run: PositiveInt
    generation: PositiveInt
    """Of the object: a document that was erased and comes again counts its runs from one."""
    model: str
    batch: NonNegativeInt
    lanes: PositiveInt
    """Whoever takes this batch up publishes batch + lanes first."""
    start: NonNegativeInt
    end: PositiveInt
    byte_start: NonNegativeInt
    byte_end: PositiveInt
    source: Source | None = None
    artefact: str | None = None
    """Where its run's passages lie, with a slash at its end; None: `place` says where they lay once."""

    @property
    def place(self) -> str:
        """Where its run's passages lie."""
        return self.artefact or f"runs/{self.document}/{self.run}/"


class UploadEvent(Record):
    """The part of a Cloud Storage notification that ingest needs."""

    bucket: str
    name: str
    generation: PositiveInt
    event_type: str
    content_type: str | None = None
    size: NonNegativeInt
    metadata: dict[str, str] = Field(default_factory=dict)
    restart_run: PositiveInt | None = None
    """The run that this event replaces by a new one: a replay, or a run met by another model."""


class ResultMessage(Record):
    """Published to `results` when a run ends; consumers dedupe on document and run."""

    document: str
    run: PositiveInt
    bucket: str
    name: str
    generation: str
    state: State
    model: str | None
