"""Fair comparisons on a noisy machine: contestants take turns, and medians are compared."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Samples:
    """What one contestant did, round by round."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    def over(self, other: Samples) -> Ratio:
        """How many times the other's these are."""
        pairs = [mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)]
        return Ratio(self.median / other.median, min(pairs), max(pairs))


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians, and the least and the greatest of the rounds taken by themselves."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1f} {TIMES} ({self.low:.1f}-{self.high:.1f})"


def turns(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Every name once a round; each round starts with another, so that nobody always follows the same."""
    for number in range(rounds):
        shift = number % len(names)
        for name in [*names[shift:], *names[:shift]]:
            yield number, name


def interleave(measures: Mapping[str, Callable[[int], float]], rounds: int) -> dict[str, Samples]:
    """Call every measure once a round with the round's number; the values by name."""
    samples = {name: Samples() for name in measures}
    for number, name in turns(list(measures), rounds):
        samples[name].values.append(measures[name](number))
    return samples


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(round(len(ordered) * share, 6)) - 1)]


def spread(medians: Sequence[float]) -> float:
    """The range of some medians as a share of their middle."""
    return (max(medians) - min(medians)) / statistics.median(medians)
