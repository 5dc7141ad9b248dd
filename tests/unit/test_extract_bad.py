"""Text, tables and JSON that are empty, broken, enormous or misnamed: each has its code, or its warning."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from shared.extract.core import extract
from shared.extract.shapes import Extracted, ExtractOptions, Limits
from shared.platform.errors import Rejected
from tests.unit.cuts import read_apart

if TYPE_CHECKING:
    from pathlib import Path

CSV, TSV, JSONL, TEXT = "text/csv", "text/tab-separated-values", "application/jsonl", "text/plain"
WORDS = "The pump by the river failed again. "
ROWS = "".join(f"{n},words of row {n}\n" for n in range(50))
JUNK = random.Random(7).randbytes(5000)
BAD_LINES = "18 lines are not JSON objects and were left out: 2, 3, 6, 7, 10, 11, 14, 15, 18, 19 ..."
OPTIONS = ExtractOptions(limits=Limits(characters=6_000_000))

REJECTED = {
    "empty": ("a.txt", b"", "empty"),
    "empty table": ("a.csv", b"", "empty"),
    "white space": ("a.txt", b" \t\r\n\x0c\n " * 50, "no_text"),
    "white space, wide": ("a.txt", "\u3000\u2003\n\u00a0".encode("utf-16"), "no_text"),
    "only a mark": ("a.txt", b"\xef\xbb\xbf", "no_text"),
    "only null bytes": ("a.txt", bytes(5000), "unsupported_type"),
    "binary junk": ("a.txt", JUNK, "unsupported_type"),
    "binary junk as a table": ("a.csv", JUNK, "unsupported_type"),
    "binary junk as JSON": ("a.jsonl", JUNK, "unsupported_type"),
    "binary junk as a PDF": ("a.pdf", JUNK, "unsupported_type"),
    "junk after a mark": ("a.txt", b"\xff\xfe" + JUNK, "unsupported_type"),
    "punctuation": ("a.txt", b"--- *** ... !!!\n" * 20, "no_text"),
    "a header without rows": ("a.csv", b"id,text\n", "text_column_not_found"),
    "rows of delimiters": ("a.csv", b",,,\n" * 50, "text_column_not_found"),
    "rows of numbers": ("a.csv", b"1,2\n3,4\n", "text_column_not_found"),
    "an empty text column": ("a.csv", b"id,text\n1,\n2,\n", "text_column_not_found"),
    "a million columns": ("a.csv", b"x," * 1_000_000 + b"x\n", "too_many_columns"),
    "a million columns, below": ("a.csv", b"id,text\n1,some words\n" + b"x," * 1_000_000, "too_many_columns"),
    "a million fields": (
        "a.json",
        b"{" + b",".join(b'"%d":null' % number for number in range(300_000)) + b"}",
        "too_many_columns",
    ),
    "one line too long": ("a.txt", b"x" * 6_000_001, "too_many_characters"),
    "one cell too long": ("a.csv", b'"' + b"x" * 6_000_001, "too_many_characters"),
    "JSON cut off": ("a.json", b'{"text": "one two three', "invalid_json"),
    "JSON of nothing": ("a.json", b"[]", "invalid_json"),
    "JSON of numbers": ("a.json", b"[1, 2, 3]", "invalid_json"),
    "JSON a million deep": ("a.json", b"[" * 1_000_000, "invalid_json"),
    "objects a million deep": ("a.json", b'{"a":' * 1_000_000, "invalid_json"),
    "JSON without words": ("a.jsonl", b'{"n": 1}\n{"n": 2}\n', "text_column_not_found"),
    "not one good line": ("a.jsonl", b"{bad}\n{worse}\n", "invalid_json"),
}

READ = {
    "cut inside a character": ("a.txt", (WORDS + "für ä").encode()[:-1], TEXT, None),
    "cut inside a cell": ("a.csv", f'id,text\n{ROWS}51,"words of the'.encode(), CSV, "never closed"),
    "cut inside a record": ("a.jsonl", b'{"text": "one two"}\n{"text": "thr', JSONL, "1 lines are not JSON"),
    "invalid UTF-8": ("a.txt", (WORDS * 20 + "für Öl und Tür ").encode() + b"\xff\xfe\xfa. Ende", TEXT, None),
    "null bytes in text": ("a.txt", WORDS.encode() * 20 + b"\x00\x00" + WORDS.encode(), TEXT, None),
    "null bytes in a table": ("a.csv", f"id,text\n{ROWS}".replace("words", "wo\0rds", 5).encode(), CSV, None),
    "one long line": ("a.txt", WORDS.encode() * 150_000, TEXT, None),
    "one long word": ("a.txt", b"x" * 5_000_000, TEXT, None),
    "one long cell": ("a.csv", b"id,text\n1," + WORDS.encode() * 150_000, CSV, None),
    "a quote never closed": ("a.csv", f'id,text\n0,"oh\n{ROWS}'.encode(), CSV, "never closed, and was taken"),
    "quotes everywhere": ("a.csv", f"id,text\n{ROWS}".replace("words", 'wo"rds').encode(), CSV, None),
    "a quote in every row": ("a.csv", f"id,text\n{ROWS}".replace(",w", ',"w').encode(), CSV, "never closed"),
    "rows of other lengths": ("a.csv", f"id,text\n{ROWS}51,more,than,two\n".encode(), CSV, "1 rows have"),
    "bad lines": ("a.jsonl", b'{"text": "one two"}\nbad\n[]\n{"text": 5}\n' * 9, JSONL, BAD_LINES),
    "a number of 5000 digits": ("a.jsonl", b'{"text": "one two", "n": %s}\n' % (b"9" * 5000), JSONL, None),
    "text called a PDF": ("a.pdf", WORDS.encode(), TEXT, "the name ends in .pdf, but the content is text"),
    "text called JSON": ("a.json", WORDS.encode(), TEXT, "the name ends in .json, but the content is text"),
    "JSON called text": ("a.txt", b'{"text": "one two"}\n', JSONL, None),
    "JSON called a table": ("a.csv", b'{"text": "one two"}\n', JSONL, "the name ends in .csv"),
    "a table called text": ("a.txt", f"id,text\n{ROWS}".replace(",", "\t").encode(), TSV, None),
    "a semicolon table": ("a.tsv", f"id;text\n{ROWS}".replace(",", ";").encode(), CSV, None),
    "no name at all": ("", WORDS.encode(), TEXT, None),
}  # fmt: skip

NAMES = [
    "Отчёт за год.csv", "報告書.csv", "تقرير.csv", "रिपोर्ट.csv", "🌍🔥.csv", "a\x00b.csv", "a\nb\x1b[31m.csv",
    "\u202evsc.csv", "../../etc/passwd.csv", "C:\\data\\x.csv", "a/b/c.csv", "." * 300 + ".csv", "\udcff.csv",
    "x" * 1000 + ".csv",
]  # fmt: skip


def read(path: Path, name: str, data: bytes) -> Extracted:
    path.write_bytes(data)
    return extract(path, name=name, content_type=None, options=OPTIONS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.mark.parametrize(("name", "data", "code"), REJECTED.values(), ids=REJECTED)
def test_what_cannot_be_read_is_refused_in_words(file: Path, name: str, data: bytes, code: str) -> None:
    """With a code, a sentence and a hint, and soon: nobody waits for a file that is refused."""
    started = time.process_time()
    with pytest.raises(Rejected) as caught:
        read(file, name, data)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    assert time.process_time() - started < 10


@pytest.mark.parametrize(("name", "data", "media_type", "warning"), READ.values(), ids=READ)
def test_what_can_be_read_is_read(
    file: Path, name: str, data: bytes, media_type: str, warning: str | None
) -> None:
    """With a warning where something was left out, and without where nothing was."""
    started = time.process_time()
    extracted = read(file, name, data)
    assert extracted.media_type == media_type
    assert any(block.text for block in extracted.blocks)
    assert not any("\x00" in block.text for block in extracted.blocks)
    if warning:
        assert any(warning in each for each in extracted.warnings), extracted.warnings
    else:
        assert extracted.warnings == []
    assert time.process_time() - started < 20


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_may_be_anything(file: Path, tokenizer: Path, name: str) -> None:
    """It is read for its suffix, and reaches neither the file system nor the result; the same apart."""
    data = f"id,text\n{ROWS}".encode()
    extracted = read(file, name, data)
    assert (extracted.media_type, len(extracted.blocks), extracted.warnings) == (CSV, 50, [])
    facts = read_apart(file, tokenizer, name).facts
    assert (facts.media_type, facts.passages, facts.warnings) == (CSV, 50, [])


def test_a_gigabyte_is_refused_unread(file: Path) -> None:
    """Its size is enough."""
    with file.open("wb") as sparse:
        sparse.truncate(1 << 30)
    started = time.process_time()
    with pytest.raises(Rejected) as caught:
        extract(file, name="a.txt", content_type=None, options=OPTIONS)
    assert caught.value.code == "too_many_bytes"
    assert time.process_time() - started < 1
