"""Draw a page of a PDF as a gray picture, in a process of its own, because the file is not trusted."""

from __future__ import annotations

import base64
import ctypes
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pypdfium2.raw as pdfium
from pydantic import TypeAdapter

from shared.extract.refusals import not_drawn
from shared.extract.sandbox.wire import Task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.extract.sandbox.client import Sandbox

    Grey = NDArray[np.uint8]

DPI = 200
"""More does not read better: docs/ocr.md."""
MAX_PIXELS = 8_000_000
"""Pixels of a picture; a page that would have more at `DPI` (larger than A3) is drawn smaller."""
POINTS_AN_INCH = 72
_PIECE = TypeAdapter(tuple[int, int, float, float, str])


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of pixels from the top, 0 is black; and the size of the page in points."""

    pixels: Grey
    width: float
    height: float


def draw_apart(  # noqa: PLR0913 - which page of what, and within which limits
    sandbox: Sandbox, path: Path, number: int, *, password: str | None, seconds: float, memory: int
) -> Picture:
    """Draw page `number` (from 1) in a process limited to `seconds` and `memory` bytes of address space.

    Raises:
        Rejected: the page cannot be drawn, or not within the limits.
        SandboxUnavailable: no process could be started.
    """
    task = Task(
        f"{__name__}:draw",
        str(path.resolve()),
        {"number": number, "password": password},
        MAX_PIXELS,  # a picture travels as text, of 4 characters for 3 pixels
        seconds,
        memory,
    )
    drawn, _ = sandbox.run(task, _Drawn)
    if drawn.picture is None:
        raise not_drawn()
    return drawn.picture


def draw(path: Path, *, number: int, password: str | None) -> Iterator[list[Any]]:
    """Draw in the child process: yield columns, rows, width, height, and the pixels as text."""
    secret = password.encode() if password is not None else None
    document = pdfium.FPDF_LoadDocument(str(path).encode(), secret)
    page = pdfium.FPDF_LoadPage(document, number - 1) if document else None
    if not page:
        raise not_drawn()
    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    if not (width > 0 and height > 0):
        raise not_drawn()
    columns, rows = picture_size(width, height)
    yield [columns, rows, width, height, base64.b64encode(_render(page, columns, rows)).decode()]


def picture_size(width: float, height: float) -> tuple[int, int]:
    """Return columns and rows of the picture of a page of so many points."""
    scale = min(DPI / POINTS_AN_INCH, math.sqrt(MAX_PIXELS / (width * height)))
    columns, rows = max(1, int(width * scale)), max(1, int(height * scale))
    # One side of a page like a ribbon is rounded up to a pixel.
    return min(columns, MAX_PIXELS // rows), min(rows, MAX_PIXELS)


def _render(page: Any, columns: int, rows: int) -> bytes:  # noqa: ANN401 - pdfium's handle
    bitmap = pdfium.FPDFBitmap_CreateEx(columns, rows, pdfium.FPDFBitmap_Gray, None, 0)
    if not bitmap:
        raise MemoryError
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, columns, rows, 0xFFFFFFFF)
    flags = pdfium.FPDF_GRAYSCALE | pdfium.FPDF_RENDER_LIMITEDIMAGECACHE
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, columns, rows, 0, flags)
    stride = pdfium.FPDFBitmap_GetStride(bitmap)
    data = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * rows)
    return np.frombuffer(data, np.uint8).reshape(rows, stride)[:, :columns].tobytes()


class _Drawn:
    """Checks and keeps the picture: the child that sends it is not trusted."""

    def __init__(self) -> None:
        self.picture: Picture | None = None

    def take(self, piece: bytes) -> None:
        columns, rows, width, height, text = _PIECE.validate_json(piece)
        pixels = np.frombuffer(base64.b64decode(text, validate=True), np.uint8).reshape(rows, columns)
        if not (0 < width < math.inf and 0 < height < math.inf and 0 < pixels.size <= MAX_PIXELS):
            raise ValueError("no picture")
        self.picture = Picture(pixels, width, height)
