"""Which archives a name lies in."""

from __future__ import annotations

from shared.api.erasing import archives_around


def test_archives_that_a_name_lies_in() -> None:
    """From the outermost to the one that it was a member of."""
    assert archives_around("in/outer.zip!/inner.zip!/deep.txt") == ["in/outer.zip", "in/outer.zip!/inner.zip"]
    assert archives_around("report.txt") == []
