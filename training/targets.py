"""Labels of many examples as arrays, open ones marked, for whatever is trained on them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.heads import LEVELS
from model_export.labelled import PILLARS
from training.corpora import ASPECT_TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model_export.heads import HeadName
    from model_export.labelled import Example

    Floats = NDArray[np.float32]

ASPECTS = tuple(ASPECT_TOPICS)
OPEN = -1
LABELS: dict[HeadName, tuple[str, ...]] = {
    "action": ACTIONS,
    "sentiment": SENTIMENTS,
    "salience": tuple(f"salience {level} and more" for level in LEVELS),
    "initiative": ("an initiative",),
}
"""What heads but that of the topics tell apart, for people."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Row i belongs to example i; nan and `OPEN` mean that nothing is known."""

    topics: Floats
    """(n, topics), 1, 0 or nan."""
    any_of: NDArray[np.bool_]
    """(n, topics): at least one of these applies."""
    aspects: Floats
    """(n, 10), 1, 0 or nan."""
    pillars: Floats
    """(n, 3), 1, 0 or nan."""
    action: NDArray[np.int64]
    """(n,), an index into `ACTIONS`, or `OPEN`."""
    not_planned: NDArray[np.bool_]
    """(n,), `action` is open but is not `planned`."""
    sentiment: NDArray[np.int64]
    """(n,), an index into `SENTIMENTS`, or `OPEN`."""
    polar: NDArray[np.bool_]
    """(n,), neutral was not on offer."""
    salience: Floats
    """(n,), from 0 to 3, or nan."""
    initiative: Floats
    """(n,), 1, 0 or nan."""

    @classmethod
    def of(cls, examples: Sequence[Example], topics: Sequence[str]) -> Self:
        """Collect the labels of `examples`; `topics` gives the order of columns."""

        def judged(labels: Sequence[dict[str, bool]], names: Sequence[str]) -> Floats:
            return np.array([[row.get(name, np.nan) for name in names] for row in labels], np.float32)

        aspects = [
            {} if e.aspects is None else {name: name in e.aspects for name in ASPECTS} for e in examples
        ]
        return cls(
            topics=judged([example.topics for example in examples], topics),
            any_of=np.array([[name in example.any_of for name in topics] for example in examples]),
            aspects=judged(aspects, ASPECTS),
            pillars=judged([example.pillars for example in examples], tuple(PILLARS)),
            action=np.array([ACTIONS.index(e.action) if e.action else OPEN for e in examples]),
            not_planned=np.array([example.not_planned for example in examples]),
            sentiment=np.array([SENTIMENTS.index(e.sentiment) if e.sentiment else OPEN for e in examples]),
            polar=np.array([example.polar for example in examples]),
            salience=np.array([np.nan if e.salience is None else e.salience for e in examples], np.float32),
            initiative=np.array(
                [np.nan if e.initiative is None else e.initiative for e in examples], np.float32
            ),
        )

    def rows(self, rows: NDArray[np.intp]) -> Self:
        """The targets of some of the examples, in the order of `rows`."""
        return type(self)(**{item.name: getattr(self, item.name)[rows] for item in dataclasses.fields(self)})

    def judged(self, name: HeadName) -> NDArray[np.bool_]:
        """Which examples say anything that head `name` can learn from without a partial loss."""
        if name == "topic":
            return np.asarray((~np.isnan(self.topics) | self.any_of).any(axis=1))
        if name == "salience":
            return ~np.isnan(self.salience)
        if name == "initiative":
            return ~np.isnan(self.initiative)
        known: NDArray[np.bool_] = self.labels(name) != OPEN
        return known & ~self.polar if name == "sentiment" else known

    def labels(self, name: HeadName) -> NDArray[np.int64]:
        """(n,), the label that an exclusive head chooses, or `OPEN`."""
        return self.action if name == "action" else self.sentiment

    def known(self, name: HeadName) -> Floats:
        """(n, labels): 1, 0 or nan; of an exclusive head, one-hot rows."""
        if name == "topic":
            return self.topics
        if name == "salience":
            levels = self.salience[:, None] >= np.array(LEVELS)
            return np.where(np.isnan(self.salience)[:, None], np.nan, levels).astype(np.float32)
        if name == "initiative":
            return self.initiative[:, None]
        return np.eye(len(LABELS[name]), dtype=np.float32)[np.maximum(self.labels(name), 0)]


@dataclass(frozen=True, slots=True)
class Corpus:
    """All texts, the user's first, with what is known of them."""

    examples: list[Example]
    targets: Targets
    topics: tuple[str, ...]
    users: NDArray[np.bool_]
    held: NDArray[np.bool_]

    def learnt(self, name: HeadName) -> NDArray[np.bool_]:
        """Rows to learn head `name` from."""
        return ~self.held & self.targets.judged(name)
