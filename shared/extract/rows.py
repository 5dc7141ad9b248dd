"""A cell of text to blocks: a row is one passage, unless a whole document was put into one cell."""

from __future__ import annotations

from dataclasses import replace

from shared.extract.plain import paragraphs
from shared.extract.shapes import Block
from shared.extract.tidy import squeeze

_DOCUMENT = 4_000
"""Characters, about four windows of the model: as one passage, most of a longer text would be cut off."""


def row_blocks(text: str, row: int, label: str | None) -> list[Block]:
    """One block of kind `row`, none where there is no text, or the paragraphs of a long document."""
    if len(text) > _DOCUMENT:
        return [replace(block, row=row, label=label) for block in paragraphs(text, markdown=True)]
    tidy = squeeze(text)
    return [Block(tidy, "row", row=row, label=label)] if tidy else []
