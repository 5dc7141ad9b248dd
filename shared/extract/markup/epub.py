"""Read EPUB books."""

from __future__ import annotations

import io
import posixpath
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from shared.extract.facts import is_organisation
from shared.extract.markup.html import html_blocks
from shared.extract.office.package import Handlers, scan
from shared.extract.refusals import damaged_document, no_text, too_many_characters
from shared.extract.shapes import Extracted, has_words
from shared.extract.tidy import squeeze
from shared.extract.zips import SafeZip
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

    from shared.extract.office.package import Attributes
    from shared.extract.shapes import Block, ExtractOptions, Limits


_NAMES = {
    "rootfile", "EncryptedData", "EncryptionMethod", "CipherReference", "item", "itemref", "title", "creator",
    "publisher",
}  # fmt: skip
_MAX_BYTES = 8 * 1024 * 1024  # a book of 10,000 chapters takes two million
_MAX_ELEMENTS = 50_000
_MAX_TEXT = 1_000  # characters of a title or a name


@dataclass(slots=True)
class Element:
    """An element by its local name, with its text if it has no child elements."""

    name: str
    attributes: Attributes
    text: str = ""


class _Elements(Handlers):
    """Collects the elements named above, in order; namespaces are ignored."""

    allows_doctype = True

    def __init__(self) -> None:
        self.found: list[Element] = []
        names = [prefix + name for name in _NAMES for prefix in ("", "?:", "dc:")]
        self.starts = {name: partial(self._start, name.rpartition(":")[2]) for name in names}
        self.texts = dict.fromkeys(names, self._set_text)

    def _start(self, name: str, attributes: Attributes) -> None:
        if len(self.found) == _MAX_ELEMENTS:
            raise ValueError("too many elements")
        self.found.append(Element(name, attributes))

    def _set_text(self, text: str) -> None:
        self.found[-1].text = text[:_MAX_TEXT]


_WHAT = "book"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_CHAPTERS = {"application/xhtml+xml", "text/html", "text/x-oeb1-document"}
_MAX_CHAPTER = 64 * 1024 * 1024  # bytes
_FONT_MANGLING = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
"""Algorithms that encrypt only fonts (EPUB 3.3, section 4.4)."""


def read_epub(path: Path, options: ExtractOptions) -> Extracted:
    """Return the text of a book, without its navigation.

    `organisation` is the creator if that is an organisation, else the publisher. Raises Rejected:
    `unreadable_document`, `encrypted` (by copy protection, which no password opens), `no_text`,
    `too_many_characters`, `too_many_rows`, or what SafeZip raises.
    """
    with SafeZip(path, options.limits, options.password) as book:
        _refuse_protected(book, options.limits)
        where = _package_path(book, options.limits)
        package = _elements(book, where, options.limits)
        blocks, missing = _chapters(book, _spine(package, posixpath.dirname(where)), options.limits)
        warnings = list(book.warnings)
    if missing:
        warnings.append(f"chapters that the book names and does not hold: {missing:,}")
    if not has_words(blocks):
        raise no_text("The book holds no words.", "If it consists of pictures, upload it as PDF.")
    creators, publishers = _stated(package, "creator"), _stated(package, "publisher")
    return Extracted(
        "application/epub+zip",
        next(iter(_stated(package, "title")), None),
        None,
        blocks,
        warnings,
        organisation=next((name for name in creators if is_organisation(name)), next(iter(publishers), None)),
    )


def _refuse_protected(book: SafeZip, limits: Limits) -> None:
    """Refuse a book whose text is encrypted, which only the seller's programs open; fonts may be."""
    if _ENCRYPTION not in book.names:
        return
    method = ""
    for element in _elements(book, _ENCRYPTION, limits):
        if element.name == "EncryptedData":
            method = ""
        elif element.name == "EncryptionMethod" and not method:
            method = element.attributes.get("Algorithm", "")
        elif element.name == "CipherReference" and method not in _FONT_MANGLING:
            raise Rejected(
                "encrypted",
                "The book is protected against copying, so that its text cannot be read.",
                "Upload an edition without such protection.",
            )


def _package_path(book: SafeZip, limits: Limits) -> str:
    if _CONTAINER in book.names:
        for element in _elements(book, _CONTAINER, limits):
            path = _resolved("", element.attributes.get("full-path", ""))
            if element.name == "rootfile" and path in book.infos:
                return path
    packages = [name for name in book.names if name.lower().endswith(".opf")]
    if not packages:
        raise damaged_document(_WHAT)
    return packages[0]


def _elements(book: SafeZip, name: str, limits: Limits) -> list[Element]:
    """The elements of a part of the book, which may be of bounded size; raises what reading it does."""
    reader = _Elements()
    scan(io.BytesIO(book.read(name, _MAX_BYTES)), reader, what=_WHAT, limits=limits)
    return reader.found


def _spine(package: list[Element], folder: str) -> list[str]:
    """Names of the chapters in the archive, in reading order, each once."""
    items = {element.attributes.get("id", ""): element for element in package if element.name == "item"}
    order = [
        items[element.attributes["idref"]]
        for element in package
        if element.name == "itemref" and element.attributes.get("idref") in items
    ]
    chapters = [
        _resolved(folder, item.attributes.get("href", ""))
        for item in order
        if item.attributes.get("media-type", "").lower() in _CHAPTERS
        and "nav" not in item.attributes.get("properties", "").split()
    ]
    return list(dict.fromkeys(chapters))


def _chapters(book: SafeZip, chapters: list[str], limits: Limits) -> tuple[list[Block], int]:
    """Return the text of the chapters, and how many of them are missing."""
    blocks: list[Block] = []
    missing = 0
    left = limits.characters
    for name in chapters:
        if name not in book.infos:
            missing += 1
            continue
        found = html_blocks(book.read(name, _MAX_CHAPTER), limits)[1]
        left -= sum(len(block.text) for block in found)
        if left < 0:
            raise too_many_characters(limits)
        blocks += found
    return blocks, missing


def _stated(package: list[Element], name: str) -> list[str]:
    found = (squeeze(element.text) for element in package if element.name == name)
    return [text for text in found if text]


def _resolved(folder: str, reference: str) -> str:
    """Resolve a reference to a name in the archive."""
    path = unquote(reference.split("#", 1)[0])
    return posixpath.normpath(posixpath.join(folder, path)).lstrip("/")
