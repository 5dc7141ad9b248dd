"""A slide, its notes, or the text of a diagram on it (ISO/IEC 29500-1, 19.3, 21.1.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.extract.marks import is_item
from shared.extract.office.xml import Handlers
from shared.extract.shapes import Block
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from shared.extract.office.package import Package
    from shared.extract.office.xml import Attributes, Budget

_TITLES = {"title", "ctrTitle"}
_FURNITURE = {"dt", "ftr", "hdr", "sldNum", "sldImg"}
_LISTS = {"body", "obj"}  # placeholders whose paragraphs have bullets unless they say otherwise


@dataclass(slots=True)
class _Paragraph:
    parts: list[str] = field(default_factory=list)
    marked: bool | None = None
    """Whether it says of itself that it has a bullet."""

    def block(self, *, listed: bool) -> Block | None:
        text = squeeze("".join(self.parts))
        marked = listed if self.marked is None else self.marked
        if not text:
            return None
        return Block(f"\u2022 {text}" if marked and not is_item(text) else text)


class Slide(Handlers):
    """Reads the XML of a slide or of its notes; afterwards the lists below have its text, without pages."""

    skipped = frozenset({"mc:Fallback"})  # what older programs get to see: the same again, or less

    def __init__(self, budget: Budget) -> None:
        self.titles: list[Block] = []
        self.blocks: list[Block] = []
        self.notes: list[Block] = []
        self.diagrams: list[str] = []
        """Ids of relations to the parts that hold their text."""
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
    """What a diagram (SmartArt) says, point by point; raises what reading a part does."""
    points = Slide(budget)
    package.scan(part, points)
    return [Block(block.text if is_item(block.text) else f"\u2022 {block.text}") for block in points.blocks]
