"""Labels of many examples as arrays, open ones marked, for whatever is trained on them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from model_export.assemble import ACTIONS, SENTIMENTS
from model_export.labelled import PILLARS
from training.corpora import ASPECT_TOPICS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from model_export.labelled import Example

    Floats = NDArray[np.float32]

ASPECTS = tuple(ASPECT_TOPICS)
OPEN = -1


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

    @classmethod
    def of(cls, examples: Sequence[Example], topics: Sequence[str]) -> Self:
        """Collect the labels of `examples`; `topics` gives the order of columns."""
        return cls(
            topics=np.array([_judged(example.topics, topics) for example in examples], np.float32),
            any_of=np.array([[name in example.any_of for name in topics] for example in examples]),
            aspects=np.array([_named(example.aspects) for example in examples], np.float32),
            pillars=np.array([_judged(example.pillars, tuple(PILLARS)) for example in examples], np.float32),
            action=np.array([ACTIONS.index(e.action) if e.action else OPEN for e in examples]),
            not_planned=np.array([example.not_planned for example in examples]),
            sentiment=np.array([SENTIMENTS.index(e.sentiment) if e.sentiment else OPEN for e in examples]),
            polar=np.array([example.polar for example in examples]),
        )

    def rows(self, rows: NDArray[np.intp]) -> Self:
        """The targets of some of the examples, in the order of `rows`."""
        return type(self)(**{item.name: getattr(self, item.name)[rows] for item in dataclasses.fields(self)})


def _judged(labels: dict[str, bool], names: Sequence[str]) -> list[float]:
    return [float(labels[name]) if name in labels else np.nan for name in names]


def _named(aspects: Collection[str] | None) -> list[float]:
    return [np.nan] * len(ASPECTS) if aspects is None else [float(name in aspects) for name in ASPECTS]
