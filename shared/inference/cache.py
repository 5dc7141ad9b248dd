"""Rows that were computed before, by text: reviews and forms repeat themselves, across batches too.

A fifth of the tokens of 3,000 short reviews, and a third of a percent of a report's, had been seen in an
earlier batch of the same document; looking costs two microseconds a text, computing some five milliseconds.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Row = NDArray[np.float32]

CACHED_TEXTS = 4096
"""Of one engine, in a function: about 9 MB."""
KEPT_SECONDS = 15 * 60.0
"""For which a row stays after its text was last asked for; the next call drops it. Cloud Run ends an instance
that is not called for about as long."""


class RowCache:
    """The rows of the texts last used, of one model. Safe to share between threads.

    Texts are kept as digests alone, and not for long: a document that was deleted must not live on in a
    function's memory.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep at most `capacity` rows; none at all if 0."""
        self._capacity = capacity
        self._clock = clock
        self._rows: OrderedDict[bytes, tuple[float, Row]] = OrderedDict()
        """In the order of when they were last used, with that."""
        self._lock = threading.Lock()

    def find(self, texts: Iterable[str]) -> list[Row | None]:
        """The row of each text, or None where it is not known."""
        if not self._capacity:
            return [None for _ in texts]
        keys = [_key(text) for text in texts]
        with self._lock:
            moment = self._clock()
            self._drop(moment)
            found: list[Row | None] = []
            for key in keys:
                known = self._rows.pop(key, None)
                if known:
                    self._rows[key] = (moment, known[1])
                found.append(known[1] if known else None)
            return found

    def keep(self, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Remember row i for text i; those longest unused make room."""
        # The last ones alone would stay; copies, so that a row does not hold its whole array.
        start = max(len(texts) - self._capacity, 0)
        fresh = [(_key(text), row.copy()) for text, row in zip(texts[start:], rows[start:], strict=True)]
        with self._lock:
            moment = self._clock()
            for key, row in fresh:
                self._rows.pop(key, None)
                self._rows[key] = (moment, row)
            self._drop(moment)

    def _drop(self, moment: float) -> None:
        """Let go of what is beyond the capacity, or was not used for too long; the first is the oldest."""
        while self._rows:
            used, _ = next(iter(self._rows.values()))
            if len(self._rows) <= self._capacity and moment - used < KEPT_SECONDS:
                return
            self._rows.popitem(last=False)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
