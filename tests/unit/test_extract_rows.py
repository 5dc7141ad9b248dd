"""CSV, TSV and JSONL: which column is the text, which row is which."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.extract.core import extract
from shared.extract.shapes import Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def read(path: Path, text: str, name: str, column: str | None = None, rows: int = 1000) -> Extracted:
    path.write_text(text, encoding="utf-8", newline="")
    options = ExtractOptions(text_column=column, limits=Limits(rows=rows))
    return extract(path, name=name, content_type=None, options=options)


def rows(extracted: Extracted) -> list[tuple[int | None, str]]:
    assert all(block.kind == "row" for block in extracted.blocks)
    return [(block.row, block.text) for block in extracted.blocks]


REVIEWS = 'stars,feedback,review\n5,1,"Great, really"\n1,0,\n2,0,"Broke\nafter two days"\n'


def test_a_data_row_is_a_row_numbered_after_the_header(file: Path) -> None:
    """Rows without text have no block, and do not shift the numbers of the others."""
    assert rows(read(file, REVIEWS, "r.csv")) == [(1, "Great, really"), (3, "Broke after two days")]


def test_a_label_column_with_a_telling_name_is_not_the_text(file: Path) -> None:
    """`feedback` of zeros and ones loses to the column that holds words."""
    text = "feedback,said\n1,It works very well\n0,It never worked for us\n"
    assert rows(read(file, text, "r.csv")) == [(1, "It works very well"), (2, "It never worked for us")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(file: Path, delimiter: str) -> None:
    """Whatever the name says, the delimiter that makes equal rows is taken."""
    text = f"id{delimiter}comment\n1{delimiter}So good to use\n2{delimiter}Not for us at all\n"
    assert rows(read(file, text, "r.csv")) == [(1, "So good to use"), (2, "Not for us at all")]


def test_without_a_header_the_first_row_is_data(file: Path) -> None:
    """A first row that looks like the others is one of them."""
    text = "1,The pump failed again last night\n2,Nobody was hurt in the accident\n"
    assert [row for row, _ in rows(read(file, text, "r.csv"))] == [1, 2]


def test_the_column_that_metadata_names_is_taken(file: Path) -> None:
    """Case and spaces do not matter; a name that is not there is rejected and the names are listed."""
    text = "Long Text,short\nSome words that are many,few words\n"
    assert rows(read(file, text, "r.csv", column="short")) == [(1, "few words")]
    assert rows(read(file, text, "r.csv", column="long_text")) == [(1, "Some words that are many")]
    with pytest.raises(Rejected) as caught:
        read(file, text, "r.csv", column="body")
    assert caught.value.code == "text_column_not_found"
    assert '"Long Text", "short"' in caught.value.message
    assert "--text-column" in caught.value.hint
    assert "metadata" in caught.value.hint


def test_an_unclosed_quote_does_not_swallow_the_file(file: Path) -> None:
    """It is taken as it is, and a warning names its line; quotes elsewhere keep their meaning."""
    plain = "".join(f"plain words of line {n},{n}\n" for n in range(40))
    text = 'text,n\n"never closed,1\n' + plain + '"in two\nlines, with a comma",99\n'
    extracted = read(file, text, "r.csv")
    assert rows(extracted)[0] == (1, '"never closed')
    assert rows(extracted)[-1] == (42, "in two lines, with a comma")
    assert extracted.warnings == ["a quotation mark is never closed, and was taken as it is, in line 2"]


def test_two_stray_quotes_do_not_swallow_what_is_between(file: Path) -> None:
    """Though together they look like the two ends of one long cell."""
    plain = [f"plain words of line {n},{n}\n" for n in range(40)]
    plain[3] = '"an opened quote,3\n'
    plain[36] = '"another one,36\n'
    extracted = read(file, "text,n\n" + "".join(plain), "r.csv")
    assert len(extracted.blocks) == 40
    assert extracted.warnings == ["a quotation mark is never closed, and was taken as it is, in line 5, 38"]


def test_a_long_quoted_document_is_one_cell(file: Path) -> None:
    """Many lines in a cell are no evidence of a stray quote, even in the last row."""
    letter = "\n".join(f"Line {n} of a letter, with a comma" for n in range(60))
    extracted = read(file, f'id,text\n1,"{letter}"\n2,"{letter}"\n', "r.csv")
    assert [row for row, _ in rows(extracted)] == [1, 2]
    assert extracted.warnings == []


def test_the_line_that_tells_excel_the_delimiter_is_no_row(file: Path) -> None:
    """It is obeyed instead."""
    text = "sep=;\ntext;n\nwords, and more words;1\n"
    assert rows(read(file, text, "r.csv")) == [(1, "words, and more words")]


@pytest.mark.parametrize(
    ("header", "cells", "labels"),
    [
        ("text,label", ["pos", "neg"], ["pos", "neg"]),
        ("text,stars", ["5", ""], ["5", None]),
        ("text,airline_sentiment", ["neutral", "negative"], ["neutral", "negative"]),
        ("text,Star Rating", ["4.0", " 1.0 "], ["4.0", "1.0"]),
        ("text,country", ["France", "Spain"], [None, None]),  # says nothing of the text
        ("text,label", ["x" * 50, "y" * 60], [None, None]),  # texts
    ],
)
def test_a_label_is_kept_beside_its_row(
    file: Path, header: str, cells: list[str], labels: list[str | None]
) -> None:
    """Found by its name, and believed if its cells are short; the same in JSON."""
    lines = "".join(f"some words to read,{cell}\n" for cell in cells)
    assert [block.label for block in read(file, f"{header}\n{lines}", "r.csv").blocks] == labels
    name = header.partition(",")[2]
    records = "".join(json.dumps({"text": "some words to read", name: cell}) + "\n" for cell in cells)
    assert [block.label for block in read(file, records, "r.jsonl").blocks] == labels


def test_numbers_that_differ_in_every_row_are_no_labels(file: Path) -> None:
    """A score of many digits is a measurement."""
    text = "text,score\n" + "".join(f"some words to read,{n / 7}\n" for n in range(60))
    assert {block.label for block in read(file, text, "r.csv").blocks} == {None}


def test_a_label_in_json_may_be_a_number_or_a_truth_value(file: Path) -> None:
    """Written as JSON writes it; an array is none."""
    text = "".join(
        json.dumps({"text": "some words", "label": value}) + "\n" for value in (1, 2.5, True, None, [1], "x")
    )
    labels = [block.label for block in read(file, text, "r.jsonl").blocks]
    assert labels == ["1", "2.5", "true", None, None, "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Indicator,2023,2022\nWater (m3),12,13\n", ["Water (m3) | 2023: 12; 2022: 13"]),
        ("Year;Waste;Water\n2022;1,5;7\n2023;1,25;8\n", ["2022 | Waste: 1,5; Water: 7"]),
        ("a,b\n1,2\n3,4\n", ["a > 1 | b: 2", "a > 3 | b: 4"]),
        ("Site,Unit,Water\nMill,m3,12\nFarm,m3,9\n", ["Site > Mill (m3) | Water: 12"]),
    ],
)
def test_a_table_of_figures_is_a_table(file: Path, text: str, expected: list[str]) -> None:
    """Unless a column of it is asked for; then its rows are data rows as ever."""
    extracted = read(file, text, "r.csv")
    assert [block.text for block in extracted.blocks][: len(expected)] == expected
    assert {block.kind for block in extracted.blocks} == {"table"}
    assert len(extracted.tables) == 1
    name = text.partition("\n")[0].replace(";", ",").split(",")[0]
    assert {block.kind for block in read(file, text, "r.csv", column=name).blocks} == {"row"}


@pytest.mark.parametrize("text", ["1,2\n3,4\n", ",,\n,,\n"])
def test_numbers_alone_hold_no_text(file: Path, text: str) -> None:
    """A table without words is rejected, not analyzed."""
    with pytest.raises(Rejected) as caught:
        read(file, text, "r.csv")
    assert caught.value.code == "text_column_not_found"


@pytest.mark.parametrize(
    "text",
    [
        "phrase,stars\nIt works,5\nBroken,1\n",  # ratings are labels
        "id,said\n1,It works\n2,Broken\n3,Lost\n",  # numbers of the rows
        "said,weight\nThe pump that they sent us works as it should for a year now,0.71\n",
        "headline,share\nPump works,0.71\nPump broken,0.2\n",  # a telling name
        "a,b,c\nMill,north,1\nFarm,south,2\n",
    ],
)
def test_a_data_set_beside_some_numbers_stays_a_data_set(file: Path, text: str) -> None:
    """Numbers that label or number the rows make no table, nor do those beside long texts."""
    assert rows(read(file, text, "r.csv"))


def test_a_table_of_too_many_cells_is_rejected(file: Path) -> None:
    """By the limit's name, before its cells take any more memory."""
    file.write_text("Site,2022,2023\n" + "Mill,1,2\n" * 1_000)
    options = ExtractOptions(limits=Limits(cells=2_999))
    with pytest.raises(Rejected) as caught:
        extract(file, name="r.csv", content_type=None, options=options)
    assert caught.value.code == "too_many_cells"


def test_too_many_rows_are_rejected(file: Path) -> None:
    """The header does not count."""
    text = "text\n" + "some words here\n" * 5
    assert len(read(file, text, "r.csv", rows=5).blocks) == 5
    with pytest.raises(Rejected) as caught:
        read(file, text, "r.csv", rows=4)
    assert caught.value.code == "too_many_rows"


def test_a_table_without_a_telling_name_is_still_a_table(file: Path) -> None:
    """Tabs in every line outweigh the name .txt; commas in prose do not."""
    assert read(file, "id\ttext\n1\tone two three\n2\tfour five six\n", "a.txt").media_type == (
        "text/tab-separated-values"
    )
    prose = "First, we went.\nThen, we stayed.\nLast, we left.\n"
    assert read(file, prose, "a.txt").media_type == "text/plain"


def test_a_document_in_a_cell_is_cut_like_a_document(file: Path) -> None:
    """A text of many windows becomes paragraphs that keep the row's number."""
    long = "\n\n".join(f"Paragraph {n} says something of use to us. " * 5 for n in range(30))
    extracted = read(file, json.dumps({"text": long}) + "\n", "d.jsonl")
    assert len(extracted.blocks) == 30
    assert {(block.kind, block.row) for block in extracted.blocks} == {("text", 1)}


def test_jsonl_keeps_line_numbers_and_names_bad_lines(file: Path) -> None:
    """Good lines are read, bad ones are counted and listed."""
    text = '{"text": "one two"}\nnot json\n\n[1]\n{"text": "three four"}\n{"text": null}\n'
    extracted = read(file, text, "d.jsonl")
    assert rows(extracted) == [(1, "one two"), (5, "three four")]
    assert extracted.warnings == ["2 lines are not JSON objects and were left out: 2, 4"]


def test_a_json_array_and_a_single_object_are_read(file: Path) -> None:
    """The place in the array is the row."""
    assert rows(read(file, '[{"body": "one two"}, {"body": "three four"}]', "d.json")) == [
        (1, "one two"),
        (2, "three four"),
    ]
    assert rows(read(file, '{\n "body": "spread over lines"\n}', "d.json")) == [(1, "spread over lines")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"text": "one two"}\n{"text": "three"', [(1, "one two")]),  # cut off
        ('[{"text": "one two"}, {"text": "three"', [(1, "one two")]),
        ('{\n"text": "one two"\n}\n{\n"text": "three four"\n}', [(1, "one two"), (2, "three four")]),
        (
            '{"from": "x", "items": [{"text": "one two"}, {"text": "three four"}]}',
            [(1, "one two"), (2, "three four")],
        ),
        ('{"text": "one two", "n": ' + "9" * 5000 + "}", [(1, "one two")]),
        ('{"text": "one two", "n": 1e999}', [(1, "one two")]),
        ('{"text": "no", "text": "one two"}', [(1, "one two")]),  # the last of two equal names counts
        ('{"text": "one two"}\n{"text": "no", "n": ' + "[" * 300 + "]" * 300 + "}", [(1, "one two")]),
        ('{"text": "one two", "n": "' + "[" * 300 + '"}', [(1, "one two")]),  # brackets in a text
        ('{"text": "one two"}\n{"text": "no", "n": ' + "[" * 90_000 + "}", [(1, "one two")]),
    ],
    ids=[
        "cut-lines",
        "cut-array",
        "pretty",
        "wrapped",
        "digits",
        "infinite",
        "twice",
        "deep",
        "quoted",
        "deepest",
    ],
)
def test_json_in_every_shape_gives_what_can_be_read(
    file: Path, text: str, found: list[tuple[int, str]]
) -> None:
    """What cannot be read is left out and counted, and takes nothing else with it."""
    assert rows(read(file, text, "d.json")) == found


@pytest.mark.parametrize("text", ["[1, 2", "{broken", "[" * 100_000])
def test_json_that_is_none_is_rejected(file: Path, text: str) -> None:
    """Truncated or absurdly nested JSON is a rejection, not a crash."""
    with pytest.raises(Rejected) as caught:
        read(file, text, "d.json")
    assert caught.value.code == "invalid_json"


WORDS = st.lists(st.sampled_from(["pump", "river", "mill", "fine", "staff"]), min_size=2, max_size=6).map(
    " ".join
)


@given(
    texts=st.lists(WORDS | st.just(""), min_size=1, max_size=20).filter(any),
    delimiter=st.sampled_from(",;\t"),
)
@settings(max_examples=60, deadline=None)
def test_every_written_row_comes_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], delimiter: str
) -> None:
    """What the csv module and json write is read row by row, in order."""
    path = tmp_path_factory.getbasetemp() / "written"
    expected = [(number, text) for number, text in enumerate(texts, 1) if text]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(["id", "text"])
    writer.writerows(enumerate(texts))
    assert rows(read(path, buffer.getvalue(), "r.csv")) == expected
    lines = "".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts))
    assert rows(read(path, lines, "r.jsonl")) == expected
