"""The door to extraction: check the size, find the format by content, call its reader."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from shared.errors import Rejected
from shared.extract.decode import decode
from shared.extract.jsonl import looks_like_jsonl, read_jsonl
from shared.extract.plain import read_plain
from shared.extract.refusals import no_text, too_many, unsupported
from shared.extract.table import looks_like_table, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from shared.extract.shapes import Extracted, ExtractOptions

_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or an Office document",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"{\\rtf": "an RTF document",
    b"%!PS": "a PostScript file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"ID3": "an audio file",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
}
_MARKUP = {
    "<!doctype html": "a web page",
    "<html": "a web page",
    "<?xml": "an XML file",
    "<svg": "an SVG image",
}
_HEAD = 1024  # bytes; a PDF's header may stand anywhere in them (ISO 32000-1, annex H.3.4.1)
_PDF_BODY = re.compile(rb"\d+ \d+ obj\b[\s\S]*endobj")  # of a PDF that has lost its header
_MARKDOWN = {".md", ".markdown"}
_DECLARED = {
    ".pdf": "application/pdf",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".json": "application/jsonl",
}
"""What a name promises; of other names anything may be expected."""
_TABLES = {"text/csv", "text/tab-separated-values"}  # people mix these names up, and nothing depends on them


def extract(path: Path, *, name: str, content_type: str | None, options: ExtractOptions) -> Extracted:
    """The text of the file at `path`; `name` and `content_type` are what the uploader called it.

    The content decides the format; name and type decide only between formats that look alike, as CSV and
    plain text do. Raises Rejected, and nothing else, for whatever is wrong with the file.
    """
    size = path.stat().st_size
    if size == 0:
        raise Rejected("empty", "The file is empty.", "Upload it again; it may have been cut off on its way.")
    if size > options.limits.bytes:
        raise too_many("bytes", f"{size:,} bytes", options.limits.bytes)
    suffix = PurePosixPath(name).suffix.lower()
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if b"%PDF-" in head or _PDF_BODY.search(head):
        from shared.extract.pdf import read_pdf

        extracted = read_pdf(path, options)
    else:
        for magic, what in _MAGIC.items():
            if head.startswith(magic):
                raise unsupported(what)
        extracted = _read_text(path.read_bytes(), suffix, (content_type or "").lower(), options)
    promised = _DECLARED.get(suffix, extracted.media_type)
    if promised != extracted.media_type and not {promised, extracted.media_type} <= _TABLES:
        mismatch = f"the name ends in {suffix}, but the content is {extracted.media_type}"
        extracted = replace(extracted, warnings=[*extracted.warnings, mismatch])
    return extracted


def _read_text(data: bytes, suffix: str, content_type: str, options: ExtractOptions) -> Extracted:
    text = decode(data)
    start = text[:_HEAD].lstrip().lower()
    if not start and not text.strip():
        raise no_text("The file holds nothing but white space.", "Check that the right file was uploaded.")
    for opening, what in _MARKUP.items():
        if start.startswith(opening):
            raise unsupported(what)
    if len(text) > options.limits.characters:
        raise too_many("characters", f"{len(text):,} characters of text", options.limits.characters)
    if looks_like_jsonl(text, suffix, content_type):
        return read_jsonl(text, options)
    if looks_like_table(text, suffix, content_type):
        return read_table(text, suffix, options)
    return read_plain(text, "text/markdown" if suffix in _MARKDOWN else "text/plain")
