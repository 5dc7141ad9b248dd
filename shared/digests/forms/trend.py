"""How shares went over the last windows: a small chart a measure, all on one scale."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from shared.digests.forms import outline, words
from shared.digests.forms.charts import coordinate, drawing

if TYPE_CHECKING:
    from shared.digests.records import Digest

HEIGHT = 104
TOP, BOTTOM = 22, 80
INSET = 7.0
"""Per cent of the width on either side, so that the labels of the ends have room."""
LABELLED = 8
"""Windows up to which every point is drawn, with its number; of more, the first and the last are, and those
that no line leads to."""
STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Where the scale may end."""


class Multiple(NamedTuple):
    """A chart of the row, and its heading."""

    name: str
    chart: Markup


def scale(lines: list[outline.Series]) -> float:
    """Where the charts end: 0.4, say."""
    most = max((value for line in lines for value in line.values if value is not None), default=0.0)
    return next((step for step in STEPS if most <= step), 1.0)


def multiples(digest: Digest) -> list[Multiple]:
    """The charts; none of one window, which has no line."""
    if len(digest.trend) < 2:  # noqa: PLR2004 - a line has two ends
        return []
    lines = outline.series(digest)
    ends = scale(lines)
    dates = [words.short_day(point.window.start, digest.zone) for point in digest.trend]
    return [Multiple(line.name, _chart(f"trend-{at}", line, ends, dates)) for at, line in enumerate(lines)]


def _chart(name: str, line: outline.Series, ends: float, dates: list[str]) -> Markup:
    step = (100 - 2 * INSET) / (len(line.values) - 1)
    spots = [
        None if value is None else (INSET + at * step, BOTTOM - (BOTTOM - TOP) * value / ends)
        for at, value in enumerate(line.values)
    ]
    parts = [Markup('<line class="axis" x1="0" y1="{}" x2="100%" y2="{}"/>').format(BOTTOM, BOTTOM)]
    for start, end in pairwise(spots):
        if start and end:
            parts.append(
                Markup('<line class="trend" x1="{}%" y1="{}" x2="{}%" y2="{}"/>').format(
                    *(coordinate(one) for one in (*start, *end))
                )
            )
    for at, spot in enumerate(spots):
        alone = not any(spots[max(at - 1, 0) : at] + spots[at + 1 : at + 2])
        if spot and (at in {0, len(spots) - 1} or alone or len(spots) <= LABELLED):
            parts.append(_point(spot, line.values[at], at, len(spots)))
    parts.append(Markup('<text class="small" x="0" y="{}">{}</text>').format(HEIGHT - 6, dates[0]))
    parts.append(
        Markup('<text class="small" x="100%" y="{}" text-anchor="end">{}</text>').format(
            HEIGHT - 6, dates[-1]
        )
    )
    told = ", ".join(
        f"{date}: {words.percent(value)}" for date, value in zip(dates, line.values, strict=True)
    )
    return drawing(name, f"{line.name}: share of passages", told, HEIGHT, Markup("").join(parts))


def _point(spot: tuple[float, float], value: float | None, at: int, of: int) -> Markup:
    x, y = (coordinate(one) for one in spot)
    last = at == of - 1
    drawn = Markup('<circle class="{}" cx="{}%" cy="{}" r="{}"/>').format(
        "point now" if last else "point", x, y, coordinate(4.5 if last else 3)
    )
    return drawn + Markup('<text class="{}" x="{}%" y="{}" text-anchor="middle">{}</text>').format(
        "value now" if last else "value", x, coordinate(spot[1] - 9), words.percent(value)
    )
