"""PowerPoint: slides in their order, each with title, text, tables, diagrams and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.extract.office.package import Package
from shared.extract.office.slide import Slide, diagram_blocks
from shared.extract.office.xml import Budget, Handlers
from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, Extracted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.extract.office.package import Relation
    from shared.extract.office.xml import Attributes
    from shared.extract.shapes import ExtractOptions
    from shared.extract.zips import Source

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_SHOWN = 10


def read_pptx(source: Source, options: ExtractOptions) -> Extracted:
    """The text of a presentation; `page` is the slide's number, its title a heading, its notes follow it.

    Shapes come in the order of the file, in which a screen reader reads them too. Hidden slides are left out,
    as are dates, footers and slide numbers, and what only the master says.

    Raises:
        Rejected: `unreadable_archive`, `unreadable_document`, `encrypted`, `unsafe_archive`,
            `too_many_members`, `inflates_too_much`, `too_many_characters`, `too_many_rows`,
            `too_many_pages`, `no_text`.
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
    if not any(char.isalnum() for block in blocks for char in block.text):
        raise no_text(
            "No slide of this presentation holds any text; they may be pictures.",
            "Export it as a PDF, run that through a program that recognises text (OCR) and upload this.",
        )
    if title is None and blocks[0].kind == "heading":
        title = blocks[0].text
    warnings = [f"hidden slides, left out: {_listed(hidden)}"] if hidden else []
    return Extracted(MEDIA_TYPE, title, len(order.slides), blocks, warnings)


def _in_order(package: Package, at: Relation, slide: Slide, budget: Budget) -> Iterator[Block]:
    """The slide's title, what it says, what its diagrams say, and its notes."""
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
    """Which slides there are, by the ids of their relations."""

    def __init__(self, most: int) -> None:
        self.slides: list[str] = []
        self._most = most
        self.starts = {"p:sldId": self._add}

    def _add(self, attributes: Attributes) -> None:
        self.slides.append(attributes.get("r:id", ""))
        if len(self.slides) > self._most:
            raise too_many("pages", f"more than {self._most:,} slides", self._most)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:_SHOWN])) + (" ..." if len(numbers) > _SHOWN else "")
