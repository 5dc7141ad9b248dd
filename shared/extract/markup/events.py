"""A page, event by event: paragraphs, headings, items and rows, each with where it stands.

No tree is built: libxml2's is limited to some hundred levels, and costs several times the page in memory.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from shared.extract.marks import is_item
from shared.extract.markup.clues import BLOCKS, DROPPED, HEADINGS, PRE, is_hidden, marks
from shared.extract.markup.found import Found, Mark
from shared.extract.markup.tables import Table
from shared.extract.plain import paragraphs
from shared.extract.refusals import too_many
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.extract.shapes import BlockKind, Limits

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_MAX_META = 500  # characters of a title or another piece of metadata


class _State(NamedTuple):
    """What an element passes on to what stands in it."""

    marks: Mark = Mark.NONE
    link: bool = False
    pre: bool = False
    raised: bool = False
    level: int = 0


class Events:
    """What lxml tells of a page, as a parser's target; `found` and `meta` grow while it is fed.

    Raises Rejected(`too_many_characters`, `too_many_rows`) from whichever event goes beyond the limit.
    Elements nested deeper than the limit are read as if their parent went on.
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
        """An element begins."""
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
        """The innermost open element ends: lxml's events are balanced."""
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
        """Text, in pieces of any size."""
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
            limit = self._limits.characters
            raise too_many("characters", f"more than {limit:,} characters of text", limit)
        self._parts.append(text)

    def close(self) -> None:
        """The page is over."""
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
        """The innermost, where it may hold data."""
        return self._tables[-1] if self._tables else None

    def _read_meta(self, attributes: Mapping[str, str]) -> None:
        name = attributes.get("property") or attributes.get("name")
        content = attributes.get("content")
        if name and content:
            self.meta.setdefault(name.lower()[:_MAX_META], squeeze(content[:_MAX_META]))

    def _flush(self) -> None:
        """What was collected is a paragraph; one with line breaks in it may be several."""
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
