"""The benchmark's table goes between its marks, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.digests import __main__ as bench

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_table_replaces_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people wrote around it stays; a page that is not there is begun."""
    page = tmp_path / "digests.md"
    monkeypatch.setattr(bench, "PAGE", page)
    bench.write(["| old |"])
    page.write_text(f"Before.\n{page.read_text()}After.\n")
    bench.write(["| new |", "| more |"])
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith(f"{bench.MARK}\n| new |\n| more |\n{bench.END}\nAfter.\n")
    assert "old" not in text
