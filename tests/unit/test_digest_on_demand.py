"""Digests asked for on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cli.digest import open_page
from shared.digests.on_demand import Wanted

if TYPE_CHECKING:
    import pytest

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def test_two_of_the_same_second_are_two() -> None:
    """Whose second span was another one was given the first one's digest."""
    later = NOON + timedelta(microseconds=1)
    asked = [Wanted(end=NOON), Wanted(end=later), Wanted(end=NOON, schedule="weekly", seconds=86_400)]
    assert [one.id for one in asked] == [
        "now-20261123T120000250000Z",
        "now-20261123T120000250001Z",
        "weekly-now-20261123T120000250000Z-86400s",
    ]


def test_a_page_is_opened_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its folder is called: a percent sign or a hash means something in an address."""
    opened: list[str] = []

    def note(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", note)
    open_page(Path("/home/me/50% done #1/now-1.html"))
    assert opened == ["file:///home/me/50%25%20done%20%231/now-1.html"]


def test_a_page_that_cannot_be_opened_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not on standard output, where the digest goes as JSON."""
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    open_page(Path("/home/me/now-1.html"))
    out, err = capsys.readouterr()
    assert (out, "/home/me/now-1.html" in err) == ("", True)
