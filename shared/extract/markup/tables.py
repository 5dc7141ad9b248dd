"""Is a table data, or a way to lay out a page? Its rows, or what stands in its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.extract.markup.found import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CELL = 600  # characters: a cell of more is a column of a page
_MAX_HEADED_CELL = 3_000  # ... in a table with header cells
_MAX_BLOCKS = 3  # paragraphs of a cell: likewise


class Table:
    """An open table that holds no other; cells collect what is found in them."""

    def __init__(self) -> None:
        self._rows: list[list[list[Found]]] = []
        self._headed = False

    def begin_row(self) -> None:
        self._rows.append([])

    def begin_cell(self, *, header: bool) -> None:
        if not self._rows:
            self.begin_row()
        self._headed |= header
        self._rows[-1].append([])

    def add(self, found: Found) -> bool:
        """False where no cell is open: what was found is a caption, or misplaced."""
        if not self._rows or not self._rows[-1]:
            return False
        self._rows[-1][-1].append(found)
        return True

    def contents(self) -> Iterator[Found]:
        """Everything in reading order, as if there were no table."""
        for row in self._rows:
            for cell in row:
                yield from cell

    def close(self) -> Iterator[Found]:
        """A row each where the table holds data, else its contents."""
        if self._is_layout():
            yield from self.contents()
            return
        for row in self._rows:
            cells = [" ".join(found.text for found in cell) for cell in row]
            text = " | ".join(filter(None, cells))
            if text:
                everything = [found for cell in row for found in cell]
                linked = sum(found.linked for found in everything)
                yield Found(text, "table", everything[0].marks, linked)

    def _is_layout(self) -> bool:
        rows = [[cell for cell in row if cell] for row in self._rows]
        cells = [cell for row in rows for cell in row]
        longest = max((sum(len(found.text) for found in cell) for cell in cells), default=0)
        if self._headed:
            return longest > _MAX_HEADED_CELL
        return (
            longest > _MAX_CELL
            or max(map(len, rows), default=0) <= 1
            or sum(map(bool, rows)) <= 1
            or any(len(cell) > _MAX_BLOCKS for cell in cells)
            or any(found.kind == "heading" for cell in cells for found in cell)
        )
