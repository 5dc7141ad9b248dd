"""A file is read in the process with limits, and what that process sends is checked."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from shared.intake.confined import NO_KEY, parts
from shared.intake.read import _Pieces
from shared.platform.errors import Rejected, SetupError
from shared.text import privacy
from shared.text.segment import MAX_PASSAGE
from tests.unit.cuts import KEY, read_apart

if TYPE_CHECKING:
    from pathlib import Path

PERSONAL = "Write to jane.doe@example.com or call +44 20 7946 0958 about the mill. "
CUT = {"page": None, "row": None, "tokens": 3, "section": None, "label": None}


def piece(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def cut(start: int, end: int, **fields: Any) -> dict[str, Any]:
    return {"cut": CUT | {"start": start, "end": end} | fields, "language": None}


def test_what_is_read_has_the_pseudonyms_of_the_key(tmp_path: Path, tokenizer: Path) -> None:
    """In text, passages, labels, title and organisation, as redacting here gives them."""
    path = tmp_path / "a.csv"
    rows = "".join(f'"{PERSONAL}{number}",{"a@b.example" if number % 2 else "none"}\n' for number in range(9))
    path.write_text(f"text,label\n{rows}")
    reading = read_apart(path, tokenizer, "a.csv")
    assert [passage.text for passage in reading.passages] == [
        privacy.redact(f"{PERSONAL}{number}", KEY) for number in range(9)
    ]
    assert reading.passages[1].label == privacy.redact("a@b.example", KEY)
    assert all(reading.text[slice(*passage.span)] == passage.text for passage in reading.passages)
    page = tmp_path / "a.html"
    page.write_text(f"<html><head><title>By a@b.example</title></head><body><p>{PERSONAL}</p></body></html>")
    assert read_apart(page, tokenizer, "a.html").facts.title == privacy.redact("By a@b.example", KEY)


def test_what_the_uploader_states_is_redacted_and_says_so(tmp_path: Path, tokenizer: Path) -> None:
    """Metadata that are none of a document's facts do not travel into the process that reads it."""
    path = tmp_path / "a.txt"
    path.write_text(PERSONAL * 5)
    stated = {
        "organisation": "Alnemill",
        "year": "2021",
        "title": "By a@b.example",
        "tags": "a@b.example,mill",
    }
    facts = read_apart(path, tokenizer, "a.txt", metadata=stated | {"other": "x"}).facts
    personal = privacy.redact("a@b.example", KEY)
    assert (facts.organisation, facts.year, facts.title) == ("Alnemill", 2021, f"By {personal}")
    assert facts.tags == [personal, "mill"]
    assert facts.facts_from == dict.fromkeys(("title", "organisation", "year"), "upload")


def test_the_key_changes_pseudonyms_and_nothing_else(tmp_path: Path, tokenizer: Path) -> None:
    """So a document that is read under a new key has the same passages."""
    path = tmp_path / "a.txt"
    path.write_text((PERSONAL + "The mill is old. ") * 50)
    one, other = (read_apart(path, tokenizer, "a.txt", key=key) for key in (b"one", b"other"))
    assert one.text != other.text
    assert [passage.span for passage in one.passages] == [passage.span for passage in other.passages]


def test_no_part_of_a_text_ends_within_a_pseudonym() -> None:
    """Wherever the pseudonyms stand; nothing is lost between the parts."""
    made = privacy.pseudonym(NO_KEY, "email", "a@b.example")
    for shift in range(len(made) + 1):
        text = "x" * shift + made * 9_000
        found = list(parts(text))
        assert len(found) > 1
        assert "".join(found) == text
        assert sum(part.count(made) for part in found) == 9_000
    assert list(parts("[" * 250_000)) != []


def test_a_missing_tokenizer_is_no_fault_of_the_file(tmp_path: Path) -> None:
    """It is the installation's, and the document is not rejected."""
    path = tmp_path / "a.txt"
    path.write_text("The mill is old.")
    with pytest.raises(SetupError, match="make model"):
        read_apart(path, tmp_path / "tokenizer.json", "a.txt")


@pytest.mark.parametrize(
    "passages",
    [
        [cut(0, 99)],  # beyond the text
        [cut(5, 5)],  # empty
        [cut(-4, 5)],
        [cut(0, 9), cut(8, 12)],  # twice the same text
        [cut(10, 12), cut(0, 9)],  # backwards
        [cut(0, 9, section=[0, 99])],
        [cut(0, 9, tokens=0)],
        [cut(0, 9, tokens="3")],
        [cut(0, 9, page=0)],
        [cut(at, at + 1) for at in range(4)],  # more than may be
    ],
)
def test_passages_that_no_honest_process_sends_are_refused(passages: list[Any]) -> None:
    """The text is at most once in memory, and every passage a slice of it."""
    pieces = _Pieces(KEY, most_passages=3)
    pieces.take(piece(text="The mill is old."))
    with pytest.raises(ValueError, match=r"."):  # noqa: PT012 - some are seen at once, some in the end
        pieces.take(piece(passages=passages))
        pieces.whole()


def test_the_text_is_whole_before_the_first_passage() -> None:
    """A passage is a slice of the text that is stored."""
    pieces = _Pieces(KEY, most_passages=3)
    pieces.take(piece(text="The mill is old."))
    pieces.take(piece(passages=[cut(0, 9)]))
    with pytest.raises(ValueError, match="behind the passages"):
        pieces.take(piece(text="Another text."))


def test_a_passage_has_a_limit_of_characters() -> None:
    """Also where the process that sends it says otherwise."""
    pieces = _Pieces(KEY, most_passages=3)
    pieces.take(piece(text="x" * (MAX_PASSAGE + 1)))
    with pytest.raises(ValueError, match="none of the text"):
        pieces.take(piece(passages=[cut(0, MAX_PASSAGE + 1)]))


def test_cutting_is_bounded_in_time(tmp_path: Path, tokenizer: Path) -> None:
    """A text that takes longer to cut than to extract ends within the limit, and costs the caller nothing."""
    path = tmp_path / "a.txt"
    path.write_text("We cut emissions by 5 percent, as jane@example.com said. \n" * 300_000)
    process = psutil.Process()
    started, before = time.monotonic(), process.cpu_times()
    with pytest.raises(Rejected) as caught:
        read_apart(path, tokenizer, "a.txt", extract_seconds=2, max_rows=1_000_000, extract_memory=1 << 30)
    after = process.cpu_times()
    assert caught.value.code == "too_slow"
    assert after.user + after.system - before.user - before.system < 1
    assert time.monotonic() - started < 20
