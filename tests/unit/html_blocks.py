"""Web pages read, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.extract.markup.html import html_blocks, read_html
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits

if TYPE_CHECKING:
    from pathlib import Path


LIMITS = Limits()


def blocks(markup: bytes | str, limits: Limits = LIMITS) -> list[Block]:
    return html_blocks(markup, limits)[1]


def read(tmp_path: Path, markup: bytes, limits: Limits = LIMITS) -> Extracted:
    path = tmp_path / "page.html"
    path.write_bytes(markup)
    return read_html(path, ExtractOptions(limits=limits))
