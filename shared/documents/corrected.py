"""What people's corrections make of the model's answers, and the shapes that are stored.

A correction is of a text, not of a run: it is found again by a hash of the passage's text, a figure's also by
its place in that text and its metric. So it holds in every run that has the text.

The record of a batch keeps what the model said, and under `corrected`, by number of the passage, what people
changed of it. A document's counts and lists are always computed from these records, whether its run completes
or a passage of it is corrected: there is no other way for them to come about.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime  # noqa: TC003 - pydantic looks it up
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt, StringConstraints, model_validator

from shared.documents.model import Stored
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.platform.records import (
    SENTIMENTS,
    TOPICS,
    Action,
    ActionLabel,
    Corrected,
    ModelSays,
    PassageResult,
    Record,
    Sentiment,
    SentimentLabel,
    TopicScore,
)
from shared.platform.tables import PassageKind  # noqa: TC001 - pydantic looks it up
from shared.text.summary import Candidate, Partial, partial, stand_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from google.cloud import firestore

    from shared.platform.tables import Figure

F = TypeVar("F", bound="Figure")

COLLECTION = "corrections"
LABELS = ("topics", "action", "sentiment", "salience", "initiative")
"""What a person may say of a passage."""
FACTS = ("title", "organisation", "year", "tags")
"""What a person may say of a document."""
MAX_LINE = 200
"""Characters of a title, an organisation or a tag, as at upload."""
MAX_TAGS = 20
MAX_TOPICS = 10
MAX_BY = 200
"""Characters of who corrects."""
ACTIONS: tuple[ActionLabel, ...] = ("implemented", "planned", "none")
CHECKED_FROM = 1.0
"""Salience from which a passage is worth a person's look."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LINE)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.:-]{0,63}$")]
Who = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_BY)]


class PassageChange(Record):
    """What is right of a passage; labels that are left out stay as they are."""

    kind: Literal["passage"] = "passage"
    run: PositiveInt
    """The run that the person saw, which must still be published."""
    index: NonNegativeInt
    """Number of the passage in it."""
    topics: Annotated[list[Code] | None, Field(max_length=MAX_TOPICS)] = None
    """All that apply, the most important first; empty where none does."""
    action: ActionLabel | None = None
    sentiment: SentimentLabel | None = None
    salience: Annotated[int | None, Field(ge=0, le=3)] = None
    initiative: bool | None = None
    confirm: bool = False
    """Whether topics, action, sentiment and initiative are right as they are, where nothing else is said."""

    @model_validator(mode="after")
    def _says_something(self) -> PassageChange:
        if not self.confirm and all(getattr(self, name) is None for name in LABELS):
            raise ValueError(f"says nothing: give {', '.join(LABELS)}, or confirm")
        if self.topics is not None and len(set(self.topics)) < len(self.topics):
            raise ValueError("names a topic twice")
        return self


class FigureChange(Record):
    """What is right of a figure; fields that are left out stay as they are, and null is a value."""

    kind: Literal["figure"] = "figure"
    run: PositiveInt
    """The run that the person saw, which must still be published."""
    index: NonNegativeInt
    """Number of the figure's passage."""
    at: NonNegativeInt
    """Place of the figure among those of its passage, as `DocumentFigure.at` has it."""
    metric: str
    """The figure's, which tells that it is still this one."""
    value: FiniteFloat | None = None
    unit: Annotated[str, StringConstraints(strip_whitespace=True, max_length=50)] | None = None
    datapoint: Code | None = None
    """Code of the ESRS data point; null: none."""
    not_a_figure: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> FigureChange:
        if not self.fields():
            raise ValueError("says nothing: give value, unit, datapoint, or not_a_figure")
        if "value" in self.model_fields_set and self.value is None:
            raise ValueError("value must be a number; use not_a_figure where there is none")
        return self

    def fields(self) -> dict[str, Any]:
        """Return what is said."""
        if self.not_a_figure:
            return {"not_a_figure": True}
        said = self.model_fields_set & {"value", "unit", "datapoint"}
        return {name: getattr(self, name) or (0.0 if name == "value" else None) for name in sorted(said)}


class DocumentChange(Record):
    """What is right of a document; fields that are left out stay as they are, and null is a value."""

    kind: Literal["document"] = "document"
    title: Line | None = None
    organisation: Line | None = None
    year: Annotated[int | None, Field(ge=1900, le=2099)] = None
    tags: Annotated[list[Line], Field(max_length=MAX_TAGS)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _says_something(self) -> DocumentChange:
        if not self.fields():
            raise ValueError(f"says nothing: give {', '.join(FACTS)}")
        return self

    def fields(self) -> dict[str, Any]:
        """Return what is said."""
        said = {name: getattr(self, name) for name in FACTS if name in self.model_fields_set}
        return said | ({"tags": list(dict.fromkeys(said["tags"]))} if "tags" in said else {})


Change = Annotated[PassageChange | FigureChange | DocumentChange, Field(discriminator="kind")]
"""What a person says is right."""


class Correction(Stored):
    """What a person said, and when: `documents/{id}/corrections/{id}`."""

    id: str
    """The number, of six digits or more."""
    number: PositiveInt
    """Counts all corrections and undoings of the document."""
    kind: Literal["passage", "figure", "document"]
    text_hash: str
    """Hash of the passage's text; for a correction of the document, the SHA-256 of its file."""
    run: PositiveInt
    """The run that the person saw."""
    index: NonNegativeInt | None = None
    """Number of the passage in that run."""
    page: PositiveInt | None = None
    at: NonNegativeInt | None = None
    metric: str | None = None
    fields: dict[str, Any]
    """What is right."""
    was: dict[str, Any] = Field(default_factory=dict)
    """The same fields as they were before."""
    confirms: bool = False
    """Whether nothing changed: a person has looked, and it is right."""
    text: str | None = None
    """The passage's, to learn from."""
    passage: PassageKind | None = None
    """What kind of passage it is; of prose the model learns."""
    language: str | None = None
    by: Who
    made_at: datetime
    undone_by: str | None = None
    undone_at: datetime | None = None

    @property
    def target(self) -> tuple[object, ...]:
        """What it is of: later corrections of the same target win, field by field."""
        return self.kind, self.text_hash, self.at, self.metric


@dataclass(frozen=True)
class Force:
    """What people say of a text, corrections that were undone left out and later ones winning."""

    version: int = 0
    labels: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[tuple[int, str], Mapping[str, Any]] = field(default_factory=dict)
    """What is right of each corrected figure, by place and metric."""
    facts: Mapping[str, Any] = field(default_factory=dict)


def in_force(corrections: Iterable[Correction]) -> dict[str, Force]:
    """Return by `text_hash` what counts."""
    found: dict[str, Force] = {}
    for one in sorted(corrections, key=lambda each: each.number):
        if one.undone_at is not None:
            continue
        force = replace(found.get(one.text_hash, Force()), version=one.number)
        if one.kind == "passage":
            force = replace(force, labels={**force.labels, **one.fields})
        elif one.kind == "document":
            force = replace(force, facts={**force.facts, **one.fields})
        else:
            place = one.at or 0, one.metric or ""
            said = {**force.figures.get(place, {}), **one.fields}
            force = replace(force, figures={**force.figures, place: said})
        found[one.text_hash] = force
    return found


def standing(client: firestore.Client, document: str) -> dict[str, Force]:
    """Return by hash of the text what people say of a document."""
    query = client.collection(DOCUMENTS).document(document).collection(COLLECTION).select(_COUNTING)
    return in_force(Correction.model_validate(each.to_dict()) for each in query.stream())


_COUNTING = tuple(name for name in Correction.model_fields if name not in {"text", "was"})


def text_hash(text: str) -> str:
    """Return 32 hex digits that are the same for texts that differ in white space alone."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:32]


def result_of(stored: Mapping[str, Any]) -> PassageResult:
    """Return a stored passage, with its vector if that was read."""
    fields = {name: stored[name] for name in PassageResult.model_fields if name in stored}
    if fields.get("embedding") is not None:
        fields["embedding"] = list(fields["embedding"])
    return PassageResult.model_validate(fields)


def model_answer(result: PassageResult) -> PassageResult:
    """Return a passage as the model has it."""
    if result.corrected is None:
        return result
    said = dict(result.corrected.model_says)
    if said["figures"] is None:
        del said["figures"]
    return result.model_copy(update={**said, "corrected": None})


def applied(answer: PassageResult, force: Force | None) -> PassageResult:
    """Return a passage as people have it; `answer` is the model's."""
    if force is None or not (force.labels or force.figures):
        return answer
    labels = force.labels
    changed: dict[str, Any] = {}
    if "topics" in labels:
        changed["topics"] = [TopicScore(name=name, score=1.0) for name in labels["topics"]]
    if "action" in labels:
        changed["action"] = Action(label=labels["action"], scores=_certain(labels["action"], ACTIONS))
    if "sentiment" in labels:
        label = labels["sentiment"]
        changed["sentiment"] = Sentiment(label=label, scores=_certain(label, SENTIMENTS))
    if "salience" in labels:
        changed["salience"] = float(labels["salience"])
    if "initiative" in labels:
        changed |= {"initiative": labels["initiative"], "initiative_score": float(labels["initiative"])}
    if force.figures:
        changed["figures"] = fixed(list(enumerate(answer.figures)), force.figures)
    says = {name: getattr(answer, name) for name in ModelSays.model_fields if name != "figures"}
    changed["corrected"] = Corrected(
        version=force.version,
        fields=[*(name for name in LABELS if name in labels), *(["figures"] if force.figures else [])],
        model_says=ModelSays(**says, figures=answer.figures if force.figures else None),
    )
    return answer.model_copy(update=changed)


def fixed(figures: Sequence[tuple[int, F]], said: Mapping[tuple[int, str], Mapping[str, Any]]) -> list[F]:
    """Return figures of one passage, each given with its place, as people have them."""
    found = []
    for place, figure in figures:
        fields = said.get((place, figure.metric))
        if fields is None:
            found.append(figure)
        elif not fields.get("not_a_figure"):
            changes = {name: fields[name] for name in ("value", "unit", "datapoint") if name in fields}
            if topic := topic_of(changes.get("datapoint")):
                changes["topic"] = topic
            found.append(replace(figure, **changes, confidence=1.0))
    return found


def topic_of(datapoint: str | None) -> str | None:
    """Return the topic of a data point, which its code begins with; None: it has none."""
    topic = (datapoint or "").partition("-")[0].partition(".")[0]
    return topic if topic in TOPICS else None


def entry(answer: PassageResult, candidates: Iterable[Candidate], force: Force | None) -> dict[str, Any]:
    """Return what the record of a batch has under `corrected` of a passage's labels; empty: nothing.

    `answer` is the model's, and so are the `candidates`, of this passage.
    """
    if force is None or not force.labels:
        return {}
    shown = applied(answer, force)
    more = partial([shown], rejudged(list(candidates), shown, force.labels))
    return {"less": _dumped(partial([answer])), "more": _dumped(more)}


def figures_entry(force: Force | None) -> dict[str, Any]:
    """Return the same of a passage's figures."""
    if force is None or not force.figures:
        return {}
    places = sorted(force.figures.items())
    return {"figures": [{"at": at, "metric": metric, **fields} for (at, metric), fields in places]}


def rejudged(candidates: list[Candidate], shown: PassageResult, labels: Mapping[str, Any]) -> list[Candidate]:
    """Return the sentences of a passage that may be quoted, as people have it.

    Topics, action and salience are of all of them. That it is an initiative, or good or bad news, is said of
    the likeliest sentence; that it is none, of all.
    """
    from shared.text.standalone import standing_alone

    if not candidates:  # the model saw nothing in it that matters
        alone = standing_alone(shown.text)[:1] if shown.kind == "text" and shown.embedding else []
        return [stand_in(shown, text) for text in alone]
    changes: dict[str, Any] = {name: labels[name] for name in ("topics", "action") if name in labels}
    if "salience" in labels:
        changes["salience"] = float(labels["salience"])
    each: list[dict[str, Any]] = [dict(changes) for _ in candidates]
    places = range(len(candidates))
    if "sentiment" in labels:
        for news in ("negative", "positive"):
            said = labels["sentiment"] == news
            likeliest = max(places, key=lambda at: float(getattr(candidates[at], news)))
            for at in places if not said else [likeliest]:
                each[at][news] = float(said)
    if "initiative" in labels:
        said = labels["initiative"]
        likeliest = max(places, key=lambda at: candidates[at].initiative_score or 0.0)
        for at in places if not said else [likeliest]:
            each[at] |= {"initiative": said, "initiative_score": float(said)}
    return [one.model_copy(update=changes) for one, changes in zip(candidates, each, strict=True)]


def partials(record: Mapping[str, Any]) -> tuple[list[Partial], list[Partial]]:
    """Return what the record of a batch adds up to as people have it, and what is to be taken off of that."""
    parts = [Partial.model_validate(part) for part in record["partials"]]
    changed = {int(index): one for index, one in (record.get("corrected") or {}).items() if one.get("more")}
    if not changed:
        return parts, []
    kept = [
        part.model_copy(update={"candidates": [one for one in part.candidates if one.index not in changed]})
        for part in parts
    ]
    more = [Partial.model_validate(one["more"]) for one in changed.values()]
    return [*kept, *more], [Partial.model_validate(one["less"]) for one in changed.values()]


def fixes(record: Mapping[str, Any]) -> dict[int, dict[tuple[int, str], dict[str, Any]]]:
    """Return what people say of figures, by number of the passage, then by place and metric."""
    return {
        int(index): {(one["at"], one["metric"]): one for one in changed["figures"]}
        for index, changed in (record.get("corrected") or {}).items()
        if changed.get("figures")
    }


def doubts(answer: PassageResult) -> dict[str, float]:
    """Return of each label of a passage the probability that the model is wrong."""
    found = {}
    if answer.topics:
        found["topics"] = 1 - min(topic.score for topic in answer.topics)
    for name in ("action", "sentiment"):
        if says := getattr(answer, name):
            found[name] = 1 - max(says.scores.values())
    if answer.initiative_score is not None:
        found["initiative"] = min(answer.initiative_score, 1 - answer.initiative_score)
    return {name: round(doubt, 3) for name, doubt in found.items()}


def worth_checking(shown: PassageResult) -> float | None:
    """Return how much a passage is worth a person's look, by which the queue of these is in order.

    It is the number of labels that are expected to be wrong, times how much the passage matters. None: it
    matters too little, is no prose, or a person has seen its labels.
    """
    seen = shown.corrected is not None and set(shown.corrected.fields) != {"figures"}
    if seen or shown.kind != "text" or (shown.salience or 0.0) < CHECKED_FROM or not shown.sentiment:
        return None
    return round(sum(doubts(shown).values()) * (shown.salience or 0.0) / 3, 4)


def _certain(label: str, labels: Iterable[str]) -> Any:  # noqa: ANN401 - of the literal type of the labels
    return {each: float(each == label) for each in labels}


def _dumped(part: Partial) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)
