"""Office documents of many parts, the same at every run: the XML of Word, PowerPoint, Excel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ingest.made.sheets import ROWS, corners_xlsx, reviews_xlsx
from benchmarks.ingest.made.slides import SLIDES, slides_pptx
from benchmarks.ingest.made.word import DOCX_BYTES, EMPTY_PARAGRAPHS, empty_docx, long_docx

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MADE: dict[str, tuple[str, Callable[[Path], None]]] = {
    f"{DOCX_BYTES / 1e6:.0f} MB of XML": ("long.docx", long_docx),
    f"{EMPTY_PARAGRAPHS:,} empty paragraphs": ("empty.docx", empty_docx),
    f"{SLIDES} slides": ("slides.pptx", slides_pptx),
    f"{ROWS:,} rows": ("reviews.xlsx", reviews_xlsx),
    "two cells in opposite corners": ("corners.xlsx", corners_xlsx),
}
"""Files and who writes them, by what they are."""
