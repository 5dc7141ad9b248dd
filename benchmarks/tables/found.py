"""What readers return of a page, in the form that is scored: numbers beside label, head and unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.tables.score import Found
from benchmarks.tables.words import core, number_pattern, years

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from shared.platform.tables import Box, Figure, Table

Cells = list[list[str | None]]
"""Rows of a peer's table; None where the cell before spans, "" where a cell is empty."""
_NUMBER = re.compile(r"\W*(?:[^\W\d_]{1,3}\W*)?\d[\d.,'\u2019\s]*\W*(?:[^\W\d_]{1,4}\W*)?")
"""All of a cell that is a number, with a sign or a short unit."""
_LONGEST_YEAR = 12  # characters, of "FY 2023/2024"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A cell or a sentence, and the text that gives its numbers their meaning."""

    text: str
    label: str
    column: str = ""
    box: Box | None = None
    is_prose: bool = False


def of_cells(cells: Cells) -> Iterator[Piece]:
    """Yield the cells below the heads of a peer's table, which names neither heads nor labels.

    The rows above the first number are heads, the cells before a number its label, and the last row above
    without numbers is the heading of its group.
    """
    first = next((at for at, row in enumerate(cells) if any(map(is_number, row[1:]))), len(cells))
    group = ""
    heads = [_repeated(row) for row in cells[:first]]
    if len(heads) > 1 and not any(cells[first - 1][1:]):
        group = heads.pop()[0]
    for row in cells[first:]:
        texts = [cell or "" for cell in row]
        if not any(map(is_number, texts)):
            group = " ".join(filter(None, texts))
            continue
        for column, text in enumerate(texts):
            label = " ".join(cell for cell in texts[:column] if not is_number(cell))
            above = (head[column] for head in heads if column < len(head))
            yield Piece(
                text=text,
                label=f"{group} > {label}" if group else label,
                column=" > ".join(dict.fromkeys(filter(None, above))),
            )


def of_passage(text: str, kind: str, section: str | None) -> Iterator[Piece]:
    """Yield the parts of a passage: "label | head: cell; head: cell" if it is a row, else all of it."""
    label, bar, rest = text.partition(" | ")
    label = f"{section} > {label}" if section else label
    if not bar or kind != "row":
        yield Piece(
            text=text, label=f"{section or ''} > {text}", column=f"{text} {section or ''}", is_prose=True
        )
        return
    yield Piece(text=label.rpartition(" > ")[2], label=label)
    for part in re.split(r"; | \| ", rest):
        head, colon, cell = part.rpartition(": ")
        yield Piece(text=cell, label=label, column=head if colon else "")


def of_tables(tables: Iterable[Table]) -> Iterator[tuple[int | None, Piece]]:
    """Yield the cells of Headrace's tables beside their labels, with their pages."""
    from shared.extract.tables import heads_of, label_of, parents_of

    above: Table | None = None
    for table in tables:
        above = above if table.continues else None
        caption = table.caption or (above.caption if above else None)
        for at, row in enumerate(table.rows):
            if row.kind != "row":
                continue
            label = " > ".join(filter(None, (caption, *parents_of(table, at), label_of(table, at))))
            for cell in row.cells:
                if cell.column >= table.labels:
                    column = " > ".join(heads_of(table, cell.column, above))
                    yield table.page, Piece(text=cell.text, label=label, column=column, box=cell.box)
        above = above or table


def of_figure(figure: Figure, tables: Sequence[Table], section: str | None) -> Found:
    """Return what a figure of Headrace states, with the heads of its cell or the heading above."""
    from shared.extract.tables import heads_of

    heads: tuple[str, ...] = ()
    if figure.table is not None and figure.cell is not None and figure.table < len(tables):
        heads = heads_of(tables[figure.table], figure.cell[1])
    return Found(
        number=core(figure.printed or figure.text),
        label=figure.metric if heads or not section else f"{section} > {figure.metric}",
        column=" > ".join(filter(None, (*heads, figure.qualifier))),
        period=figure.period,
        unit=figure.unit,
        value=figure.value,
        box=figure.box,
    )


def found_in(piece: Piece, printed: Collection[str]) -> Iterator[Found]:
    """Yield the gold's numbers in a piece, as often as it holds them; else its own, if it is one number."""
    if not any(map(str.isdecimal, piece.text)):
        return
    known = [core(number) for number in printed for _ in number_pattern(number).finditer(piece.text)]
    for number in known or ([core(piece.text)] if is_number(piece.text) else []):
        yield Found(
            number=number,
            label=piece.label,
            column=piece.column,
            unit=f"{piece.text} {piece.label} {piece.column}",
            box=piece.box,
            meant=not piece.is_prose,
        )


def is_number(text: str | None) -> bool:
    """Whether a cell holds a number, and nothing else but a sign or a short unit; a year is none."""
    if not text or (years(text) and len(text) <= _LONGEST_YEAR):
        return False
    return _NUMBER.fullmatch(text.strip()) is not None


def _repeated(row: Sequence[str | None]) -> list[str]:
    """Return the texts of heads, with those that span repeated."""
    texts: list[str] = []
    for cell in row:
        texts.append(cell if cell is not None else texts[-1] if texts else "")
    return texts
