"""Boxes on a picture: cutting lines out, turning, and how far a page is tilted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from long_job.ocr.drawing import Grey
    from long_job.ocr.engine import Corners

_LONG = 4.0  # times its height: the width of a box whose slope means something
_UPRIGHT = 1.5  # times its width: the height of a box whose letters lie on their sides


def cut_out(picture: Grey, corners: NDArray[np.float32]) -> Grey:
    """The inside of one box, made level."""
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
    """Most of the text, by length, runs up or down the page."""
    wide, high = _sides(boxes)
    upright = high >= _UPRIGHT * wide
    return float(high[upright].sum()) > float(wide[~upright].sum())


def turn_over(boxes: Corners, width: int, height: int) -> Corners:
    """The boxes on the picture turned by half; what was their last corner but one is their first."""
    turned = np.asarray((width, height), np.float32) - boxes
    return np.ascontiguousarray(turned[:, (2, 3, 0, 1)])


def tilt(boxes: Corners) -> float:
    """Degrees by which lines sink towards the right: the median over their length; 0 without long lines."""
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
    """The boxes with the picture turned about its middle so that lines of that tilt are level."""
    turn = math.radians(-degrees)
    matrix = np.asarray(((math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))), np.float32)
    middle = np.asarray((width / 2, height / 2), np.float32)
    return np.asarray((boxes - middle) @ matrix.T + middle, np.float32)


def _sides(boxes: Corners) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Widths and heights."""
    across, down = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 0]
    return np.hypot(across[:, 0], across[:, 1]), np.hypot(down[:, 0], down[:, 1])
