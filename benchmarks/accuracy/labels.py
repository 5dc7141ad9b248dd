"""Labels of passages and sentences, each read and judged by itself, as arrays to measure by."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model_export.labelled import OWN, Example, split_of
from shared.platform.records import SENTIMENTS, TOPICS
from training.passages import PASSAGES, digest, read_passages, read_rows
from training.rows import own_sentences
from training.targets import LABELS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

OPEN = -1
"""What an example does not judge."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Row i belongs to text i; `OPEN` where nothing is known of it."""

    texts: list[str]
    topics: NDArray[np.int8]
    """(n, 10), 1, 0 or `OPEN`."""
    action: NDArray[np.int8]
    """(n,), an index into implemented, planned, none."""
    outcome: NDArray[np.int8]
    """(n,), an index into positive, neutral, negative."""
    salience: NDArray[np.int8]
    """(n,), 0 to 3."""
    initiative: NDArray[np.int8]
    """(n,), 1 or 0."""
    random: NDArray[np.bool_]
    """(n,), drawn at random: what a document looks like. The rest was searched for what is rare."""

    @classmethod
    def of(cls, examples: Sequence[Example], random: Collection[str] = ()) -> Judged:
        """`random` are the hashes of texts that were drawn at random."""

        def place(labels: Sequence[str], label: str | None) -> int:
            return OPEN if label is None else labels.index(label)

        def column(values: Sequence[int | None]) -> NDArray[np.int8]:
            return np.array([OPEN if value is None else value for value in values], np.int8)

        topics = [[example.topics.get(name, OPEN) for name in TOPICS] for example in examples]
        return cls(
            texts=[example.text for example in examples],
            topics=np.array(topics, np.int8).reshape(-1, len(TOPICS)),
            action=column([place(LABELS["action"], example.action) for example in examples]),
            outcome=column([place(SENTIMENTS, example.sentiment) for example in examples]),
            salience=column([example.salience for example in examples]),
            initiative=column([example.initiative for example in examples]),
            random=np.array([digest(example.text) in random for example in examples], bool),
        )


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is learnt from and what is asked, of companies kept apart.

    The development split is left out: what ships was chosen by it.
    """

    learnt: Judged
    passages: Judged
    """Passages of the test split; at their end news and written sentences, judged for the outcome alone."""
    sentences: Judged
    """Sentences of the test split, each judged by itself."""
    missing: int
    """Labels without a text."""


def read_labels(texts: Path) -> Labelled:
    """Join the labels in `model_export/data` with the texts in the folder `texts`."""
    found = read_passages(texts)
    how = {row["id"]: row["how"] for row in read_rows(OWN / PASSAGES)}
    parts: dict[str, list[Example]] = {"learnt": [], "passages": [], "bad news": [], "sentences": []}
    written = [example for example in own_sentences() if example.salience is not None]
    for example in found.examples + written:
        split = split_of(example)
        if split == "train" and example.source != "sentences":
            parts["learnt"].append(example)
        elif split == "test" and example.source == "sentences":
            parts["sentences"].append(example)
        elif split == "test":
            of_report = example.source == "passages" and how[digest(example.text)] != "news"
            parts["passages" if of_report else "bad news"].append(example)
    bad_news = [
        dataclasses.replace(example, topics={}, action=None, salience=None, initiative=None)
        for example in parts["bad news"]
    ]
    random = {name for name, drawn in how.items() if drawn == "random"}
    return Labelled(
        Judged.of(parts["learnt"]),
        Judged.of(parts["passages"] + bad_news, random),
        Judged.of(parts["sentences"]),
        found.missing,
    )
