"""What changes with the number of documents, and that the documentation says what is calculated."""

from __future__ import annotations

import math
import re

import pytest

from benchmarks.cost import model, scale
from deploy.quotas import SIZES
from shared.documents.recovery import PER_TICK

FOUND = model.measured()


def test_the_documentation_says_what_is_calculated() -> None:
    """docs/scale.md has the report of the figures that are kept."""
    assert scale.report(FOUND) in scale.DOCS.read_text()


def test_the_documentation_rounds_what_is_calculated() -> None:
    """What its text says of the smallest size holds: what is met first, and what is done in an hour."""
    text = " ".join(scale.DOCS.read_text().partition("<!--")[0].split())
    first = re.search(r"Up to ([\d,]+) documents a month nothing changes", text)
    assert first is not None
    assert int(first[1].replace(",", "")) == min(limit.met(FOUND) for limit in scale.LIMITS)
    assert "does a thousand documents an hour, and a million pages in less than a day" in text
    an_hour, _ = scale.an_hour(FOUND, "small")
    assert 1_000 <= an_hour < 1_500
    assert 1_000_000 / scale.each(FOUND, lambda one: one["pages"]) / an_hour < 24


def test_shares_are_of_all_documents() -> None:
    """Otherwise every figure would be of fewer, or more."""
    assert math.fsum(scale.MIX.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("limit", scale.LIMITS, ids=lambda limit: limit.name)
def test_a_limit_is_met_where_the_demand_is_the_limit(limit: scale.Limit) -> None:
    """Demands grow in proportion to documents, and something is said to be done."""
    met = limit.met(FOUND)
    assert limit.demand(FOUND, met) == pytest.approx(limit.amount)
    assert limit.demand(FOUND, 2 * met) == pytest.approx(2 * limit.amount)
    assert limit.change


def test_a_greater_size_does_more() -> None:
    """And each has room for what is at work where it is said to be enough."""
    rates = [scale.an_hour(FOUND, size)[0] for size in SIZES]
    assert rates == sorted(rates)
    assert rates[0] * 3 < rates[-1]
    for documents in scale.STEPS.values():
        size = scale.size_for(FOUND, documents)
        assert documents / scale.BUSY * 3600 <= scale.an_hour(FOUND, size)[0]


def test_the_smallest_size_is_enough_for_the_first_steps() -> None:
    """A new project begins without asking for a quota; a million a month is not beyond the largest size."""
    sizes = [scale.size_for(FOUND, documents) for documents in scale.STEPS.values()]
    assert sizes == sorted(sizes, key=SIZES.index)
    assert (sizes[0], sizes[-1]) == ("small", "large")


def test_sweep_erases_so_many_a_month() -> None:
    """A tick each five minutes, with a limit of documents each."""
    [erasure] = [limit for limit in scale.LIMITS if limit.name.startswith("erasure")]
    assert erasure.amount == 730 * 12 * PER_TICK


def test_what_is_kept_costs() -> None:
    """Results of a year cost more than those of three months, and recovery more than none."""
    year = scale.usd(FOUND, 30_000, kept=scale.KEPT)
    short = scale.usd(FOUND, 30_000, kept=scale.SHORT)
    assert scale.usd(FOUND, 30_000, kept=scale.SHORT, recovery=False) < short < year
