"""Does the order in which texts arrive change how fast they are done?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.model.contestant import Contestant, ours
from benchmarks.model.stats import Samples, interleave, spread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.model.contestant import Paths

ROUNDS = 5
COUNT = 400
CALL = 64
"""Texts of a call as the analyze function makes them."""


@dataclass(frozen=True)
class Orders:
    """Texts a second by order."""

    at_once: dict[str, Samples]
    by_call: dict[str, Samples]
    """In calls of `CALL` texts, the rest of the texts unknown to the engine."""

    @staticmethod
    def spread(rates: Mapping[str, Samples]) -> float:
        """The range of the medians, as a share of their middle."""
        return spread([samples.median for samples in rates.values()])


def measure(paths: Paths, shipped: Path) -> Orders:
    """The same texts in four orders, in turns."""
    texts = json.loads(paths.texts.read_text("utf-8"))[:COUNT]
    rising = sorted(texts, key=len)
    orders = {
        "as they come": texts,
        "shortest first": rising,
        "longest first": rising[::-1],
        "longest and shortest in turn": [
            text for pair in zip(rising[::-1], rising, strict=True) for text in pair
        ][:COUNT],
    }
    file = paths.texts.with_name("orders.json")
    file.write_text(json.dumps([text for ordered in orders.values() for text in ordered]), "utf-8")
    with Contestant(ours("ours", shipped), file) as contestant:
        contestant.seconds(0, COUNT)

        def rate(start: int, call: int, _: int) -> float:
            return COUNT / contestant.seconds(start, start + COUNT, {"call": call})

        both = interleave(
            {
                f"{call}|{name}": partial(rate, number * COUNT, call)
                for call in (COUNT, CALL)
                for number, name in enumerate(orders)
            },
            ROUNDS,
        )
    return Orders(*({name: both[f"{call}|{name}"] for name in orders} for call in (COUNT, CALL)))
