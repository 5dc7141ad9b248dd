"""The documents whose text can only be recognised, from file to text: there is no original to compare with.

What can be said without one: how many of the words are words, that is, occur in the sound samples.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from itertools import islice
from statistics import mean
from typing import TYPE_CHECKING

from benchmarks.ocr.pages import SAMPLES
from long_job.ocr.recogniser import Recogniser
from shared.extract.core import extract
from shared.extract.shapes import ExtractOptions
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDING = (
    "pdf/scan_like_reply_8p.pdf",
    "pdf/sap_diversity_2023_web_print.pdf",
    "pdf/sap_integrated_web_print.pdf",
    "pdf/sustainability_report_2017_gr133.pdf",
    "tricky/complex_ttf_font.pdf",
    "tricky/linn.pdf",
    "tricky/malformed-from-issue-932.pdf",
    "tricky/type3_font_nomapping.pdf",
)
MOST_PAGES = 4
_WORD = re.compile(r"[^\W\d_]{4,}")
_SOUND = 12  # samples give the vocabulary


@dataclass(frozen=True, slots=True)
class Recognised:
    """A document after recognition; `known` is the share of its words of four letters and more."""

    name: str
    pages: int
    blocks: int
    words: int
    known: float
    confidence: float
    seconds: float
    """Wall time a page, with all workers."""
    outcome: str


def documents() -> Iterator[Recognised]:
    known = _vocabulary()
    recogniser = Recogniser()
    for name in NEEDING:
        yield _document(recogniser, SAMPLES / name, known)
    recogniser.close()


def _document(recogniser: Recogniser, path: Path, known: set[str]) -> Recognised:
    needed = extract(
        path, name=path.name, content_type=None, options=ExtractOptions(defer_ocr=True)
    ).ocr_pages
    start = time.monotonic()
    pages = {page.page: page for page in recogniser.recognise(path, needed[:MOST_PAGES])}
    seconds = (time.monotonic() - start) / len(pages)
    confidence = [page.confidence for page in pages.values() if page.confidence is not None]
    options = ExtractOptions(recognised=pages)
    try:
        extracted = extract(path, name=path.name, content_type=None, options=options)
    except Rejected as rejected:
        return Recognised(path.name, len(pages), 0, 0, 0.0, mean(confidence or [0.0]), seconds, rejected.code)
    words = _words(" ".join(block.text for block in extracted.blocks if block.page in pages))
    share = sum(word in known for word in words) / max(1, len(words))
    return Recognised(
        path.name,
        len(pages),
        len(extracted.blocks),
        len(words),
        share,
        mean(confidence or [0.0]),
        seconds,
        "read",
    )


def _vocabulary() -> set[str]:
    """The words of sound reports and texts."""
    sound = (path for path in sorted(SAMPLES.glob("pdf/*.pdf")) if f"pdf/{path.name}" not in NEEDING)
    texts = (extract(path, name=path.name, content_type=None, options=ExtractOptions()) for path in sound)
    return {word for text in islice(texts, _SOUND) for block in text.blocks for word in _words(block.text)}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
