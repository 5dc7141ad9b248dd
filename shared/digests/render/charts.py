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
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shared.digests.records import Digest, TopicRow
    from shared.platform.records import SentimentLabel


MAX_LABEL = 40
"""Characters: what a telephone has room for; the table under the chart has them all."""
STACK_ROW = 66
STACK_SCALE = 80.0
"""Per cent of the width that the longest bar takes; the rest is for its number."""
PAIR_ROW = 64
PAIR_SCALE = 64.0


class Stack(NamedTuple):
    """A bar of three parts."""

    label: str
    sentiment: Mapping[SentimentLabel, int]
    total: int


def stacked(stacks: Sequence[Stack], name: str, title: str) -> Markup:
    """Draw bars of passages, positive, neutral and negative, on one scale; `name` makes the chart's ids."""
    most = max((sum(stack.sentiment.values()) for stack in stacks), default=0) or 1
    shapes = [shape for at, stack in enumerate(stacks) for shape in _stack(stack, at * STACK_ROW, most)]
    description = "; ".join(f"{stack.label}: {_parts(stack)}" for stack in stacks)
    return drawing(name, title, description, STACK_ROW * len(stacks), shapes)


def paired(rows: Sequence[TopicRow], name: str, title: str) -> Markup:
    """Draw what is implemented above what is planned, a pair a topic, on one scale."""
    most = max((max(row.implemented, row.planned) for row in rows), default=0) or 1
    shapes, descriptions = [], []
    for at, row in enumerate(rows):
        top = at * PAIR_ROW
        shapes.append(_label(words.topic(row.name), top))
        kinds = {"implemented": row.implemented, "planned": row.planned}
        for y, (kind, number) in zip((top + 21, top + 38), kinds.items(), strict=True):
            width = percent(number * PAIR_SCALE / most)
            shapes.append(element("rect", class_=f"bar {kind}", x=0, y=y, width=width, height=13))
            counted = f"{words.count(number)} {kind}"
            shapes.append(element("text", counted, class_="small", x=width, dx=6, y=y + 11))
        counts = ", ".join(f"{words.count(number)} {kind}" for kind, number in kinds.items())
        descriptions.append(f"{words.topic(row.name)}: {counts}")
    return drawing(name, title, "; ".join(descriptions), PAIR_ROW * len(rows), shapes)


def _stack(stack: Stack, top: int, most: int) -> Iterator[Markup]:
    yield _label(stack.label, top)
    left = 0.0
    for label in SENTIMENTS:
        width = stack.sentiment.get(label, 0) * STACK_SCALE / most
        if width:
            x, y = percent(left), top + 21
            yield element("rect", class_=f"bar {label}", x=x, y=y, width=percent(width), height=18)
        left += width
    yield element("text", words.count(stack.total), class_="number", x=percent(left), dx=6, y=top + 35)
    yield element("text", _parts(stack), class_="small", x=0, y=top + 53)


def _parts(stack: Stack) -> str:
    counts = {label: words.count(stack.sentiment.get(label, 0)) for label in SENTIMENTS}
    return "  ".join(f"{SENTIMENT_SIGNS[label]} {number} {label}" for label, number in counts.items())


def _label(text: str, top: int) -> Markup:
    return element("text", outline.shorten(text, MAX_LABEL), class_="label", x=0, y=top + 14)


def element(tag: str, text: str = "", **attributes: object) -> Markup:
    """Return an SVG element; an underscore in an attribute's name is a hyphen, or nothing at its end."""
    pairs = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    written = Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in pairs)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, written, text)


def drawing(name: str, title: str, description: str, height: int, shapes: Iterable[Markup]) -> Markup:
    """Return an SVG image with its title and description, whose ids begin with `name`."""
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width="100%" height="{}" '
        'aria-labelledby="{}-title {}-desc">{}{}{}</svg>'
    ).format(
        height,
        name,
        name,
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        Markup("").join(shapes),
    )


def percent(value: float) -> str:
    """Return a share of the width, in two decimals at most."""
    return f"{coordinate(value)}%"


def coordinate(value: float) -> str:
    """Return a number in two decimals at most."""
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
    """Return where the scale of the charts ends, 0.4 say."""
    most = max((value for line in lines for value in line.values if value is not None), default=0.0)
    return next((step for step in STEPS if most <= step), 1.0)


def multiples(digest: Digest) -> list[Multiple]:
    """Return the charts of the trend; a single window has none."""
    if len(digest.trend) < 2:  # noqa: PLR2004 - a line has two ends
        return []
    lines = outline.series(digest)
    ends = scale(lines)
    dates = [words.short_day(point.window.start, digest.zone) for point in digest.trend]
    return [Multiple(line.name, _chart(f"trend-{at}", line, ends, dates)) for at, line in enumerate(lines)]


def _chart(name: str, line: outline.Series, ends: float, dates: list[str]) -> Markup:
    step = (100 - 2 * INSET) / (len(line.values) - 1)
    spots = [
        None if value is None else (percent(INSET + at * step), BOTTOM - (BOTTOM - TOP) * value / ends)
        for at, value in enumerate(line.values)
    ]
    shapes = [element("line", class_="axis", x1=0, y1=BOTTOM, x2="100%", y2=BOTTOM)]
    for start, end in pairwise(spots):
        if start and end:
            y1, y2 = coordinate(start[1]), coordinate(end[1])
            shapes.append(element("line", class_="trend", x1=start[0], y1=y1, x2=end[0], y2=y2))
    for at, spot in enumerate(spots):
        alone = not any(spots[max(at - 1, 0) : at] + spots[at + 1 : at + 2])
        if spot and (at in {0, len(spots) - 1} or alone or len(spots) <= LABELLED):
            now, radius = (" now", 4.5) if at == len(spots) - 1 else ("", 3)
            x, y, value = spot[0], spot[1], words.percent(line.values[at])
            shapes.append(element("circle", class_=f"point{now}", cx=x, cy=coordinate(y), r=radius))
            above = coordinate(y - 9)
            shapes.append(element("text", value, class_=f"value{now}", x=x, y=above, text_anchor="middle"))
    shapes.append(element("text", dates[0], class_="small", x=0, y=HEIGHT - 6))
    shapes.append(element("text", dates[-1], class_="small", x="100%", y=HEIGHT - 6, text_anchor="end"))
    points = zip(dates, line.values, strict=True)
    description = ", ".join(f"{date}: {words.percent(value)}" for date, value in points)
    return drawing(name, f"{line.name}: share of passages", description, HEIGHT, shapes)
