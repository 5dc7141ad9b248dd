"""Where an annotated sentence stands in a file, and how it is cut out of it.

The span never refers to Headrace's own extraction, so a change of that leaves the evaluation set valid. It is
[start, end) in code points of the *raw text of one place*:

- `pdf`: what `page.get_textpage().get_text_range()` of pypdfium2 gives for the page `place`, counted from 1;
- `txt`, `html`: the whole file decoded as UTF-8 with line ends as they are, markup included; `place` is 1;
- `jsonl`: the field `text` of line `place`, counted from 1;
- `tsv`: the fourth field of line `place`, counted from 1; lines end in CRLF and fields are not quoted.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

REVIEW_FIELD = 3
_LINE_END_HYPHEN = "\ufffe"
"""PDFium's mark for a hyphen at a line's end, which may be a syllable break or part of the word."""
_COMPOUND = re.compile(r"\b(long|low|non|self)\ufffe(?=\w{4})", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def sentence(raw: str, suffix: str) -> str:
    """One clean line out of the raw span: what is labelled, embedded and hashed.

    Words broken at a line's end are joined (a hyphen stays only after long, low, non and self), a line break
    becomes a space, runs of white space become one space; HTML loses its tags and its entities are decoded.
    """
    if suffix == "html":
        raw = html.unescape(_TAG.sub(" ", raw))
    raw = _COMPOUND.sub(r"\1-", raw).replace(_LINE_END_HYPHEN, "")
    return " ".join(raw.split())


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a clean sentence."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def raw_places(path: Path, suffix: str, places: Iterable[int]) -> dict[int, str]:
    """Raw text of each asked place of a file of the kind `suffix`; a place it does not have is left out."""
    wanted = sorted(set(places))
    if suffix == "pdf":
        return _pdf_pages(path, wanted)
    content = path.read_bytes().decode("utf-8")
    if suffix == "jsonl":
        lines = content.split("\n")
        return {n: str(json.loads(lines[n - 1])["text"]) for n in wanted if n <= len(lines)}
    if suffix == "tsv":
        rows = content.split("\r\n")
        return {n: rows[n - 1].split("\t")[REVIEW_FIELD] for n in wanted if n <= len(rows)}
    return {1: content}


def _pdf_pages(path: Path, wanted: list[int]) -> dict[int, str]:
    import pypdfium2

    pages: dict[int, str] = {}
    document = pypdfium2.PdfDocument(path)
    try:
        for number in wanted:
            if number > len(document):
                continue
            page = document[number - 1]
            text = page.get_textpage()
            pages[number] = text.get_text_range()
            text.close()
            page.close()
    finally:
        document.close()
    return pages
