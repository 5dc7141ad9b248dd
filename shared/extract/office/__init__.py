"""Word, PowerPoint and Excel documents of the Office Open XML formats (ISO/IEC 29500).

Read part by part as streams (`package`), out of a ZIP that is not trusted (`zips`). The libraries for these
formats build a tree of everything, which takes several times as long on a long report and lets 300 kB claim
gigabytes; the fast one for spreadsheets sets memory aside for every cell between the first and the last, so
that a sheet with two cells in opposite corners ends the process.
"""

from __future__ import annotations

from shared.extract.office.excel import read_xlsx
from shared.extract.office.powerpoint import read_pptx
from shared.extract.office.word import read_docx

__all__ = ["read_docx", "read_pptx", "read_xlsx"]
