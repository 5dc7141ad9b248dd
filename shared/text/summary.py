"""Summarize a document: each batch leaves a partial aggregate, the last one combines them and picks.

The sentences are central, cover all topics, do not repeat each other, and include the bad news.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from shared.platform.records import (
    TOPICS,
    JudgedSentence,
    Record,
    SentimentLabel,
    SummarySentence,
)
from shared.text.quality import GOOD, best_sentence, is_feared, reports_death

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.platform.records import PassageResult


MAX_CANDIDATES = 2_048
"""Limit per document. A candidate takes up to a kilobyte in its batch's record, three in memory."""

_MAX_NEGATIVE = 256
"""Places among these for bad news."""
_LEVELS = 127  # of a component's magnitude, in eight bits


class Candidate(JudgedSentence):
    """A sentence that may enter the summary."""

    embedding: str
    """Base64 of 384 signed bytes: the unit vector times 127."""


class Partial(Record):
    """The results of some passages of prose, added up; a batch's record in Firestore."""

    passages: NonNegativeInt = 0
    """Passages of prose: rows of tables, fragments, notes and headings are not counted."""
    sentiment: dict[SentimentLabel, NonNegativeInt] = Field(
        default_factory=lambda: dict.fromkeys(get_args(SentimentLabel), 0)
    )
    topics: dict[str, NonNegativeInt] = Field(default_factory=lambda: dict.fromkeys(TOPICS, 0))
    initiatives: NonNegativeInt = 0
    """Passages with a topic and an action."""
    actions: dict[str, PositiveInt] = Field(default_factory=dict)
    """The same by action."""
    cells: dict[str, dict[str, PositiveInt]] = Field(default_factory=dict)
    """Passages by topic, and within it by sentiment and by action except none."""
    centre: str = ""
    """Base64 of 384 little-endian 32-bit integers: the sum of all passages' quantised embeddings."""
    candidates: list[Candidate] = Field(default_factory=list)
    space: str | None = None
    """Space of the embeddings: one model analyzes a whole run."""


class Aggregate(Partial):
    """Results of a whole document; the candidates in document order."""


def partial(of_batch: Sequence[PassageResult]) -> Partial:
    """Add up a batch; each result needs its embedding. Unknown topics are counted as well.

    Only prose counts: how many rows a table has says little about what a document is on.
    """
    results = [result for result in of_batch if result.kind == "text"]
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
        centre=_encode_sum(sum(vector.astype("<i4") for vector in vectors)) if vectors else "",
        candidates=candidates,
        space=results[0].space if results else None,
    )


def combine(partials: Iterable[Partial]) -> Aggregate:
    """Combine partials, in any order, to one aggregate with `MAX_CANDIDATES` at most."""
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
        salience=result.salience,
        initiative=result.initiative,
        initiative_score=result.initiative_score,
        embedding=base64.b64encode(vector.tobytes()).decode(),
    )


def _best(candidates: list[Candidate]) -> list[Candidate]:
    """Return the worst news and the best of all, up to the limit, in document order."""
    if len(candidates) > MAX_CANDIDATES:
        bad = sorted((one for one in candidates if one.topics), key=lambda one: (-one.negative, one.index))
        ranked = sorted(candidates, key=lambda one: (-worth(one), one.index))
        kept = {one.index: one for one in bad[:_MAX_NEGATIVE]}
        kept |= {one.index: one for one in ranked[: MAX_CANDIDATES - _MAX_NEGATIVE]}
        candidates = list(kept.values())
    return sorted(candidates, key=lambda one: one.index)


def worth(one: Candidate) -> float:
    """Return what a sentence is worth regardless of the rest of the document; 0 to 1."""
    return 0.6 * one.quality + 0.2 * bool(one.topics) + 0.2 * (one.action != "none")


_SIZES = ((12, 5), (60, 6), (150, 7))  # up to so many passages, so many sentences; 8 beyond
_MOST = 8
_PASSAGES_A_SENTENCE = 2  # a document of few passages gets fewer sentences than 5
_ALIKE = 0.8  # cosine: two sentences say the same
_BAD = 0.5  # probability of negative: more likely than all else

_GRAVITY = 2.0  # of a sentence's probability of being negative, among the bad news
_CENTRALITY, _WORTH, _COVERAGE, _REDUNDANCY = 0.9, 0.8, 1.0, 0.5


@dataclass(frozen=True)
class _Pool:
    """The candidates; functions below name them by their index."""

    candidates: list[Candidate]
    vectors: NDArray[np.float64]
    """(candidates, dimensions), of unit length."""
    weight: dict[str, float]
    """Weight of each topic."""


def summarise(aggregate: Aggregate) -> list[SummarySentence]:
    """Return the sentences that `choose` chooses, as a document's record stores them."""
    return [SummarySentence(page=one.page, text=one.text) for one in choose(aggregate)]


def choose(aggregate: Aggregate) -> list[Candidate]:
    """Return 5 to 8 sentences, in document order; fewer if the document is short.

    Sentences are taken one by one, each time the one that adds most: it is close to the centre of the
    document, reads well on its own, belongs to topics not covered yet (weighted by their share of the
    document) and differs from those taken (maximal marginal relevance, Carbonell and Goldstein 1998).
    People's deaths come first. Then negative sentences on a topic get their share of the document, one at
    least.
    """
    candidates = _distinct(aggregate.candidates)
    if not candidates:
        return []
    embeddings = np.stack([np.frombuffer(base64.b64decode(one.embedding), np.int8) for one in candidates])
    pool = _Pool(candidates, _unit(embeddings.astype(np.float64)), _weights(aggregate.topics))
    centre = _unit(decode_sum(aggregate.centre).astype(np.float64)[None, :])[0]
    base = _CENTRALITY * (pool.vectors @ centre) + _WORTH * np.array([worth(one) for one in candidates])
    size = min(_size(aggregate.passages), len(candidates))
    gravest = _gravest(candidates)
    bad = _bad_news(candidates).union(gravest)
    chosen = _greedy(pool, base, size, gravest)
    share = aggregate.sentiment["negative"] / max(1, aggregate.passages)
    chosen = _with_bad_news(pool, chosen, bad, share)
    return [candidates[at] for at in sorted(chosen)]


def _size(passages: int) -> int:
    most = next((size for limit, size in _SIZES if passages <= limit), _MOST)
    return max(1, min(most, passages // _PASSAGES_A_SENTENCE if passages < 2 * most else most))


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Remove sentences that repeat another word for word."""
    seen: dict[str, Candidate] = {}
    for one in candidates:
        seen.setdefault(re.sub(r"\W+", " ", one.text.lower()), one)
    return list(seen.values())


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def _weights(topics: dict[str, int]) -> dict[str, float]:
    """Return the worth of a topic's first sentence: the root of its share, so that small topics count."""
    total = sum(topics.values()) or 1
    return {name: (count / total) ** 0.5 for name, count in topics.items()}


def _greedy(pool: _Pool, base: NDArray[np.float64], size: int, first: list[int]) -> list[int]:
    """Return the candidates taken, in that order; those in `first` go first."""
    covered: dict[str, int] = {}
    chosen: list[int] = []
    nearest = np.zeros(len(pool.candidates))
    while len(chosen) < size:
        gains = [
            sum(pool.weight.get(name, 0.0) / 2 ** covered.get(name, 0) for name in one.topics[:1])
            for one in pool.candidates
        ]
        score = base + _COVERAGE * np.array(gains) - _REDUNDANCY * nearest
        score[chosen] = -np.inf
        score[nearest >= _ALIKE] = -np.inf
        best = first[len(chosen)] if len(chosen) < len(first) else int(np.argmax(score))
        if not np.isfinite(score[best]):
            break
        chosen.append(best)
        for name in pool.candidates[best].topics:
            covered[name] = covered.get(name, 0) + 1
        nearest = np.maximum(nearest, pool.vectors @ pool.vectors[best])
    return chosen


def _bad_news(candidates: list[Candidate]) -> set[int]:
    """Return the candidates about what went wrong; if none, those about what might."""
    feared = {
        at for at, one in enumerate(candidates) if one.negative >= _BAD and one.topics and one.quality >= GOOD
    }
    return {at for at in feared if not is_feared(candidates[at].text)} or feared


def _gravest(candidates: list[Candidate]) -> list[int]:
    """Return the candidate that reports a death of people most clearly, if there is one."""
    deaths = [
        at
        for at, one in enumerate(candidates)
        if one.topics and one.quality >= GOOD and reports_death(one.text, one.negative, one.positive)
    ]
    return [max(deaths, key=lambda at: (candidates[at].negative, -at))] if deaths else []


def _with_bad_news(pool: _Pool, chosen: list[int], bad: set[int], share: float) -> list[int]:
    """Replace the least of the others until bad news has its share, one sentence at least.

    Each next piece of bad news must differ, and be on a topic without one yet. Its distance from the centre
    does not count: what went wrong seldom is central.
    """
    wanted = max(1, round(share * len(chosen)))
    while True:
        taken = [at for at in chosen if at in bad]
        others = [at for at in chosen if at not in bad]
        kept = [at for at in chosen if at != others[-1]] if others else []  # taken last: it added least
        covered = {name for at in taken for name in pool.candidates[at].topics}
        nearest = (
            (pool.vectors @ pool.vectors[kept].T).max(axis=1) if kept else np.zeros(len(pool.candidates))
        )
        worth_of = {
            at: one.quality
            + _GRAVITY * one.negative
            + max(0.0 if name in covered else pool.weight.get(name, 0.0) for name in one.topics)
            - nearest[at]
            for at, one in enumerate(pool.candidates)
            if at in bad - set(chosen) and nearest[at] < _ALIKE
        }
        if len(taken) >= wanted or not others or not worth_of:
            return chosen
        chosen = [*kept, max(worth_of, key=lambda at: (worth_of[at], -at))]
