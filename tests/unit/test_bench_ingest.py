"""The pure parts of the extraction's bench: the files it makes, counting, tables, how readers end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from benchmarks.ingest import office, web
from benchmarks.ingest.detection import sentence
from benchmarks.ingest.made import MADE, sheets, slides, word
from benchmarks.ingest.page import insert, table
from benchmarks.ingest.process import ending
from shared.extract.core import extract
from shared.extract.shapes import ExtractOptions
from shared.platform.errors import Rejected
from tests.unit.markup_pages import PAGES, Page

ROOT = Path(__file__).parents[2]


def test_a_part_counts_by_its_letters_and_digits() -> None:
    """Whatever a reader puts between cells, words and pieces of words; nothing in between may be missing."""
    page = Page("page", "", ("Mill | 2023", "Steam from new boilers."), ("Sign up", "Imprint"))
    assert web.count([page], ["Mill\n2023\nSteam from\nnew boil\ners"]) == (2, 2)
    assert web.count([page], ["Mill in 2023 Steam from old boilers Sign\tup!"]) == (0, 1)


def test_parts_are_counted_over_all_pages() -> None:
    """Who returns the content keeps everything; who returns nothing leaves everything out."""
    content = sum(len(page.content) for page in PAGES)
    beside = sum(len(page.beside) for page in PAGES)
    assert web.count(PAGES, ["\n".join(page.content) for page in PAGES]) == (content, beside)
    assert web.count(PAGES, [""] * len(PAGES)) == (0, beside)


def test_figures_stand_right_and_words_left() -> None:
    """A head that ends in a colon is one over words."""
    assert table(("file", "ms", "became:"), [("a", "1", "text kept")]).splitlines() == [
        "| file | ms | became |",
        "| --- | ---: | --- |",
        "| a | 1 | text kept |",
    ]


def test_a_file_is_named_once_and_a_failure_says_what_it_was() -> None:
    """Rows of one file follow each other; where there is no text there are no figures."""
    rows = [
        office.Row("a.docx", "Headrace", 0.0123, 1234, 20_000_000, 12_000_000),
        office.Row("a.docx", "other", error="more than 20 s"),
        office.Row("b.docx", "Headrace", 2.5, 10, 21_000_000, 12_000_000),
    ]
    assert office.report(rows).splitlines()[-3:] == [
        "| a.docx | Headrace | 12 | 1,234 | 20 |",
        "|  | other |  | more than 20 s |  |",
        "| b.docx | Headrace | 2,500 | 10 | 21 |",
    ]


@pytest.mark.parametrize(
    ("status", "seconds", "expected"),
    [
        (-signal.SIGXCPU, 60, "more than 60 s"),
        (-signal.SIGKILL, 60, "crashed (SIGKILL)"),
        (-signal.SIGSEGV, 60, "crashed (SIGSEGV)"),
        (1, 60, "ended with 1"),
    ],
)
def test_an_end_says_whether_it_was_the_limit(status: int, seconds: int | None, expected: str) -> None:
    """A limit on processor time has a signal of its own."""
    assert ending(status, seconds) == expected


def test_the_sentence_on_detection_names_everybody() -> None:
    """Milliseconds and megabytes of each."""
    text = sentence([("a", 0.0125, 20_000_000), ("b", 1.5, 90_000_000)])
    assert text.endswith("a 12 ms and 20 MB, b 1,500 ms and 90 MB.")


@pytest.mark.parametrize("name", ["figures", "office", "web", "detection"])
def test_figures_replace_what_stood_between_the_markers_of_their_name(name: str, tmp_path: Path) -> None:
    """The page in the documentation has a place for each; the rest of it stays, however often."""
    page = tmp_path / "extraction.md"
    page.write_text((ROOT / "docs" / "extraction.md").read_text("utf-8"), "utf-8")
    insert(page, name, "| new |")
    once = page.read_text("utf-8")
    insert(page, name, "| new |")
    assert page.read_text("utf-8") == once
    assert once.count("| new |") == 1
    assert once.count(f"<!-- {name}:") == once.count(f"<!-- end of {name} -->") == 1


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    """Figures are not put somewhere at random."""
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(ValueError, match="no markers"):
        insert(page, "office", "new")
    assert page.read_text() == "nothing here\n"


def test_the_files_are_the_same_every_time_and_hold_what_they_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small ones here: headings, items and tables in Word, slides in order, rows with labels in Excel."""
    monkeypatch.setattr(word, "DOCX_BYTES", 20_000)
    monkeypatch.setattr(slides, "SLIDES", 4)
    monkeypatch.setattr(sheets, "ROWS", 50)
    monkeypatch.setattr(word, "EMPTY_PARAGRAPHS", 100)
    found = {}
    for name, write in MADE.values():
        first, second = tmp_path / name, tmp_path / f"again-{name}"
        write(first)
        write(second)
        assert first.read_bytes() == second.read_bytes()
        found[name] = first
    blocks = {
        name: extract(path, name=name, content_type=None, options=ExtractOptions()).blocks
        for name, path in found.items()
        if name != "corners.xlsx"
    }
    assert {"heading", "text", "table"} <= {block.kind for block in blocks["long.docx"]}
    assert any(block.text.startswith("\u2022 ") for block in blocks["long.docx"])
    assert len(blocks["empty.docx"]) == 1
    assert {block.page for block in blocks["slides.pptx"]} == {1, 2, 3, 4}
    assert {block.kind for block in blocks["slides.pptx"]} == {"heading", "text", "table"}
    assert [block.kind for block in blocks["reviews.xlsx"]] == ["heading", *["row"] * 50]
    assert {block.label for block in blocks["reviews.xlsx"][1:]} <= set("12345")
    with pytest.raises(Rejected) as rejected:
        extract(found["corners.xlsx"], name="corners.xlsx", content_type=None, options=ExtractOptions())
    assert rejected.value.code == "too_many_columns"
