"""The samples parse as what they claim to be, and name nobody real."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from pathlib import Path

import pypdfium2
import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
REPORT = SAMPLES / "tarnholm_sustainability_report_2025.pdf"
REVIEWS = SAMPLES / "hobb_larkin_reviews.csv"
NEWS = SAMPLES / "sustainability_news.jsonl"
RELEASE = SAMPLES / "velmora_press_release.txt"
LIMIT = 600_000
"""Bytes of everything under samples/."""

MAIL = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
HOST = re.compile(r"(?:https?://(?:www\.)?|www\.)([\w-]+(?:\.[\w-]+)+)")
PHONE = re.compile(r"(?<![\d.,])(?:\+|0)\d[\d ]{8,14}\d")
FICTIONAL_PHONES = ("01632960", "+441632960", "+447700900")
"""Ranges that the British regulator keeps free for fiction."""


def page_texts(pdf: Path) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


def every_text() -> dict[str, str]:
    return {
        REPORT.name: "\n".join(page_texts(REPORT)),
        **{path.name: path.read_text("utf-8") for path in (REVIEWS, NEWS, RELEASE)},
    }


def test_folder_holds_only_documents() -> None:
    """Whatever lies in samples/ is a document to drop."""
    assert set(SAMPLES.iterdir()) == {REPORT, REVIEWS, NEWS, RELEASE}


def test_samples_stay_small() -> None:
    """A clone does not pay for the samples."""
    files = [path for path in SAMPLES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < LIMIT


def test_report_has_a_text_layer_bookmarks_and_a_title() -> None:
    """Every page has words, ten bookmarks lead to ten pages, and the metadata names the report."""
    document = pypdfium2.PdfDocument(REPORT)
    try:
        bookmarks = [mark.get_dest().get_index() for mark in document.get_toc()]
        title = document.get_metadata_dict()["Title"]
    finally:
        document.close()
    assert bookmarks == list(range(10))
    assert title == "Tarnholm Paper & Board plc: Sustainability Report 2025"
    words = [len(text.split()) for text in page_texts(REPORT)]
    assert len(words) == 10
    assert min(words[1:]) > 150
    assert 2500 < sum(words) < 4000


def test_report_text_survives_extraction() -> None:
    """Subscripts, minus signs and currencies come out of the embedded fonts as the characters they are."""
    text = " ".join("\n".join(page_texts(REPORT)).split())
    for words in ("358,000 tonnes of CO₂ equivalent", "\u221241%", "fined us €1.2 million", "m³/t"):
        assert words in text


def test_report_covers_every_standard_and_its_bad_news() -> None:
    """The report touches all ten topics, and says what went wrong."""
    text = " ".join("\n".join(page_texts(REPORT)).split())
    for code in ("E1", "E2", "E3", "E4", "E5", "S1", "S2", "S3", "S4", "G1"):
        assert re.search(rf"\b{code}\b", text)
    for words in (
        "A contractor lost his life",
        "fined us",
        "We missed it by a wide margin",
        "Scope 3 emissions rose",
    ):
        assert words in text


def test_reviews_parse() -> None:
    """The CSV has sixty complete rows, with quotes, commas and line breaks inside, and all ratings."""
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert len(rows) == 60
    assert list(rows[0]) == ["date", "product", "rating", "review"]
    assert {row["rating"] for row in rows} == {"1", "2", "3", "4", "5"}
    assert all(date.fromisoformat(row["date"]) and row["product"] and row["review"] for row in rows)
    reviews = "".join(row["review"] for row in rows)
    assert all(mark in reviews for mark in ('"', ",", "\n"))
    assert not reviews.isascii()


def test_news_parse() -> None:
    """Each line of the JSONL is one item with the same four fields and an id of its own."""
    items = [json.loads(line) for line in NEWS.read_text("utf-8").splitlines()]
    assert len({item["id"] for item in items}) == len(items) == 31
    assert all(list(item) == ["id", "published", "headline", "text"] for item in items)
    assert all(date.fromisoformat(item["published"]) and item["headline"] and item["text"] for item in items)


def test_reviews_hold_contact_details() -> None:
    """There is something for redaction to find: two addresses and two telephone numbers."""
    text = REVIEWS.read_text("utf-8")
    assert len(MAIL.findall(text)) == 2
    assert len(PHONE.findall(text)) == 2


@pytest.mark.parametrize("name", [REPORT.name, REVIEWS.name, NEWS.name, RELEASE.name])
def test_nobody_real_can_be_reached(name: str) -> None:
    """Addresses are under example.com, and telephone numbers are from ranges kept for fiction."""
    text = every_text()[name]
    assert set(MAIL.findall(text)) | set(HOST.findall(text)) <= {"example.com"}
    for number in PHONE.findall(text):
        assert number.replace(" ", "").startswith(FICTIONAL_PHONES)
