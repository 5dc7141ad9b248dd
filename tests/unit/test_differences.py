"""What differs of a digest is told with its reason first, and not at a length that nobody reads."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from cli import differences
from cli.differences import SHOWN, in_order
from shared.digests.since import Difference


def difference(kind: Any, what: str, document: str | None = None) -> dict[str, Any]:
    found = Difference(kind=kind, what=what, document=document, stored="2", found="1")
    return found.model_dump(mode="json")


FOUND = in_order(
    [
        *(difference("number", f"statistics.cells.{at}") for at in range(100)),
        difference("number", "overview.completed"),
        difference("quote", "passage 3 of a.pdf", "ab12"),
        difference("gone", "was erased since", "cd34"),
        difference("again", "b.pdf was read since", "ef56"),
    ]
)


def told(found: list[dict[str, Any]]) -> list[str]:
    page = StringIO()
    differences.show(Console(file=page, width=80), "weekly-x", found)
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
    assert len(lines) == 2 + 2 + SHOWN + 1
    assert lines[-1] == f"... and {102 - SHOWN} more: headrace digest verify weekly-x --json"
    assert told([]) == ["Every number of weekly-x follows from the stored documents."]
