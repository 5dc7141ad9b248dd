"""What differs of a digest is told with its reason first, and not at a length that nobody reads."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from cli import digest
from cli.digest import SHOWN_DIFFERENCES, in_order
from cli.main import headrace
from shared.digests.issue import Difference
from tests.sample_digest import digest as invented
from tests.sample_digest import stored


def difference(kind: Any, what: str, document: str | None = None) -> dict[str, Any]:
    found = Difference(kind=kind, what=what, document=document, stored="2", found="1")
    return found.model_dump(mode="json")


FOUND = in_order(
    [
        *(difference("number", f"statistics.cells.{at}") for at in range(100)),
        difference("number", "overview.completed"),
        difference("number", "passage 3 of a.pdf", "ab12"),
        difference("gone", "was erased since", "cd34"),
        difference("again", "b.pdf was read since", "ef56"),
    ]
)


def told(found: list[dict[str, Any]]) -> list[str]:
    page = StringIO()
    digest.show_differences(Console(file=page, width=80), "weekly-x", found)
    return page.getvalue().splitlines()


def test_reasons_come_first_and_sums_last() -> None:
    lines = told(FOUND)
    assert lines[:5] == [
        "Why:",
        "document cd34 was erased since",
        "b.pdf was read since (ef56)",
        "What differs:",
        "overview.completed: it says 2, and there is 1",
    ]
    assert lines[5].startswith("passage 3 of a.pdf (ab12): ")


def test_a_long_list_is_cut() -> None:
    """And says where the rest is."""
    lines = told(FOUND)
    assert len(lines) == 2 + 2 + SHOWN_DIFFERENCES + 1
    assert lines[-1] == f"... and {102 - SHOWN_DIFFERENCES} more: headrace digest verify weekly-x --json"
    assert told([]) == ["Every number of weekly-x follows from the stored documents."]


@pytest.mark.parametrize(("found", "status"), [([], 0), ([difference("number", "novel_among")], 1)])
def test_the_status_says_whether_something_differs(
    monkeypatch: pytest.MonkeyPatch, found: list[dict[str, Any]], status: int
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "asked.not.at.all")
    monkeypatch.setattr(digest, "find", lambda _: stored(invented()))
    monkeypatch.setattr(digest, "verified", lambda _: found)
    done = CliRunner().invoke(headrace, ["digest", "verify", "weekly-x"])
    assert done.exit_code == status, done.output
