"""Frames: boxes around level lines that lie above each other, as around and between the rows of a table."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from shared.extract.pdf.pieces import is_year
from shared.extract.pdf.rulings import THIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.extract.pdf.lines import Page
    from shared.extract.pdf.pieces import Piece, Row

    Edge = tuple[float, float, float]

MAX_FRAMES = 200
"""Frames of a page."""
_THICK = 5.0  # points: a rectangle that is thinner is neither a line nor a cell
_WIDE = 3.0  # line heights: a shorter line frames no table
_SHARED = 0.55  # of the longer of two lines
TOUCH = 2.5
"""Points within which two edges meet."""
_MERGED = 11.0  # points: what a level line may be interrupted by between two columns
_BAND = 56.0  # points: the highest row that no upright joins to the line above
_ROWS = 80.0  # points: from row to row without lines
_TALL = 420.0  # points: the highest row that uprights join
_ENDS = 14.0  # points by which the right ends of lines of one table may differ


@dataclass(slots=True)
class Drawn:
    """The page's level and upright edges."""

    levels: list[Edge]
    """y, x0, x1; as drawn."""
    uprights: list[Edge]
    """x, y0, y1; pieces of one line joined."""


def drawn_on(page: Page) -> Drawn:
    """Return the level and upright edges of a page's lines and filled rectangles."""
    levels: set[Edge] = set()
    uprights: set[Edge] = set()
    flat = page.rulings
    for x0, y0, x1, y1 in zip(flat[::4], flat[1::4], flat[2::4], flat[3::4], strict=True):
        if y1 - y0 <= THIN:
            levels.add(((y0 + y1) / 2, x0, x1))
        elif x1 - x0 <= THIN:
            uprights.add(((x0 + x1) / 2, y0, y1))
        elif min(y1 - y0, x1 - x0) > _THICK:
            levels |= {(y0, x0, x1), (y1, x0, x1)}
            uprights |= {(x0, y0, y1), (x1, y0, y1)}
    return Drawn(sorted(levels), _joined(sorted(uprights), TOUCH, TOUCH + 1))


def _joined(edges: Sequence[Edge], near: float, gap: float) -> list[Edge]:
    """Join edges on one line, whose places are sorted, across gaps."""
    joined: list[Edge] = []
    group: list[Edge] = []
    for edge in [*edges, None]:
        if group and (edge is None or edge[0] - group[-1][0] > near):
            at = group[0][0]
            start = end = None
            for _, low, high in sorted(group, key=lambda one: one[1]):
                if start is None or end is None or low - end > gap:
                    if start is not None and end is not None:
                        joined.append((at, start, end))
                    start, end = low, high
                else:
                    end = max(end, high)
            if start is not None and end is not None:
                joined.append((at, start, end))
            group = []
        if edge is not None:
            group.append(edge)
    return joined


@dataclass(slots=True)
class Frame:
    x0: float
    y0: float
    x1: float
    y1: float
    levels: int = 1

    def is_apart(self, other: Frame) -> bool:
        """Whether nothing is in both frames."""
        return (
            self.y1 < other.y0 + TOUCH
            or other.y1 < self.y0 + TOUCH
            or self.x1 < other.x0 + TOUCH
            or other.x1 < self.x0 + TOUCH
        )

    def holds(self, piece: Piece) -> bool:
        """Whether a piece of text stands in the frame."""
        return (
            self.y0 - 1 <= piece.center <= self.y1 + 1 and self.x0 - TOUCH <= piece.middle <= self.x1 + TOUCH
        )


def find_frames(drawn: Drawn, rows: Sequence[Row], height: float) -> list[Frame]:
    """Return the boxes around level lines that lie above each other and end alike, the topmost first."""
    frames: list[Frame] = []
    for y, x0, x1 in _joined(drawn.levels, 1.5, _MERGED):
        if x1 - x0 < _WIDE * height:
            continue
        home = next((frame for frame in reversed(frames) if _is_alike(frame, x0, x1)), None)
        if home is not None and _goes_on(home, y, drawn, rows, height):
            home.levels += y - home.y1 > TOUCH
            home.x0, home.x1, home.y1 = min(home.x0, x0), max(home.x1, x1), max(home.y1, y)
        elif len(frames) < MAX_FRAMES:
            frames.append(Frame(x0, y, x1, y))
    return [frame for frame in frames if frame.y1 - frame.y0 >= height]


def _is_alike(frame: Frame, x0: float, x1: float) -> bool:
    """Whether a level line is about as wide as the frame, and ends where it does."""
    shared = min(x1, frame.x1) - max(x0, frame.x0)
    return shared >= _SHARED * max(x1 - x0, frame.x1 - frame.x0) and abs(x1 - frame.x1) <= _ENDS


def _goes_on(frame: Frame, y: float, drawn: Drawn, rows: Sequence[Row], height: float) -> bool:
    """Whether a level line at y belongs to the frame above it."""
    step = y - frame.y1
    if step < height / 2 or (step <= _TALL and _sides(drawn.uprights, frame, y)):
        return True
    between = _rows_between(rows, frame, y)
    if step <= _BAND:
        return bool(between) or not _ends_boxes(drawn.uprights, frame)
    places = [held[0].center for held in between if _are_values(held)]
    hops = [low - high for high, low in pairwise([frame.y1, *places, y])]
    return bool(places) and max(hops) <= _ROWS


def _are_values(pieces: Sequence[Piece]) -> bool:
    return sum(piece.value and not is_year(piece.text) for piece in pieces) > 1


def _sides(uprights: Sequence[Edge], frame: Frame, y: float) -> bool:
    """Whether an upright joins the frame's last line with a line at y."""
    return any(
        frame.x0 - TOUCH <= x <= frame.x1 + TOUCH and y0 <= frame.y1 + TOUCH and y1 >= y - TOUCH
        for x, y0, y1 in uprights
    )


def _ends_boxes(uprights: Sequence[Edge], frame: Frame) -> bool:
    """Whether uprights end at the frame's last line."""
    return any(
        frame.x0 - TOUCH <= x <= frame.x1 + TOUCH and y0 < frame.y1 - TOUCH and abs(y1 - frame.y1) <= TOUCH
        for x, y0, y1 in uprights
    )


def _rows_between(rows: Sequence[Row], frame: Frame, y: float) -> list[list[Piece]]:
    """Return the rows of cells between the frame's last line and y."""
    found: list[list[Piece]] = []
    for at in range(bisect_left(rows, frame.y1, key=lambda row: row.base), len(rows)):
        row = rows[at]
        if row.base - row.height > y:
            break
        held = [piece for piece in row.pieces if frame.x0 - TOUCH <= piece.middle <= frame.x1 + TOUCH]
        several = len(held) > 2 or (len(held) > 1 and any(piece.value for piece in held))  # noqa: PLR2004
        if several and frame.y1 < held[0].center < y:
            found.append(held)
    return found


def order(frame: Frame) -> tuple[bool, float]:
    """Sort large frames first, but boxes without a line inside last."""
    return frame.levels < 3, -(frame.x1 - frame.x0) * (frame.y1 - frame.y0)  # noqa: PLR2004
