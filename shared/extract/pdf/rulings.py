"""Read what is drawn on a page of a PDF besides its text: the lines and filled rectangles around cells.

Only straight edges count, level or upright. A thin rectangle is a line; a filled one is kept as it is.
"""

from __future__ import annotations

import ctypes
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Handle = Any
    Matrix = tuple[float, float, float, float, float, float]

MAX_OBJECTS = 6_000
"""Drawn things of a page that are looked at: a map or a chart has more."""
MAX_SEGMENTS = 400
"""Segments of a path; a longer one is a drawing."""
MAX_RULINGS = 3_000
"""Lines and rectangles of a page that are kept."""
_MAX_DEPTH = 3  # of forms within forms
_THIN = 2.6  # points: a rectangle that is thinner is a line
_SHORT = 5.0  # points: a shorter line is part of a letter or a sign
_LEVEL = 0.6  # points by which a level line may rise
_RECTANGLE = 5  # segments of one
_WHOLE = 0.6  # of the page's area: a background


class Ruling(NamedTuple):
    """A line or a filled rectangle, in points from the page's top left corner, y downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def is_level(self) -> bool:
        return self.y1 - self.y0 <= _THIN

    @property
    def is_upright(self) -> bool:
        return self.x1 - self.x0 <= _THIN


def read_rulings(page: Handle, turn: Callable[..., tuple[list[float], ...]], area: float) -> array[float]:
    """Return x0, y0, x1, y1 of lines and rectangles in sequence; `turn` converts page space."""
    found: list[tuple[float, float, float, float]] = []
    left = MAX_OBJECTS
    count = pdfium.FPDFPage_CountObjects(page)
    for at in range(min(count, left)):
        left = _look_at(pdfium.FPDFPage_GetObject(page, at), None, found, left, _MAX_DEPTH)
        if left <= 0 or len(found) >= MAX_RULINGS:
            break
    kept = [
        edge
        for edge in found[:MAX_RULINGS]
        if max(edge[2] - edge[0], edge[3] - edge[1]) >= _SHORT
        and (edge[2] - edge[0]) * (edge[3] - edge[1]) <= _WHOLE * area
    ]
    flat = array("f")
    if kept:
        lefts, bottoms, rights, tops = map(list, zip(*kept, strict=True))
        for box in zip(*turn(lefts, tops, rights, bottoms), strict=True):
            flat.extend(box)
    return flat


def rulings_of(flat: Sequence[float]) -> list[Ruling]:
    """Return what `read_rulings` returned, one by one."""
    return [Ruling._make(flat[at : at + 4]) for at in range(0, len(flat), 4)]


def _look_at(
    drawn: Handle,
    matrix: Matrix | None,
    found: list[tuple[float, float, float, float]],
    left: int,
    depth: int,
) -> int:
    """Collect the edges of a drawn thing; return how many more may be looked at."""
    kind = pdfium.FPDFPageObj_GetType(drawn)
    left -= 1
    if kind == pdfium.FPDF_PAGEOBJ_FORM and depth:
        inner = _matrix(drawn)
        whole = inner if matrix is None or inner is None else _times(inner, matrix)
        for at in range(max(0, min(pdfium.FPDFFormObj_CountObjects(drawn), left))):
            left = _look_at(pdfium.FPDFFormObj_GetObject(drawn, at), whole, found, left, depth - 1)
            if left <= 0 or len(found) >= MAX_RULINGS:
                break
    elif kind == pdfium.FPDF_PAGEOBJ_PATH:
        found.extend(_edges(drawn, matrix))
    return left


def _matrix(drawn: Handle) -> Matrix | None:
    made = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(drawn, made):
        return None
    return made.a, made.b, made.c, made.d, made.e, made.f


def _times(one: Matrix, two: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = two
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def _edges(path: Handle, matrix: Matrix | None) -> Iterator[tuple[float, float, float, float]]:
    """Yield left, bottom, right, top of the path's straight edges, or of the rectangle that it is."""
    count = pdfium.FPDFPath_CountSegments(path)
    if not 1 < count <= MAX_SEGMENTS or not _is_drawn(path):
        return
    if count <= _RECTANGLE:
        sides = [ctypes.c_float() for _ in range(4)]
        if not pdfium.FPDFPageObj_GetBounds(path, *sides):
            return
        left, bottom, right, top = (side.value for side in sides)
        if matrix is not None:
            (left, bottom), (right, top) = _point(left, bottom, matrix), _point(right, top, matrix)
            left, bottom, right, top = min(left, right), min(bottom, top), max(left, right), max(bottom, top)
        if count > 2 or min(right - left, top - bottom) <= _THIN:  # noqa: PLR2004 - two are a line, here a slope
            yield left, bottom, right, top
        return
    yield from _straight(path, count, matrix)


def _straight(path: Handle, count: int, matrix: Matrix | None) -> Iterator[tuple[float, float, float, float]]:
    own = _matrix(path)
    whole = own if matrix is None else matrix if own is None else _times(own, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    before = start = (0.0, 0.0)
    for at in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(path, at)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        here = (x.value, y.value) if whole is None else _point(x.value, y.value, whole)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = here
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield from _level_or_upright(before, here)
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield from _level_or_upright(here, start)
        before = here


def _level_or_upright(
    one: tuple[float, float], two: tuple[float, float]
) -> Iterator[tuple[float, float, float, float]]:
    wide, high = abs(one[0] - two[0]), abs(one[1] - two[1])
    if min(wide, high) <= _LEVEL and max(wide, high) >= _SHORT:
        yield min(one[0], two[0]), min(one[1], two[1]), max(one[0], two[0]), max(one[1], two[1])


def _point(x: float, y: float, matrix: Matrix) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def _is_drawn(path: Handle) -> bool:
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    drawn = pdfium.FPDFPath_GetDrawMode(path, mode, stroke)
    return not drawn or bool(mode.value or stroke.value)
