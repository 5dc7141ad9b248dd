"""Draw the charts of a digest as SVG.

They need no script, no hover and no colour to be read. Widths are percentages and heights are pixels: bars
stretch with the page, and letters keep their size on a telephone, on paper and on a desk.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from shared.digests.render import outline, words
from shared.digests.render.outline import SENTIMENT_SIGNS
from shared.platform.records import SENTIMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.digests.records import Digest, TopicRow
    from shared.platform.records import SentimentLabel


MAX_LABEL = 40
"""Characters: what a telephone has room for; the table under the chart has them all."""
STACK_ROW = 66
STACK_SCALE = 80.0
"""Per cent of the width that the longest bar takes; the rest is for its number."""
PAIR_ROW = 64
PAIR_SCALE = 64.0

PATTERNS = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" class="patterns" width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="fill-neutral" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" class="ground"/><circle cx="3" cy="3" r="1.1" class="ink neutral"/></pattern>'
    '<pattern id="fill-negative" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" class="ground"/>'
    '<rect width="3.4" height="6" class="ink negative"/></pattern>'
    '<pattern id="fill-planned" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(-45)"><rect width="7" height="7" class="ground"/>'
    '<rect width="1.8" height="7" class="ink planned"/></pattern></defs></svg>'
)
"""Drawn once a page; the charts point at them."""


class Stack(NamedTuple):
    """A bar of three parts."""

    label: str
    sentiment: Mapping[SentimentLabel, int]
    total: int


def stacked(stacks: Sequence[Stack], name: str, title: str) -> Markup:
    """Bars of passages, positive, neutral and negative, on one scale.

    Args:
        stacks: from the top.
        name: makes the ids of its title and description, which are a page's own.
        title: what the chart shows.
    """
    most = max((sum(stack.sentiment.values()) for stack in stacks), default=0) or 1
    rows = Markup("").join(_stack(stack, at * STACK_ROW, most) for at, stack in enumerate(stacks))
    description = "; ".join(f"{stack.label}: {_parts(stack)}" for stack in stacks)
    return drawing(name, title, description, STACK_ROW * len(stacks), rows)


def paired(rows: Sequence[TopicRow], name: str, title: str) -> Markup:
    """What is implemented above what is planned, a pair a topic, on one scale."""
    most = max((max(row.implemented, row.planned) for row in rows), default=0) or 1
    parts = []
    for at, row in enumerate(rows):
        top = at * PAIR_ROW
        parts.append(_label(words.topic(row.name), top))
        for line, (kind, number) in enumerate((("implemented", row.implemented), ("planned", row.planned))):
            y = top + 21 + line * 17
            width = number * PAIR_SCALE / most
            parts.append(
                Markup('<rect class="bar {}" x="0" y="{}" width="{}%" height="13"/>').format(
                    kind, y, coordinate(width)
                )
            )
            parts.append(
                Markup('<text class="small" x="{}%" dx="6" y="{}">{} {}</text>').format(
                    coordinate(width), y + 11, words.count(number), kind
                )
            )
    description = "; ".join(
        f"{words.topic(row.name)}: {words.count(row.implemented)} implemented, "
        f"{words.count(row.planned)} planned"
        for row in rows
    )
    return drawing(name, title, description, PAIR_ROW * len(rows), Markup("").join(parts))


def _stack(stack: Stack, top: int, most: int) -> Markup:
    parts = [_label(stack.label, top)]
    left = 0.0
    for label in SENTIMENTS:
        width = stack.sentiment.get(label, 0) * STACK_SCALE / most
        if width:
            parts.append(
                Markup('<rect class="bar {}" x="{}%" y="{}" width="{}%" height="18"/>').format(
                    label, coordinate(left), top + 21, coordinate(width)
                )
            )
        left += width
    parts.append(
        Markup('<text class="number" x="{}%" dx="6" y="{}">{}</text>').format(
            coordinate(left), top + 35, words.count(stack.total)
        )
    )
    parts.append(Markup('<text class="small" x="0" y="{}">{}</text>').format(top + 53, _parts(stack)))
    return Markup("").join(parts)


def _parts(stack: Stack) -> str:
    return "  ".join(
        f"{SENTIMENT_SIGNS[label]} {words.count(stack.sentiment.get(label, 0))} {label}"
        for label in SENTIMENTS
    )


def _label(text: str, top: int) -> Markup:
    return Markup('<text class="label" x="0" y="{}">{}</text>').format(top + 14, shorten(text))


def shorten(text: str, most: int = MAX_LABEL) -> str:
    """To what there is room for."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def drawing(name: str, title: str, description: str, height: int, inner: Markup) -> Markup:
    """An SVG element with its title and description."""
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width="100%" height="{}" '
        'aria-labelledby="{}-title {}-desc"><title id="{}-title">{}</title>'
        '<desc id="{}-desc">{}</desc>{}</svg>'
    ).format(height, name, name, name, title, name, description, inner)


def coordinate(value: float) -> str:
    """In two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


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
    description = ", ".join(
        f"{date}: {words.percent(value)}" for date, value in zip(dates, line.values, strict=True)
    )
    return drawing(name, f"{line.name}: share of passages", description, HEIGHT, Markup("").join(parts))


def _point(spot: tuple[float, float], value: float | None, at: int, of: int) -> Markup:
    x, y = (coordinate(one) for one in spot)
    last = at == of - 1
    drawn = Markup('<circle class="{}" cx="{}%" cy="{}" r="{}"/>').format(
        "point now" if last else "point", x, y, coordinate(4.5 if last else 3)
    )
    return drawn + Markup('<text class="{}" x="{}%" y="{}" text-anchor="middle">{}</text>').format(
        "value now" if last else "value", x, coordinate(spot[1] - 9), words.percent(value)
    )
