"""Labels of our own for sentences of public corpora, by hash, without the sentences.

The ESGBERT corpus says of a sentence only that it is about something social, say, and the goals corpus only
that it is a plan. Some of their sentences were read again by the guideline in
`benchmarks/annotations/GUIDELINE.md`; what was found stands in `data/relabelled.tsv`. None is of a test
split.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from model_export.labelled import OWN, PILLARS, Example, exhaustive, split_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.platform.records import ActionLabel, SentimentLabel

RELABELLED = OWN / "relabelled.tsv"


@dataclass(frozen=True, slots=True)
class Labels:
    """What a reader said of one sentence."""

    topics: dict[str, bool]
    action: ActionLabel
    sentiment: SentimentLabel


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Labels by the hash of the text."""

    by_hash: Mapping[str, Labels]

    def applied_to(self, example: Example) -> Example:
        """`example` with our labels where there are some and it is not a test; otherwise as it is.

        Where the corpus says that a pillar is touched and we found none of its topics, or the other way
        round, both readings have something for them: the pillar's topics stay open.
        """
        labels = self.by_hash.get(text_hash(example.text))
        if labels is None or split_of(example) == "test":
            return example
        topics = dict(labels.topics)
        any_of: tuple[str, ...] = ()
        for pillar, touched in example.pillars.items():
            group = PILLARS[pillar]
            if touched != any(labels.topics[name] for name in group):
                topics = {name: present for name, present in topics.items() if name not in group}
                any_of = any_of or (group if touched else ())
        return dataclasses.replace(
            example, topics=topics, any_of=any_of, action=labels.action, sentiment=labels.sentiment
        )


def read_relabelled(path: Path = RELABELLED) -> Relabelled:
    """Read lines of hash, topics (comma-separated, or -), action and sentiment."""
    with path.open(encoding="utf-8", newline="") as file:
        return Relabelled(
            {
                row["text"]: Labels(
                    exhaustive([] if row["topics"] == "-" else row["topics"].split(",")),
                    cast("ActionLabel", row["action"]),
                    cast("SentimentLabel", row["sentiment"]),
                )
                for row in csv.DictReader(file, delimiter="\t")
            }
        )


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
