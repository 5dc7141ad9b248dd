"""Mutants by the thousand, each read in a process of its own; the same for the same seed and samples."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from shared.extract.sandbox.client import Sandbox
from shared.extract.sandbox.wire import Task
from shared.extract.shapes import Limits
from shared.intake.read import WARM
from shared.platform.errors import Rejected
from tests.fuzz.corpus import corpus
from tests.fuzz.mutations import mutate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

TARGET = "tests.fuzz.target:read"
SECONDS = 20.0  # of the clock, on a busy machine; a mutant has 300 kB at most
MEMORY = 512 << 20
KEPT = Path("build/fuzz")
BAD = {"extraction_crashed", "too_slow", "too_much_memory"}
"""An error nobody expected, a library's crash, a hang, memory without bound: failures of the reader."""
_LIMITS = Limits(characters=2_000_000, inflated_bytes=32 << 20, rows=20_000, pages=500)


@dataclass(frozen=True, slots=True)
class Mutant:
    """Made from the run's seed and its number alone."""

    number: int
    suffix: str
    data: bytes


@dataclass
class Report:
    """What became of them."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    """Seconds of CPU, and which."""
    largest: tuple[int, str] = (0, "")
    """KiB resident, and which."""


def mutants(seed: int, count: int, formats: Collection[str] = ()) -> Iterator[Mutant]:
    """`count` of them, of all formats in turn, or of those whose suffixes are given."""
    files = {suffix: sound for suffix, sound in corpus().items() if not formats or suffix in formats}
    suffixes = sorted(files)
    for number in range(count):
        random = Random(f"{seed}-{number}")
        suffix = suffixes[number % len(suffixes)]
        other = random.choice(files[random.choice(suffixes)])
        data = mutate(random.choice(files[suffix]), suffix, other, random)
        # A name that lies now and then: content and name disagree in many ways.
        called = suffix if random.random() < 0.9 else random.choice(suffixes)
        yield Mutant(number, called, data)


def fuzz(seed: int, count: int, folder: Path, formats: Collection[str] = ()) -> Report:
    """Read them all; those that fail are kept under build/fuzz, called after the seed and their number."""
    report, sandbox = Report(), Sandbox((*WARM, TARGET.partition(":")[0]))
    path = folder / "mutant"
    for mutant in mutants(seed, count, formats):
        path.write_bytes(mutant.data)
        label = f"{seed}-{mutant.number}{mutant.suffix}"
        outcome, seconds, peak = _read(sandbox, path, mutant.suffix)
        report.outcomes[outcome] += 1
        report.slowest = max(report.slowest, (seconds, label))
        report.largest = max(report.largest, (peak, label))
        if outcome.removeprefix("rejected: ") in BAD:
            report.failures.append(f"{label} {outcome}")
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / label).write_bytes(mutant.data)
    sandbox.stop()
    return report


class _Outcome:
    """Takes what `target.read` says."""

    def __init__(self) -> None:
        self.said: tuple[str, float, int] = ("", 0.0, 0)

    def take(self, piece: bytes) -> None:
        self.said = json.loads(piece)


def _read(sandbox: Sandbox, path: Path, suffix: str) -> tuple[str, float, int]:
    started = time.monotonic()
    arguments = {"name": f"mutant{suffix}", "limits": asdict(_LIMITS)}
    task = Task(TARGET, str(path), arguments, _LIMITS.characters, SECONDS, MEMORY)
    try:
        outcome, seconds, peak = sandbox.run(task, _Outcome)[0].said
    except Rejected as rejected:
        return f"rejected: {rejected.code}", time.monotonic() - started, 0
    return outcome, seconds, peak
