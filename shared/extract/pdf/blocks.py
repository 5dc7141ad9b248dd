"""Join the paragraphs of a PDF into blocks, with their initials, and find its title.

Most programs write a page in reading order, so the drawing order is kept. What is drawn late but stands
above, such as titles and boxes, moves up to its place.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from shared.extract.pdf.paragraphs import Paragraph, Style, group, settle_headings
from shared.extract.pdf.tables import with_tables
from shared.extract.shapes import Block
from shared.extract.tables import Tables
from shared.extract.tidy import Joiner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.extract.pdf.lines import Line, Page
    from shared.extract.pdf.reader import Outline
    from shared.extract.shapes import BlockKind, Limits
    from shared.extract.tables import Grid
    from shared.platform.tables import Table


_HIGH = 1.8  # of the line beside it
_NEAR = 1.0  # of the initial's height: room between it and its word


def with_initials(lines: list[Line]) -> list[Line]:
    """Put each initial back before the word that it begins."""
    letters = [line for line in lines if len(line.text) == 1 and line.text.isupper()]
    joined = list(lines)
    for letter in letters:
        at = next((at for at, line in enumerate(joined) if _begins(letter, line)), None)
        if at is not None:
            joined[at] = replace(joined[at], text=letter.text + joined[at].text)
            joined.remove(letter)
    return joined


def _begins(letter: Line, line: Line) -> bool:
    """Whether the line lacks its beginning and stands right of the letter, not below its middle."""
    return (
        line.text[:1].islower()
        and letter.height >= _HIGH * line.height
        and letter.y0 - line.height <= line.y0 <= (letter.y0 + letter.y1) / 2
        and -letter.height / 2 <= line.x0 - letter.x1 <= _NEAR * letter.height
    )


_OVERLAP = 0.5  # of the narrower of two blocks: they share a column
_TERMINAL = re.compile(r"[.!?:;\u2026][\"'\u201d\u2019)\]]*\d{0,2}$")
_MIN_FLOW_WORDS = 4
_LOOK_BACK = 4  # paragraphs
_SIZE = 0.08  # relative difference in height of lines in one type
_NUMBERING = re.compile(r"^\d+(?:\.\d+)*\.?\s+(?=\D)")
_MARK = re.compile(r"^[^\w\s(\[\"'\u2018\u201c\u201e\u00ab$\u20ac\u00a3#]\s+")
_SAME_SIDES = 12.0  # points
_TITLE_PAGES = 2
_TITLE_SIZE = 1.5  # of the body's line height
_MAX_TITLE_WORDS = 16


def build_blocks(pages: Sequence[Page], outline: Outline, limits: Limits) -> tuple[list[Block], list[Table]]:
    """Return the blocks and tables of all pages.

    A paragraph that runs on in the next column is one block; each data row of a table is one.
    """
    style = body_style(pages)
    joiner = Joiner([line.text for page in pages for line in page.lines])
    blocks: list[Block] = []
    tables = Tables(limits)
    before: Grid | None = None  # the table that a page ends with
    for page in pages:
        lines = with_tables(replace(page, lines=with_initials(page.lines)), joiner.join)
        ordered = _in_order(group(lines, style))
        settled = with_fragments(list(_flow(settle_headings(ordered, style, outline.get(page.number, ())))))
        if before and settled and settled[0].kind == "table":
            settled[0].lines[0].tables[0].continues = _is_continued(before, settled[0].lines[0].tables[0])
        for paragraph in settled:
            blocks.extend(_blocks(paragraph, page.number, joiner, tables))
        last = next((part for part in reversed(settled) if part.kind != "note"), None)
        before = last.lines[0].tables[-1] if last is not None and last.kind == "table" else None
    return blocks, tables.found


def _blocks(paragraph: Paragraph, page: int, joiner: Joiner, tables: Tables) -> Iterator[Block]:
    box = round(paragraph.x0, 1), round(paragraph.y0, 1), round(paragraph.x1, 1), round(paragraph.y1, 1)
    if paragraph.kind == "table":
        for grid in paragraph.lines[0].tables:
            grid.page = page
            yield from tables.add(grid)
    elif paragraph.kind == "row":
        for line in paragraph.lines:
            kind: BlockKind = "fragment" if any(map(str.isdigit, line.text)) else "text"
            yield Block(line.text, kind, page, box=box)
    else:
        text = joiner.join(line.text for line in paragraph.lines)
        if paragraph.kind == "heading":
            text = _MARK.sub("", text)
        yield Block(text, paragraph.kind, page, box=box)


def _is_continued(before: Grid, after: Grid) -> bool:
    """Whether a table at the top of a page goes on with the one at the end of the page before."""
    if before.box is None or after.box is None:
        return False
    columns = [max(cell.column for cells in grid.rows for cell in cells) for grid in (before, after)]
    sides = abs(before.box[0] - after.box[0]), abs(before.box[2] - after.box[2])
    return columns[0] == columns[1] and max(sides) <= _SAME_SIDES


def body_style(pages: Sequence[Page]) -> Style:
    """Return the line height and font that most letters of the document have."""
    heights: dict[float, int] = defaultdict(int)
    fonts: dict[str, int] = defaultdict(int)
    for page in pages:
        for line in page.lines:
            letters = len(line.text)
            heights[round(line.height, 1)] += letters
            fonts[line.fonts[0]] += letters
    return Style(
        max(heights, key=lambda height: heights[height], default=0.0),
        max(fonts, key=lambda font: fonts[font], default=""),
    )


def find_title(pages: Sequence[Page]) -> str | None:
    """Return the largest type of the first pages, if it stands out; for files without a title."""
    body = body_style(pages).height
    for page in pages[:_TITLE_PAGES]:
        largest = max((line.height for line in page.lines if any(map(str.isalpha, line.text))), default=0.0)
        if largest >= _TITLE_SIZE * body:
            words = " ".join(line.text for line in page.lines if line.height >= 0.9 * largest).split()
            if 1 < len(words) <= _MAX_TITLE_WORDS:
                return _NUMBERING.sub("", " ".join(words))
    return None


def _in_order(paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Keep the drawing order, but put a block before what stands below it in its column."""
    ordered: list[Paragraph] = []
    lowest = 0.0
    for paragraph in paragraphs:
        at = len(ordered)
        if paragraph.y1 <= lowest + 1:
            at = next((at for at, other in enumerate(ordered) if _is_above(paragraph, other)), at)
        ordered.insert(at, paragraph)
        lowest = max(lowest, paragraph.y0)
    return ordered


def _is_above(one: Paragraph, other: Paragraph) -> bool:
    if one.y1 > other.y0 + 1:
        return False
    shared = min(one.x1, other.x1) - max(one.x0, other.x0)
    return shared > _OVERLAP * min(one.x1 - one.x0, other.x1 - other.x0)


def _flow(paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Join a paragraph that ends in mid-sentence with one that begins in lower case, in the next column.

    A caption or a note in other type may stand between the two.
    """
    flowing: list[Paragraph] = []
    for paragraph in paragraphs:
        home = _unfinished(flowing, paragraph) if paragraph.lines[0].text[:1].islower() else None
        if home is None or paragraph.kind != "text":
            flowing.append(paragraph)
        else:
            home.lines.extend(paragraph.lines)
    return flowing


def _unfinished(flowing: list[Paragraph], paragraph: Paragraph) -> Paragraph | None:
    """Return the last paragraph of the same type, if it is unfinished."""
    for before in flowing[: -_LOOK_BACK - 1 : -1]:
        if before.kind == "heading":
            return None
        last, first = before.lines[-1], paragraph.lines[0]
        alike = abs(last.height - first.height) <= _SIZE * last.height
        if before.kind == "text" and alike and (last.fonts[1] == first.fonts[0] or before is flowing[-1]):
            # What begins in lower case itself is the label of a figure, unless the page begins with it.
            sentence = not before.lines[0].text[:1].islower() or before is flowing[0]
            waits = len(last.text.split()) >= _MIN_FLOW_WORDS and not _TERMINAL.search(last.text)
            return before if waits and sentence else None
    return None


# Numbers that stand in no table and no sentence: a large figure above its label, the values of a drawing.
# Each is joined with the label that stands nearest, so that what is read says what the number counts.
_MAX_NUMBER_WORDS = 6  # of a number that stands alone
_MAX_LABEL_WORDS = 14
_MAX_PARAGRAPHS = 600  # of a page
_BESIDE = 1.3  # of the number's height, to its label
_MIN_SENTENCE_WORDS = 7
_MIN_LETTERS = 3
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_]{3,}")


def with_fragments(paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Return the paragraphs of a page with numbers joined to their labels, and all such as fragments."""
    loose = [part for part in paragraphs if part.kind in {"text", "heading"}]
    numbers = [part for part in loose if _is_number(part.text)] if len(loose) <= _MAX_PARAGRAPHS else []
    labels = [part for part in loose if _is_label(part.text)] if numbers else []
    taken: set[int] = set()
    for number in numbers:
        label = _nearest(number, [part for part in labels if id(part) not in taken])
        if label is not None:
            taken.add(id(label))
            number.lines = [*number.lines, *label.lines]
            number.x0, number.x1 = min(number.x0, label.x0), max(number.x1, label.x1)
            number.y0, number.y1 = min(number.y0, label.y0), max(number.y1, label.y1)
        number.kind = "fragment"
    kept = [part for part in paragraphs if id(part) not in taken]
    for part in kept:
        if part.kind == "text" and _DIGIT.search(part.text) and not _is_sentence(part.text):
            part.kind = "fragment"
    return kept


def _is_sentence(text: str) -> bool:
    """Whether a text reads as a sentence: enough words, or a full stop behind some."""
    words = sum(1 for _ in islice(_WORD.finditer(text), _MIN_SENTENCE_WORDS))
    return words >= _MIN_SENTENCE_WORDS or (
        words >= _MIN_LETTERS and text.endswith((".", "!", "?", ":", ";"))
    )


def _is_number(text: str) -> bool:
    """Whether a number is most of what stands here."""
    return (
        _DIGIT.search(text) is not None
        and len(text.split(None, _MAX_NUMBER_WORDS)) <= _MAX_NUMBER_WORDS
        and len(_WORD.findall(text)) <= 1
    )


def _is_label(text: str) -> bool:
    return (
        len(text.split(None, _MAX_LABEL_WORDS)) <= _MAX_LABEL_WORDS
        and _WORD.search(text) is not None
        and not any(map(str.isdigit, text[:1]))
    )


def _nearest(number: Paragraph, labels: Sequence[Paragraph]) -> Paragraph | None:
    """Return the label nearest to the number: below it, right of it, above it or left of it."""
    height = max(line.height for line in number.lines)
    best: tuple[float, Paragraph] | None = None
    for label in labels:
        aside = max(label.x0 - number.x1, number.x0 - label.x1, 0.0)
        apart = max(label.y0 - number.y1, number.y0 - label.y1, 0.0)
        if aside and apart:
            continue
        distance = apart if not aside else aside + 0.2 * height
        if label.y0 < number.y0 and not aside:
            distance += 0.3 * height  # what stands above heads the whole
        if label.x0 < number.x0 and aside:
            distance += 0.2 * height
        limit = _BESIDE * height if not aside else 1.5 * height
        if distance <= limit and (best is None or distance < best[0]):
            best = distance, label
    return best[1] if best is not None else None
