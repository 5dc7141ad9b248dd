"""Choose the sentences of a document's lists: its summary, initiatives, incidents and good news.

What matters most and is surest to be what the list says comes first; nothing is said twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from shared.platform.records import ListedSentence, SummarySentence
from shared.text.summary import vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.text.summary import Aggregate, Candidate

    Vectors = NDArray[np.float64]


ListName = Literal["initiatives", "incidents", "good_news"]
LISTS: tuple[ListName, ...] = get_args(ListName)

ALIKE = 0.75
"""Cosine from which two sentences say the same."""
SURE: dict[ListName, float] = {"initiatives": 0.5, "incidents": 0.7, "good_news": 0.6}
"""Probability from which a sentence belongs into a list."""
LEAST = 0.7
"""Salience below which a sentence is in no list: most that tell what could happen, or what a word means."""
_MATTERS_MUCH = 1.5
LISTED = 12
"""Most sentences of a list in a document's record."""


def sure(one: Candidate, name: ListName) -> float:
    """Return the probability that a sentence belongs into a list.

    Good and bad news have a topic, or matter much: the loss of a share's price has and does neither.
    """
    if name == "initiatives":
        return float(one.initiative) if one.initiative_score is None else one.initiative_score
    if not one.topics and (one.salience or 0.0) < _MATTERS_MUCH:
        return 0.0
    return one.negative if name == "incidents" else one.positive


def score(one: Candidate, name: ListName) -> float:
    """Return what a sentence is worth in a list, from 0 to 1; 0 where it does not belong into it.

    A sure one goes before one that matters more: probability counts twice.
    """
    likely = sure(one, name)
    return one.worth * likely**2 if likely >= SURE[name] and _matters(one) else 0.0


def _matters(one: Candidate) -> bool:
    return one.salience is None or one.salience >= LEAST


def listed(candidates: Sequence[Candidate], name: ListName, limit: int = LISTED) -> list[Candidate]:
    """Return the best candidates of a list, each unlike those before it."""
    likely = [one for one in candidates if score(one, name) > 0]
    likely.sort(key=lambda one: (-score(one, name), one.place))
    whole = _unit(vectors(likely).astype(np.float64))
    taken: list[int] = []
    for at in range(len(likely)):
        if len(taken) == limit:
            break
        if not taken or (whole[taken] @ whole[at]).max() < ALIKE:
            taken.append(at)
    return [likely[at] for at in taken]


def listing(candidates: Sequence[Candidate], name: ListName) -> list[ListedSentence]:
    """Return a list as a document's record stores it."""
    return [
        ListedSentence(
            **one.model_dump(include=_TAKEN),
            sure=round(sure(one, name), 2),
            score=round(score(one, name), 3),
        )
        for one in listed(candidates, name)
    ]


_TAKEN = {"index", "page", "row", "text", "topics", "action", "salience"}


_SIZES = ((12, 5), (60, 6), (150, 7))  # up to so many passages, so many sentences; 8 beyond
_MOST = 8
_PASSAGES_A_SENTENCE = 2  # a document of few passages gets fewer sentences than 5
_COVERAGE, _REDUNDANCY, _CENTRALITY = 0.25, 0.4, 0.5
_NEWS_WEIGHT = 1.0  # of the first bad news, as if it were a topic of the whole document


def summarise(aggregate: Aggregate) -> list[SummarySentence]:
    """Return the sentences that `summary` chooses, as a document's record stores them."""
    return [SummarySentence(page=one.page, text=one.text) for one in summary(aggregate)]


def summary(aggregate: Aggregate) -> list[Candidate]:
    """Return 5 to 8 sentences, what matters most first; fewer if the document is short.

    Sentences are taken one by one, each time the one that adds most: it is worth much, has a topic that is
    not covered yet (weighted by its share of the document), and differs from those taken (maximal marginal
    relevance, Carbonell and Goldstein 1998). Where the model does not say what matters, it is what is near
    to the centre of the document.
    """
    candidates = list(filter(_matters, aggregate.candidates)) or aggregate.candidates
    if not candidates:
        return []
    exact = vectors(candidates).astype(np.float64)
    whole = _unit(exact)
    base = np.array([one.worth for one in candidates])
    if all(one.salience is None for one in candidates):
        base += _CENTRALITY * (whole @ _unit(exact.sum(axis=0, keepdims=True))[0])
    total = sum(aggregate.topics.values()) or 1
    weights = {name: (count / total) ** 0.5 for name, count in aggregate.topics.items()}
    weights[_BAD] = _NEWS_WEIGHT
    aspects = [_aspects(one) for one in candidates]
    chosen: list[int] = []
    covered: dict[str, int] = {}
    nearest = np.zeros(len(candidates))
    while len(chosen) < _size(aggregate.passages):
        gains = [
            max((weights.get(name, 0.0) / 2 ** covered.get(name, 0) for name in names), default=0.0)
            for names in aspects
        ]
        score = base + _COVERAGE * np.array(gains) - _REDUNDANCY * nearest
        score[nearest >= ALIKE] = -np.inf
        best = int(np.argmax(score))
        if not np.isfinite(score[best]):
            break
        chosen.append(best)
        for name in aspects[best]:
            covered[name] = covered.get(name, 0) + 1
        nearest = np.maximum(nearest, whole @ whole[best])
    return [candidates[at] for at in chosen]


_BAD = "bad news"


def _aspects(one: Candidate) -> list[str]:
    return [*one.topics[:1], *([_BAD] if score(one, "incidents") > 0 else [])]


def _size(passages: int) -> int:
    most = next((size for limit, size in _SIZES if passages <= limit), _MOST)
    return max(1, min(most, passages // _PASSAGES_A_SENTENCE if passages < 2 * most else most))


def _unit(whole: Vectors) -> Vectors:
    norms = np.linalg.norm(whole, axis=1, keepdims=True)
    return whole / np.where(norms == 0, 1, norms)
