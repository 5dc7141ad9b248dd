"""Render a digest as Markdown, whole or in brief."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.digests.render import outline, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shared.digests.records import Digest, Quote


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
        if followed := outline.followed_line(digest):
            lines.append(f"Announced earlier: {followed}")
        if stopped := digest.overview.stopped:
            lines.append(f"{words.many(stopped, 'document')} did not complete")
    return [_short(words.clean(line), MAX_LINE) for line in lines[:MAX_BRIEF]]


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!$@])")
"""What could begin markup, wherever it stands."""
STARTS = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")
"""What could begin a list or a heading at the start of a line."""
ADDRESSES = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(:)|(\bwww)(\.)")
"""What is made a link without any markup."""
IN_ADDRESS = str.maketrans({"<": "%3C", ">": "%3E", "\\": "%5C", " ": "%20", "|": "%7C"})


def escape(text: str) -> str:
    """Words, whatever they look like."""
    safe = SPECIAL.sub(r"\\\1", words.clean(text))
    safe = ADDRESSES.sub(lambda found: "".join(filter(None, found.groups()))[:-1] + "\\" + found[0][-1], safe)
    return STARTS.sub(lambda found: _escaped_start(found[0]), safe)


def markdown(digest: Digest, link: Callable[[Quote], str]) -> str:
    """The text; `link` is as for the page."""
    scope = f"Times of {digest.zone}. {words.asked(digest.filter)}."
    blocks = [f"# {escape(words.title(digest))}", escape(scope), f"**{escape(digest.line)}**"]
    if not digest.empty:
        writer = _Writer(digest, link)
        blocks += [*writer.numbers(), *writer.initiatives(), *writer.quoted(), *writer.rest()]
    return "\n\n".join(blocks) + "\n"


class _Writer:
    """The sections, each as blocks with an empty line between them."""

    def __init__(self, digest: Digest, link: Callable[[Quote], str]) -> None:
        self.digest, self.link = digest, link

    def numbers(self) -> Iterator[str]:
        digest = self.digest
        tiles = outline.tiles(digest)
        yield _table([tile.name for tile in tiles], [[tile.value for tile in tiles]])
        yield "## What changed"
        compared = outline.changes(digest)
        if moved := outline.movements(digest):
            yield _list(f"{one.sign} {escape(one.sentence)}" for one in moved)
        elif compared:
            yield "Nothing changed by more than chance explains."
        else:
            yield f"There is no earlier {outline.unit(digest)} to compare with."
        if compared:
            yield _table(compared.head, compared.rows)
        if outline.topics(digest):
            table = outline.topic_table(digest)
            yield from ("## Topics and tone", _table(table.head, table.rows))
        if len(digest.trend) > 1:
            table = outline.trend(digest)
            yield from ("## Trend", f"{table.caption}.", _table(table.head, table.rows))
        elif digest.trend:
            yield from ("## Trend", f"This is the first {outline.unit(digest)}; the next one makes a trend.")

    def initiatives(self) -> Iterator[str]:
        digest, doing = self.digest, self.digest.initiatives
        if outline.planned_topics(digest) or doing.groups:
            yield "## Initiatives"
        if outline.planned_topics(digest):
            table = outline.planned(digest)
            yield _table(table.head, table.rows)
        for code, groups in outline.groups(digest).items():
            yield f"### {escape(words.topic(code))}"
            for group in groups:
                yield f"**{escape(group.organisation or 'Documents that name no organisation')}**"
                both = f"{words.count(group.implemented)} implemented, {words.count(group.planned)} planned"
                yield both + ("" if group.quotes else "; none is quoted")
                if group.quotes:
                    yield _list(
                        f"*{name}:* {self._quote(quote)}"
                        for name, _, chosen in outline.split(group)
                        for quote in chosen
                    )
        if doing.groups_left:
            is_are = "is" if doing.groups_left == 1 else "are"
            yield f"{words.many(doing.groups_left, 'more group')} of initiatives {is_are} not listed."
        if doing.followed:
            yield from ("## Announced earlier", escape(outline.followed_line(digest)))
        for one in doing.followed:
            yield f"**{escape(one.organisation)}**: {outline.STATUSES[one.status]}"
            year = f" in {one.before.year}" if one.before.year else ""
            now = self._quote(one.now) if one.now else "nothing like it stands in the newer report."
            yield _list([f"Announced{year}: {self._quote(one.before)}", f"Now: {now}"])

    def quoted(self) -> Iterator[str]:
        digest = self.digest
        for name, quotes in (("Incidents", digest.incidents), ("Good news", digest.positives)):
            if quotes:
                yield from (f"## {name}", self._quotes(quotes))
        if digest.novel:
            yield from ("## New", outline.novel_line(digest))
            yield self._quotes(one.quote for one in digest.novel)
        if digest.summary:
            yield from ("## Summary", self._quotes(digest.summary))
        if digest.narrative:
            yield "## In other words"
            model = escape(digest.narrative.model)
            yield f"*Written by a language model* ({model}) from the quotes that are named."
            yield _list(
                f"{escape(sentence.text)} ({', '.join(self._source(quote) for quote in sentence.cites)})"
                for sentence in digest.narrative.sentences
            )

    def rest(self) -> Iterator[str]:
        digest = self.digest
        late = outline.unfinished(digest)
        if digest.overview.problems or late:
            yield "## Problems"
        if late:
            yield escape(late)
        if digest.overview.problems:
            yield _list(
                f"**{escape(one.name)}** ({one.state}: {escape(one.code)}): {escape(outline.reason(one))}"
                + (f" To try again: {_code(one.replay)}" if one.replay else "")
                for one in digest.overview.problems
            )
        yield "## About this digest"
        yield _list(
            [
                f"Changes: {escape(digest.test)}",
                *(escape(note) for note in digest.notes),
            ]
        )

    def _quotes(self, quotes: Iterable[Quote]) -> str:
        return _list(self._quote(quote) for quote in quotes)

    def _quote(self, quote: Quote) -> str:
        facts = [
            escape(quote.organisation or ""),
            str(quote.year or ""),
            escape(", ".join(words.topic(code) for code in quote.topics)),
            escape("; ".join(words.figures(quote))),
            words.also(quote),
        ]
        return " · ".join([f"“{escape(quote.text)}” {self._source(quote)}", *filter(None, facts)])

    def _source(self, quote: Quote) -> str:
        address = outline.web_address(self.link(quote))
        text = escape(words.source(quote))
        return f"[{text}](<{address.translate(IN_ADDRESS)}>)" if address else text


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell if at == 1 else escape(cell) for cell in line) + " |"
        for at, line in enumerate(lines)
    )


def _code(text: str) -> str:
    """Backticks inside are fenced by more of them."""
    flat = words.clean(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _escaped_start(found: str) -> str:
    return f"\\{found}" if found in "-+=" else f"{found}\\"
