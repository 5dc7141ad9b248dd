"""Read HTML: choose the content of a page and cut it into blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.extract.decode import texts
from shared.extract.facts import holder
from shared.extract.markup.events import HEADINGS, Events, Found, Mark
from shared.extract.refusals import no_text
from shared.extract.shapes import Block, Extracted, has_words
from shared.extract.tables import Tables
from shared.extract.tidy import squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from shared.extract.shapes import ExtractOptions, Limits


_BESIDE = Mark.ASIDE | Mark.HEADER | Mark.SUSPECT
_MAIN_SHARE = 0.25  # of the text not beside the content: a smaller <main> is a shell filled by scripts
_ARTICLE_SHARE = 0.5  # ... smaller articles are teasers
_SUSPECT_SHARE = 0.25  # of a page's text: less is left where a part was wrongly suspected
_MAX_LINKED = 0.6  # of a block's characters
_MAX_LINKED_ROW = 0.95  # ... of a table's row: data often links to its sources
_MAX_NOTICE = 700  # characters of a paragraph that asks about cookies
_MAX_NOTICES = 4  # paragraphs: a page with more is about cookies
_MAX_RIGHTS = 250  # characters
_NOTICE = re.compile(
    r"""(?isx) (?= .* \b cookies? \b ) .* \b
    (?:we|this\ (?:web)?site|our\ (?:web)?sites?|accept|agree|consent|wir|diese\ (?:web)?seite|akzeptieren
    |nous|ce\ site|accepter|utilizziamo|questo\ sito|accetta|utilizamos|este\ sitio) \b"""
)
_RIGHTS = re.compile(r"(?i)(?:\u00a9|\(c\)\s|copyright\b)")


def content(found: Sequence[Found]) -> list[Found]:
    """Return the page's content in reading order, without headings that have no text below them."""
    body = [block for block in found if not block.marks & _BESIDE]
    unless_named = [block for block in found if not block.marks & (_BESIDE & ~Mark.SUSPECT)]
    if _size(body) < _SUSPECT_SHARE * _size(unless_named):
        body = unless_named
    chosen = _chosen(body) if _size(body) else list(found)
    if not any(block.level == 1 for block in chosen):
        chosen = [*_title_beside(found), *chosen]
    notices = sum(map(_is_notice, chosen))
    kept = [
        not _is_furniture(block) and (notices > _MAX_NOTICES or not _is_notice(block)) for block in chosen
    ]
    if not _size(block for block, keep in zip(chosen, kept, strict=True) if keep):
        return chosen
    return _without_empty_sections(chosen, kept)


def _title_beside(found: Sequence[Found]) -> list[Found]:
    """Return the page's title if it stands in a header or above <main>."""
    titles = (block for block in found if block.level == 1 and not block.marks & (Mark.ASIDE | Mark.SUSPECT))
    return [title for title in (next(titles, None),) if title]


def _chosen(body: list[Found]) -> list[Found]:
    """Return what stands in <main>, or else in articles, if that is most of the page."""
    for mark, share in ((Mark.MAIN, _MAIN_SHARE), (Mark.ARTICLE, _ARTICLE_SHARE)):
        marked = [block for block in body if block.marks & mark]
        if _size(marked) > share * _size(body):
            return marked
    return body


def _size(found: Iterable[Found]) -> int:
    """Count the characters of text outside headings and links."""
    return sum(max(len(block.text) - block.linked, 0) for block in found if block.kind != "heading")


def _is_furniture(block: Found) -> bool:
    """Whether this is a link with hardly any text beside it, or a line about rights."""
    if block.kind == "heading":
        return False
    most = _MAX_LINKED_ROW if block.kind == "table" else _MAX_LINKED
    linked = block.linked > most * (len(block.text) - block.text.count(" "))
    return linked or states_rights(block.text)


def states_rights(text: str) -> bool:
    """Whether this line says who owns the page."""
    return len(text) <= _MAX_RIGHTS and _RIGHTS.match(text) is not None


def _is_notice(block: Found) -> bool:
    return (
        block.kind == "text"
        and len(block.text) <= _MAX_NOTICE
        and "ookie" in block.text
        and _NOTICE.match(block.text) is not None
    )


def _without_empty_sections(chosen: list[Found], kept: list[bool]) -> list[Found]:
    """Return what is kept, without the headings that lost all their text."""
    result: list[Found] = []
    lowest = len(HEADINGS) + 1  # the level of headings in preformatted text
    has_text = [False] * (lowest + 1)
    lost_text = [False] * (lowest + 1)
    for block, keep in zip(reversed(chosen), reversed(kept), strict=True):
        if block.kind == "heading":
            level = block.level or lowest
            if has_text[level] or not lost_text[level] or level == 1:
                result.append(block)
            has_text[level:] = lost_text[level:] = [False] * (lowest + 1 - level)
        elif keep:
            result.append(block)
            has_text = [True] * (lowest + 1)
        else:
            lost_text = [True] * (lowest + 1)
    return result[::-1]


_SEPARATOR = re.compile(r"(?<!\s)\s++[|\u2013\u2014\u00b7\u00bb-]\s+|(?:(?<!\s)\s++)?[|\u00bb]\s*")


@dataclass(frozen=True, slots=True)
class Page:
    """A page's content; `site` is the site's stated name, `rights` its © line."""

    title: str | None
    site: str | None
    rights: str | None
    blocks: list[Block]


def read_html(path: Path, options: ExtractOptions) -> Extracted:
    """Return the content of a web page, or of text saved as one, without menus, notices and hidden parts.

    Nothing that the page refers to is fetched. Raises Rejected(`no_text`, `too_many_characters`,
    `too_many_cells`, `too_many_columns`).
    """
    tables = Tables(options.limits)
    with path.open("rb") as file:
        page = read_page(texts(file), options.limits, tables)
    if not has_words(page.blocks):
        raise no_text(
            "The web page holds no words of its own.",
            "If its text is loaded by scripts, save it from a browser as a complete page or as PDF.",
        )
    organisation = (holder(page.rights) if page.rights else None) or page.site
    return Extracted(
        "text/html", page.title, None, page.blocks, organisation=organisation, tables=tables.found
    )


def read_page(pieces: Iterable[str], limits: Limits, tables: Tables) -> Page:
    """Read a page whose markup comes in pieces of any size; add what it holds to `tables`."""
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
    heading = next((block.text for block in found if block.level == 1), None)
    return Page(
        title=_title(events.meta, site, heading),
        site=site,
        rights=next((block.text for block in reversed(events.found) if states_rights(block.text)), None),
        blocks=list(_blocks(found, tables)),
    )


def _blocks(found: Iterable[Found], tables: Tables) -> Iterator[Block]:
    """Yield the content's blocks; a table without a caption has the heading right above it."""
    above: Found | None = None
    for block in found:
        if block.grid is None:
            yield Block(block.text, block.kind)
        else:
            heading = above.text if above and above.kind == "heading" else None
            yield from tables.add(replace(block.grid, caption=block.grid.caption or heading))
        above = block


def _title(meta: dict[str, str], site: str | None, heading: str | None) -> str | None:
    """Return the page's title without the site's name: "Water use | Example plc" is titled "Water use"."""
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
