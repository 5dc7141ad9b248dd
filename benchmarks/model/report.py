"""The figures as a Markdown table: what was aimed at, what was measured, and by how much it falls short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BEGIN = "<!-- figures: written by make bench-model -->"
END = "<!-- end of figures -->"
_SIGNS = {"at least": "≥", "at most": "≤"}


@dataclass(frozen=True)
class Target:
    """A limit for one number."""

    value: float
    side: Literal["at least", "at most"]
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the number keeps to the limit."""
        return self.value >= self.limit if self.side == "at least" else self.value <= self.limit

    @property
    def asked(self) -> str:
        """The limit as it is printed."""
        return f"{_SIGNS[self.side]} {_number(self.limit)}{self.unit}"

    @property
    def verdict(self) -> str:
        """`met`, or by how much it is missed, in parts of the limit."""
        if self.met:
            return "met"
        return f"missed by {abs(self.value / self.limit - 1):.0%}"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    figures: str
    """The numbers compared, with their units."""
    measured: str
    target: Target | None = None

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """As the table's columns have them."""
        target = self.target
        return (
            self.what,
            self.figures,
            self.measured,
            target.asked if target else "report",
            target.verdict if target else "",
        )


HEADINGS = ("what", "side by side", "measured", "target", "")


def table(rows: Sequence[Row]) -> str:
    """Rows in Markdown."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def insert(page: Path, figures: str) -> None:
    """Put `figures` between the markers of a page.

    Raises:
        ValueError: the page has no markers.
    """
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}", "utf-8")


def _number(value: float) -> str:
    return f"{value:.4f}" if 0.999 < value < 1 else f"{value:g}"
