"""Turn the events of an HTML parser into blocks, marked by where they stand.

No tree is built: libxml2's is limited to some hundred levels, and costs several times the page in memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntFlag, auto
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from shared.extract.plain import paragraphs
from shared.extract.refusals import too_many, too_many_characters
from shared.extract.tidy import is_item, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    """A block; `linked` counts its characters in links, `level` is that of a heading, 1 to 6."""

    text: str
    kind: BlockKind
    marks: Mark
    linked: int = 0
    level: int = 0


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
_MAX_HEADED_CELL = 3_000  # ... in a table with header cells
_MAX_BLOCKS = 3  # paragraphs of a cell: likewise


class Table:
    """An open table without nested tables; its cells collect blocks."""

    def __init__(self) -> None:
        self._rows: list[list[list[Found]]] = []
        self._headed = False

    def begin_row(self) -> None:
        self._rows.append([])

    def begin_cell(self, *, header: bool) -> None:
        if not self._rows:
            self.begin_row()
        self._headed |= header
        self._rows[-1].append([])

    def add(self, found: Found) -> bool:
        """Add a block to the open cell; False if there is none: a caption, or misplaced."""
        if not self._rows or not self._rows[-1]:
            return False
        self._rows[-1][-1].append(found)
        return True

    def contents(self) -> Iterator[Found]:
        """Yield everything in reading order, as if there were no table."""
        for row in self._rows:
            for cell in row:
                yield from cell

    def close(self) -> Iterator[Found]:
        """Yield one block per row if the table holds data, else its contents."""
        if self._is_layout():
            yield from self.contents()
            return
        for row in self._rows:
            cells = [" ".join(found.text for found in cell) for cell in row]
            text = " | ".join(filter(None, cells))
            if text:
                everything = [found for cell in row for found in cell]
                linked = sum(found.linked for found in everything)
                yield Found(text, "table", everything[0].marks, linked)

    def _is_layout(self) -> bool:
        rows = [[cell for cell in row if cell] for row in self._rows]
        cells = [cell for row in rows for cell in row]
        longest = max((sum(len(found.text) for found in cell) for cell in cells), default=0)
        if self._headed:
            return longest > _MAX_HEADED_CELL
        return (
            longest > _MAX_CELL
            or max(map(len, rows), default=0) <= 1
            or sum(map(bool, rows)) <= 1
            or any(len(cell) > _MAX_BLOCKS for cell in cells)
            or any(found.kind == "heading" for cell in cells for found in cell)
        )


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_MAX_META = 500  # characters of a title or another piece of metadata


class _State(NamedTuple):
    """State that an element passes on to its content."""

    marks: Mark = Mark.NONE
    link: bool = False
    pre: bool = False
    raised: bool = False
    level: int = 0


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
        self._linked = 0
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
        self._parts.append(text)

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
        elif tag in PRE:
            state = state._replace(pre=True)
        elif tag == "sup":
            state = state._replace(raised=True)
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
                table.begin_cell(header=tag == "th")

    def _leave(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "li":
            self._item = False
        elif tag == "table" and self._tables:
            self._close_table()

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
        if level or self._table() or "\n" not in raw.strip():
            self._add(squeeze(raw), "heading" if level else "text", linked)
            return
        laid_out = self._state.pre or "\n\n" in raw.replace(" ", "")
        share = linked / len(raw)
        for block in paragraphs(raw, markdown=False):
            self._add(block.text, block.kind if laid_out else "text", round(share * len(block.text)))

    def _add(self, text: str, kind: BlockKind, linked: int) -> None:
        if not text:
            return
        self._blocks += 1
        if self._blocks > (most := self._limits.rows):
            raise too_many("rows", f"more than {most:,} paragraphs and rows", most)
        if self._item:
            self._item = False
            text = text if is_item(text) else f"\u2022 {text}"
        state = self._state
        found = Found(text, kind, state.marks, linked, state.level)
        table = self._table()
        if table is None or not table.add(found):
            self.found.append(found)
