"""A document near the limit of characters takes less than 400 MB, where it is read and where it is cut."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.ingest.memory import measure, write

MOST = 400
"""MB resident, of both processes together."""

model = pytest.mark.skipif(
    not Path("build/model/tokenizer.json").exists() or sys.platform != "linux",
    reason="needs the model's tokenizer, and /proc",
)


@model
@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.html", "a.docx", "wide.txt", "wide.csv"])
def test_a_text_near_the_limit_keeps_within_memory(tmp_path: Path, name: str) -> None:
    """In every format; also where Python takes four bytes for every character."""
    write(tmp_path / name)
    peaks = measure(tmp_path / name)
    assert peaks.passages > 10_000
    assert peaks.reader > 0
    assert max(peaks.reader, peaks.caller, peaks.together) < MOST, peaks


@model
@pytest.mark.parametrize("name", ["a.txt", pytest.param("a.csv", marks=pytest.mark.slow)])
def test_memory_grows_little_with_the_text(tmp_path: Path, name: str) -> None:
    """Two million characters more take less than 40 MB more: no step keeps many times what it reads."""
    small, large = (tmp_path / f"{size}" / name for size in (100_000, 2_100_000))
    sizes = []
    for path in (small, large):
        path.parent.mkdir()
        write(path, int(path.parent.name))
        sizes.append(measure(path))
    assert sizes[1].passages > 10 * sizes[0].passages
    assert sizes[1].caller - sizes[0].caller < 40, sizes
