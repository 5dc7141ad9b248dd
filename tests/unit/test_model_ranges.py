"""Activation ranges must come back as they were saved, and cover what they were measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_export.precision import Range
from model_export.ranges import calibration_texts, load_ranges, save_ranges
from shared.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path


def test_saved_ranges_come_back(tmp_path: Path) -> None:
    """Names and values survive, within half precision."""
    low, high = np.array([-3.14159, 0.0], np.float32), np.array([2.71828, 41.5], np.float32)
    save_ranges(tmp_path, {"encoder.layer.0.output": Range(low, high)})
    found = load_ranges(tmp_path)
    assert list(found) == ["encoder.layer.0.output"]
    np.testing.assert_allclose(found["encoder.layer.0.output"].low, low, rtol=1e-3)
    np.testing.assert_allclose(found["encoder.layer.0.output"].high, high, rtol=1e-3)


@pytest.mark.parametrize("content", [None, b"not tensors"])
def test_missing_ranges_say_how_to_measure(tmp_path: Path, content: bytes | None) -> None:
    """Without a usable file the command that makes it is named."""
    if content is not None:
        (tmp_path / "ranges.safetensors").write_bytes(content)
    with pytest.raises(SetupError, match="python -m model_export calibrate"):
        load_ranges(tmp_path)


def test_joined_holds_both() -> None:
    """The lower low and the higher high of each channel."""
    left = Range(np.array([-1, 0], np.float32), np.array([1, 9], np.float32))
    joined = left.joined(Range(np.array([-2, 1], np.float32), np.array([0, 10], np.float32)))
    assert joined.low.tolist() == [-2, 0]
    assert joined.high.tolist() == [1, 10]


def test_calibration_covers_short_and_long() -> None:
    """From one character to more than half of the window, since positions differ too."""
    lengths = [len(text.split()) for text in calibration_texts()]
    assert min(lengths) == 1
    assert max(lengths) > 128
