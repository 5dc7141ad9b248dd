"""Excel workbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ingest.made.parts import OPEN, RELATION, SEED, Author, pack, relations

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 50_000
_SHEET = f'xmlns="{OPEN}/spreadsheetml/2006/main" xmlns:r="{RELATION}"'


def reviews_xlsx(path: Path) -> None:
    """Number, day, stars, text and country; the texts in the table of strings, as Excel puts them."""
    author = Author(SEED)
    countries = ["Austria", "France", "Italy", "Norway"]
    strings = ["id", "day", "stars", "review", "country", *countries]
    rows = [f'<row r="1">{"".join(_string(column, 1, at) for at, column in enumerate("ABCDE"))}</row>']
    for number in range(2, ROWS + 2):
        rows.append(
            f'<row r="{number}"><c r="A{number}"><v>{number - 1}</v></c>'
            f'<c r="B{number}" s="1"><v>{author.randint(44_000, 46_000)}</v></c>'
            f'<c r="C{number}"><v>{author.randint(1, 5)}</v></c>{_string("D", number, len(strings))}'
            f"{_string('E', number, author.randint(5, 8))}</row>"
        )
        strings.append(author.prose(3))
    _xlsx(path, "".join(rows), strings)


def corners_xlsx(path: Path) -> None:
    """Two cells, as far from each other as a sheet allows."""
    far = 1_048_576
    rows = f'<row r="1">{_string("A", 1, 0)}</row><row r="{far}">{_string("XFD", far, 1)}</row>'
    _xlsx(path, rows, ["one corner", "the other corner"])


def _string(column: str, row: int, index: int) -> str:
    return f'<c r="{column}{row}" t="s"><v>{index}</v></c>'


def _xlsx(path: Path, rows: str, strings: list[str]) -> None:
    styles = (
        '<fonts><font/></fonts><fills><fill><patternFill patternType="none"/></fill></fills>'
        "<borders><border/></borders><cellStyleXfs><xf/></cellStyleXfs>"
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
    )
    kinds = {
        "workbook": "sheet.main",
        "worksheets/sheet1": "worksheet",
        "styles": "styles",
        "sharedStrings": "sharedStrings",
    }
    each = "".join(f"<si><t>{string}</t></si>" for string in strings)
    sheets = '<sheets><sheet name="Reviews" sheetId="1" r:id="r1"/></sheets>'
    pack(
        path,
        {f"xl/{part}.xml": f"spreadsheetml.{kind}" for part, kind in kinds.items()},
        {
            "xl/workbook.xml": f"<workbook {_SHEET}>{sheets}</workbook>",
            "xl/worksheets/sheet1.xml": f"<worksheet {_SHEET}><sheetData>{rows}</sheetData></worksheet>",
            "xl/styles.xml": f"<styleSheet {_SHEET}>{styles}</styleSheet>",
            "xl/sharedStrings.xml": f"<sst {_SHEET}>{each}</sst>",
            "xl/_rels/workbook.xml.rels": relations(
                {
                    "r1": ("worksheet", "worksheets/sheet1.xml"),
                    "r2": ("styles", "styles.xml"),
                    "r3": ("sharedStrings", "sharedStrings.xml"),
                }
            ),
        },
    )
