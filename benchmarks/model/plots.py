"""Line plots as SVG that is readable on a light and on a dark page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 50, 55
COLOURS = ("#2563eb", "#0891b2", "#ea580c", "#ca8a04", "#9333ea", "#dc2626", "#4d7c0f")
"""Each has a contrast of at least 3 to both white and the dark page."""
STYLE = """
svg { background: #ffffff; }
text { font: 12px system-ui, sans-serif; fill: #1f2937; }
.title { font-size: 15px; font-weight: 600; }
.grid { stroke: #e5e7eb; }
.line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; }
  text { fill: #e6edf3; }
  .grid { stroke: #30363d; }
}
"""


@dataclass(frozen=True)
class Line:
    """A named series; both coordinates are positive where their axis is logarithmic."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One axis; always logarithmic, from a power of its base to another."""

    label: str
    base: int
    low: float
    high: float

    @staticmethod
    def over(label: str, base: int, values: Sequence[float]) -> Axis:
        """The axis that holds all the values."""
        low = base ** math.floor(math.log(min(values), base) + 1e-9)
        high = base ** math.ceil(math.log(max(values), base) - 1e-9)
        return Axis(label, base, low, high if high > low else low * base)

    def share(self, value: float) -> float:
        """How far along the axis a value lies, 0 to 1."""
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self) -> list[float]:
        """The powers of the base."""
        count = round(math.log(self.high / self.low, self.base))
        return [self.low * self.base**step for step in range(count + 1)]


def plot(title: str, x_label: str, y_label: str, lines: Sequence[Line], bases: tuple[int, int]) -> str:
    """The lines over two logarithmic axes of these bases, named at the right in the order of their ends."""
    x = Axis.over(x_label, bases[0], [point[0] for line in lines for point in line.points])
    y = Axis.over(y_label, bases[1], [point[1] for line in lines for point in line.points])
    parts = [f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>', *_grid(x, y)]
    for line, colour in zip(lines, COLOURS, strict=False):
        path = " ".join(f"{_across(x, a):.1f},{_up(y, b):.1f}" for a, b in line.points)
        parts.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
    labels = _spaced([_up(y, line.points[-1][1]) for line in lines])
    for line, colour, height in zip(lines, COLOURS, labels, strict=False):
        end = _across(x, line.points[-1][0])
        edge = WIDTH - RIGHT + 8
        parts.append(
            f'<path class="line" stroke="{colour}" stroke-opacity="0.5" stroke-dasharray="2 3" '
            f'd="M{end:.1f} {_up(y, line.points[-1][1]):.1f}L{edge} {height:.1f}"/>'
        )
        parts.append(f'<circle cx="{edge + 4}" cy="{height:.1f}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{edge + 13}" y="{height + 4:.1f}">{escape(line.name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}"><style>{STYLE}</style>' + "\n".join(parts) + "</svg>\n"
    )


def _grid(x: Axis, y: Axis) -> list[str]:
    parts = []
    for tick in x.ticks():
        at = _across(x, tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,g}</text>')
    for tick in y.ticks():
        at = _up(y, tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{tick:,g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">{escape(x.label)}</text>')
    height = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text transform="translate(16 {height}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>'
    )
    return parts


def _across(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - RIGHT - LEFT)


def _up(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - BOTTOM - TOP)


def _spaced(heights: Sequence[float], gap: float = 18) -> list[float]:
    """The heights moved apart, in their order, so that labels do not cover each other."""
    placed = list(heights)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + gap)
    over = placed[order[-1]] - (HEIGHT - BOTTOM)
    if over > 0:
        placed[order[-1]] -= over
        for below, above in pairwise(order[::-1]):
            placed[above] = min(placed[above], placed[below] - gap)
    return placed
