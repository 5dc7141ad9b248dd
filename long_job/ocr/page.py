"""From a page's picture to its lines: turned upright, made level, read within a limit of time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from long_job.ocr.geometry import cut_out, level, stand_upright, tilt, turn_over
from shared.extract.recognised import RecognisedLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from long_job.ocr.drawing import Grey, Picture
    from long_job.ocr.engine import Corners, Engine

LEAST_CONFIDENCE = 0.5
"""A piece below it is left out: drawings and photographs are taken for letters."""
_ASKED = 12  # of the longest pieces say which way up the page is
_TRIED = 4  # of them are read both ways where those say upside down
_HALF = 0.5


_LEAST_LINES = 3  # that could not be read, where none could: fewer may be ornaments


class OutOfTime(Exception):
    """The page may not take any longer."""


class Illegible(Exception):
    """There are lines on the page, and none of them can be read."""


class Reader:
    """Reads one page."""

    def __init__(self, engine: Engine, picture: Picture, deadline: float) -> None:
        """`deadline` is of the monotonic clock."""
        self._engine = engine
        self._deadline = deadline
        self._pixels = picture.pixels
        self.width, self.height = picture.width, picture.height
        self.rotation = 0.0
        """Degrees clockwise by which the page was turned; `width` and `height` are of the turned page."""

    def read(self) -> tuple[RecognisedLine, ...]:
        """The page's lines; raises OutOfTime, Illegible."""
        boxes = self._find()
        if len(boxes) and stand_upright(boxes):
            self._turn_quarter()
            boxes = self._find()
        if not len(boxes):
            return ()
        if self._is_upside_down(boxes):
            boxes = self._turn_over(boxes)
        said = self._say(boxes)
        rows, columns = self._pixels.shape
        tilted = tilt(boxes)
        self.rotation -= tilted
        scale = self.width / columns, self.height / rows
        corners = level(boxes, tilted, columns, rows) * np.asarray(scale, np.float32)
        lines = tuple(
            RecognisedLine(text, self._box(corner), round(confidence, 3))
            for corner, (text, confidence) in zip(corners, said, strict=True)
            if confidence >= LEAST_CONFIDENCE and text.strip()
        )
        if not lines and len(boxes) >= _LEAST_LINES:
            raise Illegible
        return lines

    def _find(self) -> Corners:
        self._check_time()
        return self._engine.find(self._pixels)

    def _turn_quarter(self) -> None:
        self._pixels = np.ascontiguousarray(np.rot90(self._pixels, -1))
        self.width, self.height = self.height, self.width
        self.rotation += 90

    def _turn_over(self, boxes: Corners) -> Corners:
        self._pixels = np.ascontiguousarray(np.rot90(self._pixels, 2))
        self.rotation += 180
        rows, columns = self._pixels.shape
        return turn_over(boxes, columns, rows)

    def _is_upside_down(self, boxes: Corners) -> bool:
        """What the classifier says of most lines, if reading some of them both ways says so too."""
        longest = np.argsort(boxes[:, 0, 0] - boxes[:, 1, 0])[:_ASKED]
        lines = [cut_out(self._pixels, boxes[at]) for at in longest]
        if self._engine.upside_down(lines) <= _HALF:
            return False
        tried = lines[:_TRIED]
        turned = [np.ascontiguousarray(np.rot90(line, 2)) for line in tried]
        return self._sure(turned) > self._sure(tried)

    def _sure(self, lines: Sequence[Grey]) -> float:
        self._check_time()
        return sum(confidence * len(text) for text, confidence in self._engine.read(lines))

    def _say(self, boxes: Corners) -> list[tuple[str, float]]:
        said: list[tuple[str, float]] = []
        for start in range(0, len(boxes), self._engine.batch):
            self._check_time()
            some = boxes[start : start + self._engine.batch]
            said += self._engine.read([cut_out(self._pixels, corners) for corners in some])
        return said

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise OutOfTime

    def _box(self, corners: NDArray[np.float32]) -> tuple[float, float, float, float]:
        """left, bottom, right, top in points from the bottom left corner, within the page."""
        left, above = np.clip(corners.min(axis=0), 0, (self.width, self.height))
        right, below = np.clip(corners.max(axis=0), 0, (self.width, self.height))
        bounds = (left, self.height - below, right, self.height - above)
        return tuple(round(float(bound), 1) for bound in bounds)  # type: ignore[return-value]
