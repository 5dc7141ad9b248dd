"""Group lines into paragraphs."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.extract.pdf.lines import Line, is_raised, without_mark
from shared.extract.tidy import is_item, is_lone_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OPEN = 6  # blocks that a line may still continue: columns written line by line across the page
_SIZE = 0.15  # relative difference of line heights within a paragraph
_FIRST_STEP = 1.65  # of the line height: the widest step from a paragraph's first line to its second
_HEADING_STEP = 1.75  # the same in headings
_HEADING_SIZES = 0.05  # relative difference of line heights within a heading
_SMALL = 0.8  # of the body's line height: smaller type heads notes and cells
_NEXT_STEP = 1.2  # of the step before: the widest one between later lines
_HEADING_SIZE = 1.18  # of the body's line height
_MAX_HEADING_WORDS = 25
_SHORT = 0.85  # of the paragraph's width: a line that ends a sentence and is shorter ends the paragraph
_OVERLAP = 0.5  # of the narrower of two lines: they share a column
_ROW_STEP = 4.0  # of the line height: rows of one table may have cells of several lines between them
_MAX_JUSTIFIED_GAPS = 3  # cells; more wide gaps are no accident
_MAX_TITLE_PARTS = 3
_MIN_TITLE_LETTERS = 4  # of its first part
_TOUCHING = 0.1  # of the line height: no space between two pieces of a line
_SAME_LINE = 0.5  # of the line height: two pieces this close in height stand on one line
_BOLD = re.compile(r"(?i)bold|bld|black|heavy|demi|medi(?!um)")
_END = re.compile(r"[.!?:;\u2026][\"'\u201d\u2019)\]]*\d{0,2}$")


class Style(NamedTuple):
    """The body's line height in points, and its font."""

    height: float
    font: str


@dataclass(slots=True)
class Paragraph:
    """Lines that belong together, and the box around them; or the rows of a table."""

    kind: Literal["text", "heading", "table"]
    lines: list[Line] = field(default_factory=list)
    x0: float = 0.0
    y0: float = 0.0
    x1: float = 0.0
    y1: float = 0.0

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)

    def add(self, line: Line) -> None:
        first = not self.lines
        self.lines.append(line)
        self.x0, self.x1 = (line.x0, line.x1) if first else (min(self.x0, line.x0), max(self.x1, line.x1))
        self.y0, self.y1 = (line.y0, line.y1) if first else (min(self.y0, line.y0), max(self.y1, line.y1))


def group(lines: Iterable[Line], style: Style) -> list[Paragraph]:
    """Return the paragraphs of a page in the order in which they begin, without lone marks."""
    paragraphs: list[Paragraph] = []
    before: Line | None = None
    mark: Line | None = None
    written = list(lines)
    for line, after in zip_longest(written, written[1:]):
        if is_lone_mark(line.text):
            mark = line
            continue
        if line.cells and (
            any(other is not None and _is_justified(line, other) for other in (before, after))
            or _is_title(line, written, style)
        ):
            line.cells = line.spans = ()
        kind = _kind(line, style)
        begins = mark is not None and mark.x1 <= line.x0 and mark.y0 < line.y1 and line.y0 < mark.y1
        near = () if begins else paragraphs[: -_OPEN - 1 : -1]
        if kind == "heading" and any(_is_emphasis(open_, line) for open_ in near):
            kind = "text"
        for home in near:
            if _continues(home, line, kind):
                break
        else:
            home = Paragraph(kind)
            paragraphs.append(home)
        if not _extends(home, line):
            home.add(line)
        before, mark = line, None
    return paragraphs


def _kind(line: Line, style: Style) -> Literal["text", "heading", "table"]:
    if line.cells:
        return "table"
    text = line.text
    large = line.height >= _HEADING_SIZE * style.height
    if (
        (large or text.isupper() or (style.font not in line.fonts and all(map(_is_bold, line.fonts))))
        and line.height >= _SMALL * style.height
        and line.x1 - line.x0 >= line.height  # else it is written upwards
        and len(text.split()) <= _MAX_HEADING_WORDS
        and any(map(str.isalpha, text))
        and not (is_item(text) and _END.search(text))
    ):
        return "heading"
    return "text"


@functools.lru_cache(maxsize=1_000)
def _is_bold(font: str) -> bool:
    return _BOLD.search(font) is not None


def _is_title(line: Line, lines: Sequence[Line], style: Style) -> bool:
    """Whether this is the page's first line, in large type, with a name or number far to the right."""
    return (
        len(line.cells) <= _MAX_TITLE_PARTS
        and line.height >= _HEADING_SIZE * style.height
        and sum(map(str.isalpha, line.cells[0])) >= _MIN_TITLE_LETTERS
        and all(
            other is line
            or (other.base > line.base and not (other.cells and other.y0 - line.y1 < _ROW_STEP * line.height))
            for other in lines
        )
    )


def _is_justified(line: Line, other: Line) -> bool:
    """Whether this is a line of a justified paragraph, spread so far that its words looked like cells."""
    near = line.height
    return (
        not other.cells
        and len(line.cells) <= _MAX_JUSTIFIED_GAPS
        and abs(line.x0 - other.x0) < near
        and abs(line.x1 - other.x1) < near
        and 0 < abs(line.y0 - other.y0) < _FIRST_STEP * near
    )


def _continues(paragraph: Paragraph, line: Line, kind: str) -> bool:
    """Whether the line belongs to the paragraph."""
    last = paragraph.lines[-1]
    if paragraph.kind != kind:
        return False
    if kind == "table":
        return 0 < line.y0 - last.y0 < _ROW_STEP * line.height
    if abs(line.height - last.height) > (_HEADING_SIZES if kind == "heading" else _SIZE) * last.height:
        return False
    if _on_one_line(last, line):
        return True
    if kind == "heading" and line.fonts[0] != last.fonts[1]:
        return False
    return not is_item(line.text) and _is_below(paragraph, line) and not _is_last(paragraph)


def _is_emphasis(paragraph: Paragraph, line: Line) -> bool:
    """Whether the line continues the sentence above, in bold type."""
    return (
        line.text[:1].islower()
        and not _END.search(paragraph.lines[-1].text)
        and _continues(paragraph, line, "text")
    )


def _is_below(paragraph: Paragraph, line: Line) -> bool:
    """Whether the line is one step below the last one, in its column."""
    last = paragraph.lines[-1]
    widest = (_HEADING_STEP if paragraph.kind == "heading" else _FIRST_STEP) * last.height
    if len(paragraph.lines) > 1:
        widest = min(widest, _NEXT_STEP * (last.base - paragraph.lines[-2].base) + 1)
    shared = min(line.x1, last.x1) - max(line.x0, last.x0)
    return _SAME_LINE * last.height < line.base - last.base <= widest and shared >= _OVERLAP * min(
        line.x1 - line.x0, last.x1 - last.x0
    )


def _is_last(paragraph: Paragraph) -> bool:
    """Whether the last line ends a sentence and is short: a paragraph's end."""
    last = paragraph.lines[-1]
    short = last.x1 - paragraph.x0 < _SHORT * (paragraph.x1 - paragraph.x0)
    return short and _END.search(last.text) is not None


def _on_one_line(last: Line, line: Line) -> bool:
    """Whether a superscript or a change of font cut one line into two."""
    return abs(line.y1 - last.y1) < _SAME_LINE * last.height and -1 < line.x0 - last.x1 < last.height


def _extends(paragraph: Paragraph, line: Line) -> bool:
    """Append the line to the last one if both stand on one line; else return False."""
    if not paragraph.lines or paragraph.kind == "table" or not _on_one_line(paragraph.lines[-1], line):
        return False
    last = paragraph.lines.pop()
    glue = "" if line.x0 - last.x1 < _TOUCHING * last.height else " "
    text = last.text + glue + line.text
    if not glue and is_raised(last.height, line.height, last.base - line.base):
        text = without_mark(text)
    paragraph.add(
        Line(
            text,
            last.x0,
            min(last.y0, line.y0),
            line.x1,
            max(last.y1, line.y1),
            fonts=(last.fonts[0], line.fonts[1]),
            height=max(last.height, line.height),
            base=last.base,
        )
    )
    return True
