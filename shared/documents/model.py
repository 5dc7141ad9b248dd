"""The document, its runs, and the leases on it, as Firestore stores them.

A revision of the code that is older than a field leaves that field as it is: it ignores it when it reads, and
writes only what it has changed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, computed_field, model_serializer

from shared.documents.outcomes import organisation_key
from shared.platform.lease import Lease
from shared.platform.records import (
    ARCHIVE,
    TOPICS,
    ErrorInfo,
    ListedSentence,
    Progress,
    Recognition,
    RunState,
    Source,
    State,
    SummarySentence,
)

Generation = Annotated[int, PlainSerializer(str)]
"""Number of an object's version in Cloud Storage. Stored as a string: JSON readers would round the number."""
MAX_PREFIX = 12
"""Characters of a word that lists are filtered by."""
MAX_WORDS = 40
"""Words of a document that lists are filtered by."""
NO_LABELS = {"positive": 0, "neutral": 0, "negative": 0}


class Stored(BaseModel):
    """An immutable record of Firestore."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def altered(self, **changes: Any) -> Self:  # noqa: ANN401 - of each field's own type
        """Return this record with other values in some of its fields, validated.

        Raises:
            TypeError: the record has no such field.
        """
        if unknown := changes.keys() - type(self).model_fields:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return type(self).model_validate(dict(self) | changes)


class _Sparse(Stored):
    """A record in which fields without a value are absent."""

    @model_serializer(mode="wrap")
    def _present(self, serialize: Any) -> dict[str, Any]:  # noqa: ANN401 - pydantic's own handler
        return {name: value for name, value in serialize(self).items() if value is not None}


class Facts(Stored):
    """What reading a file found out about it. Every field is empty while the file has not been read."""

    sha256: str | None = None
    media_type: str | None = None
    language: str | None = None
    title: str | None = None
    organisation: str | None = None
    year: int | None = None
    tags: list[str] = Field(default_factory=list)
    """As stated at upload."""
    facts_from: dict[str, str] = Field(default_factory=dict)
    """Where title, organisation and year come from: "upload", "document", or "name", a guess."""
    pages: int | None = None
    ocr_pages: list[int] = Field(default_factory=list)
    """Pages whose text can only be had by recognising it, and is missing."""
    recognised: list[Recognition] = Field(default_factory=list)
    """Pages whose text was recognised."""
    members: int | None = None
    """Files in an archive, each of which is a document of its own; None: the file is no archive."""
    passages: int | None = None
    tokens: int | None = None
    tables: int | None = None
    figures: int | None = None
    """Numbers with their meaning, in tables and sentences."""
    warnings: list[str] = Field(default_factory=list)


class Timings(_Sparse):
    """When the newest run reached each step, and how long the steps took in seconds."""

    uploaded_at: datetime
    claimed_at: datetime
    planned_at: datetime | None = None
    completed_at: datetime | None = None
    extract_seconds: float | None = None
    infer_seconds: float | None = None
    total_seconds: float | None = None


class Cost(_Sparse):
    """Processor seconds that were measured, and an estimate in US dollars once the run has completed."""

    cpu_seconds: float = 0.0
    usd: float | None = None


class Batches(Stored):
    """How the passages of the newest run are divided."""

    total: int
    passages: int
    model: str
    """Digest of the model that the run is for."""
    artefact: str
    """Prefix of the run's objects in the work bucket, with a slash at its end."""


class Delegation(Stored):
    """The long job's part in a run: why the run is the job's, and the executions that were started for it."""

    why: str
    tasks: int
    model: str
    source: Source | None = None
    """The run whose passages may be copied."""
    ingest_seconds: float = 0.0
    """How long ingest worked on a file that the job reads again, which is billed too."""
    execution: str | None = None
    """Full name of the newest execution; None while none was started."""
    starts: int = 0
    started_at: datetime | None = None
    problem: str | None = None
    """Why Cloud Run refused to start the job."""
    backfill: str | None = None
    """Id of the backfill that began the run."""
    from_run: int | None = None
    """The run that the backfill analyzes again."""


class Recovery(Stored):
    """What the sweep has seen of a run that stood still."""

    attempts: int = 0
    """How often it was set in motion again without any progress since."""
    reached: int = 0
    """How far the run had come at the last look."""
    token: int | None = None
    """Token of the lease at the last look; a greater one shows that a delivery has taken the run over."""


class StatedFacts(Stored):
    """What people say of a document whose file is this one."""

    sha256: str
    values: dict[str, Any]
    """Some of title, organisation, year and tags."""


class Document(Facts):
    """A document: the state of its newest run, and the facts and results of its published one.

    While nothing is published, the facts are those of the newest run. Afterwards they change together with
    `published_run`, when a newer run completes.
    """

    id: str
    bucket: str
    name: str
    size: int
    """Bytes."""
    content_type: str | None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    received_at: datetime
    """When the content of this generation was uploaded."""
    waiting_since: datetime
    """Since when somebody waits for a result; another analysis of what has a result begins a new wait."""
    expires_at: datetime | None = None
    """When the results are to be erased; None: never."""

    run: int
    """Number of the newest run, which fences every transition."""
    generation: Generation
    state: State
    lease: Lease | None = None
    """Held by the delivery that extracts; None in every other state."""
    route: str | None = None
    """Who analyzes the run: `function` or `job`."""
    batches: Batches | None = None
    job: Delegation | None = None
    progress: Progress | None = None
    """The long job's."""
    recovery: Recovery = Recovery()
    error: ErrorInfo | None = None
    timings: Timings
    cost: Cost = Cost()

    corrections: int = 0
    """Number of corrections by people, and of undoings; whoever changes what they change raises it."""
    stated: StatedFacts | None = None

    results_pending: bool = False
    """Whether the end of the newest run is still to be announced."""
    purge_pending: bool = False
    """Whether older runs are still to be deleted from Firestore."""
    stale_artefacts: bool = False
    """Whether older runs are still to be deleted from the work bucket."""

    published_run: int | None = None
    model: str | None = None
    """Digest of the model that analyzed what is shown."""
    duplicate_of: str | None = None
    """The document whose result this one copied, as their content is the same."""
    sentiment: dict[str, int] = Field(default_factory=lambda: dict(NO_LABELS))
    topics: dict[str, int] = Field(default_factory=lambda: dict.fromkeys(TOPICS, 0))
    initiatives: int = 0
    summary: list[SummarySentence] = Field(default_factory=list)
    incidents: list[ListedSentence] = Field(default_factory=list)
    initiatives_top: list[ListedSentence] = Field(default_factory=list)

    @computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation has it
    @property
    def organisation_key(self) -> str | None:
        """What lists compare of the organisation."""
        return organisation_key(self.organisation)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def facets(self) -> list[str]:
        """What a document has several of, for lists: `topic:E1`, `tag:draft`, `word:tarn`.

        Words stand here with all their beginnings from the second character, as Firestore compares whole
        values alone.
        """
        found = words(self.name, self.title, self.organisation)[:MAX_WORDS]
        beginnings = {word[:end] for word in found for end in range(2, min(len(word), MAX_PREFIX) + 1)}
        return [
            *(f"topic:{topic}" for topic, count in sorted(self.topics.items()) if count),
            *(f"tag:{tag}" for tag in sorted({tag.casefold() for tag in self.tags})),
            *(f"word:{part}" for part in sorted(beginnings)),
        ]

    @property
    def archive(self) -> str | None:
        """Id of the archive that the document is a member of."""
        return self.metadata.get(ARCHIVE)

    @property
    def backfill(self) -> str | None:
        """Id of the backfill that began the newest run."""
        return self.job.backfill if self.job else None


class Run(Stored):
    """One run of a document: `documents/{id}/runs/{run}`."""

    run: int
    generation: Generation
    state: RunState
    restarts: int | None = None
    """The run that this one replaces, whose passages it may copy."""
    backfill: str | None = None
    model: str | None = None
    artefact: str | None = None
    duplicate_of: str | None = None
    facts: Facts | None = None
    """What the run's file says; None before it is read."""
    error: ErrorInfo | None = None
    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Seconds:
    """What a step took."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Plan:
    """What was found in a file and decided about it, written when its run starts to be analyzed."""

    facts: Facts
    batches: Batches
    content_key: str
    """Name of the record `contents/{key}`, which names the run that has this content."""
    source: Source | None
    """The run whose passages may be copied."""
    duplicate_of: str | None
    """The document of `source`, where that is another one."""
    seconds: Seconds
    """What reading took."""
    job: Delegation | None = None
    """Set where the long job analyzes the run."""


def words(*texts: str | None) -> list[str]:
    """Return the words of texts, each once, of two characters and more, without case and accents."""
    plain = (unicodedata.normalize("NFKD", text.casefold()) for text in texts if text)
    bare = ("".join(char for char in text if not unicodedata.combining(char)) for text in plain)
    return list(dict.fromkeys(word for text in bare for word in re.findall(r"[^\W_]{2,}", text)))
