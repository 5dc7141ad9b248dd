"""Batches must cover every text once, stay within the budget and waste little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.inference.engine import MAX_WASTE, TOKEN_BUDGET, plan_batches

lengths = st.lists(st.integers(2, 600), max_size=80)


@given(lengths)
def test_every_text_is_in_exactly_one_batch(sizes: list[int]) -> None:
    """The batches are a partition of the indices."""
    batches = plan_batches(sizes)
    assert sorted(index for batch in batches for index in batch) == list(range(len(sizes)))


@given(lengths)
def test_a_batch_keeps_to_budget_and_waste(sizes: list[int]) -> None:
    """Padded tokens stay within the budget, and padding within its share; a longer text runs alone."""
    for batch in plan_batches(sizes):
        padded = max(sizes[i] for i in batch) * len(batch)
        assert padded <= TOKEN_BUDGET or len(batch) == 1
        assert padded - sum(sizes[i] for i in batch) <= MAX_WASTE * padded


@given(lengths)
def test_order_of_the_input_does_not_matter(sizes: list[int]) -> None:
    """Shuffled texts make batches of the same lengths, so throughput does not depend on their order."""
    shapes = [[sizes[i] for i in batch] for batch in plan_batches(sizes)]
    turned = sizes[::-1]
    assert [[turned[i] for i in batch] for batch in plan_batches(turned)] == shapes


def test_longest_first() -> None:
    """The longest texts start first, so that no worker is left with a long one at the end."""
    assert plan_batches([3, 256, 90, 3]) == [[1], [2], [0, 3]]
