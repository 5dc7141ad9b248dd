"""What a document's passages add up to: counts, and the sentences that may be quoted.

Each batch leaves a partial aggregate, the last one combines them.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt

from shared.platform.records import TOPICS, JudgedSentence, Record, SentimentLabel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.platform.records import PassageResult


MAX_CANDIDATES = 2_048
"""Limit per document. A candidate takes up to a kilobyte in its batch's record, three in memory."""
_PLACE = ("index", "page", "row")
_DECIMALS = 3
_LEVELS = 127  # of a component's magnitude, in eight bits


class Candidate(JudgedSentence):
    """A sentence that may be quoted."""

    embedding: str
    """Base64 of 384 signed bytes: the unit vector times 127."""

    @property
    def place(self) -> tuple[int, str]:
        """Which sentence of its document it is: a passage may have several."""
        return self.index, self.text

    @property
    def worth(self) -> float:
        """What it tells a reader, from 0 to 1: how much it matters, its numbers, good or bad news."""
        salience = _MATTERS if self.salience is None else self.salience
        numbers = min(_NUMBERS, len(_DIGITS.findall(self.text)))
        news = max(self.negative, self.positive)
        return (salience + _NUMBER * numbers + _NEWS * news) / (3 + _NUMBER * _NUMBERS + _NEWS)


_MATTERS = 1.0  # where the model does not say how much
_NUMBER, _NUMBERS, _NEWS = 0.2, 3, 0.3  # each of so many, beside a salience from 0 to 3
_DIGITS = re.compile(r"\d[\d.,]*")


class Partial(Record):
    """The results of some passages of prose, added up; a batch's record in Firestore."""

    # Earlier versions stored fields that are gone.
    model_config = ConfigDict(frozen=True, extra="ignore")

    passages: NonNegativeInt = 0
    """Passages of prose: rows of tables, fragments, notes and headings are not counted."""
    sentiment: dict[SentimentLabel, NonNegativeInt] = Field(
        default_factory=lambda: dict.fromkeys(get_args(SentimentLabel), 0)
    )
    topics: dict[str, NonNegativeInt] = Field(default_factory=lambda: dict.fromkeys(TOPICS, 0))
    initiatives: NonNegativeInt = 0
    """Passages that are one."""
    actions: dict[str, PositiveInt] = Field(default_factory=dict)
    """The same by action."""
    cells: dict[str, dict[str, PositiveInt]] = Field(default_factory=dict)
    """Passages by topic, and within it by sentiment, and initiatives by action."""
    candidates: list[Candidate] = Field(default_factory=list)
    space: str | None = None
    """Space of the embeddings: one model analyzes a whole run."""


class Aggregate(Partial):
    """Results of a whole document; the candidates in document order."""


def partial(of_batch: Sequence[PassageResult], candidates: Sequence[Candidate] = ()) -> Partial:
    """Add up a batch, which has these candidates. Unknown topics are counted as well.

    Only prose counts: how many rows a table has says little about what a document is on.
    """
    results = [result for result in of_batch if result.kind == "text"]
    sentiment = Counter(result.sentiment.label for result in results if result.sentiment)
    topics = Counter(topic.name for result in results for topic in result.topics)
    return Partial(
        passages=len(results),
        sentiment={label: sentiment[label] for label in ("positive", "neutral", "negative")},
        topics={name: topics[name] for name in (*TOPICS, *sorted(topics.keys() - set(TOPICS)))},
        initiatives=sum(result.initiative for result in results),
        actions=_sorted(
            Counter(result.action.label for result in results if result.initiative and result.action)
        ),
        cells=_by_topic(
            Counter(
                (topic.name, label)
                for result in results
                for topic in result.topics
                for label in _labels(result)
            )
        ),
        candidates=list(candidates),
        space=results[0].space if results else None,
    )


def combine(partials: Iterable[Partial], less: Iterable[Partial] = ()) -> Aggregate:
    """Combine partials, in any order, to one aggregate with `MAX_CANDIDATES` at most.

    The counts of `less`, which the partials hold, are taken off.
    """
    passages = initiatives = 0
    space: str | None = None
    sentiment: Counter[SentimentLabel] = Counter()
    topics: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    cells: Counter[tuple[str, str]] = Counter()
    candidates: list[Candidate] = []
    for part in partials:
        passages += part.passages
        space = space or part.space
        initiatives += part.initiatives
        actions.update(part.actions)
        sentiment.update(part.sentiment)
        topics.update(part.topics)
        for topic, counts in part.cells.items():
            cells.update({(topic, label): count for label, count in counts.items()})
        candidates += part.candidates
        if len(candidates) > 2 * MAX_CANDIDATES:  # what falls out here would in the end
            candidates = _best(candidates)
    for part in less:
        passages -= part.passages
        initiatives -= part.initiatives
        actions.subtract(part.actions)
        sentiment.subtract(part.sentiment)
        topics.subtract(part.topics)
        for topic, counts in part.cells.items():
            cells.subtract({(topic, label): count for label, count in counts.items()})
    return Aggregate(
        passages=passages,
        sentiment={label: sentiment[label] for label in ("positive", "neutral", "negative")},
        topics={name: topics[name] for name in (*TOPICS, *sorted(topics.keys() - set(TOPICS)))},
        initiatives=initiatives,
        actions=_sorted(+actions),
        cells=_by_topic(+cells),
        candidates=_best(candidates),
        space=space,
    )


def _labels(result: PassageResult) -> list[str]:
    labels: list[str] = [result.sentiment.label] if result.sentiment else []
    if result.initiative and result.action and result.action.label != "none":
        labels.append(result.action.label)
    return labels


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {label: counts[label] for label in sorted(counts)}


def _by_topic(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (topic, label), count in sorted(counts.items()):
        found.setdefault(topic, {})[label] = count
    return found


def stand_in(result: PassageResult, text: str) -> Candidate:
    """Return a sentence with what is said of its passage."""
    return candidate(result, text, result, result.embedding or [])


def candidate(
    place: PassageResult,
    text: str,
    says: Any,  # noqa: ANN401 - of the same labels: a `PassageResult`, or a `Reading` of the room above
    embedding: Sequence[float] | NDArray[np.float32],
) -> Candidate:
    """Return a sentence of a passage with its labels and its vector, of unit length."""
    scores = says.sentiment.scores if says.sentiment else {}
    return Candidate(
        **{name: getattr(place, name) for name in _PLACE},
        text=text,
        topics=[topic.name for topic in says.topics],
        action=says.action.label if says.action else "none",
        negative=round(scores.get("negative", 0.0), _DECIMALS),
        positive=round(scores.get("positive", 0.0), _DECIMALS),
        salience=says.salience,
        initiative=says.initiative,
        initiative_score=says.initiative_score,
        embedding=encoded(embedding),
    )


def encoded(embedding: Sequence[float] | NDArray[np.float32]) -> str:
    """Return a unit vector as `Candidate.embedding`."""
    vector = np.rint(np.asarray(embedding, dtype=np.float32) * _LEVELS).clip(-_LEVELS, _LEVELS)
    return base64.b64encode(vector.astype(np.int8).tobytes()).decode()


def vectors(candidates: Sequence[Candidate]) -> NDArray[np.int8]:
    """Return (n, 384) vectors, eight bits a component."""
    parts = [base64.b64decode(one.embedding) for one in candidates]
    return np.frombuffer(b"".join(parts), dtype=np.int8).reshape(len(parts), -1 if parts else 0)


def _best(candidates: list[Candidate]) -> list[Candidate]:
    """Return those that are worth most, up to the limit, in document order."""
    if len(candidates) > MAX_CANDIDATES:
        candidates = sorted(candidates, key=lambda one: (-one.worth, one.place))[:MAX_CANDIDATES]
    return sorted(candidates, key=lambda one: one.place)
