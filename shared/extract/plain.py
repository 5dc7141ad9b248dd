"""Plain text and Markdown: paragraphs, whether lines were wrapped by hand or not, and tables."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from shared.extract.cells import kind_of
from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, BlockKind, Extracted, has_words
from shared.extract.tables import Grid, GridCell, Tables
from shared.extract.tidy import MAX_BLOCK, Joiner, clean, cut, is_item, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.extract.shapes import Limits

_HEADING_MARK = re.compile(r"\s{0,3}#{1,6}\s+")
_RULE = re.compile(r"\s*(?:[-=_*~]\s*){3,}$")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)((?:(?!\1).){1,500})(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\([^()\s]{0,2000}(?:\s+\"[^\"]{0,500}\")?\)")
_TABLE_ROW = re.compile(r"\s*\|.*\|\s*$")
_TABLE_RULE = re.compile(r"[|\s:-]+$")
_BAR = re.compile(r"(?<!\\)\|")
_BOLD = re.compile(r"(?:\*\*|__)[^*_]{1,500}(?:\*\*|__)$")
_END = re.compile(r"[.!?:;\u2026][\"'\u201d\u2019)\]]*\d{0,2}\s*$")
_UNWRAPPED = 160  # characters: lines as long as this were not wrapped, so each is a paragraph
_FULL = 0.6  # of the length of long lines: a line shorter than this was not broken for want of room
_WORDS = 2_000_000  # characters from the start whose words decide which hyphens stay
_MAX_HEADING_WORDS = 12
_MIN_CAPITALS = 4  # letters; a line of fewer is an acronym


def read_plain(text: str, media_type: str, limits: Limits) -> Extracted:
    """Paragraphs with their wrapped lines joined; of these there may be as many as of rows.

    Raises Rejected(`no_text`, `too_many_rows`, `too_many_cells`, `too_many_columns`).
    """
    tables = Tables(limits)
    found = paragraphs(text, markdown=media_type == "text/markdown", tables=tables)
    blocks = list(islice(found, limits.rows + 1))
    if len(blocks) > (most := limits.rows):
        raise too_many("rows", f"more than {most:,} paragraphs", most)
    if not has_words(blocks):
        raise no_text("The file holds no words.", "Check that the right file was uploaded.")
    title = next((block.text for block in blocks if block.kind == "heading"), None)
    return Extracted(media_type, title, None, blocks, tables=tables.found)


def paragraphs(text: str, *, markdown: bool, tables: Tables | None = None) -> Iterator[Block]:
    """Headings, paragraphs, list items and rows of tables, in order.

    Tables are added to `tables`; without it, a row of Markdown has its cells in order, and lines in columns
    are read as any others.
    """
    lines = _Lines(text)
    reader = _Reader(lines, Joiner(_Lines(text, _WORDS)), tables, markdown=markdown)
    for part in lines if markdown or tables is None else _drawn(lines):
        if isinstance(part, str):
            reader.read(part)
        else:
            reader.add(part)
        yield from reader.taken()
    reader.close()
    yield from reader.taken()


class _Lines:
    """Cleaned lines of bounded length, as often as they are asked for: a list would take far more memory."""

    def __init__(self, text: str, most: int | None = None) -> None:
        self._text = text
        self._most = most

    def __iter__(self) -> Iterator[str]:
        for line in lines_of(self._text[: self._most]):
            for part in (line,) if len(line) <= MAX_BLOCK else cut(line):
                yield clean(part).rstrip()


class _Reader:
    """Line by line: the paragraph that is open, and the blocks that are done."""

    def __init__(self, lines: _Lines, joiner: Joiner, tables: Tables | None, *, markdown: bool) -> None:
        self.blocks: list[Block] = []
        self._joiner = joiner
        self._full = _full_line(lines)
        self._markdown = markdown
        self._open: list[str] = []
        self._size = 0
        self._tables = tables
        self._rows: list[list[GridCell]] = []  # of a table in Markdown
        self._above: Block | None = None

    def read(self, line: str) -> None:
        stripped = line.strip()
        heading = _HEADING_MARK.match(line) if self._markdown else None
        if self._markdown and _TABLE_ROW.match(line):
            self._read_row(stripped)
        elif not stripped or _RULE.match(line):
            self.close()
        elif heading:
            self.close()
            self.blocks.append(Block(_plain(line[heading.end() :].strip(" #")), "heading"))
        else:
            self._end_table()
            if self._open and (self._begins_paragraph(line) or self._size > MAX_BLOCK):
                self.close()
            self._open.append(stripped)
            self._size += len(stripped)

    def add(self, grid: Grid) -> None:
        """Add a table, which the heading right above it names."""
        self.close()
        if self._tables is not None:
            above = self.blocks[-1] if self.blocks else self._above
            grid.caption = above.text if above is not None and above.kind == "heading" else None
            self.blocks += self._tables.add(grid)

    def _read_row(self, line: str) -> None:
        if self._open:
            self.close()
        cells = [cell.strip().replace("\\|", "|") for cell in _BAR.split(line.strip("|"))]
        if self._tables is None:
            if not _TABLE_RULE.match(line):
                self.blocks.append(Block(" | ".join(filter(None, map(_plain, cells))), "table"))
        elif not _TABLE_RULE.match(line):
            self._rows.append(
                [
                    GridCell(text=_plain(cell), column=at, bold=_BOLD.match(cell) is not None)
                    for at, cell in enumerate(cells)
                    if cell
                ]
            )
        elif len(self._rows) == 1:
            for cell in self._rows[0]:
                cell.head = True

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self.add(Grid(rows=rows))

    def taken(self) -> Iterator[Block]:
        """The blocks that are done, each once."""
        done, self.blocks = self.blocks, []
        self._above = done[-1] if done else self._above
        return (block for block in done if block.text)

    def close(self) -> None:
        """The open paragraph or table ends here."""
        self._end_table()
        if self._open:
            text = self._joiner.join(self._open)
            self.blocks.append(Block(_plain(text) if self._markdown else text, _kind(text)))
            self._open, self._size = [], 0

    def _begins_paragraph(self, line: str) -> bool:
        before = self._open[-1]
        if not self._full or is_item(line) or _is_capitals(before) != _is_capitals(line):
            return True
        goes_on = line.lstrip()[:1].islower() or before.endswith((",", "-"))
        return not goes_on and len(before) < self._full


def _full_line(lines: Iterable[str]) -> int:
    """The length from which a line counts as full; 0 where lines were not wrapped."""
    lengths = Counter(len(line) for line in lines if line.strip())
    left, long = int(lengths.total() * 0.9), 0
    for long in sorted(lengths):
        left -= lengths[long]
        if left < 0:
            break
    return 0 if long > _UNWRAPPED else int(long * _FULL)


def _kind(text: str) -> BlockKind:
    if len(text.split()) <= _MAX_HEADING_WORDS and not _END.search(text) and not is_item(text):
        return "heading"
    return "text"


def _is_capitals(line: str) -> bool:
    letters = [char for char in line if char.isalpha()]
    return len(letters) >= _MIN_CAPITALS and all(char.isupper() for char in letters)


def _plain(text: str) -> str:
    """Markdown's marks taken off."""
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text)))


_GAP = re.compile(r"\S(?:  |\t)")
_PIECE = re.compile(r"\S+(?: \S+)*+")  # words with single blanks between them
_MAX_LINES = 2_000  # of a table; what follows is another one, which continues it
_MAX_LONE = 2  # lines without columns that may stand between two rows
_MAX_LABEL = 80  # characters of such a line
_ROOM = 8 * " "
_LEAST = 2  # rows with numbers
_CONTENTS = 4  # rows: more with rising numbers name pages
_TAB = 8
_BLANK_WIDTH = 4.0  # points

_Piece = tuple[int, int, str]
"""Where a cell begins and ends in its line, and its text."""


def _drawn(lines: Iterable[str]) -> Iterator[str | Grid]:
    """Yield the lines one by one, and tables that are drawn by blanks or tabs as a whole."""
    run: list[str] = []
    lone, continues = 0, False
    for line in lines:
        lone = 0 if _in_columns(line) else lone + 1
        if not lone or (run and lone <= _MAX_LONE and len(line) <= _MAX_LABEL):
            run.append(line)
            if len(run) == _MAX_LINES:
                yield from _ended(run, lone, continues=continues)
                run, continues = [], True
            continue
        yield from _ended(run, lone - 1, continues=continues)
        run, continues = [], False
        yield line
    yield from _ended(run, lone, continues=continues)


def _in_columns(line: str) -> bool:
    """Whether there is a gap between words, or much room before the first."""
    return line.startswith(_ROOM) or _GAP.search(line) is not None


def _ended(run: list[str], lone: int, *, continues: bool) -> Iterator[str | Grid]:
    """Yield a table and then the last `lone` lines, which are no part of it; or all lines if it is none."""
    rows = run[: max(0, len(run) - lone)]
    grid = _grid(rows)
    if grid is not None:
        grid.continues = continues
        yield grid
    yield from run if grid is None else run[len(rows) :]


def _grid(lines: Sequence[str]) -> Grid | None:
    """Return the cells of lines in columns; None if these are prose with wide gaps, or contents."""
    tabs = all("\t" in line for line in lines if _in_columns(line))
    rows = [_tabbed(line) if tabs else _pieces(line) for line in lines]
    figures = [row for row in rows if {kind_of(text) for _, _, text in row[1:]} & {"number", "range"}]
    if (
        len(figures) < _LEAST
        or 2 * len(figures) < sum(len(row) > 1 for row in rows)
        or _are_contents(figures)
    ):
        return None
    begins, ends = _columns(piece for row in figures for piece in row)
    if any(len({bisect_right(begins, begin) for begin, _, _ in row}) < len(row) for row in figures):
        return None
    return Grid(rows=[[_cell(piece, begins, ends, tabs=tabs) for piece in row] for row in rows])


def _tabbed(line: str) -> list[_Piece]:
    return [(at, at + 1, text.strip()) for at, text in enumerate(line.split("\t")) if text.strip()]


def _pieces(line: str) -> list[_Piece]:
    return [(found.start(), found.end(), found[0]) for found in _PIECE.finditer(line.expandtabs(_TAB))]


def _are_contents(rows: Sequence[Sequence[_Piece]]) -> bool:
    """Whether the rows are headings with the numbers of their pages."""
    numbers = [row[1][2] for row in rows if len(row) == 2 and row[1][2].isdecimal()]  # noqa: PLR2004
    pages = [int(number) for number in numbers if len(number) < _CONTENTS]
    return len(rows) > _CONTENTS and len(pages) == len(rows) and pages == sorted(pages)


def _columns(pieces: Iterable[_Piece]) -> tuple[list[int], list[int]]:
    """Return where columns begin and end: pieces that overlap are in one."""
    begins: list[int] = []
    ends: list[int] = []
    for begin, end, _ in sorted(pieces):
        if ends and begin < ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            begins.append(begin)
            ends.append(end)
    return begins, ends


def _cell(piece: _Piece, begins: Sequence[int], ends: Sequence[int], *, tabs: bool) -> GridCell:
    begin, end, text = piece
    first, last = bisect_right(ends, begin), bisect_left(begins, end) - 1
    if last < first:  # between two columns, or beside all
        near = first == len(begins) or (last >= 0 and begin - ends[last] < begins[first] - end)
        first = last = last if near else first
    indent = 0.0 if first or tabs else begin * _BLANK_WIDTH
    return GridCell(text=text, column=first, column_span=last - first + 1, indent=indent)
