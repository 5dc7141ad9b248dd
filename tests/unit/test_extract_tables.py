"""What a grid of cells becomes: heads, labels, groups and rows with a text of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.extract.shapes import Limits
from shared.extract.tables import (
    MAX_CELL,
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_LEVEL,
    MAX_ROW_SPAN,
    MAX_ROW_TEXT,
    MAX_ROWS,
    Grid,
    GridCell,
    Tables,
    heads_of,
    label_of,
    parents_of,
    settle,
)
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.platform.tables import Table

STEP = 6.0
"""Points of indent for a space before a label."""


def drawn(text: str, *, page: int | None = None, continues: bool = False) -> Grid:
    """Return a grid of lines with cells between bars: **bold**, spanning^2, labels indented by spaces."""
    rows = []
    for line in text.strip("\n").split("\n"):
        row, column = [], 0
        for cell in line.split("|"):
            words, _, span = cell.strip().partition("^")
            if words:
                row.append(
                    GridCell(
                        text=words.strip("*") if words.startswith("**") else words,
                        column=column,
                        column_span=int(span or 1),
                        bold=words.startswith("**"),
                        indent=STEP * (len(cell) - len(cell.lstrip())) if not column else 0,
                    )
                )
            column += int(span or 1)
        rows.append(row)
    return Grid(rows=rows, page=page, continues=continues)


def rows_of(text: str) -> list[str]:
    return [block.text for block in Tables(Limits()).add(drawn(text)) if block.kind == "table"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param(
            """
            |2023|2022
            Employees|120|110
            """,
            ["Employees | 2023: 120; 2022: 110"],
            id="years over an empty corner",
        ),
        pytest.param(
            """
            Emissions|Unit|2023|Target 2030
            Scope 1|tCO2e|1,234|500
            Rate|%|4.5|n/a
            """,
            [
                "Emissions > Scope 1 (tCO2e) | 2023: 1,234; Target 2030: 500",
                "Emissions > Rate (%) | 2023: 4.5; Target 2030: n/a",
            ],
            id="a column of units belongs to the label, and the corner says what the rows are",
        ),
        pytest.param(
            """
            |2023^2|2022^2
            |Men|Women|Men|Women
            Staff|1|2|3|4
            """,
            ["Staff | 2023, Men: 1; 2023, Women: 2; 2022, Men: 3; 2022, Women: 4"],
            id="two levels of heads",
        ),
        pytest.param(
            """
            |2023||2022
            |Men|Women|Men|Women
            Staff|1|2|3|4
            """,
            ["Staff | 2023, Men: 1; 2023, Women: 2; 2022, Men: 3; 2022, Women: 4"],
            id="an upper head spans the lower ones up to the next",
        ),
        pytest.param(
            """
            ||Own|||All
            |2023|2022|2021|2023|2022|2021
            Staff|1|2|3|4|5|6
            """,
            ["Staff | Own, 2023: 1; Own, 2022: 2; Own, 2021: 3; All, 2023: 4; All, 2022: 5; All, 2021: 6"],
            id="upper heads in the middle of their shares",
        ),
        pytest.param(
            """
            Region|2023||2022
            Alps|1||2
            ||**Men**||**Women**
            |2023|2022|2023|2022
            Staff|1|2|3|4
            """,
            [
                "Region > Alps | 2023: 1; 2022: 2",
                "Staff | Men, 2023: 1; Men, 2022: 2; Women, 2023: 3; Women, 2022: 4",
            ],
            id="bold heads further down over other columns",
        ),
        pytest.param(
            """
            |2023|2022
            |t|in %
            Waste|1|2
            """,
            ["Waste | 2023, t: 1; 2022, in %: 2"],
            id="a row of units below the heads",
        ),
        pytest.param(
            """
            |Under 30|30-50|> 50
            Women|1|2|3
            """,
            ["Women | Under 30: 1; 30-50: 2; > 50: 3"],
            id="heads that are ranges of numbers",
        ),
        pytest.param(
            """
            Year|Waste (t)|Water (m3)
            2022|12|13
            2023|14|15
            """,
            ["2022 | Waste (t): 12; Water (m3): 13", "2023 | Waste (t): 14; Water (m3): 15"],
            id="years as rows",
        ),
        pytest.param(
            """
            Sites|12
            Founded|1990
            """,
            ["Sites | 12", "Founded | 1990"],
            id="names and values without heads",
        ),
        pytest.param(
            """
            5,000|45 %
            employees|women
            """,
            ["employees: 5,000; women: 45 %"],
            id="large numbers over what they count",
        ),
        pytest.param(
            """
            Measure|Status
            Solar roofs on every plant that we own|To be built next year
            Lamps that take less power in all offices|Finished in the spring
            """,
            [
                "Solar roofs on every plant that we own | Status: To be built next year",
                "Lamps that take less power in all offices | Status: Finished in the spring",
            ],
            id="a table of words",
        ),
        pytest.param(
            """
            Policy in place|yes|yes
            Employees|5|6
            """,
            ["Policy in place | yes; yes", "Employees | 5; 6"],
            id="answers are no heads",
        ),
        pytest.param(
            """
            Power|2023|2022
            Bought (MWh)|5|6
            Water|2023|2022
            Used (m3)|7|8
            """,
            ["Power > Bought (MWh) | 2023: 5; 2022: 6", "Water > Used (m3) | 2023: 7; 2022: 8"],
            id="heads that come again with another name",
        ),
        pytest.param(
            """
            |2023|2022
            Bought (MWh)|5|6
            |Men|Women
            Staff|7|8
            """,
            ["Bought (MWh) | 2023: 5; 2022: 6", "Staff | Men: 7; Women: 8"],
            id="other heads further down",
        ),
        pytest.param(
            """
            Water|||(1,000 m3)
            |2023|2022|2021
            Taken|1|2|3
            Waste|||(tons)
            |2023|2022|2021
            Paper|4|5|6
            """,
            [
                "Water (1,000 m3) > Taken | 2023: 1; 2022: 2; 2021: 3",
                "Waste (tons) > Paper | 2023: 4; 2022: 5; 2021: 6",
            ],
            id="titles with their units, each over the same heads",
        ),
        pytest.param(
            """
            |2023|2022|2021
            Water|||(1,000 m3)
            Taken|1|2|3
            """,
            ["Water (1,000 m3) > Taken | 2023: 1; 2022: 2; 2021: 3"],
            id="a heading of rows with its unit",
        ),
        pytest.param(
            """
            Particulars|Unit|2023
            Injuries|per million hours|0.2
            """,
            ["Injuries (per million hours) | 2023: 0.2"],
            id="a unit of any words below the head that says so",
        ),
    ],
)
def test_rows_are_read_with_their_heads(text: str, rows: list[str]) -> None:
    """A row's text holds its label with parents, and every value with the heads over it."""
    assert rows_of("\n".join(map(str.strip, text.strip().split("\n")))) == rows


@pytest.mark.parametrize(
    ("text", "parents"),
    [
        pytest.param(
            "|2023\nEnvironment\nEnergy\nPower|1\nWater\nTaken|2\nReturned|3",
            [("Environment", "Energy"), ("Environment", "Water"), ("Environment", "Water")],
            id="headings of rows, one below another",
        ),
        pytest.param(
            "|2023\n**People**\nWomen|1\n**Safety**\nAccidents|2",
            [("People",), ("Safety",)],
            id="headings of rows side by side",
        ),
        pytest.param(
            "|2023\nPower|9\n  Solar|4\n   Own|1\n  Wind|5\nWater|1",
            [(), ("Power",), ("Power", "Solar"), ("Power",), ()],
            id="indents",
        ),
        pytest.param(
            "|2023\nPower|9\nof which solar|4\ndavon Wind|5\nWater|1",
            [(), ("Power",), ("Power",), ()],
            id="words",
        ),
        pytest.param("|2023\nStaff|9\n- women|4\n\u2013 men|5", [(), ("Staff",), ("Staff",)], id="dashes"),
        pytest.param(
            "|2023\n1 Power|9\n1.1 Solar|4\n1.1.1 Own|1\n1.2 Wind|5\n2 Water|1",
            [(), ("1 Power",), ("1 Power", "1.1 Solar"), ("1 Power",), ()],
            id="numbers",
        ),
        pytest.param(
            "|2023\n**Staff**|9\nWomen|4\nMen|5\n**Trainees**|2\nWomen|1",
            [(), ("Staff",), ("Staff",), (), ("Trainees",)],
            id="bold rows before their parts",
        ),
        pytest.param(
            "|2023\n**Staff**|1,009\nWomen|1,004.5\nMen|4.5",
            [(), ("Staff",), ("Staff",)],
            id="a bold sum before its parts",
        ),
        pytest.param(
            "|2023\n**Power**|9\nGas|7\nOil|5",
            [(), (), ()],
            id="a bold row that is not the sum of those below",
        ),
        pytest.param(
            "|2023\nOwn power|9\n    **Bought**\nGas|7\n  Total|16",
            [(), ("Bought",), ("Bought",)],
            id="a heading in the middle is no part of a row",
        ),
        pytest.param(
            "|2023\nWomen|4\nMen|5\n**Staff**|9\nTrainees|2",
            [(), (), (), ()],
            id="a bold total behind its parts has none",
        ),
        pytest.param(
            "|2023\nScope 2\n  by place|4\n  by contract|5\n**Total**|9",
            [("Scope 2",), ("Scope 2",), ()],
            id="a total of all behind indented rows",
        ),
        pytest.param(
            "Topic|Metric|Unit|2023\nEnergy|Power|MWh|5\n|Gas|MWh|6\nWater|Taken|m3|7",
            [("Energy",), ("Energy",), ("Water",)],
            id="a first column that holds for the rows below",
        ),
    ],
)
def test_rows_know_what_they_are_parts_of(text: str, parents: list[tuple[str, ...]]) -> None:
    """Groups and rows above a row that is a part of them are its parents, outermost first."""
    (table,) = settle(drawn(text))
    rows = [at for at, row in enumerate(table.rows) if row.kind == "row"]
    assert [parents_of(table, at) for at in rows] == parents


def test_titles_and_notes_in_rows_of_their_own_are_kept() -> None:
    """They become the caption, which each row carries, and notes; both are blocks too."""
    tables = Tables(Limits())
    blocks = tables.add(drawn("Staff by age\n|2023\nWomen|5\n* Without trainees.\nSource: own count", page=3))
    assert [(block.kind, block.text) for block in blocks] == [
        ("heading", "Staff by age"),
        ("table", "Staff by age > Women | 2023: 5"),
        ("note", "* Without trainees."),
        ("note", "Source: own count"),
    ]
    assert {block.page for block in blocks} == {3}
    assert tables.found[0].notes == ("* Without trainees.", "Source: own count")


def test_a_note_between_rows_is_no_heading() -> None:
    """It is a note of the table, and the rows below are no parts of it."""
    tables = Tables(Limits())
    blocks = tables.add(drawn("|2023\nWomen|5\n* Without trainees.\nMen|6"))
    assert [(block.kind, block.text) for block in blocks] == [
        ("table", "Women | 2023: 5"),
        ("table", "Men | 2023: 6"),
        ("note", "* Without trainees."),
    ]


@pytest.mark.parametrize("text", ["one\ntwo\n3", "|2023|2022", "Heading\n|2023\nGroup", "a|b|c"])
def test_no_text_of_a_grid_is_lost(text: str) -> None:
    """Heads without rows, headings of nothing and columns of single cells become rows."""
    blocks = Tables(Limits()).add(drawn(text))
    words = set(text.replace("|", "\n").split())
    assert words <= {word.strip(";:") for block in blocks for word in block.text.split()}


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Draw grids of numbers, years, units and words, in which every number is another."""
    numbers = iter(range(100_001, 200_000))
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        row = []
        for column in sorted(draw(st.sets(st.integers(0, 6)))):
            kind = draw(st.sampled_from("nnnywwub"))
            text = {"n": f"{next(numbers)}", "y": "2023", "u": "tCO2e", "b": "-"}.get(kind, "Some words")
            row.append(
                GridCell(
                    text=text,
                    column=column,
                    row_span=draw(st.integers(1, 3)),
                    column_span=draw(st.integers(1, 3)),
                    bold=draw(st.booleans()),
                    indent=draw(st.sampled_from([0.0, 6.0, 12.0])),
                    head=draw(st.sampled_from([None, None, True])),
                )
            )
        rows.append(row)
    return Grid(rows=rows, continues=draw(st.booleans()))


@given(st.lists(grids(), max_size=3))
@settings(max_examples=200, deadline=None)
def test_no_number_of_any_grid_is_lost(drawn: list[Grid]) -> None:
    """Each is in the text of a block, whatever the rows are taken for, also where tables go on."""
    tables = Tables(Limits())
    numbers = [cell.text for grid in drawn for row in grid.rows for cell in row if len(cell.text) == 6]
    text = "\n".join(block.text for grid in drawn for block in tables.add(grid))
    assert [number for number in numbers if number not in text] == []


def test_a_table_that_goes_on_over_a_page_is_read_with_its_heads() -> None:
    """Also with the group that its last page ended in; heads that stand again are not a row."""
    tables = Tables(Limits())
    tables.add(drawn("Power|2023|2022\nBought\nGrid|1|2"))
    blocks = tables.add(drawn("Station|3|4\nSold\nGrid|5|6", continues=True))
    blocks += tables.add(drawn("Power|2023|2022\nHeat|7|8", continues=True))
    assert [block.text for block in blocks] == [
        "Power > Bought > Station | 2023: 3; 2022: 4",
        "Power > Sold > Grid | 2023: 5; 2022: 6",
        "Power > Heat | 2023: 7; 2022: 8",
    ]
    assert heads_of(tables.found[1], 1) == ()
    assert heads_of(tables.found[1], 1, tables.found[0]) == ("2023",)


def test_a_block_says_which_row_it_is() -> None:
    """Its table and place lead to the cells."""
    tables = Tables(Limits())
    tables.add(drawn("|2023\nWater|1"))
    (block,) = tables.add(drawn("|2023\nPower\nGrid|2"))
    assert (block.table, block.at) == (1, 2)
    assert label_of(tables.found[1], 2) == "Grid"


# Limits


def numbers(rows: int, columns: int) -> Grid:
    return Grid(rows=[[GridCell(text=f"{at}", column=at) for at in range(columns)] for _ in range(rows)])


def size(table: Table) -> int:
    return len(table.rows) * table.columns


def test_a_long_table_is_cut_into_parts_that_continue_it() -> None:
    """Each has at most MAX_ROWS rows, all together have every row, and groups hold on."""
    grid = drawn("|2023\nPower\n" + "\n".join(f"Plant {at}|{at}" for at in range(3 * MAX_ROWS)))
    tables = Tables(Limits())
    blocks = tables.add(grid)
    assert [block.text for block in blocks] == [
        f"Power > Plant {at} | 2023: {at}" for at in range(3 * MAX_ROWS)
    ]
    assert [table.continues for table in tables.found] == [False, *[True] * (len(tables.found) - 1)]
    assert max(len(table.rows) for table in tables.found) <= MAX_ROWS


def test_a_wide_table_is_cut_into_parts_with_the_labels() -> None:
    """No part has more than MAX_COLUMNS columns or MAX_CELLS cells; no value is lost."""
    wide = 3 * MAX_COLUMNS
    rows = [[GridCell(text=f"Day {at}", column=at) for at in range(1, wide)]]
    rows += [
        [GridCell(text="Power", column=0), *(GridCell(text=f"{at}", column=at) for at in range(1, wide))]
        for _ in range(100)
    ]
    tables = Tables(Limits())
    text = "\n".join(block.text for block in tables.add(Grid(rows=rows)))
    assert all(text.count(f"Day {at}: {at}") >= 100 for at in range(1, wide))
    assert max(table.columns for table in tables.found) <= MAX_COLUMNS
    assert max(map(size, tables.found)) <= MAX_CELLS


@pytest.mark.parametrize(
    ("grid", "code"),
    [
        pytest.param(lambda: numbers(1_000, 1_000), "too_many_cells", id="a million cells"),
        pytest.param(lambda: numbers(1, 10_000), "too_many_columns", id="ten thousand columns"),
        pytest.param(
            lambda: Grid(
                rows=[
                    [GridCell(text="head " * 300, column=at) for at in range(20)],
                    *([GridCell(text=str(at), column=at) for at in range(20)] for _ in range(3_000)),
                ]
            ),
            "too_many_characters",
            id="long heads over many rows",
        ),
    ],
)
def test_a_table_beyond_a_limit_is_rejected_by_its_name(grid: Callable[[], Grid], code: str) -> None:
    """The limits hold for all tables of a document together."""
    limits = Limits(characters=500_000)
    with pytest.raises(Rejected) as refused:
        Tables(limits).add(grid())
    assert refused.value.code == code


def test_spans_that_lie_end_with_the_table() -> None:
    """A billion rows and columns are those that there are, and no more than the limit."""
    rows = [
        [
            GridCell(text="A", column=0, row_span=10**9, column_span=10**9),
            GridCell(text="B", column=10**9, row_span=-5, column_span=-5),
        ],
        *([GridCell(text="1", column=10**9)] for _ in range(200)),
    ]
    (table,) = settle(Grid(rows=rows))
    cells = [cell for row in table.rows for cell in row.cells]
    assert table.columns == 2
    assert max(cell.row_span for cell in cells) == MAX_ROW_SPAN
    assert all(cell.column + cell.column_span <= table.columns for cell in cells)
    assert all(
        at + cell.row_span <= len(table.rows) for at, row in enumerate(table.rows) for cell in row.cells
    )


def test_cells_and_rows_of_any_length_are_cut() -> None:
    """A number of ten thousand digits too; a formula stays the text that it is."""
    cells = ["9" * 10_000, "word " * 10_000, "=HYPERLINK(A1)"]
    grid = Grid(rows=[[GridCell(text=text, column=at) for at, text in enumerate(cells)]])
    tables = Tables(Limits())
    (block,) = tables.add(grid)
    (row,) = tables.found[0].rows
    assert [len(cell.text) // 10 for cell in row.cells] == [MAX_CELL // 10, MAX_CELL // 10 - 1, 1]
    assert len(block.text) <= MAX_ROW_TEXT
    assert row.cells[2].text == "=HYPERLINK(A1)"


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            lambda: [[GridCell(text="g", column=0, indent=10.0 * (at % 300))] for at in range(5_000)],
            id="headings",
        ),
        pytest.param(
            lambda: [
                [GridCell(text=f"a{at}", column=1, bold=True), GridCell(text=f"b{at}", column=2, bold=True)]
                if at % 2
                else [GridCell(text="1", column=at) for at in range(3)]
                for at in range(5_000)
            ],
            id="heads over every row",
        ),
        pytest.param(
            lambda: [
                [GridCell(text="x", column=0), GridCell(text="1", column=1 + at % 1_999)]
                for at in range(5_000)
            ],
            id="a diagonal",
        ),
        pytest.param(
            lambda: [
                [GridCell(text="x", column=at, row_span=10**9, column_span=10**9) for at in range(100)]
                for _ in range(100)
            ],
            id="spans",
        ),
    ],
)
def test_hostile_grids_take_little_time_and_depth(rows: Callable[[], list[list[GridCell]]]) -> None:
    """Time grows with the cells, depth ends with MAX_LEVEL."""
    tables = Tables(Limits())
    grid = Grid(rows=rows())
    begin = time.process_time()
    tables.add(grid)
    assert time.process_time() - begin < 5
    assert max(row.level for table in tables.found for row in table.rows) <= MAX_LEVEL
