"""What a batch leaves for completion: counts, and the sentences that may stand for it.

Everything is an integer or is taken over unchanged, and no sentence is dropped for the sake of others of its
batch. So the whole is the same in any order of the batches and however the document was divided into them:
by size, or because a function's time was up.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING, get_args

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from shared.platform.records import TOPICS, ActionLabel, Record, SentimentLabel, is_initiative
from shared.text.summary.quality import best_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.platform.records import PassageResult

MAX_CANDIDATES = 2_048
"""Of a document. A candidate takes up to a kilobyte in its batch's record, three in memory."""

_MAX_NEGATIVE = 256
"""Of these, the places for bad news."""
_LEVELS = 127  # of a component's magnitude, in eight bits


class Candidate(Record):
    """A sentence that may enter the summary, with what is known of its passage."""

    index: NonNegativeInt
    page: PositiveInt | None
    row: PositiveInt | None = None
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
    actions: dict[str, PositiveInt] = Field(default_factory=dict)
    """Of these, by action."""
    cells: dict[str, dict[str, PositiveInt]] = Field(default_factory=dict)
    """Passages by topic, and in it by sentiment and by action; those of no action are not counted."""
    centre: str = ""
    """Base64 of 384 little-endian 32-bit integers: the sum of all passages' quantised embeddings."""
    candidates: list[Candidate] = Field(default_factory=list)
    space: str | None = None
    """Of the embeddings: one model analyses a whole run."""


class Aggregate(Partial):
    """A whole document's results; the candidates in document order."""


def partial(results: Sequence[PassageResult]) -> Partial:
    """Adds up a batch; each result needs its embedding. Topics of another taxonomy are counted as well."""
    sentiment = Counter(result.sentiment.label for result in results if result.sentiment)
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
        initiatives=sum(map(is_initiative, results)),
        actions=_sorted(
            Counter(result.action.label for result in results if is_initiative(result) and result.action)
        ),
        cells=_by_topic(
            Counter(
                (topic.name, label)
                for result in results
                for topic in result.topics
                for label in _labels(result)
            )
        ),
        centre=_encode_sum(sum(vector.astype("<i4") for vector in vectors)) if vectors else "",
        candidates=candidates,
        space=results[0].space if results else None,
    )


def combine(partials: Iterable[Partial]) -> Aggregate:
    """The same aggregate whatever order the partials come in, with `MAX_CANDIDATES` at most."""
    passages = initiatives = 0
    space: str | None = None
    sentiment: Counter[SentimentLabel] = Counter()
    topics: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    cells: Counter[tuple[str, str]] = Counter()
    sums: list[NDArray[np.int32]] = []
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
        if part.centre:
            sums = [sum(sums, decode_sum(part.centre))]
        candidates += part.candidates
        if len(candidates) > 2 * MAX_CANDIDATES:  # what falls out here would in the end
            candidates = _best(candidates)
    return Aggregate(
        passages=passages,
        sentiment={label: sentiment[label] for label in ("positive", "neutral", "negative")},
        topics={name: topics[name] for name in (*TOPICS, *sorted(topics.keys() - set(TOPICS)))},
        initiatives=initiatives,
        actions=_sorted(actions),
        cells=_by_topic(cells),
        centre=_encode_sum(sums[0]) if sums else "",
        candidates=_best(candidates),
        space=space,
    )


def _labels(result: PassageResult) -> list[str]:
    labels: list[str] = [result.sentiment.label] if result.sentiment else []
    if result.action and result.action.label != "none":
        labels.append(result.action.label)
    return labels


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {label: counts[label] for label in sorted(counts)}


def _by_topic(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (topic, label), count in sorted(counts.items()):
        found.setdefault(topic, {})[label] = count
    return found


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
    scores = result.sentiment.scores if result.sentiment else {}
    return Candidate(
        index=result.index,
        page=result.page,
        row=result.row,
        text=sentence.text,
        quality=round(sentence.quality, 3),
        topics=[topic.name for topic in result.topics],
        action=result.action.label if result.action else "none",
        negative=round(scores.get("negative", 0.0), 3),
        positive=round(scores.get("positive", 0.0), 3),
        embedding=base64.b64encode(vector.tobytes()).decode(),
    )


def _best(candidates: list[Candidate]) -> list[Candidate]:
    """The worst news and the best of all, up to the limit; in document order."""
    if len(candidates) > MAX_CANDIDATES:
        bad = sorted((one for one in candidates if one.topics), key=lambda one: (-one.negative, one.index))
        ranked = sorted(candidates, key=lambda one: (-worth(one), one.index))
        kept = {one.index: one for one in bad[:_MAX_NEGATIVE]}
        kept |= {one.index: one for one in ranked[: MAX_CANDIDATES - _MAX_NEGATIVE]}
        candidates = list(kept.values())
    return sorted(candidates, key=lambda one: one.index)


def worth(one: Candidate) -> float:
    """What a sentence is worth regardless of the rest of the document; 0 to 1."""
    return 0.6 * one.quality + 0.2 * bool(one.topics) + 0.2 * (one.action != "none")
