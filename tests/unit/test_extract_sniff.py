"""The content says what a file is; names decide only between formats that look alike."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from shared.extract.shapes import Limits
from shared.extract.sniff import DOCX, EML, HTML, PDF, PPTX, TEXT, XLSX, sniff
from shared.extract.zips import GZIP, ZIP
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

MAIL = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Water\r\n\r\nThe river was clean.\r\n"


def zipped(*names: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return held.getvalue()


def found(folder: Path, data: bytes, suffix: str = "", content_type: str = "") -> str:
    path = folder / "file"
    path.write_bytes(data)
    return sniff(path, suffix=suffix, content_type=content_type, limits=Limits())


@pytest.mark.parametrize(
    ("data", "suffix", "expected"),
    [
        (b"%PDF-1.7\n", ".txt", PDF),
        (b"junk before\n%PDF-1.4\n", "", PDF),
        (b"1 0 obj <</Type /Catalog>> endobj\n", "", PDF),
        (zipped("[Content_Types].xml", "word/document.xml"), ".zip", DOCX),
        (zipped("[Content_Types].xml", "ppt/presentation.xml"), "", PPTX),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "", XLSX),
        (zipped("a.txt", "b/c.pdf"), ".docx", ZIP),
        (zipped(), "", ZIP),
        (b"\x1f\x8b\x08\x00rest", ".txt", GZIP),
        (b"<!DOCTYPE html><title>x</title>", ".txt", HTML),
        (b"\xef\xbb\xbf\n  <html lang='en'>", "", HTML),
        ("<html><body>x".encode("utf-16"), "", HTML),
        (b"<!-- saved --><!doctype HTML>", "", HTML),
        (b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', ".xhtml", HTML),
        (b"<p>Only a part of a page.</p>", ".html", HTML),
        (b"<p>Only a part of a page.</p>", ".txt", TEXT),
        (b"Not a page at all.", ".html", TEXT),
        (MAIL, "", EML),
        (MAIL, ".eml", EML),
        (b"Subject: Water\n\nThe river was clean.\n", ".eml", EML),
        (b"Subject: Water\n\nThe river was clean.\n", ".txt", TEXT),
        (b"Note: the river was clean.\nTodo: nothing.\n", "", TEXT),
        (b"The river was clean.", ".pdf", TEXT),
    ],
)
def test_the_content_decides(tmp_path: Path, data: bytes, suffix: str, expected: str) -> None:
    """Whatever the name says."""
    assert found(tmp_path, data, suffix) == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x89PNG\r\n\x1a\n", "unsupported_type"),
        (b"{\\rtf1 hello}", "unsupported_type"),
        (zipped("mimetype", "META-INF/container.xml"), "unsupported_type"),
        (b"<?xml version='1.0'?><data/>", "unsupported_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_type"),
        (b"\x00" * 257 + b"ustar\x0000", "unsupported_type"),
        (b"Rar!\x1a\x07\x00", "unsupported_type"),
        (zipped("[Content_Types].xml", "xl/workbook.bin"), "unsupported_type"),
        (zipped("mimetype", "content.xml", "META-INF/manifest.xml"), "unsupported_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "unsupported_type"),
        (zipped("a.txt")[:-10], "unreadable_archive"),
        (b"PK\x03\x04rest", "unreadable_archive"),
    ],
)
def test_what_nothing_reads_is_named(tmp_path: Path, data: bytes, code: str) -> None:
    """With a code, a sentence that says what it is, and a hint."""
    with pytest.raises(Rejected) as caught:
        found(tmp_path, data)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def test_the_declared_type_tells_a_part_of_a_page(tmp_path: Path) -> None:
    """A page without its beginning is one where the upload says so."""
    assert found(tmp_path, b"<div>Hello there</div>", "", "text/html; charset=utf-8") == HTML
    assert found(tmp_path, MAIL[MAIL.index(b"Subject") :], "", "message/rfc822") == EML
