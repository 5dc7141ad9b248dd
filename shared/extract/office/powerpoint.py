"""Read PowerPoint presentations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shared.extract.office.charts import Chart
from shared.extract.office.package import Budget, Handlers, Package
from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, Extracted, has_words
from shared.extract.sniff import PPTX
from shared.extract.tables import Grid, GridCell, Tables
from shared.extract.tidy import is_item, listed, raised, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.extract.office.package import Attributes, Relation
    from shared.extract.shapes import ExtractOptions
    from shared.extract.zips import Source


_TITLES = {"title", "ctrTitle"}
_FURNITURE = {"dt", "ftr", "hdr", "sldNum", "sldImg"}
_LISTS = {"body", "obj"}  # placeholders whose paragraphs have bullets unless they say otherwise
_EMU = 12_700  # to the point
_ON = {"1", "true"}


@dataclass(slots=True)
class _Paragraph:
    parts: list[str] = field(default_factory=list)
    marked: bool | None = None
    """Whether the paragraph itself states that it has a bullet."""
    indent: float = 0.0
    """Points."""
    plain: bool = False
    """Whether any of it is not bold."""

    def block(self, *, listed: bool) -> Block | None:
        text = squeeze("".join(self.parts))
        marked = listed if self.marked is None else self.marked
        if not text:
            return None
        return Block(f"\u2022 {text}" if marked and not is_item(text) else text)


class Slide(Handlers):
    """Reads the XML of a slide or of its notes; then the lists below have its text, without pages."""

    skipped = frozenset({"mc:Fallback"})  # what older programs get to see: the same again, or less

    def __init__(self, budget: Budget, tables: Tables, page: int | None = None) -> None:
        self.titles: list[Block] = []
        self.blocks: list[Block] = []
        self.notes: list[Block] = []
        self.diagrams: list[str] = []
        """Relation ids of the parts with diagrams."""
        self.charts: list[str] = []
        """Relation ids of the parts with charts."""
        self.hidden = self._is_slide = False
        self._budget = budget
        self._kind: str | None = None  # of the placeholder that the shape is
        self._paragraphs: list[_Paragraph] = []  # of the shape or cell
        self._open: _Paragraph | None = None
        self._tables = tables
        self.page = page
        self._grid: Grid | None = None
        self._cell: GridCell | None = None
        self._first_row = self._bold = self._raised = False
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
            "a:pPr": self._properties,
            "a:r": self._start_run,
            "a:rPr": self._run_properties,
            "a:tbl": self._start_table,
            "a:tblPr": self._table_properties,
            "a:tr": self._start_row,
            "a:tc": self._start_cell,
            "dgm:relIds": self._diagram,
            "c:chart": self._chart,
        }
        self.ends = {
            "a:p": self._end_paragraph,
            "a:tc": self._end_cell,
            "a:tbl": self._end_table,
            "p:sp": self._end_shape,
            "dgm:pt": self._end_shape,
        }

    @property
    def title(self) -> str | None:
        return self.titles[-1].text if self.titles else None

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
            self._open.parts.append(raised(text, self._open.parts) if self._raised else text)
            self._open.plain |= not self._bold and not text.isspace()

    def _properties(self, attributes: Attributes) -> None:
        if self._open is not None:
            self._open.indent = int(attributes.get("marL", 0)) / _EMU

    def _start_run(self, _: Attributes) -> None:
        self._bold = self._raised = False

    def _run_properties(self, attributes: Attributes) -> None:
        self._bold = attributes.get("b") in _ON
        self._raised = attributes.get("baseline", "0")[:1] not in {"0", "-"}

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

    def _start_table(self, _: Attributes) -> None:
        self._grid = Grid(rows=[], page=self.page, caption=self.title)
        self._first_row = False

    def _table_properties(self, attributes: Attributes) -> None:
        self._first_row = attributes.get("firstRow") in _ON

    def _start_row(self, _: Attributes) -> None:
        if self._grid is not None:
            self._grid.rows.append([])

    def _start_cell(self, attributes: Attributes) -> None:
        self._paragraphs = []
        if self._grid is not None and self._grid.rows:
            row = self._grid.rows[-1]
            self._cell = GridCell(
                text="",
                column=len(row),  # cells that others span are there too
                row_span=int(attributes.get("rowSpan", 1)),
                column_span=int(attributes.get("gridSpan", 1)),
            )
            row.append(self._cell)

    def _end_cell(self) -> None:
        said = [paragraph for paragraph in self._paragraphs if any(map(str.strip, paragraph.parts))]
        if self._cell is not None and self._grid is not None and said:
            self._cell.text = squeeze(" ".join("".join(paragraph.parts) for paragraph in said))
            first = self._first_row and len(self._grid.rows) == 1
            self._cell.bold = first or not any(paragraph.plain for paragraph in said)
            self._cell.indent = said[0].indent
        self._cell, self._paragraphs = None, []

    def _end_table(self) -> None:
        if self._grid is not None:
            found = self._tables.add(self._grid)
            for _ in found:
                self._budget.add_block()
            self.blocks += found
        self._grid = None

    def _chart(self, attributes: Attributes) -> None:
        if "r:id" in attributes:
            self.charts.append(attributes["r:id"])

    def _diagram(self, attributes: Attributes) -> None:
        if "r:dm" in attributes:
            self.diagrams.append(attributes["r:dm"])


def diagram_blocks(package: Package, part: str, budget: Budget, tables: Tables) -> list[Block]:
    """Return the text of a diagram (SmartArt), point by point; raises what reading a part raises."""
    points = Slide(budget, tables)
    package.scan(part, points)
    return [Block(block.text if is_item(block.text) else f"\u2022 {block.text}") for block in points.blocks]


def chart_blocks(package: Package, part: str, budget: Budget, tables: Tables, slide: Slide) -> list[Block]:
    """Return the rows of the table that a chart is drawn from; raises what reading a part raises."""
    chart = Chart(budget)
    package.scan(part, chart)
    grid = chart.grid(slide.page)
    if grid is None:
        return []
    grid.caption = grid.caption or slide.title
    return tables.add(grid)


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
        budget, tables = Budget(limits), Tables(limits)
        part, relations = package.main_part()
        order = _Order(limits.pages)
        package.scan(part, order)
        title = package.title()
        for number, identifier in enumerate(order.slides, 1):
            if identifier in relations:
                slide = Slide(budget, tables, number)
                package.scan(relations[identifier].part, slide)
                if slide.hidden:
                    hidden.append(number)
                    continue
                blocks += (
                    replace(block, page=number)
                    for block in _in_order(package, relations[identifier], slide, budget, tables)
                )
    if not has_words(blocks):
        raise no_text(
            "No slide of this presentation holds any text; they may be pictures.",
            "Export it as a PDF, run that through a program that recognises text (OCR) and upload this.",
        )
    if title is None and blocks[0].kind == "heading":
        title = blocks[0].text
    warnings = [f"hidden slides, left out: {listed(hidden)}"] if hidden else []
    return Extracted(PPTX, title, len(order.slides), blocks, warnings, tables=tables.found)


def _in_order(
    package: Package, at: Relation, slide: Slide, budget: Budget, tables: Tables
) -> Iterator[Block]:
    """Yield the slide's title, its text, its diagrams, its charts and its notes."""
    yield from slide.titles
    yield from slide.blocks
    relations = package.relations(at.part)
    for identifier in dict.fromkeys(slide.diagrams):
        if identifier in relations:
            yield from diagram_blocks(package, relations[identifier].part, budget, tables)
    for identifier in dict.fromkeys(slide.charts):
        if identifier in relations:
            yield from chart_blocks(package, relations[identifier].part, budget, tables, slide)
    for relation in relations.values():
        if relation.kind == "notesSlide":
            notes = Slide(budget, tables)
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
