"""Read EPUB books."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.parsers import expat

from shared.extract.facts import is_organisation
from shared.extract.markup.html import html_blocks
from shared.extract.refusals import damaged_document, no_text, too_many_characters
from shared.extract.shapes import Extracted, has_words
from shared.extract.tidy import squeeze
from shared.extract.zips import SafeZip
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from shared.extract.shapes import Block, ExtractOptions, Limits


_NAMES = {
    "rootfile", "EncryptedData", "EncryptionMethod", "CipherReference", "item", "itemref", "title", "creator",
    "publisher",
}  # fmt: skip
_STEP = 65_536  # bytes
_MAX_BYTES = 8 * 1024 * 1024  # a book of 10,000 chapters takes two million
_MAX_ELEMENTS = 50_000
_MAX_TEXT = 1_000  # characters of a title or a name


@dataclass(slots=True)
class Element:
    """An element by its local name, with its text where it has no other elements in it."""

    name: str
    attributes: dict[str, str]
    text: str = field(default="")


def elements(stream: BinaryIO, what: str) -> Iterator[Element]:
    """The elements that matter, in order; `what` names the kind of document.

    Raises Rejected(`unreadable_document`) for what is not well-formed XML, defines entities or is far too
    large, and what reading the stream does.
    """
    reader = _Reader()
    size = 0
    try:
        while chunk := stream.read(_STEP):
            size += len(chunk)
            reader.parser.Parse(chunk)
            if size > _MAX_BYTES or len(reader.found) > _MAX_ELEMENTS:
                raise damaged_document(what)
        reader.parser.Parse(b"", True)  # noqa: FBT003 - expat's way to say that this is the end
    except (expat.ExpatError, ValueError, LookupError) as error:  # bad XML, entities, unknown encodings
        raise damaged_document(what) from error
    yield from reader.found


class _Reader:
    def __init__(self) -> None:
        self.found: list[Element] = []
        self.parser = expat.ParserCreate(namespace_separator="\n")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._refuse
        self._open = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        self._open = name in _NAMES
        if self._open:
            self.found.append(Element(name, {_local(key): value for key, value in attributes.items()}))

    def _end(self, _tag: str) -> None:
        self._open = False

    def _text(self, text: str) -> None:
        if self._open:
            element = self.found[-1]
            element.text = (element.text + text)[:_MAX_TEXT]

    def _refuse(self, *_: object) -> None:
        raise ValueError("an entity")


def _local(name: str) -> str:
    return name.rpartition("\n")[2]


_WHAT = "book"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_CHAPTERS = {"application/xhtml+xml", "text/html", "text/x-oeb1-document"}
_MAX_CHAPTER = 64 * 1024 * 1024  # bytes
_FONT_MANGLING = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
"""Algorithms that hide fonts alone (EPUB 3.3, section 4.4)."""


def read_epub(path: Path, options: ExtractOptions) -> Extracted:
    """The text of a book; its navigation is left out.

    `organisation` is the creator where that is one, else the publisher. Raises Rejected:
    `unreadable_document`, `encrypted` (by copy protection, which no password opens), `no_text`,
    `too_many_characters`, `too_many_rows`, or what SafeZip does.
    """
    with SafeZip(path, options.limits, options.password) as book:
        _refuse_protected(book)
        where = _package_path(book)
        package = list(_elements(book, where))
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


def _refuse_protected(book: SafeZip) -> None:
    """Fonts may be hidden; a book whose text is, opens in the seller's programs alone."""
    if _ENCRYPTION not in book.names:
        return
    method = ""
    for element in _elements(book, _ENCRYPTION):
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


def _package_path(book: SafeZip) -> str:
    if _CONTAINER in book.names:
        for element in _elements(book, _CONTAINER):
            path = _resolved("", element.attributes.get("full-path", ""))
            if element.name == "rootfile" and path in book.infos:
                return path
    packages = [name for name in book.names if name.lower().endswith(".opf")]
    if not packages:
        raise damaged_document(_WHAT)
    return packages[0]


def _elements(book: SafeZip, name: str) -> Iterator[Element]:
    with book.open(name) as stream:
        yield from elements(stream, _WHAT)


def _spine(package: list[Element], folder: str) -> list[str]:
    """The chapters' names in the archive, in reading order, each once."""
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
    """The text of the chapters, and how many of them are missing."""
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
    """The name in the archive that a reference means."""
    path = unquote(reference.split("#", 1)[0])
    return posixpath.normpath(posixpath.join(folder, path)).lstrip("/")
