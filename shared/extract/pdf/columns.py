"""Columns of a table: what stands below each other, between upright lines and gaps that no row covers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from shared.extract.pdf.pieces import is_year

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.extract.pdf.pieces import Piece, Row

    Span = tuple[float, float]

MAX_COLUMNS = 60
"""Columns of a table that is looked for; what has more is a drawing."""
_EDGE = 4.0  # points: two uprights this close are the edges of one gap


@dataclass(slots=True)
class Columns:
    """`cuts` are the right ends of all columns but the last; `texts` what their text covers."""

    cuts: list[float]
    texts: list[Span]
    values: set[int]
    """Columns that hold values."""
    _known: dict[Span, tuple[int, int]] = field(default_factory=dict)

    def at(self, x: float) -> int:
        return bisect_right(self.cuts, x)

    def of(self, piece: Piece) -> tuple[int, int]:
        """Return the first and last column that the piece stands in."""
        span = piece.x0, piece.x1
        known = self._known.get(span)
        if known is None:
            known = self._known[span] = self._of(piece)
        return known

    def _of(self, piece: Piece) -> tuple[int, int]:
        first, last = self.at(piece.x0 + 0.5), self.at(piece.x1 - 0.5)
        if first == last:
            return first, last
        inside = [
            at
            for at in range(first, last + 1)
            if min(piece.x1, self.texts[at][1]) - max(piece.x0, self.texts[at][0])
            > 0.3 * min(piece.x1 - piece.x0, self.texts[at][1] - self.texts[at][0])
        ]
        if not inside:
            at = self.at(piece.middle)
            return at, at
        return inside[0], inside[-1]


def find_columns(rows: Sequence[Row], uprights: Sequence[float], x0: float, x1: float) -> Columns | None:
    """Return the columns of the rows between x0 and x1; None if there is only one, or too many."""
    body = _body(rows)
    if not body and not uprights:
        return None
    drawn: list[float] = []
    for x in sorted(uprights):
        if x0 + _EDGE < x < x1 - _EDGE and (not drawn or x - drawn[-1] > _EDGE):
            drawn.append(x)
    spans = _covered(body, drawn)
    if len(spans) > MAX_COLUMNS:
        return None
    spans = _without_false_gutters(spans, body, drawn)
    borders = [_border(left, right, drawn) for left, right in pairwise(spans)]
    cuts = _without_empty(sorted({*borders, *drawn}), rows, x0)
    if not cuts or len(cuts) >= MAX_COLUMNS:
        return None
    return _described(cuts, body or rows, x0, x1)


def _body(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that show the columns: those with numbers, else with years, else with several cells."""
    several = [row for row in rows if len(row.pieces) > 1]
    numbers = [row for row in several if any(p.value and not is_year(p.text) for p in row.pieces)]
    return numbers or [row for row in several if any(p.value for p in row.pieces)] or several


def _described(cuts: list[float], rows: Sequence[Row], x0: float, x1: float) -> Columns:
    """Return the columns between cuts, with what text covers of each."""
    ends = [x0, *cuts, x1]
    columns = Columns(cuts, list(pairwise(ends)), set())
    covered: dict[int, Span] = {}
    for row in rows:
        for piece in row.pieces:
            at = columns.at(piece.middle)
            left, right = max(piece.x0, ends[at]), min(piece.x1, ends[at + 1])
            low, high = covered.get(at, (left, right))
            covered[at] = min(low, left), max(high, right)
            if piece.value:
                columns.values.add(at)
    columns.texts = [covered.get(at, span) for at, span in enumerate(columns.texts)]
    return columns


def _without_empty(cuts: Sequence[float], rows: Sequence[Row], x0: float) -> list[float]:
    """Leave out columns in which nothing stands."""
    middles = sorted(piece.middle for row in rows for piece in row.pieces)
    kept: list[float] = []
    low = x0
    for cut in cuts:
        if bisect_right(middles, cut) > bisect_left(middles, low):
            kept.append(cut)
            low = cut
        elif kept:
            kept[-1] = low = (kept[-1] + cut) / 2
    while kept and bisect_left(middles, kept[-1]) == len(middles):
        kept.pop()
    return kept


def _border(left: Span, right: Span, cuts: Sequence[float]) -> float:
    at = bisect_left(cuts, left[1] - 1)
    if at < len(cuts) and cuts[at] <= right[0] + 1:
        return cuts[at]
    return (left[1] + right[0]) / 2


def _covered(rows: Sequence[Row], cuts: Sequence[float]) -> list[Span]:
    """Return what text covers, without what only one row in twelve covers."""
    events: list[tuple[float, int]] = []
    for row in rows:
        for piece in row.pieces:
            low, high = piece.x0, max(piece.x1, piece.x0 + 0.1)
            inside = cuts[bisect_right(cuts, low + 1) : bisect_left(cuts, high - 1)]
            for start, end in pairwise([low, *inside, high]):
                events += [(start, 1), (end, -1)]
    tolerated = len(rows) // 12
    spans: list[Span] = []
    depth, start = 0, 0.0
    for x, change in sorted(events):
        before, depth = depth, depth + change
        if before <= tolerated < depth:
            start = x
        elif depth <= tolerated < before and x > start:
            spans.append((start, x))
    return spans


def _without_false_gutters(spans: list[Span], rows: Sequence[Row], cuts: Sequence[float]) -> list[Span]:
    """Join columns of words that chance parted: their gap is a space's, and few rows have it."""
    if not spans:
        return spans
    height = median(row.height for row in rows)
    joined = [spans[0]]
    for span in spans[1:]:
        left = joined[-1]
        gap = span[0] - left[1]
        cut = any(left[1] - 1 <= x <= span[0] + 1 for x in cuts)
        wordy = not _holds_values(left, rows) and not _holds_values(span, rows)
        parted = sum(_both(left, span, row) for row in rows)
        few = parted < 3 or cuts or not _lined_up(span, rows)  # noqa: PLR2004
        if not cut and ((wordy and few and gap < (2 if cuts else 1) * height) or gap < 0.05 * height):
            joined[-1] = left[0], span[1]
        else:
            joined.append(span)
    return joined


def _lined_up(span: Span, rows: Sequence[Row]) -> bool:
    """Whether most of what begins a column begins at one place."""
    starts = sorted(p.x0 for row in rows for p in row.pieces if span[0] - 1 <= p.x0 <= span[1])
    middle = starts[len(starts) // 2] if starts else 0.0
    return sum(abs(start - middle) <= 2 for start in starts) >= 0.6 * len(starts)  # noqa: PLR2004 - points


def _holds_values(span: Span, rows: Sequence[Row]) -> bool:
    return any(p.value and span[0] - 1 <= p.middle <= span[1] + 1 for row in rows for p in row.pieces)


def _both(left: Span, right: Span, row: Row) -> bool:
    return any(left[0] - 1 <= p.middle <= left[1] for p in row.pieces) and any(
        right[0] <= p.middle <= right[1] + 1 for p in row.pieces
    )
