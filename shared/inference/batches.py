"""Which texts go through the model together? Padding and cache misses, not arithmetic, cost the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_BUDGET = 256
"""Tokens of a batch, padding included. Activations of more no longer fit the cache of one core."""
MAX_WASTE = 0.04
"""Largest share of padding in a batch: about what a larger batch gains over running its texts one by one."""

GPU_TOKEN_BUDGET = 16_384
"""On a GPU small batches leave most of it idle, and padding costs less than another batch."""
GPU_MAX_WASTE = 0.2


def plan_batches(
    lengths: Sequence[int], budget: int = TOKEN_BUDGET, max_waste: float = MAX_WASTE
) -> list[list[int]]:
    """Partition the indices of `lengths` into batches, longest texts first so that workers finish together.

    A batch holds at most `budget` tokens after padding to its longest text, except that a text longer than
    the budget is a batch by itself; at most `max_waste` of the padded tokens are padding.
    """
    batches: list[list[int]] = []
    width = real = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[index]
        if batches:
            padded = width * (len(batches[-1]) + 1)
            if padded <= budget and padded - (real + length) <= max_waste * padded:
                batches[-1].append(index)
                real += length
                continue
        batches.append([index])
        width = real = length
    return batches
