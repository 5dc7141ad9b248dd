"""One engine in a process of its own: `PYTHON -m benchmarks.ocr.contestant NAME`.

For each line with the path of a picture (PGM), its resolution before it, it answers with a line of JSON:
the pieces it found and the processor time that took. Only Headrace's own needs Headrace's environment.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Piece = tuple[str, float, float, float, float, float]
    """Text, left, upper, right and lower edge in pixels, confidence from 0 to 1."""
    Engine = Callable[[str, int], list[Piece]]


def headrace() -> Engine:
    """Ours, one thread."""
    import cv2
    import numpy as np

    from long_job.ocr.drawing import Picture
    from long_job.ocr.engine import Engine as Models
    from long_job.ocr.page import Reader

    models = Models()

    def read(path: str, _dpi: int) -> list[Piece]:
        pixels = np.asarray(cv2.imread(path, cv2.IMREAD_GRAYSCALE), np.uint8)
        high, wide = pixels.shape
        reader = Reader(models, Picture(pixels, wide, high), time.monotonic() + 600)
        return [
            (line.text, left, reader.height - top, right, reader.height - bottom, line.confidence)
            for line in reader.read()
            for left, bottom, right, top in [line.box]
        ]

    return read


def rapidocr() -> Engine:
    """As it comes, but for one thread."""
    from rapidocr import RapidOCR

    engine = RapidOCR(
        params={"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": 1}
    )

    def read(path: str, _dpi: int) -> list[Piece]:
        found: Any = engine(path)
        if not found.txts:
            return []
        return [
            (text, *map(float, (*box.min(axis=0), *box.max(axis=0))), float(score))
            for text, box, score in zip(found.txts, found.boxes, found.scores, strict=True)
        ]

    return read


def tesserocr() -> Engine:
    """Tesseract in a wheel, with the model that Debian has too."""
    from importlib import import_module
    from pathlib import Path

    library = import_module("tesserocr")  # of another environment, so unknown to type checkers

    data = Path(sys.prefix) / "share" / "tessdata"
    engine = library.PyTessBaseAPI(path=str(data), lang="eng")

    def read(path: str, dpi: int) -> list[Piece]:
        engine.SetImageFile(path)
        engine.SetSourceResolution(dpi)
        engine.Recognize()
        words = engine.GetIterator()
        if words is None:
            return []
        level = library.RIL.WORD
        return [
            (word.GetUTF8Text(level), *map(float, word.BoundingBox(level)), word.Confidence(level) / 100)
            for word in library.iterate_level(words, level)
            if word.GetUTF8Text(level).strip()
        ]

    return read


def tesseract() -> Engine:
    """Debian's program."""

    def read(path: str, dpi: int) -> list[Piece]:
        said = subprocess.run(
            ["tesseract", path, "-", "--dpi", str(dpi), "-l", "eng", "tsv"],
            check=True,
            capture_output=True,
            text=True,
            env={"OMP_THREAD_LIMIT": "1", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        ).stdout
        words = csv.DictReader(said.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
        return [_of_row(word) for word in words if word["level"] == "5" and word["text"].strip()]

    return read


def _of_row(word: dict[str, str]) -> Piece:
    left, top, wide, high = (float(word[name]) for name in ("left", "top", "width", "height"))
    return word["text"], left, top, left + wide, top + high, float(word["conf"]) / 100


ENGINES = {"headrace": headrace, "rapidocr": rapidocr, "tesserocr": tesserocr, "tesseract": tesseract}


def main() -> None:
    """Until the input ends; the first line of output says what loading took."""
    engine = ENGINES[sys.argv[1]]()
    _tell(loading=_processor_time())
    for line in sys.stdin:
        dpi, _, path = line.strip().partition(" ")
        start = _processor_time()
        pieces = engine(path, int(dpi))
        _tell(pieces=pieces, seconds=_processor_time() - start, peak=_peak())


def _processor_time() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _peak() -> int:
    """Bytes: of this process, or of the largest it started."""
    return 1024 * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def _tell(**said: object) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
