"""Decide by their pixels which pages of a PDF have to be recognized.

A page with hardly any text that images cover, or that is drawn in curves, is a scan, a cover or a photograph.
A page of text is light, mostly of one colour, and broken by many small dark strokes.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


Handle = Any

_SIDE = 400  # pixels of the longer side
_EVERY = 3  # rows: one in so many


def draw(page: Handle) -> list[bytes]:
    """Return some rows of the page as it is seen; at least one, of at least one pixel."""
    wide, high = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    scale = _SIDE / max(wide, high)
    width, height = max(1, int(wide * scale)), max(1, int(high * scale))
    # No FPDF_GRAYSCALE: it turns every image grey before it is scaled, the bitmap does so after.
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, None, 0)
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, 0)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return [pixels[row * stride : row * stride + width] for row in range(0, height, _EVERY)]


_GRID = 16  # cells each way, to add up images that overlap or come in strips
_COVERED = 0.6  # of the page
_CURVES = 200  # paths: fewer are ornaments
_MAX_OBJECTS = 5_000  # looked at on one page
_MAX_PIXELS = 40_000_000  # of an image: a larger one takes more memory to look at than it is worth
_LOOKS = 40  # pages that are looked at; of more candidates every n-th one stands for its neighbours
_LIGHT = 170  # of 255: the background
_TONE = 16  # around the background's brightness
_MIN_BACKGROUND = 0.6  # of the pixels; samples: scans 0.79 to 0.98, light photographs and covers 0.32 to 0.49
_STROKE = 32  # difference in brightness of two neighbouring pixels
_SAMPLE = 5  # pixels: one in so many is counted
_MIN_STROKES = 0.01  # of the pixels; samples: scans 0.015 to 0.155, pages of one colour at most 0.004
_FEW_STROKES = 0.0005  # of the pixels: two words


def is_picture(page: Handle, *, with_curves: bool) -> bool:
    """Whether images cover the page, or, `with_curves`, so many curves draw it that they may be letters."""
    return _is_covered(page) or (with_curves and _curves(page) >= _CURVES)


def _is_covered(page: Handle) -> bool:
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
    return len(covered) >= _COVERED * _GRID * _GRID


def _objects(page: Handle) -> Iterator[tuple[Handle, Handle | None]]:
    """Yield the page's objects, and those of its groups with their group; nested groups are not opened."""
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
    """Yield left, bottom, right, top of each image, in page space."""
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
    """Return the cells of the grid between two shares of a side."""
    first, last = (round(max(0.0, min(1.0, share)) * _GRID) for share in (start, end))
    return range(first, last)


def find_scans(document: Handle, pictures: Sequence[int], *, few: bool = False) -> set[int]:
    """Return the pages among `pictures` (numbers from 1, ascending) that look like text, or like a `few`
    words.

    Pictures between two scans, without other pages among them, count as scans.
    """
    step = -(-len(pictures) // _LOOKS) or 1
    groups = [pictures[at : at + step] for at in range(0, len(pictures), step)]
    breaks = [at for at in range(1, len(groups)) if groups[at][0] != groups[at - 1][-1] + 1]
    scans: set[int] = set()
    for start, end in pairwise([0, *breaks, len(groups)]):
        run = groups[start:end]
        first = next((at for at, group in enumerate(run) if _is_scan(document, group[0], few=few)), None)
        if first is not None:
            behind = reversed(range(first + 1, len(run)))
            last = next((at for at in behind if _is_scan(document, run[at][0], few=few)), first)
            scans.update(*run[first : last + 1])
    return scans


def _is_scan(document: Handle, number: int, *, few: bool) -> bool:
    page = pdfium.FPDF_LoadPage(document, number - 1)
    if not page:
        return False
    try:
        if _is_huge(page):
            return True
        return _looks_written(draw(page), _FEW_STROKES if few else _MIN_STROKES)
    finally:
        pdfium.FPDF_ClosePage(page)


def _is_huge(page: Handle) -> bool:
    wide, high = ctypes.c_uint(), ctypes.c_uint()
    return any(
        pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_IMAGE
        and pdfium.FPDFImageObj_GetImagePixelSize(item, wide, high)
        and wide.value * high.value > _MAX_PIXELS
        for item, _ in _objects(page)
    )


def _looks_written(rows: Sequence[bytes], strokes: float) -> bool:
    tone, share = _background(rows)
    if tone < _LIGHT or share < _MIN_BACKGROUND:
        return False
    missing = strokes * sum(map(len, rows))
    for row in rows:
        missing -= sum(abs(one - other) > _STROKE for one, other in pairwise(row))
        if missing <= 0:
            return True
    return False


def _background(rows: Sequence[bytes]) -> tuple[int, float]:
    """Return the most common tone, and the share of the pixels near it."""
    tones = Counter(b"".join(rows)[::_SAMPLE])
    sums = list(accumulate((tones[tone] for tone in range(256)), initial=0))

    def near(tone: int, around: int) -> int:
        return sums[min(256, tone + around + 1)] - sums[max(0, tone - around)]

    tone = max(range(256), key=lambda tone: near(tone, _TONE // 2))
    return tone, near(tone, _TONE) / sums[-1]
