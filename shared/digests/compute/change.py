"""Did a share change, or do documents merely differ?

Passages of one document resemble each other, so a document is the unit: a share is a ratio of sums over
documents, and its variance is the linearised one of a ratio estimate, which comes from how documents scatter
about it (Cochran, Sampling Techniques, 1977, chapter 6). A few documents that happen to have little of a
topic happen to scatter little, too, and would seem surer than they are: so each side's variance is the
greater of its own and that of both sides' documents about their common share, as in a score test. The
difference is compared by Welch's t, with the degrees of freedom of the effective number of documents, (sum of
n)^2 / sum of n^2, which counts a few long documents among many short ones as the few that they are (after
Carter, Schnepel and Steigerwald, Review of Economics and Statistics 99(4), 2017). Holm's procedure corrects
for the number of tests of one digest.

Where nothing changed, up to 2% of digests flag something, by simulation (tests/unit/test_digest_change.py)
with 10 to 100 documents beside as many or eight times as many, of even and of very uneven lengths, whose
topics keep together more or less. With each side's own variance it would be up to 33%.
"""

from __future__ import annotations

import math
from typing import NamedTuple

LEVEL = 0.05
MIN_DOCUMENTS = 10
"""Effective ones, on either side: with fewer the variance is known too badly."""
MIN_WITH = 4
"""Effective documents in which the measure occurs at all, on both sides together: what one or two documents
say is theirs, not the time's."""
TEST = (
    "Shares were compared by Welch's t with documents, not passages, as units (linearised variance of a "
    f"ratio), where either side has at least {MIN_DOCUMENTS} documents of about equal length, or more of "
    f"unequal; p is corrected for the number of tests (Holm), and flagged below {LEVEL}."
)
_STEPS, _PRECISION, _TINY = 300, 1e-14, 1e-300


class Sums(NamedTuple):
    """Over the documents with passages of which the measure is a share: x of n each."""

    documents: int = 0
    x: int = 0
    n: int = 0
    xx: int = 0
    xn: int = 0
    nn: int = 0

    def plus(self, other: Sums) -> Sums:
        """The same over both."""
        return Sums(*(mine + its for mine, its in zip(self, other, strict=True)))

    @property
    def share(self) -> float | None:
        """None where there is nothing to have a share of."""
        return self.x / self.n if self.n else None

    @property
    def effective(self) -> float:
        """As many documents of equal length say as much."""
        return self.n * self.n / self.nn if self.nn else 0.0

    @property
    def occurring(self) -> float:
        """Effective number of the documents in which the measure occurs."""
        return self.x * self.x / self.xx if self.xx else 0.0

    def variance(self, share: float, like: Sums) -> float:
        """Of the share, as documents like these scatter about it; for two of them or more."""
        scatter = like.xx - 2 * share * like.xn + share * share * like.nn
        each = max(0.0, scatter) / like.nn * like.documents / (like.documents - 1)
        return each * self.nn / self.n**2


def compare(now: Sums, before: Sums) -> float | None:
    """The uncorrected p of the difference between two shares; None: too few documents to tell."""
    sides, both = (now, before), now.plus(before)
    if min(side.effective for side in sides) < MIN_DOCUMENTS:
        return None
    if both.occurring < MIN_WITH:
        return None
    variances = [
        max(side.variance(side.x / side.n, side), side.variance(both.x / both.n, both)) for side in sides
    ]
    total = sum(variances)
    difference = now.x / now.n - before.x / before.n
    if total <= 0:
        return 1.0 if difference == 0 else None  # no document differs from another: nothing to judge by
    degrees = total**2 / sum(
        variance**2 / (side.effective - 1) for side, variance in zip(sides, variances, strict=True)
    )
    return two_sided(difference / math.sqrt(total), degrees)


def holm(values: list[float | None]) -> list[float | None]:
    """Corrected for their number, in their order; what was not tested does not count."""
    order = sorted((value, at) for at, value in enumerate(values) if value is not None)
    corrected = list(values)
    highest = 0.0
    for rank, (value, at) in enumerate(order):
        highest = max(highest, min(1.0, value * (len(order) - rank)))
        corrected[at] = highest
    return corrected


def two_sided(t: float, degrees: float) -> float:
    """Probability that Student's t is as far from zero."""
    total = degrees + t * t
    if degrees <= t * t:
        return _incomplete_beta(degrees / total, degrees / 2, 0.5)
    return 1.0 - _incomplete_beta(t * t / total, 0.5, degrees / 2)  # next to 1 the other share has no digits


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised one, by its continued fraction (Abramowitz and Stegun, 26.5.8)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1.0 - _incomplete_beta(1 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return min(1.0, math.exp(front) / a / _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)), from the front by Lentz's method."""
    value, upper, lower = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        half = step // 2
        if step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + step - 1) * (a + step))
        else:
            term = half * (b - half) * x / ((a + step - 1) * (a + step))
        lower = 1.0 / ((1.0 + term * lower) or _TINY)
        upper = (1.0 + term / upper) or _TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < _PRECISION:
            break
    return value
