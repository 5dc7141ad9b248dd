"""Read the lines of a page's picture: turned upright, made level, within a limit of time."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from shared.extract.shapes import RecognisedLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from long_job.ocr.drawing import Grey, Picture
    from long_job.ocr.engine import Corners, Engine

LEAST_CONFIDENCE = 0.5
"""Pieces below it are left out: drawings and photographs are taken for letters."""
_ASKED = 12  # of the longest pieces say which way up the page is
_TRIED = 4  # of them are read both ways where those say upside down
_HALF = 0.5
_LEAST_LINES = 3  # that could not be read, where none could: fewer may be ornaments
_LONG = 4.0  # times its height: the width of a box whose slope means something
_UPRIGHT = 1.5  # times its width: the height of a box whose letters lie on their sides


class OutOfTime(Exception):
    """The page took longer than it may."""


class Illegible(Exception):
    """There are lines on the page, and none of them can be read."""


class Reader:
    """Reads one page."""

    def __init__(self, engine: Engine, picture: Picture, deadline: float) -> None:
        """`deadline` is a time of the monotonic clock."""
        self._engine = engine
        self._deadline = deadline
        self._pixels = picture.pixels
        self.width, self.height = picture.width, picture.height
        self.rotation = 0.0
        """Degrees clockwise by which the page was turned; `width` and `height` are of the turned page."""

    def read(self) -> tuple[RecognisedLine, ...]:
        """Return the page's lines. Raises OutOfTime, Illegible."""
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
        """Ask the classifier about the longest lines, and confirm it by reading some of them both ways."""
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
        """Return left, bottom, right, top in points from the bottom left corner, within the page."""
        left, above = np.clip(corners.min(axis=0), 0, (self.width, self.height))
        right, below = np.clip(corners.max(axis=0), 0, (self.width, self.height))
        bounds = (left, self.height - below, right, self.height - above)
        return tuple(round(float(bound), 1) for bound in bounds)  # type: ignore[return-value]


def cut_out(picture: Grey, corners: NDArray[np.float32]) -> Grey:
    """Return the inside of one box, made level."""
    wide, high = _sides(corners[None])
    width, height = max(1, round(float(wide[0]))), max(1, round(float(high[0])))
    target = np.asarray([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    return np.asarray(
        cv2.warpPerspective(
            picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def stand_upright(boxes: Corners) -> bool:
    """Return whether most of the text, by length, runs up or down the page."""
    wide, high = _sides(boxes)
    upright = high >= _UPRIGHT * wide
    return float(high[upright].sum()) > float(wide[~upright].sum())


def turn_over(boxes: Corners, width: int, height: int) -> Corners:
    """Return the boxes on the picture turned by 180 degrees; their third corner becomes the first."""
    turned = np.asarray((width, height), np.float32) - boxes
    return np.ascontiguousarray(turned[:, (2, 3, 0, 1)])


def tilt(boxes: Corners) -> float:
    """Return the degrees by which lines sink to the right: the median by length; 0 without long lines."""
    wide, high = _sides(boxes)
    long = wide >= _LONG * high
    if not long.any():
        return 0.0
    run = boxes[long, 1] - boxes[long, 0] + boxes[long, 2] - boxes[long, 3]
    slopes = np.degrees(np.arctan2(run[:, 1], run[:, 0]))
    order = np.argsort(slopes)
    lengths = np.cumsum(wide[long][order])
    return float(slopes[order][np.searchsorted(lengths, lengths[-1] / 2)])


def level(boxes: Corners, degrees: float, width: int, height: int) -> Corners:
    """Return the boxes with the picture turned about its center so that lines of that tilt are level."""
    turn = math.radians(-degrees)
    matrix = np.asarray(((math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))), np.float32)
    middle = np.asarray((width / 2, height / 2), np.float32)
    return np.asarray((boxes - middle) @ matrix.T + middle, np.float32)


def _sides(boxes: Corners) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return widths and heights."""
    across, down = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 0]
    return np.hypot(across[:, 0], across[:, 1]), np.hypot(down[:, 0], down[:, 1])
