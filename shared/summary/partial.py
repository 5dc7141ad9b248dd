"""What a batch leaves for completion: counts, and the few sentences that may stand for it.

Everything is an integer or is taken over unchanged, so combining is exact in any order of the batches.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, get_args

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from shared.records import TOPICS, ActionLabel, Record, SentimentLabel
from shared.summary.quality import best_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shared.records import PassageResult

MAX_CANDIDATES = 32
"""Of a partial: 32 sentences of at most MAX_SENTENCE characters with their embeddings stay below 40 kB."""

_TOP_OF_TOPIC = 2
_TOP_OF_NEGATIVE = 4
_LEVELS = 127  # of a component's magnitude, in eight bits


class Candidate(Record):
    """A sentence that may enter the summary, with what is known of its passage."""

    index: NonNegativeInt
    page: PositiveInt | None
    text: str
    quality: float
    """0 to 1: how well the sentence reads on its own."""
    topics: list[str]
    action: ActionLabel
    negative: float
    """Probability."""
    positive: float
    embedding: str
    """Base64 of 384 signed bytes: the unit vector times 127."""


class Partial(Record):
    """The results of some passages, added up; a batch's record in Firestore."""

    passages: NonNegativeInt = 0
    sentiment: dict[SentimentLabel, NonNegativeInt] = Field(
        default_factory=lambda: dict.fromkeys(get_args(SentimentLabel), 0)
    )
    topics: dict[str, NonNegativeInt] = Field(default_factory=lambda: dict.fromkeys(TOPICS, 0))
    initiatives: NonNegativeInt = 0
    """Passages with a topic and an action."""
    centre: str = ""
    """Base64 of 384 little-endian 32-bit integers: the sum of all passages' quantised embeddings."""
    candidates: list[Candidate] = Field(default_factory=list)


class Aggregate(Partial):
    """A whole document's results; the candidates in document order."""


def partial(results: Sequence[PassageResult]) -> Partial:
    """Adds up a batch; each result needs its embedding. Topics of another taxonomy are counted as well."""
    sentiment = Counter(result.sentiment.label for result in results)
    topics = Counter(topic.name for result in results for topic in result.topics)
    vectors = [quantise(result.embedding or []) for result in results]
    candidates = [
        candidate
        for result, vector in zip(results, vectors, strict=True)
        if (candidate := _candidate(result, vector)) is not None
    ]
    return Partial(
        passages=len(results),
        sentiment={label: sentiment[label] for label in ("positive", "neutral", "negative")},
        topics={name: topics[name] for name in (*TOPICS, *sorted(topics.keys() - set(TOPICS)))},
        initiatives=sum(bool(result.topics) and result.action.label != "none" for result in results),
        centre=_encode_sum(sum(vector.astype("<i4") for vector in vectors)) if vectors else "",
        candidates=_best(candidates),
    )


def combine(partials: Iterable[Partial]) -> Aggregate:
    """The same aggregate whatever order the partials come in."""
    parts = list(partials)
    sentiment: Counter[SentimentLabel] = Counter()
    topics: Counter[str] = Counter()
    for part in parts:
        sentiment.update(part.sentiment)
        topics.update(part.topics)
    sums = [decode_sum(part.centre) for part in parts if part.centre]
    return Aggregate(
        passages=sum(part.passages for part in parts),
        sentiment={label: sentiment[label] for label in ("positive", "neutral", "negative")},
        topics={name: topics[name] for name in (*TOPICS, *sorted(topics.keys() - set(TOPICS)))},
        initiatives=sum(part.initiatives for part in parts),
        centre=_encode_sum(sum(sums[1:], sums[0])) if sums else "",
        candidates=sorted((one for part in parts for one in part.candidates), key=lambda one: one.index),
    )


def quantise(embedding: Sequence[float]) -> NDArray[np.int8]:
    """Eight signed bits a component."""
    return np.rint(np.asarray(embedding, dtype=np.float32) * _LEVELS).clip(-_LEVELS, _LEVELS).astype(np.int8)


def decode_sum(centre: str) -> NDArray[np.int32]:
    return np.frombuffer(base64.b64decode(centre), dtype="<i4")


def _encode_sum(total: NDArray[np.int32] | int) -> str:
    return base64.b64encode(np.asarray(total, dtype="<i4").tobytes()).decode()


def _candidate(result: PassageResult, vector: NDArray[np.int8]) -> Candidate | None:
    sentence = best_sentence(result.text)
    if sentence is None:
        return None
    return Candidate(
        index=result.index,
        page=result.page,
        text=sentence.text,
        quality=round(sentence.quality, 3),
        topics=[topic.name for topic in result.topics],
        action=result.action.label,
        negative=round(result.sentiment.scores.get("negative", 0.0), 3),
        positive=round(result.sentiment.scores.get("positive", 0.0), 3),
        embedding=base64.b64encode(vector.tobytes()).decode(),
    )


def _best(candidates: list[Candidate]) -> list[Candidate]:
    """The worst news, the best of each topic, then the best of all, up to the limit; in document order."""
    if len(candidates) <= MAX_CANDIDATES:
        return candidates
    ranked = sorted(candidates, key=lambda one: (-worth(one), one.index))
    bad = sorted((one for one in ranked if one.topics), key=lambda one: (-one.negative, one.index))
    order = [*bad[:_TOP_OF_NEGATIVE]]
    for topic in sorted({name for one in ranked for name in one.topics}):
        order += [one for one in ranked if topic in one.topics][:_TOP_OF_TOPIC]
    chosen: dict[int, Candidate] = {}
    for one in [*order, *ranked]:
        if len(chosen) < MAX_CANDIDATES:
            chosen.setdefault(one.index, one)
    return sorted(chosen.values(), key=lambda one: one.index)


def worth(one: Candidate) -> float:
    """What a sentence is worth regardless of the rest of the document; 0 to 1."""
    return 0.6 * one.quality + 0.2 * bool(one.topics) + 0.2 * (one.action != "none")
