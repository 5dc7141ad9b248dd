"""What Firestore keeps of a digest beside what is shown of it."""

from __future__ import annotations

from pydantic import AwareDatetime, Field, NonNegativeInt

from shared.digests.records import Digest, Sorted
from shared.platform.records import Record, SentimentLabel

RULES = 2
"""By which plans are followed; another number where the same documents make another list of them."""


class Statistics(Record):
    """What later windows need of this one: sums over its documents, which can be added up.

    A document is the unit of the test, because passages of one document are not independent of each other:
    with x the passages of a measure and n those it is a share of, a document adds x, n, x², x·n and n².
    """

    documents: NonNegativeInt = 0
    passages: NonNegativeInt = 0
    sentiment: Sorted[SentimentLabel, NonNegativeInt] = Field(default_factory=dict)
    topics: Sorted[str, NonNegativeInt] = Field(default_factory=dict)
    sums: Sorted[str, list[int]] = Field(default_factory=dict)
    """By measure: [documents with n > 0, Σx, Σn, Σx², Σx·n, Σn²]."""


class StoredDigest(Record):
    """`digests/{id}`: a digest, and what belongs to it but is not shown."""

    digest: Digest
    schedule: str
    """The digest's, to be asked for."""
    end: AwareDatetime
    """Of its window; the same."""
    statistics: Statistics
    asked: str
    """Fingerprint of the filter: windows of the same schedule and filter can be compared."""
    rules: int = 1
    """`RULES` when it was made: by others, what became of plans is not found again."""
    redacted: bool = False
    """Whether quotes were taken out since, because their documents were erased."""
    erased: list[str] = Field(default_factory=list)
    """Ids of those documents: why its counts cannot be found again."""
    quoted: list[str]
    """Ids of the documents that it names, so that an erasure finds it."""
    html: str
    """gs:// address; beside it lie the same name with .json and .md."""
    reads: NonNegativeInt
    """Documents that were read from Firestore to make it."""
    seconds: float
    """Of making it."""
    made_at: AwareDatetime
