"""The small XML files that say what is in a book: expat, no document type that defines entities, no tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from shared.extract.refusals import damaged_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

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
