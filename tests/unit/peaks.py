"""How much memory a step takes."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 3


def stays_below(most: float, step: Callable[[], object]) -> bool:
    """Whether Python allocates fewer bytes than `most` at any time in it.

    In one of `TIMES`: what other threads of this process allocate meanwhile counts too, and can only add.
    """
    return any(_peak(step) < most for _ in range(TIMES))


def _peak(step: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
