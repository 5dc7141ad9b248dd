"""Numbers that stand in no table and no sentence: a large figure above its label, the values of a drawing.

Each is joined with the label that stands nearest, so that what is read says what the number counts.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.extract.pdf.paragraphs import Paragraph

_MAX_NUMBER_WORDS = 6  # of a number that stands alone
_MAX_LABEL_WORDS = 14
_MAX_PARAGRAPHS = 600  # of a page
_NEAR = 1.3  # of the number's height, to its label
_MIN_SENTENCE_WORDS = 7
_MIN_LETTERS = 3
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_]{3,}")


def with_fragments(paragraphs: list[Paragraph]) -> list[Paragraph]:
    """Return the paragraphs of a page with numbers joined to their labels, and all such as fragments."""
    loose = [part for part in paragraphs if part.kind in {"text", "heading"}]
    numbers = [part for part in loose if _is_number(part.text)] if len(loose) <= _MAX_PARAGRAPHS else []
    labels = [part for part in loose if _is_label(part.text)] if numbers else []
    taken: set[int] = set()
    for number in numbers:
        label = _nearest(number, [part for part in labels if id(part) not in taken])
        if label is not None:
            taken.add(id(label))
            number.lines = [*number.lines, *label.lines]
            number.x0, number.x1 = min(number.x0, label.x0), max(number.x1, label.x1)
            number.y0, number.y1 = min(number.y0, label.y0), max(number.y1, label.y1)
        number.kind = "fragment"
    kept = [part for part in paragraphs if id(part) not in taken]
    for part in kept:
        if part.kind == "text" and _DIGIT.search(part.text) and not is_sentence(part.text):
            part.kind = "fragment"
    return kept


def is_sentence(text: str) -> bool:
    """Whether a text reads as a sentence: enough words, or a full stop behind some."""
    words = sum(1 for _ in islice(_WORD.finditer(text), _MIN_SENTENCE_WORDS))
    return words >= _MIN_SENTENCE_WORDS or (
        words >= _MIN_LETTERS and text.endswith((".", "!", "?", ":", ";"))
    )


def _is_number(text: str) -> bool:
    """Whether a number is most of what stands here."""
    return (
        _DIGIT.search(text) is not None
        and len(text.split(None, _MAX_NUMBER_WORDS)) <= _MAX_NUMBER_WORDS
        and len(_WORD.findall(text)) <= 1
    )


def _is_label(text: str) -> bool:
    return (
        len(text.split(None, _MAX_LABEL_WORDS)) <= _MAX_LABEL_WORDS
        and _WORD.search(text) is not None
        and not any(map(str.isdigit, text[:1]))
    )


def _nearest(number: Paragraph, labels: Sequence[Paragraph]) -> Paragraph | None:
    """Return the label nearest to the number: below it, right of it, above it or left of it."""
    height = max(line.height for line in number.lines)
    best: tuple[float, Paragraph] | None = None
    for label in labels:
        aside = max(label.x0 - number.x1, number.x0 - label.x1, 0.0)
        apart = max(label.y0 - number.y1, number.y0 - label.y1, 0.0)
        if aside and apart:
            continue
        distance = apart if not aside else aside + 0.2 * height
        if label.y0 < number.y0 and not aside:
            distance += 0.3 * height  # what stands above heads the whole
        if label.x0 < number.x0 and aside:
            distance += 0.2 * height
        limit = _NEAR * height if not aside else 1.5 * height
        if distance <= limit and (best is None or distance < best[0]):
            best = distance, label
    return best[1] if best is not None else None
