"""Excel: sheets of text, row by row, as data rows where a sheet is a data set and as table rows elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.extract.office.formats import Formats
from shared.extract.office.package import Package
from shared.extract.office.records import SheetBlocks
from shared.extract.office.sheet import SharedStrings, Sheet
from shared.extract.office.xml import Budget, Handlers
from shared.extract.refusals import no_text, too_many
from shared.extract.shapes import Block, Extracted
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from shared.extract.office.xml import Attributes
    from shared.extract.shapes import ExtractOptions
    from shared.extract.zips import Source
    from shared.platform.errors import Rejected

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def read_xlsx(source: Source, options: ExtractOptions) -> Extracted:
    """The text of a workbook; `page` is the sheet's number, its name a heading.

    A sheet with a column of sentences is a data set, and each of its rows a data row, numbered as in the
    sheet from the row below the header; with `options.text_column`, sheets that have that column are. Other
    sheets give table rows. Formulas count as the value they last had, numbers and dates read as they are
    shown. Hidden sheets are left out.

    Raises:
        Rejected: `unreadable_archive`, `unreadable_document`, `encrypted`, `unsafe_archive`,
            `too_many_members`, `inflates_too_much`, `too_many_characters`, `too_many_pages`,
            `too_many_rows`, `too_many_columns`, `text_column_not_found`, `no_text`.
    """
    limits, budget = options.limits, Budget(options.limits)
    blocks: list[Block] = []
    hidden: list[str] = []
    missing: list[Rejected] = []
    with Package(source, limits, "Excel workbook") as package:
        part, relations = package.main_part()
        book, formats, strings = _Book(limits.pages), Formats(), SharedStrings(limits)
        package.scan(part, book)
        for relation in relations.values():
            if relation.kind == "styles":
                package.scan(relation.part, formats)
            elif relation.kind == "sharedStrings":
                package.scan(relation.part, strings)
        formats.from_1904 = book.from_1904
        for number, (name, identifier, shown) in enumerate(book.sheets, 1):
            sheet = relations.get(identifier)
            if sheet is None or sheet.kind != "worksheet":
                continue
            if not shown:
                hidden.append(name)
                continue
            rows = SheetBlocks(number, options.text_column, budget)
            package.scan(sheet.part, Sheet(rows, strings, formats, limits, budget))
            rows.close()
            missing += [rows.missing] if rows.missing else []
            if rows.blocks:
                blocks += [Block(name, "heading", number), *rows.blocks] if name else rows.blocks
        title = package.title()
    if missing and not any(block.kind == "row" for block in blocks):
        raise missing[0]
    if not any(char.isalnum() for block in blocks for char in block.text):
        raise no_text("No sheet of this workbook holds any text.", "Check that the right file was uploaded.")
    warnings = [f"hidden sheets, left out: {', '.join(hidden)[:200]}"] if hidden else []
    return Extracted(MEDIA_TYPE, title, len(book.sheets), blocks, warnings)


class _Book(Handlers):
    """The sheets in their order: name, id of the relation, and whether they are shown."""

    def __init__(self, most: int) -> None:
        self.sheets: list[tuple[str, str, bool]] = []
        self.from_1904 = False
        self._most = most
        self.starts = {"x:sheet": self._add, "x:workbookPr": self._set_properties}

    def _add(self, attributes: Attributes) -> None:
        shown = attributes.get("state", "visible") == "visible"
        self.sheets.append((squeeze(attributes.get("name", "")), attributes.get("r:id", ""), shown))
        if len(self.sheets) > self._most:
            raise too_many("pages", f"more than {self._most:,} sheets", self._most)

    def _set_properties(self, attributes: Attributes) -> None:
        self.from_1904 = attributes.get("date1904", "0") in {"1", "true"}
