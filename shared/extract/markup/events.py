"""Turn the events of an HTML parser into blocks, marked by where they stand.

No tree is built: libxml2's is limited to some hundred levels, and costs several times the page in memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntFlag, auto
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from shared.extract.plain import paragraphs
from shared.extract.refusals import too_many, too_many_characters
from shared.extract.tables import MAX_CELL, MAX_ROW_SPAN, MAX_SPANNED, Grid, GridCell
from shared.extract.tidy import is_item, raised, squeeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shared.extract.shapes import BlockKind, Limits


class Mark(IntFlag):
    """Where in the page an element stands."""

    NONE = 0
    MAIN = auto()
    ARTICLE = auto()
    ASIDE = auto()
    """Beside the content by its tag or role: navigation, a footer, an aside."""
    HEADER = auto()
    """In a header of the page, not of an article."""
    SUSPECT = auto()
    """Beside the content, by its class or id."""


@dataclass(frozen=True, slots=True)
class Found:
    """A block; `linked` counts its characters in links, `level` is that of a heading, 1 to 6.

    A table is one block, with its cells in `grid`.
    """

    text: str
    kind: BlockKind
    marks: Mark
    linked: int = 0
    level: int = 0
    bold: bool = False
    indent: float = 0.0
    """Points."""
    grid: Grid | None = None


BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
        "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1",
        "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main",
        "menu", "nav", "ol", "p", "plaintext", "pre", "search", "section", "summary", "table", "tbody", "td",
        "tfoot", "th", "thead", "tr", "ul", "xmp",
    }
)  # fmt: skip
"""Elements that begin and end a paragraph."""
DROPPED = frozenset(
    {
        "applet", "audio", "button", "canvas", "datalist", "embed", "frame", "iframe", "map", "math", "meter",
        "noembed", "noframes", "noscript", "object", "option", "progress", "rp", "rt", "script", "select",
        "style", "svg", "template", "textarea", "video",
    }
)  # fmt: skip
"""Elements without prose, or with prose that browsers do not show."""
PRE = frozenset({"pre", "listing", "plaintext", "xmp"})
HEADINGS = {f"h{level}": level for level in range(1, 7)}

_TAGS = {
    "main": Mark.MAIN,
    "article": Mark.ARTICLE,
    "nav": Mark.ASIDE,
    "aside": Mark.ASIDE,
    "footer": Mark.ASIDE,
}
_ROLES = {
    "main": Mark.MAIN,
    "article": Mark.ARTICLE,
    "banner": Mark.HEADER,
    **dict.fromkeys(
        ("navigation", "contentinfo", "complementary", "search", "dialog", "alertdialog", "menu", "menubar",
         "toolbar", "tablist"),
        Mark.ASIDE,
    ),
}  # fmt: skip
_WHOLE = frozenset({"html", "body", "main", "article"})  # never suspected
_QUOTED = re.compile(
    r"(?i)(?:gmail_(?:quote|signature|attr)|moz-(?:cite-prefix|signature)|yahoo_quoted|protonmail_quote"
    r"|divRplyFwdMsg|appendonsend|OutlookMessageHeader)\S*"
)
"""Classes by which mail programs mark the answered message, and signatures."""
_HIDDEN = re.compile(r"(?i)(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden)")
# A whole class or id, not a part of one: `has-sidebar` tells of a page, `social-responsibility` of a subject.
_SUSPECT = re.compile(
    r"""(?ix)
    (?:(?:site|page|main|global|top|bottom|primary|secondary|left|right|mobile|header|footer|js|the)[-_]{1,2})?
    (?:
      nav(?:bar|igation)? | (?:sub|mega|drop-?down-?)?menu | breadcrumbs? | sidebar | footer | masthead
      | cookies?(?:[-_]?(?:law|policy|info|notice|consent|bar|hint|layer|message))? | (?:cookie)?consent
      | gdpr
      | onetrust[-_a-z]*+ | cookiebot[a-z]*+ | usercentrics[-_a-z]*+ | didomi[-_a-z]*+
      | (?:social|share|sharing)[-_]?(?:media|shar(?:e|ing)|links?|icons?|buttons?|bar|tools?)
      | pagination | pager
      | related[-_]?(?:posts?|articles?|contents?|links?|news|stories|pages?|items?) | recommend(?:ed|ations?)
      | skip(?:[-_]?(?:link|nav|navigation|to[-_]?(?:main|content)))? | newsletter | pop-?up | modal
      | ads? | adverts? | advertisements? | advertising | sponsored | promo | tool-?bar | table-?of-?contents
      | sr-only | visually-?hidden | screen-?reader(?:-text)?
    )
    (?:[-_]{1,2}(?:bar|banner|wrap|wrapper|container|inner|outer|lists?|items?|links?|box|panel|content|area|widget
      |section|block|overlay|modal|dialog|popup|top|bottom|left|right|main|primary|secondary|menu|nav|signup))*
    """
)


def is_hidden(tag: str, attributes: Mapping[str, str]) -> bool:
    """Whether browsers hide the element."""
    if attributes.get("hidden", "until-found").lower() != "until-found" or _HIDDEN.search(
        attributes.get("style", "")[:2000]
    ):
        return True
    if tag == "dialog":
        return "open" not in attributes
    # A page that was saved while a dialog stood open hides all of its content from screen readers.
    return attributes.get("aria-hidden") == "true" and tag not in BLOCKS


def marks(tag: str, attributes: Mapping[str, str]) -> Mark:
    """Return the marks that an element adds to its content."""
    found = _TAGS.get(tag, Mark.NONE)
    if attributes:
        role = attributes.get("role")
        if role:
            found |= _ROLES.get(role.lower(), Mark.NONE)
        if tag not in _WHOLE and ("class" in attributes or "id" in attributes):
            found |= _named(f"{attributes.get('class', '')} {attributes.get('id', '')}"[:500])
        if tag == "blockquote" and attributes.get("type") == "cite":
            found |= Mark.ASIDE
    return found


@lru_cache(maxsize=4096)
def _named(names: str) -> Mark:
    """Return the mark that classes and ids imply."""
    if any(map(_QUOTED.fullmatch, names.split())):
        return Mark.ASIDE
    return Mark.SUSPECT if any(map(_SUSPECT.fullmatch, names.split())) else Mark.NONE


_MAX_CELL = 600  # characters: a cell of more is a column of a page
_MAX_BLOCKS = 3  # paragraphs of a cell: likewise


_MAX_COLUMN_SPAN = 1_000  # as HTML says
_MAX_DIGITS = 10  # of a span
_INDENT = re.compile(
    r"(?i)(?:padding-left|margin-left|text-indent)\s*:\s*(\d{1,4}(?:\.\d{1,4})?)\s*(px|pt|r?em)"
)
_POINTS = {"px": 0.75, "pt": 1.0, "em": 12.0, "rem": 12.0}
_SPACE_WIDTH = 4.0  # points of a space that does not break


@dataclass(slots=True)
class _Cell:
    column: int
    rows: int
    columns: int
    head: bool | None
    indent: float
    found: list[Found] = field(default_factory=list)


class Table:
    """An open table without nested tables; its cells collect blocks."""

    def __init__(self) -> None:
        self.caption = ""
        self.in_caption = self.in_head = False
        self._rows: list[list[_Cell]] = []
        self._headed = False
        self._column = 0
        self._taken: dict[int, int] = {}
        """The row from which a column is free of cells above."""
        self._left = MAX_SPANNED

    def begin_row(self) -> None:
        self._rows.append([])
        self._column = 0

    def begin_cell(self, attributes: Mapping[str, str], *, header: bool) -> None:
        if not self._rows:
            self.begin_row()
        self._headed |= header
        at = len(self._rows) - 1
        while self._taken.get(self._column, 0) > at:
            self._column += 1
        columns = min(_number(attributes.get("colspan"), 1) or 1, _MAX_COLUMN_SPAN)
        rows = min(_number(attributes.get("rowspan"), 1) or MAX_ROW_SPAN, MAX_ROW_SPAN)
        self._left -= rows * columns if rows > 1 else 0
        if self._left < 0:
            rows = 1
        if rows > 1:
            self._taken.update(dict.fromkeys(range(self._column, self._column + columns), at + rows))
        head = self.in_head or (header and attributes.get("scope", "") not in {"row", "rowgroup"})
        self._rows[-1].append(_Cell(self._column, rows, columns, head or None, indent_of(attributes)))
        self._column += columns

    def add(self, found: Found) -> bool:
        """Add a block to the open cell; False if there is none: a caption, or misplaced."""
        if self.in_caption:
            self.caption = f"{self.caption} {found.text}".strip()
            return False
        if not self._rows or not self._rows[-1]:
            return False
        self._rows[-1][-1].found.append(found)
        return True

    def contents(self) -> Iterator[Found]:
        """Yield everything in reading order, as if there were no table."""
        for row in self._rows:
            for cell in row:
                yield from cell.found

    def close(self) -> Iterator[Found]:
        """Yield the table if it holds data, else its contents."""
        everything = list(self.contents())
        if not everything or self._is_layout():
            yield from everything
            return
        yield Found(
            " ".join(found.text for found in everything),
            "table",
            everything[0].marks,
            sum(found.linked for found in everything),
            grid=Grid(
                rows=[[_written(cell) for cell in row if cell.found] for row in self._rows],
                caption=self.caption or None,
            ),
        )

    def _is_layout(self) -> bool:
        rows = [[cell.found for cell in row if cell.found] for row in self._rows]
        cells = [cell for row in rows for cell in row]
        longest = max((sum(len(found.text) for found in cell) for cell in cells), default=0)
        if self._headed:
            return longest > MAX_CELL
        return (
            longest > _MAX_CELL
            or max(map(len, rows), default=0) <= 1
            or sum(map(bool, rows)) <= 1
            or any(len(cell) > _MAX_BLOCKS for cell in cells)
            or any(found.kind == "heading" for cell in cells for found in cell)
        )


def _written(cell: _Cell) -> GridCell:
    return GridCell(
        text=" ".join(found.text for found in cell.found),
        column=cell.column,
        row_span=cell.rows,
        column_span=cell.columns,
        bold=all(found.bold for found in cell.found),
        indent=cell.indent + cell.found[0].indent,
        head=cell.head,
    )


def _number(text: str | None, default: int) -> int:
    """Return a span; as browsers do, whatever is no number is the default."""
    return int(text) if text and len(text) < _MAX_DIGITS and text.isdecimal() else default


def indent_of(attributes: Mapping[str, str]) -> float:
    """Return the points by which an element's style moves its text to the right."""
    found = _INDENT.search(attributes.get("style", "")[:2000])
    return float(found[1]) * _POINTS[found[2].lower()] if found else 0.0


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_MAX_META = 500  # characters of a title or another piece of metadata


class _State(NamedTuple):
    """State that an element passes on to its content."""

    marks: Mark = Mark.NONE
    link: bool = False
    pre: bool = False
    raised: bool = False
    bold: bool = False
    level: int = 0


_PASSED_ON: Mapping[str, Callable[[_State], _State]] = {
    "sup": lambda state: state._replace(raised=True),
    **dict.fromkeys(("b", "strong", "th"), lambda state: state._replace(bold=True)),
    **dict.fromkeys(PRE, lambda state: state._replace(pre=True)),
}
"""What elements pass on, by their tags."""


class Events:
    """The target of lxml's parser; `found` and `meta` grow while the parser is fed.

    Raises Rejected(`too_many_characters`, `too_many_rows`) at the event that exceeds the limit. Elements
    nested deeper than the limit are read as parts of their parent.
    """

    def __init__(self, limits: Limits) -> None:
        self.found: list[Found] = []
        self.meta: dict[str, str] = {}
        """The document's `title`, and the first `content` of each named <meta>."""
        self._limits = limits
        self._left = limits.characters
        self._blocks = 0
        self._stack: list[_State] = []
        self._state = _State()
        self._skipped = 0  # elements open inside of a dropped one, itself included
        self._beyond = 0  # elements open beyond the limit on depth
        self._in_title = False
        self._parts: list[str] = []
        self._linked = self._plain = 0
        self._indent = 0.0
        self._item = False  # the next block begins a list item
        self._tables: list[Table | None] = []  # None: it holds another, so it is layout

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        if self._skipped:
            self._skipped += 1
            return
        block = tag in BLOCKS or "-" in tag  # a component of the page's own is rather a block than not
        if block:
            self._flush()
        footnote_mark = tag == "a" and self._state.raised
        second_title = tag == "title" and "title" in self.meta
        if tag in DROPPED or footnote_mark or second_title or is_hidden(tag, attributes):
            self._skipped = 1
        elif len(self._stack) >= self._limits.depth:
            self._beyond += 1
        else:
            self._stack.append(self._state)
            self._enter(tag, attributes)

    def end(self, tag: str) -> None:
        """End the innermost open element: lxml's events are balanced."""
        if self._skipped:
            self._skipped -= 1
            return
        if tag in BLOCKS or "-" in tag:
            self._flush()
        if self._beyond:
            self._beyond -= 1
        elif self._stack:
            self._leave(tag)
            self._state = self._stack.pop()

    def data(self, text: str) -> None:
        """Add text, in pieces of any size."""
        if self._skipped:
            return
        if self._in_title:
            self.meta["title"] = (self.meta["title"] + text)[:_MAX_META]
            return
        if not self._state.pre:
            text = _SPACE.sub(" ", text)
        if self._state.link:
            self._linked += len(text) - text.count(" ")
        self._left -= len(text)
        if self._left < 0:
            raise too_many_characters(self._limits)
        if not self._state.bold and not text.isspace():
            self._plain += 1
        self._parts.append(raised(text, self._parts) if self._state.raised else text)

    def close(self) -> None:
        """End the page."""
        self._flush()
        while self._tables:
            self._close_table()

    def _enter(self, tag: str, attributes: Mapping[str, str]) -> None:
        state = self._state
        added = marks(tag, attributes)
        if tag == "header" and not state.marks & (Mark.MAIN | Mark.ARTICLE):
            added |= Mark.HEADER
        level = HEADINGS.get(tag, state.level)
        if added | state.marks != state.marks or level != state.level:
            state = state._replace(marks=state.marks | added, level=level)
        if tag == "a" and "href" in attributes:
            state = state._replace(link=True)
        elif tag in _PASSED_ON:
            state = _PASSED_ON[tag](state)
        self._state = state
        if tag == "br":
            self._parts.append("\n")
        elif tag == "li":
            self._item = True
        elif tag == "title":
            self._in_title = True
            self.meta["title"] = ""
        elif tag == "meta":
            self._read_meta(attributes)
        else:
            self._enter_table(tag, attributes)

    def _enter_table(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "table":
            if outer := self._table():
                self.found.extend(outer.contents())
                self._tables[-1] = None
            layout = attributes.get("role", "").lower() in {"presentation", "none"}
            self._tables.append(None if layout else Table())
        elif table := self._table():
            if tag == "tr":
                table.begin_row()
            elif tag in {"td", "th"}:
                table.begin_cell(attributes, header=tag == "th")
            elif tag == "caption":
                table.in_caption = True
            elif tag == "thead":
                table.in_head = True
            elif not self._parts:
                self._indent = self._indent or indent_of(attributes)

    def _leave(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "li":
            self._item = False
        elif tag == "table" and self._tables:
            self._close_table()
        elif table := self._table():
            table.in_caption &= tag != "caption"
            table.in_head &= tag != "thead"

    def _close_table(self) -> None:
        table = self._tables.pop()
        if table:
            self.found.extend(table.close())

    def _table(self) -> Table | None:
        """Return the innermost open table if it may hold data."""
        return self._tables[-1] if self._tables else None

    def _read_meta(self, attributes: Mapping[str, str]) -> None:
        name = attributes.get("property") or attributes.get("name")
        content = attributes.get("content")
        if name and content:
            self.meta.setdefault(name.lower()[:_MAX_META], squeeze(content[:_MAX_META]))

    def _flush(self) -> None:
        """Add the collected text as a paragraph, or as several if it has line breaks."""
        if not self._parts:
            return
        raw = _CONTROL.sub("", "".join(self._parts))
        linked, self._parts, self._linked = self._linked, [], 0
        level = self._state.level
        bold, self._plain = not self._plain, 0
        indent, self._indent = self._indent, 0.0
        if level or self._table() or "\n" not in raw.strip():
            start = raw.lstrip(" \n")
            spaces = len(start) - len(start.lstrip("\u00a0 "))
            indent += spaces * _SPACE_WIDTH
            self._add(squeeze(raw), "heading" if level else "text", linked, bold=bold, indent=indent)
            return
        laid_out = self._state.pre or "\n\n" in raw.replace(" ", "")
        share = linked / len(raw)
        for block in paragraphs(raw, markdown=False):
            self._add(block.text, block.kind if laid_out else "text", round(share * len(block.text)))

    def _add(
        self, text: str, kind: BlockKind, linked: int, *, bold: bool = False, indent: float = 0.0
    ) -> None:
        if not text:
            return
        self._blocks += 1
        if self._blocks > (most := self._limits.rows):
            raise too_many("rows", f"more than {most:,} paragraphs and rows", most)
        if self._item:
            self._item = False
            text = text if is_item(text) else f"\u2022 {text}"
        state = self._state
        found = Found(text, kind, state.marks, linked, state.level, bold, indent)
        table = self._table()
        if table is None or not table.add(found):
            self.found.append(found)
