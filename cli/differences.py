"""Print what `headrace digest verify` found: reasons first, then the differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

CAUSES = ("gone", "again")
"""Kinds of differences that explain others."""
SHOWN = 12
"""Of the causes, and of what differs."""
LAST = "statistics."
"""Sums that shares are computed from, which no form of a digest shows."""


def in_order(differences: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Causes first, and last what nobody reads."""
    return sorted(differences, key=lambda one: (one["kind"] not in CAUSES, one["what"].startswith(LAST)))


def show(console: Console, identifier: str, differences: Sequence[dict[str, Any]]) -> None:
    """One line each, the first of many, or that there is none."""
    if not differences:
        console.print(f"Every number of {identifier} follows from the stored documents.")
    causes = [one for one in differences if one["kind"] in CAUSES]
    others = [one for one in differences if one["kind"] not in CAUSES]
    for title, some in (("Why:", causes), ("What differs:", others)):
        if causes and others:
            console.print(title)
        for one in some[:SHOWN]:
            console.print(Text(_line(one)))
        if left := len(some[SHOWN:]):
            console.print(
                f"... and {left:,} more: headrace digest verify {identifier} --json", soft_wrap=True
            )


def _line(one: dict[str, Any]) -> str:
    about = f" ({one['document']})" if one["document"] else ""
    if one["kind"] == "gone":
        return f"document {one['document']} {one['what']}"
    if one["kind"] == "again":
        return f"{one['what']}{about}"
    return f"{one['what']}{about}: it says {one['stored']}, and there is {one['found']}"
