"""Frames: boxes around level lines that lie above each other, as around and between the rows of a table."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.extract.pdf.rulings import rulings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.extract.pdf.lines import Page
    from shared.extract.pdf.pieces import Piece, Row

    Edge = tuple[float, float, float]

MAX_FRAMES = 200
"""Frames of a page."""
TOUCH = 2.5
"""Points within which two edges meet."""
_MERGED = 11.0  # points: what a level line may be interrupted by between two columns
_BAND = 56.0  # points: the highest row between two lines that no upright joins
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
    levels: list[Edge] = []
    uprights: list[Edge] = []
    for ruling in rulings_of(page.rulings):
        x0, y0, x1, y1 = ruling
        if ruling.is_level:
            levels.append(((y0 + y1) / 2, x0, x1))
        elif ruling.is_upright:
            uprights.append(((x0 + x1) / 2, y0, y1))
        elif y1 - y0 > 5 and x1 - x0 > 5:  # noqa: PLR2004 - points
            levels += [(y0, x0, x1), (y1, x0, x1)]
            uprights += [(x0, y0, y1), (x1, y0, y1)]
    return Drawn(sorted(set(levels)), _joined(sorted(set(uprights)), TOUCH, TOUCH + 1))


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
    shut: list[Frame] = []
    for y, x0, x1 in _joined(drawn.levels, 1.5, _MERGED):
        if x1 - x0 < 3 * height:
            continue
        home = None
        for frame in reversed(frames):
            step = y - frame.y1
            shared = min(x1, frame.x1) - max(x0, frame.x0)
            if shared < 0.55 * max(x1 - x0, frame.x1 - frame.x0) or abs(x1 - frame.x1) > _ENDS:
                continue
            if step <= TOUCH:
                home = frame
                break
            sides = _sides(drawn.uprights, frame, y)
            if step <= _TALL and sides:
                home = frame
                break
            if step <= _BAND and not (
                step >= 0.5 * height and _ends_boxes(drawn.uprights, frame) and not _has_row(rows, frame, y)
            ):
                home = frame
                break
        if home is None:
            if len(frames) + len(shut) >= MAX_FRAMES:
                break
            frames.append(Frame(x0, y, x1, y))
        else:
            home.levels += y - home.y1 > TOUCH
            home.x0, home.x1, home.y1 = min(home.x0, x0), max(home.x1, x1), max(home.y1, y)
    return [frame for frame in frames if frame.y1 - frame.y0 >= height]


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


def _has_row(rows: Sequence[Row], frame: Frame, y: float) -> bool:
    """Whether a row of cells stands between the frame's last line and y."""
    for at in range(bisect_left(rows, frame.y1, key=lambda row: row.base), len(rows)):
        row = rows[at]
        if row.base - row.height > y:
            break
        if not frame.y1 < row.pieces[0].center < y:
            continue
        held = [piece for piece in row.pieces if frame.x0 - 3 <= piece.middle <= frame.x1 + 3]
        if len(held) > 2 or (len(held) > 1 and any(piece.value for piece in held)):  # noqa: PLR2004
            return True
    return False


def order(frame: Frame) -> tuple[bool, float]:
    """Sort large frames first, but boxes without a line inside last."""
    return frame.levels < 3, -(frame.x1 - frame.x0) * (frame.y1 - frame.y0)  # noqa: PLR2004
