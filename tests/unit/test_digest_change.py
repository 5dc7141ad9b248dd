"""Changes: a real one is found, documents that merely differ are not taken for one, as simulation shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.digests.compute.measures import LEVEL, MIN_DOCUMENTS, Sums, compare, holm, two_sided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHARES = (0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.3, 0.5, 0.2)
DIGESTS = 150
"""Simulated for each case; of so many, 15 are flagged by chance one time in 500 where 5% should be."""
MOST = 15


def sums(x: NDArray[np.int64], n: NDArray[np.int64]) -> Sums:
    x, n = x[n > 0], n[n > 0]
    return Sums(len(n), *(int(each.sum()) for each in (x, n, x * x, x * n, n * n)))


class Case(NamedTuple):
    """How documents are: `together` is small where a document is mostly of one topic or mostly of another."""

    now: int
    before: int
    together: float
    uneven: float


def draw(
    chance: np.random.Generator, documents: int, case: Case, shares: Sequence[float] = SHARES
) -> list[Sums]:
    """The measures of a window, and of each the negative ones among its passages."""
    n = np.maximum(1, chance.lognormal(math.log(60), case.uneven, documents).astype(int))
    found = []
    for share in shares:
        x = chance.binomial(n, chance.beta(share * case.together, (1 - share) * case.together, documents))
        bad = chance.binomial(x, chance.beta(0.3 * case.together, 0.7 * case.together, documents))
        found += [sums(x, n), sums(bad, x)]
    return found


def naive(now: Sums, before: Sums) -> float:
    """Two proportions, as if passages were independent of each other."""
    common = (now.x + before.x) / (now.n + before.n)
    error = math.sqrt(max(common * (1 - common) * (1 / now.n + 1 / before.n), 1e-12))
    from scipy import stats  # late: it takes a second

    return float(2 * stats.norm.sf(abs(now.x / now.n - before.x / before.n) / error))


def flagged(values: list[float | None]) -> bool:
    return any(p is not None and p < LEVEL for p in holm(values))


@pytest.mark.parametrize(
    "case",
    [
        Case(14, 14, 3.0, 0.5),  # a small team beside its week before
        Case(14, 110, 3.0, 0.5),  # and beside its last eight
        Case(20, 160, 3.0, 0.5),  # where variances of its own would flag a third
        Case(40, 320, 0.7, 1.2),  # documents of one topic each, a few of them very long
        Case(100, 100, 8.0, 0.5),
        Case(160, 20, 3.0, 0.5),  # a week of many after a quiet one
    ],
)
def test_where_nothing_changed_at_most_one_digest_in_twenty_says_so(case: Case) -> None:
    """And as if passages were independent nearly every one would."""
    chance = np.random.default_rng(list(map(int, case)))
    false = falsely_naive = tested = 0
    for _ in range(DIGESTS):
        now, before = draw(chance, case.now, case), draw(chance, case.before, case)
        values = [compare(*pair) for pair in zip(now, before, strict=True)]
        tested += sum(p is not None for p in values)
        false += flagged(values)
        pairs = [pair for pair in zip(now, before, strict=True) if pair[0].n and pair[1].n]
        falsely_naive += flagged([naive(*pair) for pair in pairs])
    assert tested > DIGESTS  # else nothing was put to the test
    assert false <= MOST
    assert falsely_naive > DIGESTS * 0.8


@pytest.mark.parametrize(
    ("documents", "before", "after", "least"), [(40, 0.2, 0.35, 0.6), (120, 0.2, 0.3, 0.8)]
)
def test_a_real_change_is_found(documents: int, before: float, after: float, least: float) -> None:
    """Among two dozen measures of which no other changed."""
    case = Case(documents, documents, 8.0, 0.5)
    chance = np.random.default_rng(7)
    found = 0
    for _ in range(DIGESTS):
        now = draw(chance, documents, case, [after, *SHARES])
        then = draw(chance, documents, case, [before, *SHARES])
        corrected = holm([compare(*pair) for pair in zip(now, then, strict=True)])
        found += corrected[0] is not None and corrected[0] < LEVEL
    assert found >= least * DIGESTS


@given(st.floats(0, 60), st.floats(MIN_DOCUMENTS - 1, 2_000))
def test_two_sided_is_students(t: float, degrees: float) -> None:
    """As scipy computes it."""
    from scipy import stats

    assert two_sided(t, degrees) == pytest.approx(2 * stats.t.sf(t, degrees), abs=1e-8)


@pytest.mark.parametrize(
    ("values", "corrected"),
    [
        ([], []),
        ([None, None], [None, None]),
        ([0.03], [0.03]),
        (
            [0.01, None, 0.04, 0.03],
            [0.03, None, 0.06, 0.06],
        ),  # 3 * 0.01; 2 * 0.03; and never less than before
        ([0.6, 0.5], [1.0, 1.0]),  # 2 * 0.5, and no more than 1
    ],
)
def test_holm(values: list[float | None], corrected: list[float | None]) -> None:
    """The smallest times their number, the next times one less."""
    assert holm(values) == [pytest.approx(one) for one in corrected]


def test_too_few_documents_are_not_tested() -> None:
    """Nor many of which one holds nearly all passages, nor a topic of a single document."""
    few = sums(np.full(MIN_DOCUMENTS - 1, 2), np.full(MIN_DOCUMENTS - 1, 10))
    enough = sums(np.arange(MIN_DOCUMENTS) % 5, np.full(MIN_DOCUMENTS, 10))
    lopsided = sums(np.array([1] * 50 + [900]), np.array([10] * 50 + [9_000]))
    lone = sums(np.array([5] + [0] * 29), np.full(30, 10))
    nothing = sums(np.zeros(30, int), np.full(30, 10))
    assert compare(enough, enough) == pytest.approx(1)
    assert compare(few, enough) is compare(enough, few) is None
    assert compare(lopsided, enough) is None
    assert compare(lone, nothing) is None
    assert compare(Sums(), enough) is None


def test_documents_that_do_not_differ_at_all() -> None:
    """One share everywhere is no change; of two, all the scatter is that between the windows."""
    a, b = (sums(np.full(30, x), np.full(30, 10)) for x in (2, 5))
    assert compare(a, a) == 1.0
    p = compare(a, b)
    assert p is not None
    assert p < 0.001


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=40), st.integers(0, 40)
)
def test_sums_add_up_in_any_division(pairs: list[tuple[int, int]], cut: int) -> None:
    """Windows pooled are one window of all their documents."""
    x, n = (np.array(each) for each in zip(*((min(a, b), max(a, b)) for a, b in pairs), strict=True))
    assert sums(x[:cut], n[:cut]).plus(sums(x[cut:], n[cut:])) == sums(x, n)
