"""Which key facts of a report its summary has, beside summaries of the same length by other methods.

For each report, facts were written down before any summary was read: what a brief of one page would surely
have. A fact is found if all its tokens stand in one sentence of the summary, or in two neighbouring ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.accuracy.documents import prose
from training.passages import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FACTS = Path(__file__).parent / "data" / "facts.tsv"
LENGTH = 8
"""Sentences of a summary."""
_PERCENT = re.compile(r"(?<=\d)\s?(?:percent|per cent|%)")


@dataclass(frozen=True, slots=True)
class Fact:
    """What a brief would have of a report."""

    document: str
    fact: str
    tokens: tuple[re.Pattern[str], ...]
    """All of them are needed."""


def read_facts(path: Path = FACTS) -> list[Fact]:
    """In the file, `;` separates tokens and `|` alternatives of one."""
    return [
        Fact(row["document"], row["fact"], tuple(map(_pattern, row["tokens"].split(";"))))
        for row in read_rows(path)
    ]


def _pattern(token: str) -> re.Pattern[str]:
    """Whole numbers, and words by how they begin."""
    choices = []
    for choice in token.split("|"):
        before = r"(?<![^\W_])(?<!\d[.,])" if choice[0].isalnum() else ""
        after = r"(?![.,]?\d)" if choice[-1].isdigit() else ""
        choices.append(before + re.escape(choice) + after)
    return re.compile("|".join(choices))


def is_found(fact: Fact, summary: Sequence[str]) -> bool:
    """Whether one sentence of the summary, or two neighbouring ones, have all tokens of the fact."""
    plain = [_PERCENT.sub("%", " ".join(sentence.lower().split())) for sentence in summary]
    windows = [*plain, *(f"{left} {right}" for left, right in pairwise(plain))]
    return any(all(token.search(window) for token in fact.tokens) for window in windows)


def best_possible(facts: Sequence[Fact], sentences: Sequence[str], length: int) -> list[str]:
    """Sentences that together have the most facts: each time the one that adds most."""
    covers = {text: {fact for fact in facts if is_found(fact, [text])} for text in sentences}
    chosen: list[str] = []
    covered: set[Fact] = set()
    while covers and len(chosen) < length:
        best = max(covers, key=lambda text: len(covers[text] - covered))
        covered |= covers.pop(best)
        chosen.append(best)
    return chosen


def table(analyses: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: facts found in each report's summary, and in those of other methods."""
    from benchmarks.accuracy.rankers import lex_rank, text_rank

    facts: dict[str, list[Fact]] = {}
    for fact in read_facts():
        if fact.document in analyses:
            facts.setdefault(fact.document, []).append(fact)
    if not facts:
        return ""
    rows = []
    methods: dict[str, list[str]] = {}
    for document, wanted in facts.items():
        sentences = prose(analyses[document])
        methods = {
            "ours": [sentence["text"] for sentence in analyses[document]["document"]["summary"]],
            "lead": sentences[:LENGTH],
            "TextRank": text_rank(sentences, LENGTH),
            "LexRank": lex_rank(sentences, LENGTH),
            "best possible": best_possible(wanted, sentences, LENGTH),
        }
        rows.append(
            [len(wanted), *(sum(is_found(fact, text) for fact in wanted) for text in methods.values())]
        )
    count, *found = map(sum, zip(*rows, strict=True))
    lines = [
        "| | facts | goal | " + " | ".join(methods) + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(methods),
        f"| key facts found, share | {count} | 0.45 | "
        + " | ".join(f"{x / count:.3f}" for x in found)
        + " |",
    ]
    for document, (number, *numbers) in zip(facts, rows, strict=True):
        lines.append(f"| {document}, number | {number} | | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines)
