"""CSV, TSV and JSONL: which column is the text, which row is which."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Rejected
from shared.extract import Extracted, ExtractOptions, Limits, extract

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


def test_an_unclosed_quote_does_not_swallow_the_file(file: Path) -> None:
    """Quotes are then taken as they are, and a warning says so."""
    text = 'text,n\n"never closed,1\n' + "".join(f"plain words of line {n},{n}\n" for n in range(40))
    extracted = read(file, text, "r.csv")
    assert len(extracted.blocks) == 41
    assert "never closed" in extracted.warnings[0]


def test_numbers_alone_hold_no_text(file: Path) -> None:
    """A table without words is rejected, not analysed."""
    with pytest.raises(Rejected) as caught:
        read(file, "a,b\n1,2\n3,4\n", "r.csv")
    assert caught.value.code == "text_column_not_found"


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
