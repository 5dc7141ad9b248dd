"""Group lines into paragraphs, and decide by their type and the table of contents which are headings.

A passage carries the nearest heading before it as its section, so a label in a drawing, a sum in a table or a
slogan must not become one. A heading is a few words, says something, and has its text below it. A line that
the document's own outline names is always a heading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.extract.pdf.lines import Line, is_bold, is_raised, without_mark
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
_END = re.compile(r"[.!?:;\u2026][\"'\u201d\u2019)\]]*\d{0,2}$")


Kind = Literal["text", "heading", "table", "row", "note", "fragment"]
"""`row`: a line of cells that is in no table; `fragment`: numbers with their label, in no sentence."""


class Style(NamedTuple):
    """The body's line height in points, and its font."""

    height: float
    font: str


@dataclass(slots=True)
class Paragraph:
    """Lines that belong together, and the box around them; or tables, by the line that holds their place."""

    kind: Kind
    lines: list[Line] = field(default_factory=list)
    x0: float = 0.0
    y0: float = 0.0
    x1: float = 0.0
    y1: float = 0.0

    @property
    def text(self) -> str:
        if len(self.lines) == 1:  # as most are
            return self.lines[0].text
        return " ".join([line.text for line in self.lines])

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
        if line.tables:
            paragraphs.append(Paragraph("table"))
            paragraphs[-1].add(line)
            before = mark = None
            continue
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
            if home.kind == kind and _continues(home, line, kind):
                break
        else:
            home = Paragraph(kind)
            paragraphs.append(home)
        if not _extends(home, line):
            home.add(line)
        before, mark = line, None
    return paragraphs


def _kind(line: Line, style: Style) -> Kind:
    if line.note:
        return "note"
    if line.cells:
        return "row"
    text = line.text
    large = line.height >= _HEADING_SIZE * style.height
    if (
        (large or text.isupper() or (style.font not in line.fonts and all(map(is_bold, line.fonts))))
        and line.height >= _SMALL * style.height
        and line.x1 - line.x0 >= line.height  # else it is written upwards
        and len(text.split()) <= _MAX_HEADING_WORDS
        and any(map(str.isalpha, text))
        and not (is_item(text) and _END.search(text))
    ):
        return "heading"
    return "text"


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
    if kind == "row":
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
    if not paragraph.lines or paragraph.kind == "row" or not _on_one_line(paragraph.lines[-1], line):
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
            note=last.note,
        )
    )
    return True


_CALLED = re.compile(
    r"(?i)(?:table\ of\ )?contents?(?:\ of\ th(?:e|is)\ report)?|index|inhalt(?:sverzeichnis)?"
    r"|sommaire|table\ des\ mati\u00e8res|sommario|indice|\u00edndice|contenidos?|inhoud(?:sopgave)?"
)
_LEADERS = re.compile(r"(?:\. ?){4}\d{1,4}$|\u2026 ?\d{1,4}$")
_NUMBER = re.compile(r"(\d{1,4})(?![.,]?\d)\s\D.*|.*\D(?<![.,:])\s(\d{1,4})")  # first or last
_YEARS = range(1900, 2100)
_MIN_WORDS = 3  # of such an entry: "Chapter 3" has two
_MIN_ENTRIES = 4  # headings with ascending page numbers
_MIN_PROSE = 15  # words of a paragraph: what stands above it may be a heading on any page


def find_entries(paragraphs: Sequence[Paragraph]) -> set[int]:
    """Return the places of the page's entries of contents among its paragraphs.

    They stand below the word "Contents", or have page numbers that ascend.
    """
    headings = [at for at, paragraph in enumerate(paragraphs) if paragraph.kind == "heading"]
    title = next((at for at in headings if _CALLED.fullmatch(paragraphs[at].text.strip(" .:"))), None)
    if title is not None:
        return {at for at in headings if at > title and not _heads_prose(paragraphs, at)}
    entries = {at for at in headings if _LEADERS.search(paragraphs[at].text)}
    numbered = [(at, number) for at in headings if (number := _page_number(paragraphs[at].text)) is not None]
    steps = {after - before for (_, before), (_, after) in pairwise(numbered)}
    are_pages = bool(steps) and min(steps) >= 0 and steps != {1}  # sections are numbered one by one
    if len(numbered) >= max(_MIN_ENTRIES, len(headings) // 2) and are_pages:
        entries.update(at for at, _ in numbered if not _heads_prose(paragraphs, at))
    return entries


def _page_number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text) if len(text.split()) >= _MIN_WORDS else None
    number = int(found[1] or found[2]) if found else None
    return None if number in _YEARS else number


def _heads_prose(paragraphs: Sequence[Paragraph], at: int) -> bool:
    after = paragraphs[at + 1] if at + 1 < len(paragraphs) else None
    if after is None or after.kind != "text":
        return False
    words = after.text.split()
    numbers = sum(map(str.isdecimal, words))  # entries in one paragraph have many
    return len(words) >= _MIN_PROSE and (numbers <= 1 or words[-1].endswith((".", "!", "?", ":")))


_MIN_SENTENCE_WORDS = 7  # with a full stop, or in quotation marks
_LETTERS = 0.5  # of the characters, white space aside
_MIN_LETTERS = 2
_HEADED_WORDS = 4  # of what a heading heads
_HEADED_GAP = 6.0  # line heights between a heading and what it heads
_MAX_BESIDE = 4  # headings, itself among them: boxes side by side; more are columns of a table
_HEADED_OVERLAP = 0.3  # of the narrower one: they share a column
_TITLE_SIZE = 1.5  # of the body's line height: a title may stand on a page of its own
_QUOTE = re.compile("[\"'\u201c\u201e\u00ab\u2018]")
_NUMBERING = re.compile(r"^(?:[A-Z]?\d+(?:\.\d+)*|[A-Z]|[ivxIVX]+)[.)]?\s+")
_NO_WORD = re.compile(r"[\W_]+")


def settle_headings(paragraphs: list[Paragraph], style: Style, titles: Iterable[str]) -> list[Paragraph]:
    """Return the page's paragraphs with false headings turned into text; `titles` are its bookmarks.

    A title that is missing on a page without headings is put at its head: it is drawn as a picture.
    """
    for at in find_entries(paragraphs):
        paragraphs[at].kind = "text"
    wanted = {_key(title): title for title in titles}
    prose = [paragraph for paragraph in paragraphs if _can_be_headed(paragraph)]
    kept = list(prose)
    for paragraph in reversed(paragraphs):
        if wanted and paragraph.kind in {"text", "heading"} and _key(paragraph.text) in wanted:
            paragraph.kind = "heading"
        elif paragraph.kind != "heading":
            continue
        elif (
            not _says_something(paragraph)
            or _is_in_row(paragraph, paragraphs)
            or not (
                any(_is_headed(other, paragraph) for other in kept)
                or (not prose and paragraph.lines[0].height >= _TITLE_SIZE * style.height)
            )
        ):
            paragraph.kind = "text"
            continue
        kept.append(paragraph)
    settled = _with_run_ins(paragraphs)
    if wanted and all(paragraph.kind != "heading" for paragraph in settled):
        drawn = Line(next(reversed(wanted.values())), 0.0, 0.0, 0.0, 0.0)
        return [Paragraph("heading", [drawn]), *settled]
    return settled


def _key(text: str) -> str:
    return _NO_WORD.sub("", _NUMBERING.sub("", text)).lower()


def _can_be_headed(paragraph: Paragraph) -> bool:
    if paragraph.kind == "heading":
        return _is_sentence(paragraph)
    text = paragraph.text
    return len(text.split(None, _HEADED_WORDS - 1)) == _HEADED_WORDS and any(map(str.isalpha, text))


def _is_sentence(paragraph: Paragraph) -> bool:
    """Whether this is prose that is set like a heading: a lead, a slogan, a quotation."""
    text = paragraph.text
    words = len(text.split())
    return words > _MAX_HEADING_WORDS or (
        words >= _MIN_SENTENCE_WORDS
        and (text.endswith((".", "!", ":", ";", ",")) or bool(_QUOTE.match(text)))
    )


def _says_something(paragraph: Paragraph) -> bool:
    characters = "".join(paragraph.text.split())
    letters = sum(map(str.isalpha, characters))
    return (
        letters >= max(_MIN_LETTERS, _LETTERS * len(characters))
        and not _is_sentence(paragraph)
        and not _QUOTE.match(characters)
    )


def _is_in_row(heading: Paragraph, paragraphs: Sequence[Paragraph]) -> bool:
    """Whether so many headings stand beside it that they are the head of a table."""
    beside = sum(
        other.kind == "heading" and other.y0 < heading.y1 and heading.y0 < other.y1 for other in paragraphs
    )
    return beside > _MAX_BESIDE


def _is_headed(other: Paragraph, heading: Paragraph) -> bool:
    """Whether the other begins below the heading, not far from it, and in its column."""
    height = heading.lines[-1].height
    shared = min(other.x1, heading.x1) - max(other.x0, heading.x0)
    return (
        -height / 2 <= other.y0 - heading.y1 <= _HEADED_GAP * height
        and other.y1 > heading.y1
        and shared >= _HEADED_OVERLAP * min(other.x1 - other.x0, heading.x1 - heading.x0)
    )


def _with_run_ins(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """Join a line of bold type with the rest of its sentence, which goes on below in plain type."""
    joined: list[Paragraph] = []
    for paragraph in paragraphs:
        before = joined[-1] if joined else None
        if before is not None and before.kind == "heading" and _runs_on(before, paragraph):
            before.kind = "text"
            for line in paragraph.lines:
                before.add(line)
        else:
            joined.append(paragraph)
    return joined


def _runs_on(heading: Paragraph, paragraph: Paragraph) -> bool:
    last, first = heading.lines[-1], paragraph.lines[0]
    return (
        paragraph.kind == "text"
        and first.text[:1].islower()
        and abs(first.height - last.height) <= _SIZE * last.height
        and 0 < first.y0 - last.y0 <= _FIRST_STEP * last.height
        and abs(first.x0 - last.x0) < 2 * last.height
    )
