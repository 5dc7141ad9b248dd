"""A digest in a few plain lines: a subject, and what stands in a message before the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.forms import outline, words

if TYPE_CHECKING:
    from shared.digests.records import Digest

MAX_HEADLINE = 120
MAX_BRIEF = 6
MAX_MOVEMENTS = 2
MAX_LINE = 300


def headline(digest: Digest) -> str:
    """At most `MAX_HEADLINE` characters: what it is, and how much came in."""
    if digest.empty:
        return _short(f"{words.title(digest)}: nothing to tell", MAX_HEADLINE)
    parts = [words.many(digest.overview.completed, "document")]
    if moved := len(outline.movements(digest)):
        parts.append(words.many(moved, "change"))
    if stopped := digest.overview.stopped:
        parts.append(words.many(stopped, "problem"))
    if waiting := digest.overview.waiting:
        parts.append(f"{words.count(waiting)} waiting")
    return _short(f"{words.title(digest)}: {', '.join(parts)}", MAX_HEADLINE)


def brief(digest: Digest) -> list[str]:
    """At most `MAX_BRIEF` lines, the most telling first."""
    lines = [digest.line]
    if not digest.empty:
        lines += [f"{one.sign} {one.sentence}" for one in outline.movements(digest)[:MAX_MOVEMENTS]]
        doing = digest.initiatives
        if doing.implemented or doing.planned:
            both = f"{words.count(doing.implemented)} implemented, {words.count(doing.planned)} planned"
            lines.append(f"Initiatives: {both}")
        if told := outline.followed_line(digest):
            lines.append(f"Announced earlier: {told}")
        if stopped := digest.overview.stopped:
            lines.append(f"{words.many(stopped, 'document')} did not complete")
    return [_short(words.clean(line), MAX_LINE) for line in lines[:MAX_BRIEF]]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
