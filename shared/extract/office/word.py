"""Read Word documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from shared.extract.office.charts import Chart
from shared.extract.office.package import Budget, Handlers, Package
from shared.extract.refusals import no_text
from shared.extract.shapes import Block, Extracted, has_words
from shared.extract.sniff import DOCX
from shared.extract.tables import MAX_CELL, Grid, GridCell, Tables
from shared.extract.tidy import is_item, raised, squeeze

if TYPE_CHECKING:
    from shared.extract.office.package import Attributes
    from shared.extract.shapes import BlockKind, ExtractOptions
    from shared.extract.zips import Source


Role = Literal["title", "heading", "item", "contents", "body"]

_STYLES = 20_000  # a style is a few hundred bytes once it is read
_NO_LEVEL = 9  # outline levels count from 0; this means none (ISO/IEC 29500-1, 17.3.1.20)
_TITLE = re.compile(r"(?i)(?:title|titel|titre|t\u00edtulo|titolo|tytu\u0142|otsikko)$")
_HEADING = re.compile(
    r"(?i)(?:heading|\u00fcberschrift|titre|t\u00edtulo|titolo|kop|rubrik|overskrift|otsikko|nag\u0142\u00f3wek|"
    r"nadpis|c\u00edmsor|ba\u015fl\u0131k|\u0437\u0430\u0433\u043e\u043b\u043e\u0432\u043e\u043a|\u6807\u9898|"
    r"\u6a19\u984c|\u898b\u51fa\u3057|\uc81c\ubaa9) ?[1-9]\b"
)
"""Word names its own styles in English in every language; other programs do not."""
_CONTENTS = re.compile(r"(?i)(?:toc|contents|table of (?:figures|authorities)|index)(?: heading| ?\d)?$")


@dataclass(slots=True)
class Style:
    """What a style states itself, apart from the style it is based on."""

    name: str = ""
    based_on: str = ""
    level: int | None = None
    numbered: bool | None = None


class Styles(Handlers):
    """Reads styles.xml; then `role` answers for any style's id."""

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._roles: dict[str, Role] = {}
        self._open = Style()
        self.starts = {
            "w:style": self._start,
            "w:name": self._name,
            "w:basedOn": self._base,
            "w:outlineLvl": self._level,
            "w:numId": self._numbered,
        }

    def role(self, style: str) -> Role:
        """Return what paragraphs of this style are."""
        if style not in self._roles:
            if len(self._roles) > _STYLES:
                return "body"
            self._roles[style] = self._find(style)
        return self._roles[style]

    def _find(self, style: str) -> Role:
        numbered: bool | None = None
        seen: set[str] = set()
        at: str = style
        while at not in seen and at in self._styles:
            seen.add(at)
            found = self._styles[at]
            if _CONTENTS.match(found.name):
                return "contents"
            if _TITLE.match(found.name):
                return "title"
            if found.level is not None:
                if found.level < _NO_LEVEL:
                    return "heading"
                break
            if _HEADING.match(found.name):
                return "heading"
            numbered = found.numbered if numbered is None else numbered
            at = found.based_on
        return "item" if numbered else "body"

    def _start(self, attributes: Attributes) -> None:
        self._open = Style()
        if attributes.get("w:type") == "paragraph" and len(self._styles) < _STYLES:
            self._styles[attributes.get("w:styleId", "")] = self._open

    def _name(self, attributes: Attributes) -> None:
        self._open.name = attributes.get("w:val", "")

    def _base(self, attributes: Attributes) -> None:
        self._open.based_on = attributes.get("w:val", "")

    def _level(self, attributes: Attributes) -> None:
        self._open.level = int(attributes.get("w:val", _NO_LEVEL))

    def _numbered(self, attributes: Attributes) -> None:
        self._open.numbered = attributes.get("w:val", "0") != "0"


_MAX_HEADING_WORDS = 12
_MAX_TITLE = 300  # characters
_END = re.compile(r"[.!?:;,\u2026\u3002][\"'\u201d\u2019)\]]*$")
_OFF = {"0", "false", "off", "none"}
_CAPTION = re.compile(r"(?i)(?:table|tabelle|tableau|tabella|tabla|tab\.) ?[A-Z]?\d")
_MAX_ALONE = 300  # characters of a cell in a table of one row: with more it is a column of the page
_TWIP = 20  # to the point
_MAX_SPAN = 63  # columns, which is as many as Word has


@dataclass(slots=True)
class _Paragraph:
    parts: list[str] = field(default_factory=list)
    style: str = ""
    level: int | None = None
    numbered: bool | None = None
    indent: float = 0.0
    """Points."""
    plain: int = 0
    """Number of characters that are not bold."""
    runs_on: bool = False
    """Its end is deleted, so the next paragraph continues it."""
    boxes: list[Block] = field(default_factory=list)
    """Text boxes anchored in the paragraph."""


@dataclass(slots=True)
class _Cell:
    column: int
    span: int = 1
    merged: bool = False
    """Whether it continues the cell above."""
    blocks: list[Block] = field(default_factory=list)
    indent: float | None = None
    plain: int = 0

    @property
    def text(self) -> str:
        return " ".join(block.text for block in self.blocks)


@dataclass(slots=True)
class _Table:
    rows: list[list[_Cell]] = field(default_factory=list)
    column: int = 0
    """At which the next cell begins."""
    heads: int = 0
    """Rows that are repeated on each page."""

    def is_layout(self) -> bool:
        """Whether the table only lays a page out: a box, columns of text, or one with tables in its cells."""
        filled = [[cell for cell in row if cell.blocks] for row in self.rows]
        longest = max((len(cell.text) for row in filled for cell in row), default=0)
        return (
            max(map(len, filled), default=0) <= 1
            or longest > (MAX_CELL if sum(map(bool, filled)) > 1 else _MAX_ALONE)
            or any(block.kind == "table" for row in filled for cell in row for block in cell.blocks)
        )

    def grid(self, caption: str | None) -> Grid:
        rows: list[list[GridCell]] = []
        above: dict[int, tuple[int, GridCell]] = {}
        for at, row in enumerate(self.rows):
            rows.append([])
            for cell in row:
                if cell.merged and cell.column in above and not cell.blocks:
                    begin, over = above[cell.column]
                    over.row_span = at - begin + 1
                    continue
                written = GridCell(
                    text=cell.text,
                    column=cell.column,
                    column_span=cell.span,
                    bold=not cell.plain,
                    indent=cell.indent or 0,
                    head=True if at < self.heads else None,
                )
                above[cell.column] = at, written
                rows[-1].append(written)
        return Grid(rows=rows, caption=caption)


class Story(Handlers):
    """Reads a story's XML; then `blocks` are its text, `title` the first paragraph of the style Title.

    A story of notes puts them into `notes`, by "footnote" or "endnote" and their id; the body takes them out
    where it refers to them.
    """

    # Deleted, moved away; what older programs get to see instead of a text box; readings above characters.
    skipped = frozenset({"w:del", "w:moveFrom", "mc:Fallback", "w:rt"})

    def __init__(self, styles: Styles, notes: dict[str, list[Block]], budget: Budget, tables: Tables) -> None:
        self.blocks: list[Block] = []
        self.title: str | None = None
        self._styles = styles
        self._notes = notes
        self._budget = budget
        self._into = [self.blocks]  # the innermost of body, cells, text boxes and notes is written to
        self._open: list[_Paragraph] = []
        self._tables = tables
        self.charts: dict[str, Grid] = {}
        """Tables that charts are drawn from, by the relation id of their part; each is read once."""
        self._nested: list[_Table] = []
        self._pending: list[Block] = []  # notes that wait for the end of their paragraph or table row
        self._carried: list[str] = []
        self._in_properties = self._in_run = self._hidden = self._bold = False
        self._raised = False
        self.texts = {"w:t": self._text, "m:t": self._text}
        self.starts = {
            "w:p": self._start_paragraph,
            "w:pPr": self._start_properties,
            "w:pStyle": self._style,
            "w:outlineLvl": self._level,
            "w:numId": self._numbering,
            "w:r": self._start_run,
            "w:b": self._set_bold,
            "w:vanish": self._set_hidden,
            "w:vertAlign": self._set_raised,
            "w:ind": self._indent,
            "w:del": self._mark_deleted,
            "w:tab": self._space,
            "w:br": self._space,
            "w:cr": self._space,
            "w:noBreakHyphen": self._hyphen,
            "w:footnoteReference": partial(self._refer, "footnote"),
            "w:endnoteReference": partial(self._refer, "endnote"),
            "w:tbl": self._start_table,
            "w:tr": self._start_row,
            "w:tblHeader": self._mark_head,
            "w:gridBefore": self._skip_columns,
            "w:tc": self._start_cell,
            "w:gridSpan": self._span,
            "w:vMerge": self._merge,
            "w:txbxContent": self._start_container,
            "c:chart": self._chart,
            "w:footnote": self._start_note,
            "w:endnote": self._start_note,
        }
        self.ends = {
            "w:p": self._end_paragraph,
            "w:pPr": self._end_properties,
            "w:r": self._end_run,
            "w:tc": self._end_cell,
            "w:tbl": self._end_table,
            "w:txbxContent": self._end_box,
            "w:footnote": partial(self._end_note, "footnote"),
            "w:endnote": partial(self._end_note, "endnote"),
        }
        self._note = ""

    # Runs

    def _text(self, text: str) -> None:
        if self._open and not self._hidden:
            self._budget.spend(len(text))
            paragraph = self._open[-1]
            paragraph.parts.append(raised(text, paragraph.parts) if self._raised else text)
            if not self._bold:
                paragraph.plain += len(text.strip())

    def _space(self, _: Attributes) -> None:
        if self._in_run:  # a tab in a paragraph's properties is a stop, not a character
            self._text(" ")

    def _hyphen(self, _: Attributes) -> None:
        self._text("-")

    def _start_run(self, _: Attributes) -> None:
        self._in_run, self._hidden, self._bold, self._raised = True, False, False, False

    def _end_run(self) -> None:
        self._in_run = self._hidden = self._bold = self._raised = False

    def _set_raised(self, attributes: Attributes) -> None:
        self._raised = self._in_run and attributes.get("w:val") == "superscript"

    def _set_bold(self, attributes: Attributes) -> None:
        self._bold = self._in_run and _is_on(attributes)

    def _set_hidden(self, attributes: Attributes) -> None:
        self._hidden = self._in_run and _is_on(attributes)

    def _refer(self, kind: str, attributes: Attributes) -> None:
        self._pending += self._notes.pop(kind + attributes.get("w:id", ""), [])

    # Paragraphs

    def _start_paragraph(self, _: Attributes) -> None:
        self._open.append(_Paragraph(self._carried))
        self._carried = []
        self._end_run()

    def _start_properties(self, _: Attributes) -> None:
        self._in_properties = True

    def _end_properties(self) -> None:
        self._in_properties = False

    def _style(self, attributes: Attributes) -> None:
        if self._open:
            self._open[-1].style = attributes.get("w:val", "")

    def _level(self, attributes: Attributes) -> None:
        if self._open:
            self._open[-1].level = int(attributes.get("w:val", _NO_LEVEL))

    def _numbering(self, attributes: Attributes) -> None:
        if self._open:
            self._open[-1].numbered = attributes.get("w:val", "0") != "0"

    def _indent(self, attributes: Attributes) -> None:
        if self._open and self._in_properties:
            self._open[-1].indent = int(attributes.get("w:left", attributes.get("w:start", 0))) / _TWIP

    def _mark_deleted(self, _: Attributes) -> None:
        if self._open and self._in_properties:
            self._open[-1].runs_on = True

    def _end_paragraph(self) -> None:
        paragraph = self._open.pop()
        self._end_run()
        if paragraph.runs_on:
            self._carried = paragraph.parts
        elif text := squeeze("".join(paragraph.parts)):
            self._add(text, paragraph)
        self._into[-1] += paragraph.boxes
        self._flush_notes()

    def _add(self, text: str, paragraph: _Paragraph) -> None:
        role = self._role(text, paragraph)
        if role == "contents":
            return
        if role == "title" and self.title is None:
            self.title = text[:_MAX_TITLE]
        kind: BlockKind = "heading" if role in {"title", "heading"} else "text"
        self._budget.add_block()
        if self._cell is not None and self._cell.blocks is self._into[-1]:
            self._cell.plain += paragraph.plain
            self._cell.indent = paragraph.indent if self._cell.indent is None else self._cell.indent
        self._into[-1].append(Block(f"\u2022 {text}" if role == "item" and not is_item(text) else text, kind))

    def _role(self, text: str, paragraph: _Paragraph) -> Role:
        role = self._styles.role(paragraph.style)
        if role in {"contents", "title"}:
            return role
        if paragraph.level is not None:
            role = "heading" if paragraph.level < _NO_LEVEL else "body"
        if role == "heading":
            return role
        if paragraph.numbered is not None:
            role = "item" if paragraph.numbered else "body"
        if role == "body" and not paragraph.plain and len(self._into) == 1 and _could_be_heading(text):
            return "heading"  # many people know no styles, and make their headings bold
        return role

    # Tables, text boxes and notes

    def _start_container(self, _: Attributes) -> None:
        self._into.append([])

    @property
    def _cell(self) -> _Cell | None:
        """The innermost cell that is open, or was last."""
        row = self._nested[-1].rows[-1:] if self._nested else []
        return row[0][-1] if row and row[0] else None

    def _start_table(self, _: Attributes) -> None:
        self._nested.append(_Table())

    def _start_row(self, _: Attributes) -> None:
        if self._nested:
            self._nested[-1].rows.append([])
            self._nested[-1].column = 0

    def _mark_head(self, attributes: Attributes) -> None:
        table = self._nested[-1] if self._nested else None
        if table and _is_on(attributes) and table.heads == len(table.rows) - 1:
            table.heads += 1

    def _skip_columns(self, attributes: Attributes) -> None:
        if self._nested:
            self._nested[-1].column += _span_of(attributes, least=0)

    def _start_cell(self, attributes: Attributes) -> None:
        self._start_container(attributes)
        if self._nested:
            table = self._nested[-1]
            table.rows = table.rows or [[]]
            table.rows[-1].append(_Cell(table.column, blocks=self._into[-1]))
            table.column += 1

    def _span(self, attributes: Attributes) -> None:
        if self._cell is not None:
            self._nested[-1].column += _span_of(attributes) - self._cell.span
            self._cell.span = _span_of(attributes)

    def _merge(self, attributes: Attributes) -> None:
        if self._cell is not None:
            self._cell.merged = attributes.get("w:val", "continue") != "restart"

    def _end_cell(self) -> None:
        cell = self._into.pop()
        if not self._nested:
            self._into[-1] += cell

    def _end_table(self) -> None:
        table, into = self._nested.pop(), self._into[-1]
        if table.is_layout():
            into += [block for row in table.rows for cell in row for block in cell.blocks]
        else:
            above = into[-1] if into else None
            names = above and (above.kind == "heading" or _CAPTION.match(above.text))
            into += self._tables.add(table.grid(above.text if above and names else None))
        self._flush_notes()

    def _chart(self, attributes: Attributes) -> None:
        grid = self.charts.pop(attributes.get("r:id", ""), None)
        if grid is not None and self._open:
            self._open[-1].boxes += self._tables.add(grid)

    def _end_box(self) -> None:
        box = self._into.pop()
        if self._open:
            self._open[-1].boxes += box
        else:
            self._into[-1] += box

    def _start_note(self, attributes: Attributes) -> None:
        # Separators and the like are notes too, by their type.
        self._note = attributes.get("w:id", "") if attributes.get("w:type", "normal") == "normal" else ""
        self._into.append([])

    def _end_note(self, kind: str) -> None:
        blocks = self._into.pop()
        if self._note:
            self._notes[kind + self._note] = [Block(block.text) for block in blocks]

    def _flush_notes(self) -> None:
        if self._pending and len(self._into) == 1 and not self._open and not self._nested:
            self.blocks += self._pending
            self._pending = []


def _is_on(attributes: Attributes) -> bool:
    return attributes.get("w:val", "1") not in _OFF


def _span_of(attributes: Attributes, least: int = 1) -> int:
    return min(max(int(attributes.get("w:val", 1)), least), _MAX_SPAN)


def _could_be_heading(text: str) -> bool:
    return (
        len(text.split()) <= _MAX_HEADING_WORDS
        and not _END.search(text)
        and not is_item(text)
        and any(map(str.isalpha, text))
    )


def read_docx(source: Source, options: ExtractOptions) -> Extracted:
    """Return the text of a Word document as its reader sees it: without deleted, moved or hidden text.

    Running heads, comments and tables of contents are left out; a note follows the paragraph that refers to
    it. The title is that of the properties, or the paragraph of the style Title.

    Raises:
        Rejected: what Package raises, or `no_text`.
    """
    budget, styles, warnings = Budget(options.limits), Styles(), []
    with Package(source, options.limits, "Word document") as package:
        part, relations = package.main_part()
        parts = {relation.kind: relation.part for relation in relations.values()}
        if "styles" in parts:
            package.scan(parts["styles"], styles)
        notes: dict[str, list[Block]] = {}
        for kind in ("footnotes", "endnotes"):
            if kind in parts:
                package.scan(parts[kind], Story(styles, notes, budget, Tables(options.limits)))
        body = Story(styles, notes, budget, tables := Tables(options.limits))
        for identifier, relation in relations.items():
            if relation.kind == "chart":
                package.scan(relation.part, chart := Chart(budget))
                if (grid := chart.grid()) is not None:
                    body.charts[identifier] = grid
        package.scan(part, body)
        title = package.title() or body.title
        if "aFChunk" in parts:
            warnings.append("the document embeds other files, whose text was left out")
    if not has_words(body.blocks):
        raise no_text("The document holds no words.", "Check that the right file was uploaded.")
    return Extracted(DOCX, title, None, body.blocks, warnings, tables=tables.found)
