"""Which column of a table, or field of a record, holds the text?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.errors import Rejected

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
        "Name the column that holds the text in the object's metadata, as text-column.",
    )
