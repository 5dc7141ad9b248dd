"""Word: paragraphs, headings, list items and table rows in reading order, notes after their mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.extract.office.package import Package
from shared.extract.office.styles import Styles
from shared.extract.office.word import Story
from shared.extract.office.xml import Budget
from shared.extract.refusals import no_text
from shared.extract.shapes import Extracted

if TYPE_CHECKING:
    from shared.extract.shapes import Block, ExtractOptions
    from shared.extract.zips import Source

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def read_docx(source: Source, options: ExtractOptions) -> Extracted:
    """The text of a Word document as its last reader sees it: without what is deleted, moved away or hidden.

    Running heads, comments and tables of contents are left out; a note follows the paragraph that refers to
    it. The title is that of the properties, or the paragraph of the style Title.

    Raises:
        Rejected: `unreadable_archive`, `unreadable_document`, `encrypted`, `unsafe_archive`,
            `too_many_members`, `inflates_too_much`, `too_many_characters`, `too_many_rows`, `no_text`.
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
                package.scan(parts[kind], Story(styles, notes, budget))
        body = Story(styles, notes, budget)
        package.scan(part, body)
        title = package.title() or body.title
        if "aFChunk" in parts:
            warnings.append("the document embeds other files, whose text was left out")
    if not any(char.isalnum() for block in body.blocks for char in block.text):
        raise no_text("The document holds no words.", "Check that the right file was uploaded.")
    return Extracted(MEDIA_TYPE, title, None, body.blocks, warnings)
