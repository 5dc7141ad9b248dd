"""Web pages read, for tests."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from shared.extract.decode import texts
from shared.extract.markup.html import Page, read_html, read_page
from shared.extract.shapes import Block, Extracted, ExtractOptions, Limits
from shared.extract.tables import Tables

if TYPE_CHECKING:
    from pathlib import Path


LIMITS = Limits()


def page(markup: bytes | str, limits: Limits = LIMITS) -> Page:
    return read_page(
        texts(io.BytesIO(markup.encode() if isinstance(markup, str) else markup)), limits, Tables(limits)
    )


def blocks(markup: bytes | str, limits: Limits = LIMITS) -> list[Block]:
    return page(markup, limits).blocks


def read(tmp_path: Path, markup: bytes, limits: Limits = LIMITS) -> Extracted:
    path = tmp_path / "page.html"
    path.write_bytes(markup)
    return read_html(path, ExtractOptions(limits=limits))
