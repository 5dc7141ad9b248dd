"""Which sentences make the summary: central, of all topics, no two alike, the bad news among them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.platform.records import SummarySentence
from shared.text.summary.partial import decode_sum, worth
from shared.text.summary.quality import GOOD, is_feared, tells_of_death

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.text.summary.partial import Aggregate, Candidate

_SIZES = ((12, 5), (60, 6), (150, 7))  # up to so many passages, so many sentences; 8 beyond
_MOST = 8
_PASSAGES_A_SENTENCE = 2  # a document of few passages gets fewer sentences than 5
_ALIKE = 0.8  # cosine: two sentences say the same
_BAD = 0.5  # probability of negative: more likely than all else

_GRAVITY = 2.0  # of a sentence's probability of being negative, among the bad news
_CENTRALITY, _WORTH, _COVERAGE, _REDUNDANCY = 0.9, 0.8, 1.0, 0.5


@dataclass(frozen=True)
class _Pool:
    """What there is to choose from. Everything below names candidates by their place in it."""

    candidates: list[Candidate]
    vectors: NDArray[np.float64]
    """(candidates, dimensions), of unit length."""
    weight: dict[str, float]
    """Of topics."""


def summarise(aggregate: Aggregate) -> list[SummarySentence]:
    """What `choose` chooses, as a document's record keeps it."""
    return [SummarySentence(page=one.page, text=one.text) for one in choose(aggregate)]


def choose(aggregate: Aggregate) -> list[Candidate]:
    """5 to 8 sentences, in document order; fewer where the document is short.

    Sentences are taken one by one, each time the one that adds most: it is close to the centre of the
    document, reads well on its own, belongs to topics not told yet (weighed by how much of the document they
    take) and differs from those taken (maximal marginal relevance, Carbonell and Goldstein 1998). People's
    deaths come before everything. Then negative sentences on a topic get the share that they have of the
    document, one at least.
    """
    candidates = _distinct(aggregate.candidates)
    if not candidates:
        return []
    pool = _Pool(
        candidates, _unit(np.stack([_vector(one) for one in candidates])), _weights(aggregate.topics)
    )
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
    """Without sentences that repeat word for word: the first of each stays."""
    seen: dict[str, Candidate] = {}
    for one in candidates:
        seen.setdefault(re.sub(r"\W+", " ", one.text.lower()), one)
    return list(seen.values())


def _vector(one: Candidate) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(one.embedding), dtype=np.int8).astype(np.float64)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def _weights(topics: dict[str, int]) -> dict[str, float]:
    """What a topic's first sentence is worth: the root of its share, so that small topics are not lost."""
    total = sum(topics.values()) or 1
    return {name: (count / total) ** 0.5 for name, count in topics.items()}


def _greedy(pool: _Pool, base: NDArray[np.float64], size: int, first: list[int]) -> list[int]:
    """Places of the candidates taken, in the order they were taken; `first` goes first."""
    told: dict[str, int] = {}
    chosen: list[int] = []
    nearest = np.zeros(len(pool.candidates))
    while len(chosen) < size:
        gains = [
            sum(pool.weight.get(name, 0.0) / 2 ** told.get(name, 0) for name in one.topics[:1])
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
            told[name] = told.get(name, 0) + 1
        nearest = np.maximum(nearest, pool.vectors @ pool.vectors[best])
    return chosen


def _bad_news(candidates: list[Candidate]) -> set[int]:
    """Places of what went wrong; of what might, only if nothing did."""
    feared = {
        at for at, one in enumerate(candidates) if one.negative >= _BAD and one.topics and one.quality >= GOOD
    }
    return {at for at in feared if not is_feared(candidates[at].text)} or feared


def _gravest(candidates: list[Candidate]) -> list[int]:
    """The place of the death of people that is told most clearly, if there is one."""
    deaths = [
        at
        for at, one in enumerate(candidates)
        if one.topics and one.quality >= GOOD and tells_of_death(one.text, one.negative, one.positive)
    ]
    return [max(deaths, key=lambda at: (candidates[at].negative, -at))] if deaths else []


def _with_bad_news(pool: _Pool, chosen: list[int], bad: set[int], share: float) -> list[int]:
    """Replaces the least of the others until bad news has its share, one sentence at least.

    Of the bad news, too, each next piece is one that differs, and on a topic that had none yet. How
    near it is to the centre of the document does not count: what went wrong seldom is.
    """
    wanted = max(1, round(share * len(chosen)))
    while True:
        taken = [at for at in chosen if at in bad]
        others = [at for at in chosen if at not in bad]
        kept = [at for at in chosen if at != others[-1]] if others else []  # taken last: it added least
        told = {name for at in taken for name in pool.candidates[at].topics}
        nearest = (
            (pool.vectors @ pool.vectors[kept].T).max(axis=1) if kept else np.zeros(len(pool.candidates))
        )
        worth_of = {
            at: one.quality
            + _GRAVITY * one.negative
            + max(0.0 if name in told else pool.weight.get(name, 0.0) for name in one.topics)
            - nearest[at]
            for at, one in enumerate(pool.candidates)
            if at in bad - set(chosen) and nearest[at] < _ALIKE
        }
        if len(taken) >= wanted or not others or not worth_of:
            return chosen
        chosen = [*kept, max(worth_of, key=lambda at: (worth_of[at], -at))]
