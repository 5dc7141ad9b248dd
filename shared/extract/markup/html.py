"""Web pages: their content as blocks, and what they say of themselves."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.extract.markup.content import content, states_rights
from shared.extract.markup.encoding import CHUNK, texts
from shared.extract.markup.events import Events
from shared.extract.names import holder
from shared.extract.refusals import no_text
from shared.extract.shapes import Block, Extracted
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shared.extract.shapes import ExtractOptions, Limits

_SURROGATE = re.compile("[\ud800-\udfff]")  # no UTF-8, and so nothing for a C library
_SEPARATOR = re.compile(r"(?<!\s)\s++[|\u2013\u2014\u00b7\u00bb-]\s+|(?:(?<!\s)\s++)?[|\u00bb]\s*")


@dataclass(frozen=True, slots=True)
class Page:
    """A page's content; `site` is the name of the site, where the page states it, `rights` its © line."""

    title: str | None
    site: str | None
    rights: str | None
    blocks: list[Block]


def read_html(path: Path, options: ExtractOptions) -> Extracted:
    """The content of a web page, or of text saved as one; menus, notices and hidden parts are left out.

    Nothing that the page refers to is fetched. Raises Rejected(`no_text`), Rejected(`too_many_characters`).
    """
    with path.open("rb") as file:
        page = read_page(texts(file), options.limits)
    if not has_words(page.blocks):
        raise no_text(
            "The web page holds no words of its own.",
            "If its text is loaded by scripts, save it from a browser as a complete page or as PDF.",
        )
    organisation = (holder(page.rights) if page.rights else None) or page.site
    return Extracted("text/html", page.title, None, page.blocks, organisation=organisation)


def html_blocks(data: bytes | str, limits: Limits) -> tuple[str | None, list[Block]]:
    """The title and the content of a page or a part of one; no blocks where it holds no text.

    Raises Rejected(`too_many_characters`).
    """
    page = read_page(texts(io.BytesIO(data)) if isinstance(data, bytes) else _pieces(data), limits)
    return page.title, page.blocks


def read_page(pieces: Iterable[str], limits: Limits) -> Page:
    """The page whose markup comes in pieces of any size."""
    from lxml import etree

    events = Events(limits)
    parser = etree.HTMLParser(target=events, remove_comments=True, remove_pis=True)
    for piece in pieces:
        if piece:
            parser.feed(piece)
    parser.feed("\n")  # lxml takes offence at nothing at all
    parser.close()
    found = content(events.found)
    site = events.meta.get("og:site_name") or events.meta.get("application-name")
    heading = next((one.text for one in found if one.level == 1), None)
    return Page(
        title=_title(events.meta, site, heading),
        site=site,
        rights=next((one.text for one in reversed(events.found) if states_rights(one.text)), None),
        blocks=[Block(one.text, one.kind) for one in found],
    )


def _title(meta: dict[str, str], site: str | None, heading: str | None) -> str | None:
    """The page's own, without the name of its site: "Water use | Example plc" is titled "Water use"."""
    stated = squeeze(meta.get("og:title") or meta.get("title", ""))
    if not stated:
        return heading
    parts = _SEPARATOR.split(stated)
    if heading and len(parts) > 1 and heading.casefold() in (part.casefold() for part in parts):
        return heading
    if site and len(parts) > 1 and site.casefold() in {parts[0].casefold(), parts[-1].casefold()}:
        found = list(_SEPARATOR.finditer(stated))
        first = parts[0].casefold() == site.casefold()
        return stated[found[0].end() :] if first else stated[: found[-1].start()]
    return stated


def has_words(blocks: Iterable[Block]) -> bool:
    """Is there anything to read?"""
    return any(char.isalnum() for block in blocks for char in block.text)


def _pieces(markup: str) -> Iterator[str]:
    for start in range(0, len(markup), CHUNK):
        yield _SURROGATE.sub("\ufffd", markup[start : start + CHUNK]).replace("\0", "")
