"""Is a page a picture of text?

A page with hardly any text whose images cover it, or that is drawn in curves, is a scan, or else a cover or
a photograph. What tells them apart is a look at it: a page of text is light, mostly of one colour, and broken
by many small dark strokes.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Handle = Any

_GRID = 16  # cells each way, to add up images that overlap or come in strips
_COVERED = 0.6  # of the page
_CURVES = 200  # paths: fewer are ornaments
_MAX_OBJECTS = 5_000  # looked at on one page
_MAX_PIXELS = 40_000_000  # of an image: a larger one takes more memory to look at than it is worth
_LOOKS = 40  # pages that are looked at; of more candidates every n-th one stands for its neighbours
_SIDE = 400  # pixels of the longer side of what is looked at
_LIGHT = 170  # of 255: the background
_TONE = 16  # around the background's brightness
_MIN_BACKGROUND = 0.5  # of the pixels; samples: scans 0.79 to 0.98, photographs and covers 0.20 to 0.64
_STROKE = 32  # difference in brightness of two neighbouring pixels
_EVERY = 3  # rows: strokes are counted in one of so many
_MIN_STROKES = 0.01  # of the pixels; samples: scans 0.016 to 0.155, pages of one colour at most 0.004


def is_picture(page: Handle, *, with_curves: bool) -> bool:
    """Images cover the page; or, `with_curves`, it is drawn of so many that they may be letters."""
    box = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, box)
    wide, high = box.right - box.left, box.top - box.bottom
    if not (wide > 0 and high > 0):
        return False
    covered: set[tuple[int, int]] = set()
    for left, bottom, right, top in _images(page):
        columns = _cells((left - box.left) / wide, (right - box.left) / wide)
        rows = _cells((bottom - box.bottom) / high, (top - box.bottom) / high)
        covered.update((column, row) for column in columns for row in rows)
    return len(covered) >= _COVERED * _GRID * _GRID or (with_curves and _curves(page) >= _CURVES)


def _objects(page: Handle) -> Iterator[tuple[Handle, Handle | None]]:
    """The page's objects, and those of its groups with their group; groups within these are not opened."""
    for at in range(min(_MAX_OBJECTS, pdfium.FPDFPage_CountObjects(page))):
        item = pdfium.FPDFPage_GetObject(page, at)
        if pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_FORM:
            for inner in range(min(_MAX_OBJECTS, pdfium.FPDFFormObj_CountObjects(item))):
                yield pdfium.FPDFFormObj_GetObject(item, inner), item
        else:
            yield item, None


def _curves(page: Handle) -> int:
    return sum(pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_PATH for item, _ in _objects(page))


def _images(page: Handle) -> Iterator[tuple[float, float, float, float]]:
    """left, bottom, right, top of each image, in page space."""
    edges = [ctypes.c_float() for _ in range(4)]
    matrix = pdfium.FS_MATRIX()
    for item, group in _objects(page):
        if pdfium.FPDFPageObj_GetType(item) != pdfium.FPDF_PAGEOBJ_IMAGE or not pdfium.FPDFPageObj_GetBounds(
            item, *edges
        ):
            continue
        left, bottom, right, top = (edge.value for edge in edges)
        if group is not None and pdfium.FPDFPageObj_GetMatrix(group, matrix):
            xs = [matrix.a * x + matrix.c * y + matrix.e for x in (left, right) for y in (bottom, top)]
            ys = [matrix.b * x + matrix.d * y + matrix.f for x in (left, right) for y in (bottom, top)]
            left, bottom, right, top = min(xs), min(ys), max(xs), max(ys)
        yield left, bottom, right, top


def _cells(start: float, end: float) -> range:
    """Cells of the grid from one share of a side to another."""
    first, last = (round(max(0.0, min(1.0, share)) * _GRID) for share in (start, end))
    return range(first, last)


def find_scans(document: Handle, pictures: Sequence[int]) -> set[int]:
    """The pages among `pictures` (numbers from 1) that look like pages of text."""
    step = -(-len(pictures) // _LOOKS) or 1
    scans: set[int] = set()
    for at in range(0, len(pictures), step):
        page = pdfium.FPDF_LoadPage(document, pictures[at] - 1)
        if not page:
            continue
        try:
            if _is_huge(page) or _looks_written(_look(page)):
                scans.update(pictures[at : at + step])
        finally:
            pdfium.FPDF_ClosePage(page)
    return scans


def _is_huge(page: Handle) -> bool:
    wide, high = ctypes.c_uint(), ctypes.c_uint()
    return any(
        pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_IMAGE
        and pdfium.FPDFImageObj_GetImagePixelSize(item, wide, high)
        and wide.value * high.value > _MAX_PIXELS
        for item, _ in _objects(page)
    )


def _look(page: Handle) -> list[bytes]:
    """The page in grey, row by row; at least one pixel each way."""
    wide, high = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    scale = _SIDE / max(wide, high)
    width, height = max(1, int(wide * scale)), max(1, int(high * scale))
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, None, 0)
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, pdfium.FPDF_GRAYSCALE)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return [pixels[row * stride : row * stride + width] for row in range(height)]


def _looks_written(rows: Sequence[bytes]) -> bool:
    total = len(rows) * len(rows[0])
    tones = Counter[int]()
    for row in rows:
        tones.update(row)

    def share(tone: int, around: int) -> float:
        return sum(tones[near] for near in range(tone - around, tone + around + 1)) / total

    background = max(range(256), key=lambda tone: share(tone, _TONE // 2))
    if background < _LIGHT or share(background, _TONE) < _MIN_BACKGROUND:
        return False
    sample = rows[::_EVERY]
    strokes = sum(abs(one - other) > _STROKE for row in sample for one, other in pairwise(row))
    return strokes >= _MIN_STROKES * len(sample) * len(rows[0])
