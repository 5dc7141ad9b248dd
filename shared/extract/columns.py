"""Which column of a table, or field of a record, holds the text, and which one a label of it?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.extract.tidy import squeeze
from shared.platform.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WELL_KNOWN = (
    "text", "full_text", "review", "review_text", "reviewtext", "verified_reviews", "reviews", "review_body",
    "comment", "comments", "body", "content", "sentence", "sentences", "passage", "paragraph", "message",
    "feedback", "description", "answer", "response", "tweet", "headline",
)  # fmt: skip
"""Names a text column usually has, best first."""

SAMPLE_ROWS = 500
"""Rows looked at to judge a column by its content."""

_LABELS = (
    "label", "labels", "sentiment", "polarity", "rating", "ratings", "stars", "score", "class", "category",
    "target", "topic", "grade", "overall", "feedback",
)  # fmt: skip
"""Names a column of labels or ratings has, alone or as the last word of several, best first."""
_MAX_LABEL = 40  # characters
_MAX_LABELS = 25  # different ones in the sample
_MIN_REPEATED = 20  # rows from which on labels must repeat

_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\W\\d_]{2,}")  # a character of Chinese is a word
_MIN_WORDS = 1.5  # mean words a filled cell: below it a column of a well-known name holds labels, not text


def find_text_column(wanted: str | None, columns: Mapping[str, Sequence[str]]) -> str:
    """The name of the column that holds the text; `columns` maps names to a sample of their cells.

    A wanted name is found whatever its case. Otherwise well-known names are tried in order, each believed
    only if its cells hold words (a `feedback` of 0 and 1 is a label); then the column with the longest text.
    Raises Rejected(`text_column_not_found`).
    """
    folded: dict[str, str] = {}
    for name in columns:
        folded.setdefault(fold(name), name)
    if wanted is not None:
        if wanted in columns:
            return wanted
        if fold(wanted) in folded:
            return folded[fold(wanted)]
        raise _not_found(f'There is no column named "{wanted}"', columns)
    for name in WELL_KNOWN:
        if name in folded and _mean_words(columns[folded[name]]) >= _MIN_WORDS:
            return folded[name]
    means = {name: _mean_words(cells) for name, cells in columns.items()}
    best = max(means, key=lambda name: means[name], default=None)
    if best is None or means[best] < 1:
        raise _not_found("No column holds text", columns)
    return best


def find_label_column(columns: Mapping[str, Sequence[str]], text_column: str) -> str | None:
    """The name of the column with a label or a rating of each text; `columns` maps names to samples of cells.

    Its name says so, and its cells are short and of few kinds.
    """
    for wanted in _LABELS:
        for name, cells in columns.items():
            called = fold(name)
            if (
                name != text_column
                and (called == wanted or called.endswith(f"_{wanted}"))
                and _are_labels(cells)
            ):
                return name
    return None


def as_label(cell: str) -> str | None:
    """A label as it is kept beside a row; None where there is none, or a text in its place."""
    label = squeeze(cell)
    return label if 0 < len(label) <= _MAX_LABEL else None


def _are_labels(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    kinds = set(filled)
    return (
        0 < len(kinds) <= _MAX_LABELS
        and max(map(len, kinds)) <= _MAX_LABEL
        and (len(filled) < _MIN_REPEATED or len(kinds) <= len(filled) // 2)
    )


def fold(name: str) -> str:
    """A column's name as it is compared: lower case, words joined by underscores."""
    return re.sub(r"[\s\-]+", "_", name.strip().lower())


def _mean_words(cells: Sequence[str]) -> float:
    filled = [cell for cell in cells if cell.strip()]
    return sum(len(_WORD.findall(cell)) for cell in filled) / len(filled) if filled else 0.0


def _not_found(what: str, columns: Mapping[str, object]) -> Rejected:
    shown = ", ".join(f'"{name[:40]}"' for name in list(columns)[:12])
    return Rejected(
        "text_column_not_found",
        f"{what}; the file has: {shown or 'no columns'}.",
        "Name the one that holds the text, with --text-column, or as text-column in the object's metadata.",
    )
