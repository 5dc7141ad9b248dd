"""Read what is drawn on a page of a PDF besides its text: the lines and filled rectangles around cells.

Only straight edges count, level or upright. A thin rectangle is a line; a filled one is kept as it is.
"""

from __future__ import annotations

import ctypes
from array import array
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Handle = Any
    _Members = tuple[Callable[[int], int], Callable[[int, int], int]]
    """How many things a page or form holds, and the function that returns one."""
    Box = tuple[float, float, float, float]
    Matrix = tuple[float, float, float, float, float, float]

MAX_OBJECTS = 6_000
"""Drawn things of a page that are looked at: a map or a chart has more."""
MAX_SEGMENTS = 400
"""Segments of a path; a longer one is a drawing."""
MAX_RULINGS = 3_000
"""Lines and rectangles of a page that are kept."""
_MAX_DEPTH = 3  # of forms within forms
THIN = 2.6
"""Points: a rectangle that is thinner is a line."""
_SHORT = 5.0  # points: a shorter line is part of a letter or a sign
_LEVEL = 0.6  # points by which a level line may rise
_RECTANGLE = 5  # segments of one
_SIGN = 14.0  # points: a smaller drawing is a letter or a sign
_WHOLE = 0.6  # of the page's area: a background


def read_rulings(page: Handle, turn: Callable[..., tuple[list[float], ...]], area: float) -> array[float]:
    """Return x0, y0, x1, y1 of lines and rectangles in sequence; `turn` converts page space."""
    looker = _Looker()
    looker.look(ctypes.cast(page, ctypes.c_void_p).value or 0, _OF_PAGE)
    kept = [
        edge
        for edge in looker.found[:MAX_RULINGS]
        if max(edge[2] - edge[0], edge[3] - edge[1]) >= _SHORT
        and (edge[2] - edge[0]) * (edge[3] - edge[1]) <= _WHOLE * area
    ]
    flat = array("f")
    if kept:
        lefts, bottoms, rights, tops = map(list, zip(*kept, strict=True))
        for box in zip(*turn(lefts, tops, rights, bottoms), strict=True):
            flat.extend(box)
    return flat


# The same functions with addresses for arguments: ctypes makes no objects for them, several times an object.
_OBJECT = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_COUNT = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


def _address(function: Handle) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


_OF_PAGE: _Members = (
    _COUNT(_address(pdfium.FPDFPage_CountObjects)),
    _OBJECT(_address(pdfium.FPDFPage_GetObject)),
)
_OF_FORM: _Members = (
    _COUNT(_address(pdfium.FPDFFormObj_CountObjects)),
    _OBJECT(_address(pdfium.FPDFFormObj_GetObject)),
)
_kind = _COUNT(_address(pdfium.FPDFPageObj_GetType))
_segments = _COUNT(_address(pdfium.FPDFPath_CountSegments))
_bounds = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 5)(_address(pdfium.FPDFPageObj_GetBounds))
_draw_mode = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 3)(_address(pdfium.FPDFPath_GetDrawMode))
_segment = _OBJECT(_address(pdfium.FPDFPath_GetPathSegment))
_segment_kind = _COUNT(_address(pdfium.FPDFPathSegment_GetType))
_segment_close = _COUNT(_address(pdfium.FPDFPathSegment_GetClose))
_segment_point = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 3)(
    _address(pdfium.FPDFPathSegment_GetPoint)
)
_MOVE, _LINE = pdfium.FPDF_SEGMENT_MOVETO, pdfium.FPDF_SEGMENT_LINETO
_PATH, _FORM = pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_FORM


class _Looker:
    """Collects the edges of what a page and its forms hold."""

    def __init__(self) -> None:
        self.found: list[Box] = []
        self._left = MAX_OBJECTS
        self._sides = (ctypes.c_float * 4)()
        at, wide = ctypes.addressof(self._sides), ctypes.sizeof(ctypes.c_float)
        self._places = at, at + wide, at + 2 * wide, at + 3 * wide
        self._mode = (ctypes.c_int * 2)()
        self._mode_place = ctypes.addressof(self._mode)
        self._stroke_place = self._mode_place + ctypes.sizeof(ctypes.c_int)

    def look(self, holder: int, members: _Members, matrix: Matrix | None = None, depth: int = 0) -> None:
        count, member = members
        for at in range(count(holder)):
            if self._left <= 0 or len(self.found) >= MAX_RULINGS:
                return
            self._left -= 1
            drawn = member(holder, at)
            kind = _kind(drawn)
            if kind == _PATH:
                self._look_at(drawn, matrix)
            elif kind == _FORM and depth < _MAX_DEPTH:
                inner = _matrix(drawn)
                whole = inner if matrix is None or inner is None else _times(inner, matrix)
                self.look(drawn, _OF_FORM, whole, depth + 1)

    def _look_at(self, path: int, matrix: Matrix | None) -> None:
        """Collect the path's straight edges, or the rectangle that it is: left, bottom, right, top."""
        count = _segments(path)
        if not 1 < count <= MAX_SEGMENTS or not _bounds(path, *self._places):
            return
        left, bottom, right, top = self._sides
        if matrix is not None:
            (left, bottom), (right, top) = _point(left, bottom, matrix), _point(right, top, matrix)
            left, bottom, right, top = min(left, right), min(bottom, top), max(left, right), max(bottom, top)
        wide, high = right - left, top - bottom
        if max(wide, high) < (_SHORT if count <= _RECTANGLE else _SIGN) or not self._is_drawn(path):
            return
        if count > _RECTANGLE:
            self.found.extend(_straight(path, count, matrix))
        elif count > 2 or min(wide, high) <= THIN:  # noqa: PLR2004 - two are a line, here a slope
            self.found.append((left, bottom, right, top))

    def _is_drawn(self, path: int) -> bool:
        known = _draw_mode(path, self._mode_place, self._stroke_place)
        return not known or any(self._mode)


def _matrix(place: int) -> Matrix | None:
    made = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(ctypes.cast(place, pdfium.FPDF_PAGEOBJECT), made):
        return None
    return made.a, made.b, made.c, made.d, made.e, made.f


def _times(one: Matrix, two: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = two
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def _straight(path: int, count: int, matrix: Matrix | None) -> Iterator[Box]:
    own = _matrix(path)
    whole = own if matrix is None else matrix if own is None else _times(own, matrix)
    place = (ctypes.c_float * 2)()
    at_x = ctypes.addressof(place)
    at_y = at_x + ctypes.sizeof(ctypes.c_float)
    before = start = (0.0, 0.0)
    for at in range(count):
        segment = _segment(path, at)
        _segment_point(segment, at_x, at_y)
        here = (place[0], place[1]) if whole is None else _point(place[0], place[1], whole)
        kind = _segment_kind(segment)
        if kind == _MOVE:
            start = here
        elif kind == _LINE:
            yield from _level_or_upright(before, here)
        if _segment_close(segment):
            yield from _level_or_upright(here, start)
        before = here


def _level_or_upright(one: tuple[float, float], two: tuple[float, float]) -> Iterator[Box]:
    wide, high = abs(one[0] - two[0]), abs(one[1] - two[1])
    if min(wide, high) <= _LEVEL and max(wide, high) >= _SHORT:
        yield min(one[0], two[0]), min(one[1], two[1]), max(one[0], two[0]), max(one[1], two[1])


def _point(x: float, y: float, matrix: Matrix) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
