"""Readers of web pages: three that look for the main content, two that read everything."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ingest.readers import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ingest.readers import Load, Read

UNSEEN = ("script", "style", "template", "noscript")  # no text, by anybody's rules


def _of_markup(text: Callable[[str], str]) -> Read:
    return lambda path: Reading(text=text(Path(path).read_text("utf-8")))


def headrace() -> Read:
    from shared.extract.core import extract
    from shared.extract.shapes import ExtractOptions

    for module in ("shared.extract.markup.html", "lxml.etree"):
        import_module(module)

    def read(path: str) -> Reading:
        extracted = extract(Path(path), name=path, content_type=None, options=ExtractOptions())
        return Reading(text="\n".join(block.text for block in extracted.blocks))

    return read


def trafilatura() -> Read:
    library = import_module("trafilatura")
    return _of_markup(lambda markup: library.extract(markup) or "")


def readability() -> Read:
    library = import_module("readability")
    html = import_module("lxml.html")

    def text(markup: str) -> str:
        return "\n".join(html.document_fromstring(library.Document(markup).summary()).itertext())

    return _of_markup(text)


def justext() -> Read:
    library = import_module("justext")
    words = library.get_stoplist("English")

    def text(markup: str) -> str:
        paragraphs = library.justext(markup, words)
        return "\n".join(paragraph.text for paragraph in paragraphs if not paragraph.is_boilerplate)

    return _of_markup(text)


def selectolax() -> Read:
    library = import_module("selectolax.lexbor")

    def text(markup: str) -> str:
        tree = library.LexborHTMLParser(markup)
        tree.strip_tags(list(UNSEEN))
        return str(tree.body.text(separator="\n"))

    return _of_markup(text)


def html5lib() -> Read:
    library = import_module("html5lib")

    def text(markup: str) -> str:
        body = library.parse(markup, treebuilder="etree", namespaceHTMLElements=False).find("body")
        for name in UNSEEN:
            for element in list(body.iter(name)):
                tail = element.tail
                element.clear()
                element.tail = tail
        return "\n".join(body.itertext())

    return _of_markup(text)


READERS: dict[str, Load] = {
    "Headrace": headrace,
    "trafilatura": trafilatura,
    "readability-lxml": readability,
    "justext": justext,
    "selectolax": selectolax,
    "html5lib": html5lib,
}
