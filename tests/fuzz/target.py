"""What is done with a mutant in its process: the whole way that an upload takes up to its blocks."""

from __future__ import annotations

import resource
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from shared.extract.core import extract
from shared.extract.shapes import ExtractOptions, Limits
from shared.extract.sniff import sniff
from shared.extract.tables import MAX_CELL, MAX_COLUMNS, MAX_ROW_TEXT, MAX_ROWS, above_of, row_text
from shared.extract.zips import ARCHIVES, members
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.extract.shapes import Block
    from shared.platform.tables import Table

_CHUNK = 1 << 16


def read(path: Path, *, name: str, limits: dict[str, int]) -> Iterator[tuple[str, float, int]]:
    """Its outcome and what it took, as the only piece."""
    started = time.process_time()
    try:
        outcome = _outcome(path, name, ExtractOptions(limits=Limits(**limits)))
    except Rejected as rejected:
        outcome = f"rejected: {rejected.code}"
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield outcome, seconds, peak


def _outcome(path: Path, name: str, options: ExtractOptions) -> str:
    suffix = PurePosixPath(name).suffix
    media_type = (
        sniff(path, suffix=suffix, content_type="", limits=options.limits) if path.stat().st_size else ""
    )
    if media_type in ARCHIVES:
        for _, content in members(path, media_type, name, options.limits, []):
            while content.read(_CHUNK):
                pass
        return "unpacked"
    extracted = extract(path, name=name, content_type=None, options=options)
    assert any(block.text.strip() for block in extracted.blocks) or extracted.ocr_pages
    for block in extracted.blocks:
        _check_row(block, extracted.tables)
    for table in extracted.tables:
        _check_table(table)
    return f"read: {extracted.media_type}"


def _check_row(block: Block, tables: list[Table]) -> None:
    """A block of a table is one of its rows; it is read with heads and parents, within the limit."""
    assert len(block.text) <= MAX_ROW_TEXT or block.table is None
    if block.table is not None and block.at is not None:
        table = tables[block.table]
        above = above_of(tables, block.table) if table.continues else None
        assert table.rows[block.at].kind == "row"
        assert block.text == row_text(table, block.at, above)


def _check_table(table: Table) -> None:
    """Its cells keep within it and within the limits."""
    assert len(table.rows) <= MAX_ROWS
    assert table.columns <= MAX_COLUMNS
    for at, row in enumerate(table.rows):
        assert row.cells
        assert [cell.column for cell in row.cells] == sorted({cell.column for cell in row.cells})
        for cell in row.cells:
            assert 0 < len(cell.text) <= MAX_CELL
            assert 1 <= cell.column_span <= table.columns - cell.column
            assert 1 <= cell.row_span <= len(table.rows) - at
