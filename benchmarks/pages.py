"""Images of pages, and the places of passages on them: how many are right, and what each takes.

    python -m benchmarks.pages [FOLDER]

Reads every PDF of the folder, by default those of `../shared/data/samples/pdf`, places every passage on its
page, and asks pdfium, by another way, which letters stand in the boxes. A passage is placed right if its
boxes, there and where it ends on the next page, hold at least 95% of its letters, and 25% of others at most:
pdfium counts the letters that touch a box.
Draws every tenth page. Times are of a process as the console has it, without the network.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import pypdfium2

from local.services import ROOT
from shared.extract.sandbox import Task
from shared.extract.sandbox.client import Sandbox
from shared.intake import pages
from shared.intake.read import read_file
from shared.platform.errors import Rejected
from shared.platform.settings import settings
from shared.text.privacy import PSEUDONYM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.platform.records import Passage

SAMPLES = ROOT.parent / "shared/data/samples/pdf"
WIDTH = 1200
EVERY = 10
"""Pages of which one is drawn."""
HELD, OTHER = 0.95, 0.25
Boxes = list[list[float]]
_SLICE = 0.2  # of a box's height, around its middle: the boxes of close lines overlap


class _Pieces:
    """What the process sends, as it is."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def take(self, piece: bytes) -> None:
        self.sent.append(json.loads(piece))


class Measured:
    """What was found so far."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(pages.WARM)
        self.kinds: Counter[str] = Counter()
        self.placed: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.seconds: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """Wall time and processor time."""
        self.bytes: list[int] = []

    def ask(self, function: str, path: Path, arguments: dict[str, Any]) -> list[Any]:
        """Let the confined process do its work, as `shared.intake.pages` does."""
        task = Task(
            function,
            str(path),
            {"password": None} | arguments,
            pages.MAX_IMAGE_BYTES,
            pages.PAGE_SECONDS,
            pages.PAGE_MEMORY,
        )
        started = time.monotonic()
        pieces, cpu = self.sandbox.run(task, _Pieces)
        self.seconds[function].append((time.monotonic() - started, cpu))
        return pieces.sent

    def document(self, path: Path) -> None:
        """Place all passages of a document, and draw some of its pages."""
        by_page = _by_page(path)
        text = pypdfium2.PdfDocument(path)
        placed: dict[int, tuple[str, Boxes, Counter[str]]] = {}
        for page, passages in by_page.items():
            before = [one for one in by_page.get(page - 1, []) if one.kind == "text"][-1:]
            asked = [pages.asked(one.model_dump(), page) for one in (*passages, *before)]
            found = self.ask(pages.PLACE, path, {"page": page, "read": True, "passages": asked})
            for passage, boxes in zip((*passages, *before), found, strict=True):
                letters = _letters_in(text[page - 1], boxes)
                if passage.page == page:
                    placed[passage.index] = passage.kind, boxes, letters
                else:
                    placed[passage.index][2].update(letters)
            if page % EVERY == 0:
                drawn = {"page": page, "width": WIDTH, "pixels": pages.MAX_PIXELS}
                [[_, _, image]] = self.ask(pages.DRAW, path, drawn)
                self.bytes.append(len(base64.b64decode(image)))
        texts = {one.index: one.text for some in by_page.values() for one in some}
        for index, (kind, boxes, letters) in placed.items():
            self.kinds[kind] += 1
            self.placed[kind] += bool(boxes)
            self.right[kind] += _is_right(texts[index], letters)

    def lines(self) -> Iterator[str]:
        """Yield what to print."""
        for kind, count in self.kinds.most_common():
            held = "" if kind == "row" else f", right {self.right[kind] / count:.2%}"  # a row's has its heads
            yield f"{kind}: {count:,} passages, placed {self.placed[kind] / count:.2%}{held}"
        for function, taken in self.seconds.items():
            wall, cpu = ([1000 * one[at] for one in taken] for at in (0, 1))
            yield (
                f"{function}: {len(taken):,} pages, p50 {median(wall):.0f} ms, p95 {_p95(wall):.0f} ms; "
                f"of the processor p50 {median(cpu):.0f} ms, p95 {_p95(cpu):.0f} ms"
            )
        sizes = [size / 1000 for size in self.bytes]
        yield f"images {WIDTH} pixels wide: p50 {median(sizes):.0f} kB, p95 {_p95(sizes):.0f} kB"


def _by_page(path: Path) -> dict[int, list[Passage]]:
    limits = settings().for_job()
    reading = read_file(
        path,
        name=path.name,
        content_type=None,
        metadata={},
        tokenizer=ROOT / limits.model_dir / "tokenizer.json",
        redaction_key=b"the key of a measurement",
        settings=limits,
    )
    by_page: dict[int, list[Passage]] = defaultdict(list)
    for passage in reading.passages:
        assert passage.page is not None
        by_page[passage.page].append(passage)
    return dict(sorted(by_page.items()))


def _letters(text: str) -> Counter[str]:
    return Counter(letter for letter in text.lower() if letter.isascii() and letter.isalnum())


def _letters_in(page: pypdfium2.PdfPage, boxes: Boxes) -> Counter[str]:
    """Return the letters that stand in the boxes, as pdfium itself looks them up."""
    if page.get_rotation():
        return Counter()
    text = page.get_textpage()
    left, bottom, right, top = page.get_bbox()
    wide, high = right - left, top - bottom
    letters: Counter[str] = Counter()
    for x0, y0, x1, y1 in boxes:
        middle, half = (y0 + y1) / 2, _SLICE * (y1 - y0) / 2
        letters += _letters(
            text.get_text_bounded(
                left + x0 * wide, top - (middle + half) * high, left + x1 * wide, top - (middle - half) * high
            )
        )
    return letters


def _is_right(text: str, found: Counter[str]) -> bool:
    """Return whether the letters of the boxes are the passage's; a pseudonym stands for any."""
    own = _letters(PSEUDONYM.sub("", text))
    held = (own & found).total() >= HELD * own.total()
    return held and (PSEUDONYM.search(text) is not None or (found - own).total() <= OTHER * own.total())


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLES)
    os.environ["GOOGLE_CLOUD_PROJECT"] = "measured"
    measured = Measured()
    for path in sorted(parser.parse_args().folder.glob("*.pdf")):
        try:
            measured.document(path)
        except Rejected as rejected:  # a scan, whose text is recognised by the long job
            print(f"{path.name}: {rejected.code}")
    print("\n".join(measured.lines()))


if __name__ == "__main__":
    main()
