"""What differs of a digest is printed, and not at a length that nobody reads."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from cli import digest
from cli.digest import SHOWN_DIFFERENCES
from cli.main import headrace
from tests.sample_digest import digest as invented
from tests.sample_digest import stored

FOUND = [
    {"what": f"statistics.cells.{at}", "stored": "2", "found": "1"} for at in range(SHOWN_DIFFERENCES + 80)
]


def told(found: list[dict[str, Any]]) -> list[str]:
    page = StringIO()
    digest.show_differences(Console(file=page, width=80), "weekly-x", found)
    return page.getvalue().splitlines()


def test_a_long_list_is_cut() -> None:
    """And says where the rest is."""
    lines = told(FOUND)
    assert len(lines) == SHOWN_DIFFERENCES + 1
    assert lines[0] == "statistics.cells.0: it says 2, and there is 1"
    assert lines[-1] == "... and 80 more: headrace digest verify weekly-x --json"
    assert told([]) == ["Every number of weekly-x follows from the stored documents."]


@pytest.mark.parametrize(("found", "status"), [([], 0), (FOUND[:1], 1)])
def test_the_status_says_whether_something_differs(
    monkeypatch: pytest.MonkeyPatch, found: list[dict[str, Any]], status: int
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "asked.not.at.all")
    monkeypatch.setattr(digest, "find", lambda _: stored(invented()))
    monkeypatch.setattr(digest, "verified", lambda _: found)
    done = CliRunner().invoke(headrace, ["digest", "verify", "weekly-x"])
    assert done.exit_code == status, done.output
