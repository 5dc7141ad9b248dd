"""Several documents at once: with a small one, a task waits for Firestore and the bucket most of the time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 4


def together(step: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Each item with what `step` makes of it, in their order; log lines keep what was bound for them.

    Where a step raises, those under way are waited for, the rest is not begun, and the error is raised.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="document")
    try:
        futures = [(item, pool.submit(copy_context().run, step, item)) for item in items]
        for item, future in futures:
            yield item, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
