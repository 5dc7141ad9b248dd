"""Scalings must come back as they were saved, serve their own weights alone, and lose little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_export.graph import Scaling, quantise
from model_export.scalings import (
    SCALINGS_FILE,
    Sample,
    best_scaling,
    calibration_texts,
    dump_scalings,
    kept_scalings,
    parse_scalings,
    scalings_key,
)
from shared.platform.errors import SetupError
from tests.unit.tiny_bert import tiny_checkpoint, tiny_scalings, tiny_trunk

if TYPE_CHECKING:
    from pathlib import Path


def test_saved_scalings_come_back() -> None:
    """Names, factors and spans survive."""
    scaling = Scaling(np.array([0.5, 2.0], np.float32), -1.25, 3.5)
    found = parse_scalings(dump_scalings({"encoder.layer.0.output.dense": scaling}, "k"))
    assert list(found) == ["encoder.layer.0.output.dense"]
    assert found["encoder.layer.0.output.dense"].factors.tolist() == [0.5, 2.0]
    assert (found["encoder.layer.0.output.dense"].low, found["encoder.layer.0.output.dense"].high) == (
        -1.25,
        3.5,
    )


def test_scalings_serve_their_own_weights_alone(tmp_path: Path) -> None:
    """Those of other weights, or of layers that were tuned since, are not taken."""
    checkpoint = tiny_checkpoint()
    assert kept_scalings(tmp_path, checkpoint, None) is None
    content = dump_scalings(tiny_scalings(checkpoint), scalings_key(checkpoint, None))
    (tmp_path / SCALINGS_FILE).write_bytes(content)
    assert kept_scalings(tmp_path, checkpoint, None) == content
    assert kept_scalings(tmp_path, checkpoint, tiny_trunk(checkpoint)) is None


def test_a_broken_file_says_how_to_find_them(tmp_path: Path) -> None:
    """The command that makes the file is named."""
    (tmp_path / SCALINGS_FILE).write_bytes(b"not tensors")
    with pytest.raises(SetupError, match="python -m model_export calibrate"):
        kept_scalings(tmp_path, tiny_checkpoint(), None)


def test_a_channel_that_reaches_far_does_not_cost_the_others() -> None:
    """With one channel a hundred times wider than the rest, the product is still right to a percent."""
    random = np.random.default_rng(2)
    values = random.normal(0, 1, (500, 64)).astype(np.float32)
    values[:, 7] *= 100
    weight = random.normal(0, 1, (64, 32)).astype(np.float32)
    scaling = best_scaling(Sample(values, values.min(axis=0), values.max(axis=0)), weight)
    step, zero = scaling.step()
    codes = np.clip(np.rint(values / scaling.factors / step) + float(zero), 0, 255) - float(zero)
    data, scale = quantise(weight * scaling.factors[:, None], axis=0)
    exact = values @ weight
    error = (codes * step) @ (data * scale) - exact
    assert error.std() < 0.01 * exact.std()


def test_zero_has_a_code_of_its_own() -> None:
    """What is exactly zero stays so, whatever the span."""
    for low, high in ((-1.0, 3.0), (0.5, 2.0), (-4.0, -1.0)):
        step, zero = Scaling(np.ones(1, np.float32), low, high).step()
        assert step > 0
        assert 0 <= int(zero) <= 255


def test_calibration_covers_short_and_long() -> None:
    """From one character to more than half of the window, since positions differ too."""
    lengths = [len(text.split()) for text in calibration_texts()]
    assert min(lengths) == 1
    assert max(lengths) > 128
