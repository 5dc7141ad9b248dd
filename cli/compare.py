"""Comparisons of stored documents as the command line reads and prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from cli.render import SENTIMENT_STYLES, passage, section
from shared.documents.compare import Asked, compare, parse_side
from shared.documents.plans import TITLES
from shared.documents.store import stored_document
from shared.documents.views import quantity
from shared.platform.clients import firestore_client
from shared.text.datapoints import names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from shared.documents.compare import Cell, Comparison, DatapointRow, Difference, Side

SHOWN_PLANS = 8
"""Plans of each status that are printed."""


def made(sides: Sequence[str]) -> Comparison:
    """Return the comparison of sides, each the id or name of a document, or an organisation and a year.

    Raises:
        HeadraceError: there is no such document, or it cannot be compared.
    """
    return compare(firestore_client(), [_asked(side) for side in sides])


def _asked(side: str) -> Asked:
    document = stored_document(side)
    return Asked(document=document.id) if document else parse_side(side)


def show(console: Console, made: Comparison) -> None:
    """Print data points, topics, outcomes, plans, and what is missing or new."""
    console.print(Text("  |  ".join(_label(side) for side in made.sides), "bold"))
    for note in made.notes:
        console.print(Text(f"Note: {note}", "yellow"))
    section(console, f"Data points ({len(made.datapoints)})")
    grid = _grid(made, "data point")
    for row in made.datapoints:
        name = ", ".join(filter(None, [row.name, row.part]))
        grid.add_row(Text(row.code, "bright_black"), Text(name), *_datapoint(row))
    console.print(grid)
    section(console, "Topics, in per cent of passages")
    grid = _grid(made, "topic")
    for topic in made.topics:
        cells = []
        for at, cell in enumerate(topic.cells):
            cells.append(Text(f"{cell.share:.1f}"))
            if at:
                cells.append(Text(f"{cell.change or 0:+.1f}"))
        grid.add_row(Text(topic.topic, "bright_black"), Text(topic.name or ""), *cells)
    console.print(grid)
    section(console, "Outcomes, in per cent of passages")
    for side in made.sides:
        shares = [(f"  {label} {share:.1f}", SENTIMENT_STYLES[label]) for label, share in side.shares.items()]
        console.print(Text.assemble(f"  {side.label}:", *shares))
    _plans(console, made)
    for difference in made.differences:
        _difference(console, made, difference)


def _label(side: Side) -> str:
    count = len(side.documents)
    return f"{side.label} ({count} documents)" if count > 1 else side.label


def _grid(made: Comparison, name: str) -> Table:
    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("", no_wrap=True)
    grid.add_column(name)
    for at, side in enumerate(made.sides):
        grid.add_column(str(side.year) if made.over_time else side.label, justify="right")
        if at:
            grid.add_column("change", justify="right", no_wrap=True)
    return grid


def _datapoint(row: DatapointRow) -> list[Text]:
    cells = []
    for at, cell in enumerate(row.cells):
        said = [quantity(cell.value.value, row.unit)] if cell.value else []
        if cell.restated:
            said.append(f"(later: {quantity(cell.restated.value, row.unit)})")
        cells.append(Text(" ".join(said) or "-"))
        if at:
            cells.append(_change(cell, row.unit))
    return cells


def _change(cell: Cell, unit: str | None) -> Text:
    if cell.doubtful:
        return Text("check both", "yellow")
    if cell.change is None:
        return Text("")
    style = {True: "green", False: "red", None: ""}[cell.is_better]
    return Text(f"{cell.change:+,.1f}{' points' if unit == '%' else '%'}", style)


def _plans(console: Console, made: Comparison) -> None:
    for status, title in TITLES.items():
        found = [each for each in made.plans if each.status == status]
        if not found:
            continue
        section(console, f"{title} ({len(found)})")
        for each in found[:SHOWN_PLANS]:
            passage(console, each.plan.page, each.plan.row, each.plan.text, " ".join(each.plan.topics))
            if each.now:
                year = str(made.sides[each.side + 1].year)
                passage(console, each.now.page, each.now.row, each.now.text, f"→ {year}")
        if (rest := len(found) - SHOWN_PLANS) > 0:
            console.print(Text(f"  … and {rest} more: --json", "bright_black"))


def _difference(console: Console, made: Comparison, difference: Difference) -> None:
    label, before = made.sides[difference.side].label, made.sides[difference.against].label
    missing = [names().get(code, code) for code in difference.missing_datapoints]
    new = [names().get(code, code) for code in difference.new_datapoints]
    for title, listed in (
        (f"In {before}, not in {label}", [*difference.missing_topics, *missing]),
        (f"In {label}, not in {before}", [*difference.new_topics, *new]),
    ):
        if listed:
            section(console, f"{title} ({len(listed)})")
            console.print(Text(f"  {'; '.join(listed)}"))
