"""The pages: scans whose original is there too, and pages of sound PDFs drawn, then spoilt as scanners do."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pypdfium2
from PIL import Image

from benchmarks.ocr.score import Placed
from shared.extract.pdf.reader import read_document
from shared.extract.shapes import ExtractOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = Path(os.environ.get("HEADRACE_SHARED", ROOT.parent / "shared")) / "data" / "samples"
SCAN, ORIGINAL, AHEAD = "scan_like_reply_8p.pdf", "reply_nonfinancial_2019.pdf", 4
"""Page n of the one is a picture of page n + 4 of the other."""
SCANNED = (2, 3, 8)
ENGLISH = (
    ("amazon_racial_equity_audit.pdf", 5),
    ("grasim_esg_databook_2024.pdf", 9),
    ("jpmorgan_climate_2024.pdf", 15),
)
OTHERS = (
    ("casino_dpef_2018_fr.pdf", 10),
    ("rcs_nonfinancial_2017_it.pdf", 12),
)
DRAWINGS = (("ntt_data_csr_2014.pdf", 15), ("schwabe_italia_sustainability.pdf", 12))
SEED = 20_240


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture, the lines that are on it, and the degrees (clockwise) by which it is tilted."""

    name: str
    dpi: int
    picture: Grey
    lines: list[Placed]
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Kind:
    """Pages, how they are drawn, and what is done to them."""

    name: str
    pages: tuple[tuple[str, int], ...]
    dpi: int = 200
    spoil: Callable[[Grey], Grey] = lambda picture: picture
    tilt: float = 0.0
    turns: int = 0
    """By a quarter, clockwise."""

    def samples(self, dpi: int | None = None) -> Iterator[Sample]:
        for name, number in self.pages:
            drawn = draw(SAMPLES / "pdf" / name, number, dpi or self.dpi)
            own = (ORIGINAL, number + AHEAD) if name == SCAN else (name, number)
            picture = np.ascontiguousarray(np.rot90(tilted(self.spoil(drawn), self.tilt), -self.turns))
            yield Sample(f"{name}, page {number}", dpi or self.dpi, picture, lines_of(*own), self.tilt)


def noisy(picture: Grey) -> Grey:
    """A grey background, faded letters and grain."""
    grain = np.random.default_rng(SEED).normal(0, 18, picture.shape)
    return np.clip(picture * 0.8 + 25 + grain, 0, 255).astype(np.uint8)


def photographed(picture: Grey) -> Grey:
    """Light from one side, out of focus, and compressed too much."""
    rows, columns = picture.shape
    light = np.linspace(1.0, 0.45, columns)[None, :] * np.linspace(1.0, 0.8, rows)[:, None]
    shaded = Image.fromarray(cv2.GaussianBlur((picture * light).astype(np.uint8), (0, 0), 1.0))
    file = io.BytesIO()
    shaded.save(file, "JPEG", quality=25)
    return np.asarray(Image.open(file))


def coarse(picture: Grey, times: int) -> Grey:
    """As scanned with a fraction of the resolution, and drawn with all of it."""
    rows, columns = picture.shape
    small = cv2.resize(picture, (columns // times, rows // times), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.uint8)


def tilted(picture: Grey, degrees: float) -> Grey:
    """Turned clockwise about its middle, on white."""
    if not degrees:
        return picture
    rows, columns = picture.shape
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), -degrees, 1)
    turned = cv2.warpAffine(picture, matrix, (columns, rows), flags=cv2.INTER_CUBIC, borderValue=255)
    return np.asarray(turned, np.uint8)


KINDS = (
    Kind("scans", tuple((SCAN, number) for number in SCANNED)),
    Kind("clean", ENGLISH),
    Kind("noise", ENGLISH, spoil=noisy),
    Kind("photo", ENGLISH, spoil=photographed),
    Kind("tilt 3\u00b0", ENGLISH, spoil=noisy, tilt=-3.0),
    Kind("67 dpi", ENGLISH, spoil=lambda picture: coarse(picture, 3)),
    Kind("it, fr", OTHERS),
    Kind("drawings", DRAWINGS),
)

COARSE = tuple(
    Kind(f"{200 // times} dpi", ENGLISH, spoil=lambda picture, times=times: coarse(picture, times))  # type: ignore[misc]
    for times in (2, 3, 4, 5, 6)
)
"""From pages that can be read to pages that nobody can."""
TURNED = tuple(Kind(f"turned {90 * turns}\u00b0", ENGLISH[:2], turns=turns) for turns in (1, 2))
"""Of our own engine alone: the others are not asked to look for it."""


def draw(path: Path, number: int, dpi: int) -> Grey:
    """A page in grey; the sample documents are trusted."""
    page = pypdfium2.PdfDocument(path)[number - 1]
    return np.asarray(page.render(scale=dpi / 72, grayscale=True).to_numpy(), np.uint8).squeeze().copy()


def lines_of(name: str, number: int) -> list[Placed]:
    """The page's own text."""
    page = read_document(SAMPLES / "pdf" / name, ExtractOptions()).pages[number - 1]
    wide, high = page.width, page.height
    return [
        Placed(line.text, line.x0 / wide, line.y0 / high, line.x1 / wide, line.y1 / high)
        for line in page.lines
        if line.x1 - line.x0 >= line.y1 - line.y0  # else it runs up the margin
    ]
