"""A digest's content: one shape for Firestore, JSON, Markdown, HTML and notifications.

Fields are added, never renamed. Lists are bounded where they are made; a digest says what was left out.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, NonNegativeInt, PositiveInt

from shared.platform.records import ActionLabel, Record, SentimentLabel
from shared.platform.tables import Figure

V = TypeVar("V")
K = TypeVar("K", bound=str)
Sorted = Annotated[dict[K, V], AfterValidator(lambda given: dict(sorted(given.items())))]
"""A mapping in the order of its keys: Firestore returns them in another order, and files must not change."""
FollowStatus = Literal["implemented", "planned", "vanished"]


DELIVERIES = "deliveries"
"""Name of the collection under a digest that has its notifications, one for each target."""
NOW = "now"
"""Stands for the schedule of a digest that was asked for; no schedule may have this name."""


class Filter(Record):
    """Which documents, and which of their passages, a digest is about."""

    prefix: str = ""
    """Beginning of the object's name."""
    organisation: str | None = None
    """As documents name it; case and punctuation do not count."""
    topic: str | None = None
    """Only passages with this topic."""
    language: str | None = None
    """ISO 639-1, of the document."""


class Window(Record):
    """A period of time; the end does not belong to it."""

    start: AwareDatetime
    end: AwareDatetime


class Source(Record):
    """A place in a document."""

    document: str
    bucket: str
    name: str
    title: str | None
    page: PositiveInt | None
    row: PositiveInt | None


class Quote(Source):
    """A sentence of a stored passage, and where it stands."""

    organisation: str | None
    year: PositiveInt | None
    """Year that the document reports on."""
    index: NonNegativeInt
    """Position of the passage in its document."""
    text: str
    topics: list[str]
    action: ActionLabel
    negative: float
    """Probability, as `positive`."""
    positive: float
    salience: float | None = None
    """How much it matters to an analyst, from 0 to 3; None if the model did not say it."""
    sure: float | None = None
    """Probability of what it is listed as: bad news, good news or an initiative."""
    figures: list[Figure]
    also: NonNegativeInt = 0
    """Near-duplicates of it that were left out, as far as sentences were compared."""


class Problem(Record):
    """A document that did not complete."""

    document: str
    name: str
    state: Literal["rejected", "failed"]
    code: str
    message: str
    hint: str
    replay: str | None
    """The command that tries again; a rejected document has none."""


class Unfinished(Record):
    """The longest waiting document that came before the window's end and has not ended."""

    document: str
    name: str
    state: str
    seconds: float
    """Since its upload, at the window's end; since its newest run where it has a result from before that."""


class Overview(Record):
    """What became of documents; archives are not counted, their members are."""

    received: NonNegativeInt
    """Uploaded in the window."""
    completed: NonNegativeInt
    copies: NonNegativeInt
    """Completed documents with the content of another one; their passages are not counted again."""
    passages: NonNegativeInt
    rejected: Sorted[str, NonNegativeInt]
    """Number of rejected documents, by code."""
    failed: NonNegativeInt
    problems: list[Problem]
    """Some of those rejected or failed."""
    waiting: NonNegativeInt = 0
    """Not ended, of those that came before the window's end."""
    oldest: Unfinished | None

    @property
    def stopped(self) -> int:
        """Documents that did not complete."""
        return self.failed + sum(self.rejected.values())


class Change(Record):
    """How a share differs from what it was before."""

    against: Literal["previous", "trailing"]
    windows: PositiveInt
    """Windows with passages of which it is a share."""
    documents: NonNegativeInt
    """In those windows."""
    share: float
    """The share before, 0 to 1."""
    difference: float
    """The present share less the one before."""
    p: float | None
    """Probability of such a difference by chance, corrected for all tests; None: too few documents."""
    flagged: bool
    """Whether p is below the level that the digest names."""


class Measure(Record):
    """A share of passages, and its changes."""

    name: str
    """A topic, a sentiment, or a topic of which the share is negative."""
    count: NonNegativeInt
    of: NonNegativeInt
    share: float | None
    """None where `of` is 0."""
    changes: list[Change]


class TopicRow(Record):
    """A topic in the window."""

    name: str
    sentiment: Sorted[SentimentLabel, NonNegativeInt]
    """Passages of the topic."""
    implemented: NonNegativeInt
    planned: NonNegativeInt
    share: Measure
    """Share of all passages that the model judged: it knows some languages."""
    negative: Measure
    """Share of the topic's passages."""


class Point(Record):
    """A window of the trend."""

    window: Window
    documents: NonNegativeInt
    passages: NonNegativeInt
    judged: NonNegativeInt
    """Passages that the model judged, whatever their topic: what the topics are a share of."""
    sentiment: Sorted[SentimentLabel, NonNegativeInt]
    topics: Sorted[str, NonNegativeInt]


class Group(Record):
    """The initiatives of an organisation on a topic; an initiative with two topics counts in both."""

    topic: str
    organisation: str | None
    """Or the title or file name of a document that names none; older digests have None."""
    implemented: NonNegativeInt
    planned: NonNegativeInt
    quotes: list[Quote]


class Followed(Record):
    """What became of something planned in an earlier report of the same organisation."""

    organisation: str
    status: FollowStatus
    """`planned`: it is announced again."""
    similarity: float
    """Cosine between the two; of a plan that has vanished, to what is nearest to it."""
    before: Quote
    now: Quote | None
    """None if it has vanished."""


class Initiatives(Record):
    """Planned beside implemented."""

    implemented: NonNegativeInt
    planned: NonNegativeInt
    groups: list[Group]
    """Those with the initiatives that matter most, the best first."""
    groups_left: NonNegativeInt
    """Number of groups of which none is quoted."""
    followed: list[Followed]
    followed_counts: Sorted[FollowStatus, NonNegativeInt]
    compared: NonNegativeInt
    """Organisations with an earlier report to compare with."""


class Novel(Record):
    """A passage unlike all that was kept of earlier documents."""

    quote: Quote
    similarity: float
    """Cosine to the nearest earlier passage."""


class Reported(Source):
    """A value of a data point as a document reports it."""

    period: str
    value: float
    """In the unit of the data point's change."""
    metric: str
    """Label of the figure in the document."""


class DatapointChange(Record):
    """How a data point of an organisation differs from the newest earlier period."""

    organisation: str | None
    """As a group's; both values are of one document where it is a title or file name."""
    code: str
    """Code of the ESRS data point."""
    name: str
    unit: str | None
    change: float | None
    """Relative to the earlier value, in per cent; None where that is 0."""
    before: Reported
    now: Reported


class Datapoints(Record):
    """Data points of the window's documents beside the newest earlier period."""

    changes: list[DatapointChange] = Field(default_factory=list)
    """The largest relative change first; unchanged ones are not listed."""
    compared: NonNegativeInt = 0
    """Data points with a value of an earlier period, each once an organisation."""
    changed: NonNegativeInt = 0
    organisations: NonNegativeInt = 0
    """Organisations, or documents that name none, with a data point that was compared."""


class NarrativeSentence(Record):
    """A sentence by a language model, and the quotes that it rests on."""

    text: str
    cites: list[Quote]


class Narrative(Record):
    """What a language model wrote about the digest."""

    model: str
    sentences: list[NarrativeSentence]


class Digest(Record):
    """The summary of a window."""

    id: str
    schedule: str
    """Name of the schedule; `now` if the digest was made on the command line without one."""
    zone: str
    """Time zone in which the window is shown."""
    window: Window
    filter: Filter
    line: str
    """The digest in one line; if the window is empty there is no more."""
    overview: Overview
    sentiments: list[Measure]
    topics: list[TopicRow]
    trend: list[Point]
    """Oldest first; the last is this window."""
    test: str
    """How changes were tested."""
    datapoints: Datapoints = Field(default_factory=Datapoints)
    initiatives: Initiatives
    incidents: list[Quote]
    positives: list[Quote]
    novel: list[Novel]
    novel_among: NonNegativeInt
    """Number of earlier documents that passages were compared with."""
    summary: list[Quote]
    narrative: Narrative | None = None
    notes: list[str] = Field(default_factory=list)
    """What was left out, and why."""

    @property
    def empty(self) -> bool:
        """Whether no document came or ended in the window, and none waits."""
        counts = self.overview
        return not (counts.received or counts.completed or counts.stopped or counts.waiting)

    def documents(self) -> list[str]:
        """Return the ids of all documents that the digest names."""
        overview = self.overview
        named = {each.document for each in (*self.sources(), *overview.problems, overview.oldest) if each}
        return sorted(named)

    def sources(self) -> list[Source]:
        """Return every quote of the digest, and every value of a data point."""
        pairs = [(each.before, each.now) for each in self.datapoints.changes]
        return [*self.quotes(), *(value for pair in pairs for value in pair)]

    def quotes(self) -> list[Quote]:
        """Return every quote of the digest."""
        sentences = self.narrative.sentences if self.narrative else []
        return [
            *self.summary,
            *self.incidents,
            *self.positives,
            *(novel.quote for novel in self.novel),
            *(quote for group in self.initiatives.groups for quote in group.quotes),
            *(plan.before for plan in self.initiatives.followed),
            *(plan.now for plan in self.initiatives.followed if plan.now is not None),
            *(quote for sentence in sentences for quote in sentence.cites),
        ]


class ListedDigest(Record):
    """A digest in a list."""

    id: str
    schedule: str
    end: AwareDatetime
    """End of its window."""
    line: str
    """What it says, in a sentence."""
    made_at: AwareDatetime
