"""Every engine on every kind of page."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from statistics import mean
from typing import TYPE_CHECKING, Any, Self

import cv2

from benchmarks.ocr.pages import KINDS, ROOT
from benchmarks.ocr.score import Errors, Placed, compare, total

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.ocr.pages import Kind, Sample


@dataclass(frozen=True, slots=True)
class Outcome:
    """A page by one engine."""

    kind: str
    errors: Errors
    confidence: float
    """Mean over the letters."""
    seconds: float


@dataclass(slots=True)
class Rival:
    """An engine, and what came of it."""

    name: str
    python: Path
    label: str
    outcomes: list[Outcome] = field(default_factory=list)
    loading: float = 0.0
    peak: int = 0

    def errors(self, kind: str) -> Errors:
        return total(outcome.errors for outcome in self.outcomes if outcome.kind == kind)

    @property
    def seconds(self) -> float:
        return mean(outcome.seconds for outcome in self.outcomes)


class Process:
    """A contestant."""

    def __init__(self, rival: Rival) -> None:
        self._process = subprocess.Popen(
            [str(rival.python), "-m", "benchmarks.ocr.contestant", rival.name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        rival.loading = self._hear()["loading"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def read(self, picture: Path, dpi: int) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{dpi} {picture}\n")
        self._process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"an engine's process ended with {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard


def rivals(peers: Path | None) -> Iterator[Rival]:
    """Those that are installed; the others are named."""
    ours = sys.executable
    from pathlib import Path as Location

    yield Rival("headrace", Location(ours), "Headrace")
    yield Rival("rapidocr", Location(ours), "RapidOCR as it comes")
    if peers is not None and peers.exists():
        yield Rival("tesserocr", peers.absolute(), "Tesseract, from PyPI (tesserocr)")
    else:
        print("tesserocr: left out, since its environment is not there", file=sys.stderr)
    if shutil.which("tesseract"):
        yield Rival("tesseract", Location(ours), "Tesseract, from Debian")
    else:
        print("tesseract: left out, since Debian's package is not installed", file=sys.stderr)


def measure(rival: Rival, folder: Path, kinds: tuple[Kind, ...] = KINDS, dpi: int | None = None) -> None:
    """Have it read all pages, one at a time, in one warm process."""
    with Process(rival) as process:
        for kind in kinds:
            for sample in kind.samples(dpi):
                path = folder / "page.pgm"
                cv2.imwrite(str(path), sample.picture)
                answer = process.read(path, sample.dpi)
                rival.outcomes.append(_outcome(kind, sample, answer, level=rival.name == "headrace"))
                rival.peak = answer["peak"]
            print(f"{rival.name}, {kind.name}: {100 * rival.errors(kind.name).rate:.2f}%", flush=True)


def _outcome(kind: Kind, sample: Sample, answer: dict[str, Any], *, level: bool) -> Outcome:
    high, wide = sample.picture.shape if not kind.turns % 2 else sample.picture.shape[::-1]
    tilt = 0.0 if level else sample.tilt
    pieces = [_levelled(piece, tilt, wide, high) for piece in answer["pieces"]]
    letters = sum(len(piece[0]) for piece in answer["pieces"])
    sure = sum(len(piece[0]) * piece[5] for piece in answer["pieces"])
    return Outcome(kind.name, compare(sample.lines, pieces), sure / max(1, letters), answer["seconds"])


def _levelled(piece: list[Any], tilt: float, wide: int, high: int) -> Placed:
    """Where it would stand on the page before that was tilted, so that a tilt costs only what it spoils."""
    text, left, top, right, bottom, _ = piece
    x, y = (left + right) / 2 - wide / 2, (top + bottom) / 2 - high / 2
    turn = math.radians(-tilt)
    x, y = (
        x * math.cos(turn) - y * math.sin(turn) + wide / 2,
        x * math.sin(turn) + y * math.cos(turn) + high / 2,
    )
    across, down = (right - left) / 2, (bottom - top) / 2
    if tilt:  # the box around a tilted line is higher than the line
        down = max(down - abs(math.tan(turn)) * across, down / 4)
    return Placed(text, (x - across) / wide, (y - down) / high, (x + across) / wide, (y + down) / high)
