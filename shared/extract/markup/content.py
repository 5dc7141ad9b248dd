"""What of a page is its content? Its author's word first, then where the links are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.extract.markup.clues import HEADINGS
from shared.extract.markup.found import Found, Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    """The page's content in reading order, without headings that nothing is left under."""
    body = [one for one in found if not one.marks & _BESIDE]
    unless_named = [one for one in found if not one.marks & (_BESIDE & ~Mark.SUSPECT)]
    if _size(body) < _SUSPECT_SHARE * _size(unless_named):
        body = unless_named
    chosen = _chosen(body) if _size(body) else list(found)
    if not any(one.level == 1 for one in chosen):
        chosen = [*_title_beside(found), *chosen]
    notices = sum(map(_is_notice, chosen))
    kept = [not _is_furniture(one) and (notices > _MAX_NOTICES or not _is_notice(one)) for one in chosen]
    if not _size(one for one, keep in zip(chosen, kept, strict=True) if keep):
        return chosen
    return _without_empty_sections(chosen, kept)


def _title_beside(found: Sequence[Found]) -> list[Found]:
    """The page's title, where it stands in a header or above <main>."""
    titles = (one for one in found if one.level == 1 and not one.marks & (Mark.ASIDE | Mark.SUSPECT))
    return [title for title in (next(titles, None),) if title]


def _chosen(body: list[Found]) -> list[Found]:
    """What stands in <main>, or else in articles, where that is most of it."""
    for mark, share in ((Mark.MAIN, _MAIN_SHARE), (Mark.ARTICLE, _ARTICLE_SHARE)):
        marked = [one for one in body if one.marks & mark]
        if _size(marked) > share * _size(body):
            return marked
    return body


def _size(found: Iterable[Found]) -> int:
    """Characters of text that is neither heading nor link."""
    return sum(max(len(one.text) - one.linked, 0) for one in found if one.kind != "heading")


def _is_furniture(one: Found) -> bool:
    """A link with hardly anything beside it, or a line that says whose the page is."""
    if one.kind == "heading":
        return False
    most = _MAX_LINKED_ROW if one.kind == "table" else _MAX_LINKED
    linked = one.linked > most * (len(one.text) - one.text.count(" "))
    return linked or states_rights(one.text)


def states_rights(text: str) -> bool:
    """A line that says whose the page is."""
    return len(text) <= _MAX_RIGHTS and _RIGHTS.match(text) is not None


def _is_notice(one: Found) -> bool:
    return (
        one.kind == "text"
        and len(one.text) <= _MAX_NOTICE
        and "ookie" in one.text
        and _NOTICE.match(one.text) is not None
    )


def _without_empty_sections(chosen: list[Found], kept: list[bool]) -> list[Found]:
    """What is kept, less the headings that lost all their text."""
    result: list[Found] = []
    lowest = len(HEADINGS) + 1  # the level of headings in preformatted text
    has_text = [False] * (lowest + 1)
    lost_text = [False] * (lowest + 1)
    for one, keep in zip(reversed(chosen), reversed(kept), strict=True):
        if one.kind == "heading":
            level = one.level or lowest
            if has_text[level] or not lost_text[level] or level == 1:
                result.append(one)
            has_text[level:] = lost_text[level:] = [False] * (lowest + 1 - level)
        elif keep:
            result.append(one)
            has_text = [True] * (lowest + 1)
        else:
            lost_text = [True] * (lowest + 1)
    return result[::-1]
