"""Fit linear heads, turn their logits into probabilities that mean what they say, and choose thresholds.

`fit` minimises log loss plus `strength / 2` times the squared distance from a *prior* head. Heads learnt from
nothing begin at zero, those learnt from a user's rows at the head in use: fitted on some hundreds of rows
alone, a head forgets what these do not show. Queries stay as they are, so that labels only weigh anew what
they attend to. `choose` finds by cross-validation how firmly the head in use is believed. It stays where
nothing beats it, or where nothing beats knowing how common each label is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from model_export.heads import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3)
FOLDS = 5
_MAX_STEPS = 400
_TOLERANCE = 1e-4
"""The largest step of any weight with which the descent ends; weights are of the order of 1 to 10."""
_THRESHOLDS = np.arange(0.25, 0.71, 0.01)
"""Below a quarter a topic would be more often wrong than right threefold; above .7 obvious ones are lost."""
_MIN_SCALE, _MAX_SCALE = 0.25, 4.0
_NEWTON_STEPS = 25
_PRIOR = 5.0
"""Weight, in sentences, of the belief that scores are right already: few examples move little."""
_SHARED = 30.0
"""Weight, in sentences that have the topic, of the threshold that is best for all topics together."""
_TINY = 1e-9
_SHARED_AXES = 2
"""Axes of features that are the same for all labels."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What one head learns from."""

    features: NDArray[np.floating]
    """(n, labels, width), what each label attends to; or (n, width), where that is the same for all."""
    known: Floats
    """(n, labels), 1, 0 or nan; of an exclusive head exactly one label of a row is 1."""
    exclusive: bool
    weights: Floats | None = None
    """(n,), how many times a row counts; None: once."""
    any_of: Flags | None = None
    """(n, labels): at least one of these applies."""

    def of(self, rows: Flags) -> Rows:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        any_of = None if self.any_of is None else self.any_of[rows]
        return Rows(self.features[rows], self.known[rows], self.exclusive, weights, any_of)

    @property
    def cells(self) -> float:
        """How many labels are known; an exclusive head has one a row."""
        return float(len(self.known) if self.exclusive else (~np.isnan(self.known)).sum())


def fit(rows: Rows, prior: Head, strengths: Sequence[float]) -> list[Head]:
    """A head for each strength, from the strongest on, each beginning where the one before ended.

    A strength is that for features of unit length, whatever the length of these.
    """
    inputs = _Inputs.of(rows.features)
    start = np.hstack([prior.weight * inputs.length, prior.bias[:, None]]).astype(np.float64)
    grams = inputs.grams(rows.weights)
    matrix, heads = start, []
    for strength in strengths:
        # A bound on the curvature anywhere (Boehning and Lindsay 1988): one inverse serves every step.
        bounds = (0.5 if rows.exclusive else 0.25) * grams + strength * np.eye(grams.shape[-1])
        inverses = np.asarray(np.linalg.inv(bounds), np.float64)
        matrix = _descend(rows, inputs, inverses, start, matrix, strength)
        weight = (matrix[:, :-1] / inputs.length).astype(np.float32)
        heads.append(Head(prior.query, weight, matrix[:, -1].astype(np.float32)))
    return heads


def zero_head(width: int, labels: int) -> Head:
    """The prior where nothing is known beforehand: its labels read the mean."""
    zeros = np.zeros((labels, width), np.float32)
    return Head(zeros, zeros, np.zeros(labels, np.float32))


def logits_of(head: Head, features: NDArray[np.floating]) -> Floats:
    """(n, labels); `features` as in `Rows`."""
    weights = head.weight.astype(np.float64)
    if features.ndim == _SHARED_AXES:
        return np.asarray(features @ weights.T + head.bias)
    columns = [features[:, label].astype(np.float64) @ weight for label, weight in enumerate(weights)]
    return np.asarray(np.stack(columns, axis=1) + head.bias)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Features brought to unit length (their root mean square), with a one at the end for the bias."""

    parts: list[Floats]
    """(n, width + 1): one for all labels, or one a label."""
    length: float

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Self:
        parts = [features] if features.ndim == _SHARED_AXES else list(np.moveaxis(features, 1, 0))
        squares = [np.square(part, dtype=np.float64).sum(axis=1).mean() for part in parts]
        length = float(np.sqrt(np.mean(squares))) or 1.0
        ones = np.ones((len(features), 1))
        return cls([np.hstack([part.astype(np.float64) / length, ones]) for part in parts], length)

    def grams(self, weights: Floats | None) -> Floats:
        """(1 or labels, width + 1, width + 1)"""
        shares = 1.0 if weights is None else weights[:, None]
        return np.stack([part.T @ (shares * part) for part in self.parts])

    def logits(self, matrix: Floats) -> Floats:
        """`matrix` (labels, width + 1) -> (n, labels)"""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0] @ matrix.T)
        return np.stack([part @ row for part, row in zip(self.parts, matrix, strict=True)], axis=1)

    def slopes(self, errors: Floats) -> Floats:
        """(n, labels) -> (labels, width + 1), from errors of the logits."""
        if len(self.parts) == 1:
            return np.asarray(errors.T @ self.parts[0])
        return np.stack([error @ part for part, error in zip(self.parts, errors.T, strict=True)])


def _descend(  # noqa: PLR0913, PLR0917 - one step of `fit`
    rows: Rows, inputs: _Inputs, inverses: Floats, prior: Floats, start: Floats, strength: float
) -> Floats:
    """Newton's method with a bounded curvature and momentum (Nesterov).

    The momentum starts anew when it leads uphill (O'Donoghue and Candes 2015).
    """
    weights = 1.0 if rows.weights is None else rows.weights[:, None]
    matrix, ahead, pace = start, start, 1.0
    for _ in range(_MAX_STEPS):
        errors = weights * _slope(rows, inputs.logits(ahead))
        gradient = inputs.slopes(errors) + strength * (ahead - prior)
        following = ahead - (inverses @ gradient[:, :, None])[:, :, 0]
        step = following - matrix
        if np.abs(step).max() < _TOLERANCE:
            return following
        if (gradient * step).sum() > 0:
            pace = 1.0
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = following + (pace - 1) / faster * step
        matrix, pace = following, faster
    return matrix


def _slope(rows: Rows, logits: Floats) -> Floats:
    """Derivative of the log loss by the logits; a label that is not known has none."""
    if rows.exclusive:
        return chances_of(logits, exclusive=True) - rows.known
    target = rows.known
    if rows.any_of is not None and rows.any_of.any():
        # The label now thought likeliest of a group is taken for true: the maximum of a group is its
        # probability, as in multi-instance learning.
        grouped = np.flatnonzero(rows.any_of.any(axis=1))
        likeliest = np.where(rows.any_of[grouped], logits[grouped], -np.inf).argmax(axis=1)
        target = target.copy()
        target[grouped, likeliest] = 1
    return np.nan_to_num(chances_of(logits, exclusive=False) - target)


def chances_of(logits: Floats, *, exclusive: bool) -> Floats:
    """Probabilities: over the second axis by softmax where labels are exclusive, else one by one."""
    if not exclusive:
        return np.asarray(1 / (1 + np.exp(-logits)))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def log_loss(rows: Rows, head: Head) -> float:
    """Mean negative log-likelihood of the labels known."""
    logits = logits_of(head, rows.features)
    judged = ~np.isnan(rows.known)
    design, truth = (logits, rows.known) if rows.exclusive else (logits[judged], rows.known[judged])
    return summed_loss(design, truth, exclusive=rows.exclusive) / max(rows.cells, 1)


def summed_loss(logits: Floats, truth: Floats, *, exclusive: bool) -> float:
    """Negative log-likelihood of `truth`: one-hot rows where labels are exclusive, else cells of 1 or 0."""
    if exclusive:
        top = logits.max(axis=1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
        return float((normaliser - (logits * truth).sum(axis=1)).sum())
    return float((np.logaddexp(0, logits) - truth * logits).sum())


@dataclass(frozen=True, slots=True)
class Choice:
    """A head, and how it came about."""

    head: Head
    strength: float | None
    """None: the head in use, since none fitted did better."""
    loss: float
    """Log loss of the user's rows, each judged by a head that did not see it."""
    loss_in_use: float
    loss_of_guessing: float
    """By how common each label is among the user's rows."""


def choose(rows: Rows, in_use: Head, users: Flags, folds: NDArray[np.int64]) -> Choice:
    """The head that cross-validation over the rows of `users` likes best, fitted on all rows.

    `folds` (n,) are below `FOLDS`. Rows that are not the user's are learnt from and not judged by.
    """
    own = rows.of(users)
    before, guessing = log_loss(own, in_use), log_loss(own, _guess(own))
    sums = dict.fromkeys(STRENGTHS, 0.0)
    for number in range(FOLDS):
        held = (folds == number) & users
        if held.any():
            left = rows.of(held)
            for strength, head in zip(
                STRENGTHS, fit(rows.of(folds != number), in_use, STRENGTHS), strict=True
            ):
                sums[strength] += left.cells * log_loss(left, head)
    best = min(STRENGTHS, key=lambda strength: sums[strength])
    after = sums[best] / max(own.cells, 1)
    if after >= min(before, guessing):
        return Choice(in_use, None, after, before, guessing)
    *_, head = fit(rows, in_use, STRENGTHS[: STRENGTHS.index(best) + 1])
    return Choice(head, best, after, before, guessing)


def _guess(rows: Rows) -> Head:
    """A head that knows nothing but each label's share of the rows."""
    share = np.clip(np.nanmean(rows.known, axis=0), 1e-6, 1 - 1e-6)
    bias = np.log(share) if rows.exclusive else np.log(share / (1 - share))
    return replace(zero_head(rows.features.shape[-1], len(share)), bias=bias.astype(np.float32))


def best_shares(design: Floats, truth: Floats, start: Floats, *, exclusive: bool) -> Floats:
    """Factors with which the sum of several systems' logits makes `truth` likeliest.

    `design` is (n, systems) with truth (n,), 1 or 0; or (n, labels, systems) with one-hot truth (n, labels).
    By Newton's method, with a penalty that holds the factors near `start`.
    """

    def loss(shares: Floats) -> float:
        held = _PRIOR / 2 * float(((shares - start) ** 2).sum())
        return summed_loss(design @ shares, truth, exclusive=exclusive) + held

    shares = start
    for _ in range(_NEWTON_STEPS):
        chances = chances_of(design @ shares, exclusive=exclusive)
        if exclusive:
            mean = np.einsum("nl,nls->ns", chances, design)
            gradient = np.einsum("nl,nls->s", chances - truth, design)
            curvature = np.einsum("nl,nls,nlt->st", chances, design, design) - mean.T @ mean
        else:
            gradient = design.T @ (chances - truth)
            curvature = (design * (chances * (1 - chances))[:, None]).T @ design
        gradient = gradient + _PRIOR * (shares - start)
        step = np.linalg.solve(curvature + _PRIOR * np.eye(len(start)), gradient)
        # Where scores are far too sure the curve is flat, and a whole step would overshoot.
        while loss(shares - step) > loss(shares) and np.abs(step).max() > _TINY:
            step = step / 2
        shares = shares - step
    return shares


def platt(logits: Floats, present: Floats) -> tuple[float, float]:
    """Slope and intercept with which the sigmoid of a logit is the chance of `present` (Platt 1999)."""
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    slope, intercept = best_shares(design, present, np.array([1.0, 0.0]), exclusive=False)
    return float(slope), float(intercept)


def calibrated_each(head: Head, logits: Floats, known: Floats) -> tuple[Head, NDArray[np.float32]]:
    """The head with calibrated chances, and thresholds (labels,), from sentences it was not fitted on.

    `logits` and `known` (n, labels); known is 1, 0 or nan. A label with few examples gets a threshold near
    the one that is best for all labels together: with calibrated chances that is the best guess.
    """
    count = known.shape[1]
    slopes, intercepts = np.ones(count), np.zeros(count)
    everywhere = ~np.isnan(known)
    chances = np.full_like(logits, np.nan)
    for label in np.flatnonzero(everywhere.any(axis=0)).tolist():
        judged = everywhere[:, label]
        slopes[label], intercepts[label] = platt(logits[judged, label], known[judged, label])
        scaled = slopes[label] * logits[judged, label] + intercepts[label]
        chances[judged, label] = chances_of(scaled, exclusive=False)
    shared = best_threshold(chances[everywhere], known[everywhere])
    thresholds = np.full(count, shared)
    for label in range(count):
        judged = everywhere[:, label]
        present = known[judged, label].sum()
        if present:
            own = best_threshold(chances[judged, label], known[judged, label])
            thresholds[label] = (present * own + _SHARED * shared) / (present + _SHARED)
    return rescaled(head, slopes, intercepts), thresholds.astype(np.float32)


def calibrated_exclusive(head: Head, logits: Floats, labels: NDArray[np.int64]) -> Head:
    """The head times the factor that makes `labels` likeliest: an inverse temperature (Guo et al. 2017)."""
    if not len(labels):
        return head
    count = len(head.bias)
    (scale,) = best_shares(logits[:, :, None], np.eye(count)[labels], np.ones(1), exclusive=True)
    return rescaled(head, np.full(count, np.clip(scale, _MIN_SCALE, _MAX_SCALE)), np.zeros(count))


def best_threshold(chances: Floats, present: Floats) -> float:
    """The probability from which counting a topic gives the best F1; the middle one where several do."""
    scores = []
    for threshold in _THRESHOLDS:
        chosen = chances >= threshold
        hits = (chosen * present).sum()
        scores.append(2 * hits / max(chosen.sum() + present.sum(), _TINY))
    best = np.flatnonzero(np.array(scores) >= max(scores) - _TINY)
    return float(_THRESHOLDS[best[len(best) // 2]])


def rescaled(head: Head, slopes: Floats, intercepts: Floats) -> Head:
    """The head whose logits are `slope * logit + intercept` of the given one's."""
    return Head(
        query=head.query,
        weight=(head.weight * slopes[:, None]).astype(np.float32),
        bias=(head.bias * slopes + intercepts).astype(np.float32),
    )
