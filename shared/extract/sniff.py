"""Find a file's format by its content; name and declared type decide only between formats that look alike.

A few dozen comparisons of the first bytes, and a look into a ZIP's directory, tell apart what Headrace reads.
A model that knows two hundred more formats would cost every cold start more than that is worth.
"""

from __future__ import annotations

import mmap
import re
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

from shared.extract.refusals import old_office, unsupported
from shared.extract.zips import GZIP, ZIP, SafeZip, opened

if TYPE_CHECKING:
    from pathlib import Path

    from shared.extract.shapes import Limits
    from shared.extract.zips import Source

PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = f"{_OFFICE}wordprocessingml.document"
PPTX = f"{_OFFICE}presentationml.presentation"
XLSX = f"{_OFFICE}spreadsheetml.sheet"
OFFICE = frozenset({DOCX, PPTX, XLSX})
HTML = "text/html"
EML = "message/rfc822"
TEXT = "text/plain"
"""Any text but HTML and mail: also a table, JSON, Markdown."""

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGE = "EncryptedPackage".encode("utf-16-le")  # a stream in an OLE file (MS-OFFCRYPTO)
HEAD = 1024
"""The first bytes of a file; a PDF's header may stand anywhere in them (ISO 32000-1, annex H.3.4.1)."""
_HEADERS = 8_192  # bytes: a message's routing may be long

_PDF_OBJECT = re.compile(rb"\d{1,10} \d{1,5} obj\b")  # of a PDF that has lost its header
_MAGIC = {
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"{\\rtf": "an RTF document",
    b"%!PS": "a PostScript file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"ID3": "an audio file",
    b"OggS": "an audio file",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
    b"SQLite format 3\x00": "a database",
    b"PAR1": "a Parquet file",
    b"!<arch>\n": "a library, or a Debian package",
}
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_TAR = (257, b"ustar")
_PARTS = {"word/": DOCX, "ppt/": PPTX, "xl/": XLSX}
_HTML_START = re.compile(
    rb"(?i)(?:<\?xml[^>]*>\s*)?(?:<!--(?>[\s\S]*?-->)\s*)*+<(?:!doctype\s+html|html|head|body)\b"
)
_TAG = re.compile(rb"(?i)<(?:!doctype|html|head|body|div|p|h[1-6]|table|article|section|span|ul)\b")
_HTML_SUFFIXES = {".html", ".htm", ".xhtml"}
_XML_START = re.compile(rb"(?i)<\?xml|<svg\b")
_HEADER_LINE = re.compile(rb"[!-9;-~]{2,64}:[ \t]")
_OF_MAIL = {
    "from", "to", "subject", "date", "received", "message-id", "mime-version", "return-path", "delivered-to",
}  # fmt: skip
_LEAST_OF_MAIL = 3  # such headers; a note may well begin with two lines of the kind


def is_locked(path: Path) -> bool:
    """Whether the file is a current Office document with a password; old Office documents begin alike."""
    with path.open("rb") as file:
        if file.read(len(OLE)) != OLE:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(_PACKAGE) >= 0  # the directory may lie anywhere in the file


def sniff(source: Source, *, suffix: str, content_type: str, limits: Limits) -> str:
    """Return the media type of a file that is not empty; every kind of text but HTML and mail is `TEXT`.

    `suffix` of the file's name, with its dot, and the declared `content_type` are in lower case.

    Raises:
        Rejected: `unsupported_type`, `unreadable_archive`, `unsafe_archive`, `too_many_members`.
    """
    with opened(source) as file:
        head = file.read(_HEADERS)
    start = head[:HEAD]
    found = _PDF_OBJECT.search(start)
    if b"%PDF-" in start or (found and b"endobj" in start[found.end() :]):
        return PDF
    if head.startswith(_ZIPS):
        return _zipped(source, limits)
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head.startswith(OLE):
        raise old_office()
    if head[_TAR[0] :].startswith(_TAR[1]):
        raise unsupported("a tar archive")
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise unsupported(what)
    return _marked_up(head, suffix, content_type)


def _marked_up(head: bytes, suffix: str, content_type: str) -> str:
    plain = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")  # of UTF-16 the ASCII is enough
    called_html = suffix in _HTML_SUFFIXES or content_type.startswith(("text/html", "application/xhtml"))
    if _HTML_START.match(plain) or (called_html and _TAG.search(plain)):
        return HTML
    if _XML_START.match(plain):
        raise unsupported("an SVG image" if b"<svg" in plain[:HEAD] else "an XML file")
    return EML if _is_mail(plain, suffix, content_type) else TEXT


def _zipped(source: Source, limits: Limits) -> str:
    """Return the media type of a ZIP by the names of its files."""
    with SafeZip(source, limits) as archive:
        names = set(archive.names)
    if "META-INF/container.xml" in names:
        raise unsupported("an EPUB book")
    if "[Content_Types].xml" in names:
        for beginning, media_type in _PARTS.items():
            if any(name.startswith(beginning) for name in names):
                if "xl/workbook.bin" in names:
                    raise unsupported("a binary Excel workbook (.xlsb)")
                return media_type
    if "content.xml" in names and "META-INF/manifest.xml" in names:
        raise unsupported("an OpenDocument file")
    return ZIP


def _is_mail(plain: bytes, suffix: str, content_type: str) -> bool:
    if not _HEADER_LINE.match(plain):
        return False
    headers = {name.lower() for name in BytesHeaderParser().parsebytes(plain).keys()}  # noqa: SIM118 - no mapping
    called_mail = suffix == ".eml" or content_type.startswith(EML)
    return len(headers & _OF_MAIL) >= (1 if called_mail else _LEAST_OF_MAIL)
