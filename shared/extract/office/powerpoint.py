"""Read PowerPoint presentations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.extract.office.package import Budget, Handlers, Package
from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, Extracted, has_words
from shared.extract.sniff import PPTX
from shared.extract.tidy import is_item, listed, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.extract.office.package import Attributes, Relation
    from shared.extract.shapes import ExtractOptions
    from shared.extract.zips import Source


_TITLES = {"title", "ctrTitle"}
_FURNITURE = {"dt", "ftr", "hdr", "sldNum", "sldImg"}
_LISTS = {"body", "obj"}  # placeholders whose paragraphs have bullets unless they say otherwise


@dataclass(slots=True)
class _Paragraph:
    parts: list[str] = field(default_factory=list)
    marked: bool | None = None
    """Whether the paragraph itself states that it has a bullet."""

    def block(self, *, listed: bool) -> Block | None:
        text = squeeze("".join(self.parts))
        marked = listed if self.marked is None else self.marked
        if not text:
            return None
        return Block(f"\u2022 {text}" if marked and not is_item(text) else text)


class Slide(Handlers):
    """Reads the XML of a slide or of its notes; then the lists below have its text, without pages."""

    skipped = frozenset({"mc:Fallback"})  # what older programs get to see: the same again, or less

    def __init__(self, budget: Budget) -> None:
        self.titles: list[Block] = []
        self.blocks: list[Block] = []
        self.notes: list[Block] = []
        self.diagrams: list[str] = []
        """Relation ids of the parts with diagrams."""
        self.hidden = self._is_slide = False
        self._budget = budget
        self._kind: str | None = None  # of the placeholder that the shape is
        self._paragraphs: list[_Paragraph] = []  # of the shape or cell
        self._open: _Paragraph | None = None
        self._row: list[str] | None = None
        self.texts = {"a:t": self._text}
        self.starts = {
            "p:sld": self._start,
            "p:sp": self._start_shape,
            "p:ph": self._placeholder,
            "a:p": self._start_paragraph,
            "a:buNone": self._unmark,
            "a:buChar": self._mark,
            "a:buAutoNum": self._mark,
            "a:br": self._space,
            "a:tr": self._start_row,
            "a:tc": self._start_cell,
            "dgm:relIds": self._diagram,
        }
        self.ends = {
            "a:p": self._end_paragraph,
            "a:tc": self._end_cell,
            "a:tr": self._end_row,
            "p:sp": self._end_shape,
            "dgm:pt": self._end_shape,
        }

    def _start(self, attributes: Attributes) -> None:
        self._is_slide = True
        self.hidden = attributes.get("show", "1") in {"0", "false"}

    def _start_shape(self, _: Attributes) -> None:
        self._kind, self._paragraphs = None, []

    def _placeholder(self, attributes: Attributes) -> None:
        self._kind = attributes.get("type", "obj")

    def _start_paragraph(self, _: Attributes) -> None:
        self._open = _Paragraph()
        self._paragraphs.append(self._open)

    def _end_paragraph(self) -> None:
        self._open = None

    def _text(self, text: str) -> None:
        if self._open is not None:
            self._budget.spend(len(text))
            self._open.parts.append(text)

    def _space(self, _: Attributes) -> None:
        self._text(" ")

    def _mark(self, _: Attributes) -> None:
        if self._open is not None:
            self._open.marked = True

    def _unmark(self, _: Attributes) -> None:
        if self._open is not None:
            self._open.marked = False

    def _end_shape(self) -> None:
        if self._kind in _FURNITURE:
            return
        said = sum(any(map(str.strip, paragraph.parts)) for paragraph in self._paragraphs)
        listed = self._is_slide and self._kind in _LISTS and said > 1
        found = [block for paragraph in self._paragraphs if (block := paragraph.block(listed=listed))]
        self._paragraphs = []
        for _ in found:
            self._budget.add_block()
        if self._kind in _TITLES:
            if found:
                self.titles.append(Block(" ".join(block.text for block in found), "heading"))
        else:
            if self._kind == "body":  # on a page of notes: the notes
                self.notes += found
            self.blocks += found

    def _start_row(self, _: Attributes) -> None:
        self._row = []

    def _start_cell(self, _: Attributes) -> None:
        self._paragraphs = []

    def _end_cell(self) -> None:
        if self._row is not None:
            cell = squeeze(" ".join("".join(paragraph.parts) for paragraph in self._paragraphs))
            self._row += [cell] if cell else []
        self._paragraphs = []

    def _end_row(self) -> None:
        if self._row:
            self._budget.add_block()
            self.blocks.append(Block(" | ".join(self._row), "table"))
        self._row = None

    def _diagram(self, attributes: Attributes) -> None:
        if "r:dm" in attributes:
            self.diagrams.append(attributes["r:dm"])


def diagram_blocks(package: Package, part: str, budget: Budget) -> list[Block]:
    """Return the text of a diagram (SmartArt), point by point; raises what reading a part raises."""
    points = Slide(budget)
    package.scan(part, points)
    return [Block(block.text if is_item(block.text) else f"\u2022 {block.text}") for block in points.blocks]


def read_pptx(source: Source, options: ExtractOptions) -> Extracted:
    """Return the text of a presentation: `page` is the slide's number, its title a heading, notes follow it.

    Shapes keep the order of the file, which screen readers use too. Hidden slides, dates, footers, slide
    numbers, and what only the master holds are left out.

    Raises:
        Rejected: what Package raises, `too_many_pages` or `no_text`.
    """
    limits = options.limits
    blocks: list[Block] = []
    hidden: list[int] = []
    with Package(source, limits, "PowerPoint presentation") as package:
        budget = Budget(limits)
        part, relations = package.main_part()
        order = _Order(limits.pages)
        package.scan(part, order)
        title = package.title()
        for number, identifier in enumerate(order.slides, 1):
            if identifier in relations:
                slide = Slide(budget)
                package.scan(relations[identifier].part, slide)
                if slide.hidden:
                    hidden.append(number)
                    continue
                blocks += (
                    Block(block.text, block.kind, number)
                    for block in _in_order(package, relations[identifier], slide, budget)
                )
    if not has_words(blocks):
        raise no_text(
            "No slide of this presentation holds any text; they may be pictures.",
            "Export it as a PDF, run that through a program that recognises text (OCR) and upload this.",
        )
    if title is None and blocks[0].kind == "heading":
        title = blocks[0].text
    warnings = [f"hidden slides, left out: {listed(hidden)}"] if hidden else []
    return Extracted(PPTX, title, len(order.slides), blocks, warnings)


def _in_order(package: Package, at: Relation, slide: Slide, budget: Budget) -> Iterator[Block]:
    """Yield the slide's title, its text, its diagrams and its notes."""
    yield from slide.titles
    yield from slide.blocks
    relations = package.relations(at.part)
    for identifier in dict.fromkeys(slide.diagrams):
        if identifier in relations:
            yield from diagram_blocks(package, relations[identifier].part, budget)
    for relation in relations.values():
        if relation.kind == "notesSlide":
            notes = Slide(budget)
            package.scan(relation.part, notes)
            yield from notes.notes


class _Order(Handlers):
    """Collects the relation ids of the slides."""

    def __init__(self, most: int) -> None:
        self.slides: list[str] = []
        self._most = most
        self.starts = {"p:sldId": self._add}

    def _add(self, attributes: Attributes) -> None:
        self.slides.append(attributes.get("r:id", ""))
        if len(self.slides) > self._most:
            raise too_many("pages", f"more than {self._most:,} slides", self._most)
