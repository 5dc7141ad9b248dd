"""Is a page a picture of text?

A page with hardly any text whose images cover it, or that is drawn in curves, is a scan, or else a cover or
a photograph. What tells them apart is a look at it: a page of text is light, mostly of one colour, and broken
by many small dark strokes.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from shared.extract.pdf.pixels import draw, sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Handle = Any

_GRID = 16  # cells each way, to add up images that overlap or come in strips
_COVERED = 0.6  # of the page
_CURVES = 200  # paths: fewer are ornaments
_MAX_OBJECTS = 5_000  # looked at on one page
_MAX_PIXELS = 40_000_000  # of an image: a larger one takes more memory to look at than it is worth
_LOOKS = 40  # pages that are looked at; of more candidates every n-th one stands for its neighbours
_LIGHT = 170  # of 255: the background
_TONE = 16  # around the background's brightness
_MIN_BACKGROUND = 0.6  # of the pixels; samples: scans 0.79 to 0.98, light photographs and covers 0.32 to 0.49
_FLAT = 0.99  # of the pixels are of one tone: a colour, of which a mask may leave letters
_STROKE = 32  # difference in brightness of two neighbouring pixels
_SAMPLE = 5  # pixels: one in so many is counted
_MIN_STROKES = 0.01  # of the pixels; samples: scans 0.015 to 0.155, pages of one colour at most 0.004
_FEW_STROKES = 0.0005  # of the pixels: two words


def is_picture(page: Handle, *, with_curves: bool) -> bool:
    """Images cover the page; or, `with_curves`, it is drawn of so many that they may be letters."""
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


def find_scans(document: Handle, pictures: Sequence[int], *, few: bool = False) -> set[int]:
    """The pages among `pictures` (numbers from 1, ascending) that look like text, or like a `few` words.

    Pictures between two scans, with no other page among them, are taken for scans without a look.
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
        image = None if few else _only_image(page)  # one line of text may lie between the rows of a sample
        rows = sample(page, image) if image else None
        if not rows or _is_doubtful(rows):
            rows = draw(page)
        return _looks_written(rows, _FEW_STROKES if few else _MIN_STROKES)
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


def _only_image(page: Handle) -> Handle | None:
    """The image that covers the page, where nothing else on it can be letters but text."""
    images, drawn = [], 0
    for item, _ in _objects(page):
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            images.append(item)
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            drawn += pdfium.FPDFPath_CountSegments(item)  # of one path may be all letters of a page
        elif kind == pdfium.FPDF_PAGEOBJ_FORM:
            return None
    return images[0] if len(images) == 1 and drawn < _CURVES and _is_covered(page) else None


def _is_doubtful(rows: Sequence[bytes]) -> bool:
    """Mostly of one dark tone: it may be shown inverted, or be the colour of letters that a mask cuts out."""
    tone, share = _background(rows)
    return tone < _LIGHT and (
        share >= _FLAT or (share >= _MIN_BACKGROUND and _has_strokes(rows, _MIN_STROKES))
    )


def _looks_written(rows: Sequence[bytes], strokes: float) -> bool:
    tone, share = _background(rows)
    return tone >= _LIGHT and share >= _MIN_BACKGROUND and _has_strokes(rows, strokes)


def _has_strokes(rows: Sequence[bytes], strokes: float) -> bool:
    missing = strokes * sum(map(len, rows))
    for row in rows:
        missing -= sum(abs(one - other) > _STROKE for one, other in pairwise(row))
        if missing <= 0:
            return True
    return False


def _background(rows: Sequence[bytes]) -> tuple[int, float]:
    """The commonest tone, and the share of the pixels that are near it."""
    tones = Counter(b"".join(rows)[::_SAMPLE])
    sums = list(accumulate((tones[tone] for tone in range(256)), initial=0))

    def near(tone: int, around: int) -> int:
        return sums[min(256, tone + around + 1)] - sums[max(0, tone - around)]

    tone = max(range(256), key=lambda tone: near(tone, _TONE // 2))
    return tone, near(tone, _TONE) / sums[-1]
