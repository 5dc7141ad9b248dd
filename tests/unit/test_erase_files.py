"""Which generations of a file are erased, and which archives a name lies in."""

from __future__ import annotations

from cli.erase import archives_around, split_versions


def test_every_version_that_was_asked_about_goes_and_no_newer_one() -> None:
    """In a bucket that keeps versions, those that are not current go too; one that is gone is no matter."""
    assert split_versions([100, 150, 200, 250], [50, 100, 150, 200]) == ([100, 150, 200], [250])
    assert split_versions([200], []) == ([], [200])


def test_archives_that_a_name_lies_in() -> None:
    """From the outermost to the one that it was a member of."""
    assert archives_around("in/outer.zip!/inner.zip!/deep.txt") == ["in/outer.zip", "in/outer.zip!/inner.zip"]
    assert archives_around("report.txt") == []
