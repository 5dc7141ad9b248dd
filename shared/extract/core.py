"""Extract the text of a file: check its size, find its format by content, call its reader."""

from __future__ import annotations

import io
from dataclasses import replace
from importlib import import_module
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from shared.extract.decode import decode
from shared.extract.jsonl import looks_like_jsonl, read_jsonl
from shared.extract.plain import read_plain
from shared.extract.refusals import (
    archive_inside,
    damaged_document,
    encrypted,
    no_text,
    too_many,
    too_many_characters,
)
from shared.extract.shapes import Extracted
from shared.extract.sniff import DOCX, EML, HTML, OFFICE, PDF, PPTX, TEXT, XLSX, is_locked, sniff
from shared.extract.table import looks_like_table, read_table
from shared.extract.tidy import cut_long
from shared.extract.zips import ARCHIVES
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.extract.shapes import ExtractOptions
    from shared.extract.zips import Source

    Reader = Callable[[Source, ExtractOptions], Extracted]

_READERS = {
    PDF: ("shared.extract.pdf", "read_pdf"),
    DOCX: ("shared.extract.office.word", "read_docx"),
    PPTX: ("shared.extract.office.powerpoint", "read_pptx"),
    XLSX: ("shared.extract.office.excel", "read_xlsx"),
    HTML: ("shared.extract.markup.html", "read_html"),
    EML: ("shared.extract.markup.mail", "read_eml"),
}
"""Imported on first use: no instance reads every format, and each needs a library of its own."""
MAX_STATED = 500
"""Limit on a title or an organisation in characters: a megabyte does not fit into a record."""
_MARKDOWN = {".md", ".markdown"}
_PROMISED = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".pptx": PPTX,
    ".xlsx": XLSX,
    ".html": HTML,
    ".htm": HTML,
    ".eml": EML,
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".json": "application/jsonl",
}
"""The media type that a name promises; other names promise nothing."""
_TABLES = {"text/csv", "text/tab-separated-values"}  # people mix these names up, and nothing depends on them


def extract(path: Path, *, name: str, content_type: str | None, options: ExtractOptions) -> Extracted:
    """Return the text of the file at `path`; `name` and `content_type` are the uploader's.

    The content decides the format; name and type decide only between formats that look alike, as CSV and
    plain text do. Raises Rejected, and nothing else, for whatever is wrong with the file.
    """
    check_size(path, options.limits.bytes)
    suffix = PurePosixPath(name).suffix.lower()
    declared = (content_type or "").partition(";")[0].strip().lower()
    locked = is_locked(path)
    source = _unlocked(path, options.password) if locked else path
    media_type = sniff(source, suffix=suffix, content_type=declared, limits=options.limits)
    if locked and media_type not in OFFICE:
        raise damaged_document("Office document")
    if media_type in ARCHIVES:
        if not options.archives:
            raise archive_inside()
        return Extracted(media_type, None, None, [])
    if media_type == TEXT:
        extracted = _read_text(path.read_bytes(), suffix, declared, options)
    else:
        module, reader = _READERS[media_type]
        read: Reader = getattr(import_module(module), reader)
        extracted = read(source, options)
    return replace(
        extracted,
        title=_shortened(extracted.title),
        organisation=_shortened(extracted.organisation),
        blocks=list(cut_long(extracted.blocks)),
        warnings=[*extracted.warnings, *_mismatch(extracted.media_type, suffix)],
    )


def _unlocked(path: Path, password: str | None) -> bytes:
    """Decrypt an Office document; in memory, because a process that reads a file may not write one."""
    if not password:
        raise encrypted("Office document", tried=False)
    from msoffcrypto.exceptions import InvalidKeyError
    from msoffcrypto.format.ooxml import OOXMLFile

    package = io.BytesIO()
    try:
        with path.open("rb") as file:
            document = OOXMLFile(file)
            document.load_key(password=password, verify_password=True)
            document.decrypt(package)
    except InvalidKeyError:
        raise encrypted("Office document", tried=True) from None
    except MemoryError:
        raise
    except Exception as error:  # the library raises anything for damaged files
        raise damaged_document("Office document") from error
    return package.getvalue()


def _shortened(stated: str | None) -> str | None:
    """Cut a title to `MAX_STATED` characters, between words: half an address would not be redacted."""
    if stated is None or len(stated) <= MAX_STATED:
        return stated
    return stated[:MAX_STATED].rpartition(" ")[0] or None


def check_size(path: Path, limit: int) -> None:
    """Raises Rejected(`empty`, `too_many_bytes`)."""
    size = path.stat().st_size
    if size == 0:
        raise Rejected("empty", "The file is empty.", "Upload it again; it may have been cut off on its way.")
    if size > limit:
        raise too_many("bytes", f"{size:,} bytes", limit)


def _mismatch(found: str, suffix: str) -> list[str]:
    """Warn if the name promises another format."""
    promised = _PROMISED.get(suffix, found)
    if promised == found or {promised, found} == _TABLES:
        return []
    return [f"the name ends in {suffix}, but the content is {found}"]


def _read_text(data: bytes, suffix: str, content_type: str, options: ExtractOptions) -> Extracted:
    text = decode(data)
    if not text.strip():
        raise no_text("The file holds nothing but white space.", "Check that the right file was uploaded.")
    if len(text) > options.limits.characters:
        raise too_many_characters(options.limits)
    if looks_like_jsonl(text, suffix, content_type):
        return read_jsonl(text, options)
    if looks_like_table(text, suffix, content_type):
        return read_table(text, suffix, options)
    return read_plain(text, "text/markdown" if suffix in _MARKDOWN else "text/plain", options.limits)
