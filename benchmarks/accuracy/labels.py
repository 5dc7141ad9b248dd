"""Labels of passages, each read and judged by itself, with the texts that the repository does not hold."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared.platform.records import SENTIMENTS, TOPICS
from training.targets import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Row = Mapping[str, str]

OPEN = -1
"""What a row does not judge."""


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
    def of(cls, rows: Sequence[Row], texts: Sequence[str]) -> Judged:
        """Read rows as `csv.DictReader` gives them; a column that is missing or empty judges nothing.

        An empty cell of topics says that there is none.
        """

        def places(name: str, labels: Sequence[str]) -> NDArray[np.int8]:
            return np.array([labels.index(row[name]) if row.get(name) else OPEN for row in rows], np.int8)

        topics = np.full((len(rows), len(TOPICS)), OPEN, np.int8)
        for number, row in enumerate(rows):
            if row.get("topics") is not None:
                topics[number] = [name in row["topics"].split(",") for name in TOPICS]
        return cls(
            texts=list(texts),
            topics=topics,
            action=places("action", LABELS["action"]),
            outcome=places("outcome", SENTIMENTS),
            salience=places("salience", "0123"),
            initiative=places("initiative", ("no", "yes")),
            random=np.array([row.get("how") == "random" for row in rows], bool),
        )


def read_rows(path: Path) -> list[dict[str, str]]:
    """The lines of a table with tabs between cells and no quotes; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def text_id(text: str) -> str:
    """How tables of judgements name a text they do not hold: 16 digits of its SHA-256, spaces collapsed."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Passages:
    """What is learnt from and what is asked, of companies kept apart, and what could not be found."""

    learnt: Judged
    asked: Judged
    problems: list[str]


def read_passages(labels: Path, texts: Path) -> Passages | None:
    """Join a table of labels with the texts below the directory `texts`; None where there are neither.

    The development split is left out: what ships was chosen by it.
    """
    known = {
        row["id"]: row["text"]
        for path in sorted(texts.glob("*.tsv"))
        for row in read_rows(path)
        if "text" in row
    }
    rows = read_rows(labels)
    found = [row for row in rows if row["id"] in known]
    if not found:
        return None
    missing = len(rows) - len(found)
    problems = [f"{missing:,} of {len(rows):,} passages have no text below {texts}."] if missing else []
    splits = {
        split: Judged.of(some, [known[row["id"]] for row in some])
        for split in ("train", "test")
        for some in [[row for row in found if row["split"] == split]]
    }
    return Passages(splits["train"], splits["test"], problems)
