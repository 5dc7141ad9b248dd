"""The cache must give back what was put in, hold no more than it may, and keep no text."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.inference.engine import KEPT_SECONDS, RowCache


def rows_of(texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """A row for each text, that no other text has."""
    return np.array([[len(text), sum(map(ord, text))] for text in texts], np.float32).reshape(-1, 2)


@given(st.lists(st.lists(st.text(), max_size=6, unique=True), max_size=12), st.integers(0, 5))
def test_a_row_is_its_own_texts_or_unknown(calls: list[list[str]], capacity: int) -> None:
    """A row that is found is the right one, and no more are held than may be."""
    cache = RowCache(capacity)
    for texts in calls:
        for text, row in zip(texts, cache.find(texts), strict=True):
            assert row is None or row.tolist() == rows_of([text])[0].tolist()
        cache.keep(texts, rows_of(texts))
        assert len(cache._rows) <= capacity


def test_what_was_used_last_stays() -> None:
    """Room is made by dropping what was not asked for longest."""
    cache = RowCache(2)
    cache.keep(["old", "used"], rows_of(["old", "used"]))
    cache.find(["old"])
    cache.keep(["new"], rows_of(["new"]))
    assert [row is not None for row in cache.find(["old", "used", "new"])] == [True, False, True]


def test_a_row_goes_when_its_text_was_not_used_for_long() -> None:
    """Nothing of a text is held longer than the bound after it was last sent, if anything is asked at all."""
    clock = [0.0]
    cache = RowCache(10, lambda: clock[0])
    cache.keep(["left", "used"], rows_of(["left", "used"]))
    clock[0] = KEPT_SECONDS - 1
    assert cache.find(["used"])[0] is not None
    clock[0] = KEPT_SECONDS
    assert cache.find(["left"]) == [None]
    assert len(cache._rows) == 1
    cache.keep(["new"], rows_of(["new"]))
    clock[0] = 2 * KEPT_SECONDS - 1
    cache.keep(["newer"], rows_of(["newer"]))
    assert len(cache._rows) == 2  # "used" is gone, without being asked for
    assert cache.find(["used", "new"])[0] is None


def test_rows_do_not_hold_their_array() -> None:
    """A kept row is a copy: no change of the array reaches it, nor does the array stay in memory."""
    cache = RowCache(1)
    rows = rows_of(["a"])
    cache.keep(["a"], rows)
    rows[:] = -1
    (row,) = cache.find(["a"])
    assert row is not None
    assert row.base is None
    assert row.tolist() == [1, 97]


def test_no_text_is_kept() -> None:
    """Only a digest of the text stays in memory."""
    cache = RowCache(1)
    cache.keep(["a secret sentence"], rows_of(["x"]))
    assert "secret" not in repr(vars(cache))


def test_threads_may_share_a_cache() -> None:
    """Callers at once lose nothing and mix up nothing."""
    cache = RowCache(50)

    def use(number: int) -> None:
        texts = [f"{number % 7} {place}" for place in range(20)]
        cache.keep(texts, rows_of(texts))
        for text, row in zip(texts, cache.find(texts), strict=True):
            assert row is None or row.tolist() == rows_of([text])[0].tolist()

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(use, range(200)))
