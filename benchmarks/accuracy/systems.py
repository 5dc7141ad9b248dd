"""What is compared: the shipped file, TF-IDF with regression, VADER.

A system answers what it can: a task it has no answer for stays blank in the table.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from model_export.labelled import split_of
from model_export.scores import sigmoid
from shared.platform.records import TOPICS
from training.fit import Rows, calibrated_each, fit, logits_of, zero_head
from training.targets import OPEN, Targets
from training.train import DECAY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from benchmarks.accuracy.labels import Judged
    from model_export.labelled import Example

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Places = NDArray[np.intp]

_POSITIVE, _NEUTRAL, _NEGATIVE = range(3)
_VADER_CUT = 0.05
"""From the authors' documentation."""


@dataclass(slots=True)
class Answers:
    """What one system answers about a list of texts; None where it has no answer."""

    sentiment: Places | None = None
    """(n,), index into positive, neutral, negative."""
    positive: Bools | None = None
    """(n,), more positive than negative."""
    action: Places | None = None
    """(n,), index into implemented, planned, none."""
    topics: Bools | None = None
    """(n, 10)"""
    pillars: Bools | None = None
    """(n, 3), derived from the topics: environmental, social, governance."""
    own_pillars: Bools | None = None
    """(n, 3), by a head trained on this."""
    aspects: Bools | None = None
    """(n, 10), by a head trained on this."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a system says of n texts, in probabilities, and what its heads read; None where it has no head."""

    topics: Floats
    """(n, 10)"""
    action: Floats
    """(n, 3), implemented, planned, none."""
    sentiment: Floats
    """(n, 3), positive, neutral, negative."""
    salience: Floats | None = None
    """(n,), 0 to 3."""
    initiative: Floats | None = None
    """(n,)"""
    thresholds: Floats = field(default_factory=lambda: np.full(len(TOPICS), 0.5))
    """(10,), the probability from which each topic counts."""
    initiative_threshold: float = 0.5
    embedding: Floats | None = None
    """(n, 384), unit length."""
    features: Floats | None = None
    """(n, width): the embedding, and what else there is."""

    def of(self, start: int, stop: int | None = None) -> Scores:
        """The scores of some of the texts, one after the other."""
        rows = slice(start, stop)
        parts: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("topics", "action", "sentiment", "salience", "initiative", "embedding", "features")
        }
        return dataclasses.replace(self, **parts)


def answers_of_model(learnt: Scores, learnt_from: Sequence[Example], asked: Scores) -> Answers:
    """Return the shipped graph's answers.

    Pillars are the likeliest topic of each, above a threshold chosen on the development split; heads for the
    corpora's own categories are fitted on the training split and calibrated on the development split, whose
    sentences the trunk has not seen.
    """
    assert learnt.features is not None and asked.features is not None  # noqa: PT018
    targets = Targets.of(learnt_from, TOPICS)
    fresh = np.array([split_of(example) == "dev" for example in learnt_from])
    pillar_chance, pillar_asked = (_pillar_chances(item.topics) for item in (learnt, asked))
    told = ~np.isnan(targets.pillars) & fresh[:, None]
    thresholds = [
        _best(pillar_chance[known, column], targets.pillars[known, column])
        for column, known in enumerate(told.T)
        if known.any()
    ]
    return Answers(
        sentiment=asked.sentiment.argmax(axis=1),
        positive=asked.sentiment[:, _POSITIVE] > asked.sentiment[:, _NEGATIVE],
        action=asked.action.argmax(axis=1),
        topics=asked.topics >= asked.thresholds,
        pillars=pillar_asked >= np.array(thresholds) if told.any(axis=0).all() else None,
        own_pillars=_by_own_head(learnt.features, targets.pillars, fresh, asked.features),
        aspects=_by_own_head(learnt.features, targets.aspects, fresh, asked.features),
    )


class _Words:
    """Words and pairs of words, weighted by rarity: what a logistic regression for each head reads."""

    def __init__(self, learnt: Sequence[str], asked: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectoriser = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        self._learnt = vectoriser.fit_transform(learnt)
        self._asked = vectoriser.transform(asked)

    def chances(self, labels: NDArray[Any]) -> Floats:
        """(asked, labels) probabilities; `labels` (learnt,) are indices, or nan or `OPEN` where unknown."""
        from sklearn.linear_model import LogisticRegression

        rows = np.flatnonzero(labels >= 0)  # nan is not
        model = LogisticRegression(C=10, class_weight="balanced", solver="newton-cg", tol=1e-3)
        return np.asarray(model.fit(self._learnt[rows], labels[rows]).predict_proba(self._asked))

    def several(self, labels: NDArray[Any]) -> Floats | None:
        """(asked, labels) probabilities of labels that do not exclude each other; None without examples."""
        if not (labels == 1).any(axis=0).all():
            return None
        return np.stack([self.chances(column)[:, 1] for column in labels.T], axis=1)


def answers_of_tfidf(learnt_from: Sequence[Example], texts: Sequence[str]) -> Answers:
    """Logistic regressions on words, for each label of every corpus."""
    targets = Targets.of(learnt_from, TOPICS)
    words = _Words([example.text for example in learnt_from], list(texts))
    chances = words.chances(np.where(targets.polar, OPEN, targets.sentiment))
    several = {
        "topics": words.several(targets.topics),
        "own_pillars": words.several(targets.pillars),
        "aspects": words.several(targets.aspects),
    }
    return Answers(
        sentiment=chances.argmax(axis=1),
        positive=chances[:, _POSITIVE] > chances[:, _NEGATIVE],
        action=words.chances(targets.action).argmax(axis=1),
        **{name: found > 0.5 for name, found in several.items() if found is not None},
    )


def scores_of_tfidf(learnt: Judged, texts: Sequence[str]) -> Scores:
    """The same for each head, on the passages that the model learnt from."""
    words = _Words(learnt.texts, list(texts))
    topics = words.several(learnt.topics)
    assert topics is not None
    return Scores(
        topics=topics,
        action=words.chances(learnt.action),
        sentiment=words.chances(learnt.outcome),
        salience=words.chances(learnt.salience) @ np.arange(4),
        initiative=words.chances(learnt.initiative)[:, 1],
    )


def answers_of_vader(module: ModuleType, texts: Sequence[str]) -> Answers:
    """A lexicon with rules, for sentiment alone; Hutto and Gilbert 2014."""
    analyzer = module.SentimentIntensityAnalyzer()
    scores = np.array([analyzer.polarity_scores(text)["compound"] for text in texts])
    labels = np.full(len(texts), _NEUTRAL)
    labels[scores >= _VADER_CUT], labels[scores <= -_VADER_CUT] = _POSITIVE, _NEGATIVE
    return Answers(sentiment=labels, positive=scores > 0)


def _pillar_chances(topics: Floats) -> Floats:
    groups: dict[str, list[int]] = defaultdict(list)
    for column, name in enumerate(TOPICS):
        groups[name[0]].append(column)
    return np.stack([topics[:, groups[letter]].max(axis=1) for letter in "ESG"], axis=1)


def _best(chances: Floats, known: NDArray[np.float32]) -> float:
    """The threshold with the best F1."""
    grid = np.arange(0.05, 0.95, 0.01)
    truth = known == 1
    scores = [2 * (truth & (chances >= t)).sum() / (truth.sum() + (chances >= t).sum()) for t in grid]
    return float(grid[int(np.argmax(scores))])


def _by_own_head(learnt: Floats, known: NDArray[np.float32], fresh: Bools, asked: Floats) -> Bools | None:
    told = ~np.isnan(known).all(axis=1)
    if not (told & fresh).any():
        return None
    labels = known.astype(np.float64)
    rows = told & ~fresh
    part = Rows(learnt[rows], labels[rows], exclusive=False)
    (head,) = fit(part, zero_head(learnt.shape[1], labels.shape[1]), [DECAY * int(rows.sum())])
    rows = told & fresh
    head, thresholds = calibrated_each(head, logits_of(head, learnt[rows]), labels[rows])
    return np.asarray(sigmoid(logits_of(head, asked).astype(np.float32)) >= thresholds)
