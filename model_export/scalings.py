"""How is each activation put into eight bits? That must be known before the first text comes.

For the weights kept here it is found once, after training, and kept beside them, not at each build: the last
bits of a float depend on the machine, and a model's digest must not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from model_export.assemble import embedding_graph, window
from model_export.files import digest_of
from model_export.graph import Float32, Scaling, quantise
from model_export.labelled import OWN, read_labelled
from shared.inference.session import open_session
from shared.inference.tokens import load_tokenizer
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.heads import Trunk
    from model_export.sources import Checkpoint

    Floats = NDArray[np.float32]

SCALINGS_FILE = "scalings.safetensors"
_SENTENCES_OF_A_LONG_TEXT = 7
_POSITIONS = 4
"""Sampled of each text, to measure errors; the extremes are those of all positions."""
_MIGRATIONS = (0.5, 0.65, 0.75, 0.85, 0.95)
"""Shares of the unevenness of channels that may move into the weights."""
_SPANS = (1.05, 0.95, 0.85)
"""Parts of the range seen that the steps may span: cutting off the rarest makes the others finer."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a value was over many texts."""

    values: Floats
    """(n, channels), at some positions."""
    low: Floats
    """(channels,), the least at any position."""
    high: Floats
    """(channels,)"""


def calibration_texts() -> list[str]:
    """Single sentences, passages of several, and what tables and headings leave behind."""
    sentences = [example.text for example in read_labelled(OWN / "train.jsonl")]
    size = _SENTENCES_OF_A_LONG_TEXT
    passages = [" ".join(sentences[start : start + size]) for start in range(0, len(sentences), size)]
    digits = [
        " ".join(f"{number * 37 % 1000:,}" for number in range(start, start + 60)) for start in (0, 500)
    ]
    return [*sentences, *passages, *digits, "1 2 3 4 5 6 7 8 9 " * 20, "-", "a", "* " * 40]


def find_scalings(checkpoint: Checkpoint, trunk: Trunk | None, texts: Sequence[str]) -> dict[str, Scaling]:
    """For every weight matrix the scaling of its input with the least error in its output, over `texts`.

    The matrices are the checkpoint's, or the trunk's in their place.
    """
    model = onnx.load_from_string(embedding_graph(checkpoint, Float32(), trunk))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    matrices: dict[str, list[Floats]] = {}
    inputs: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1].endswith(".weight"):
            name = _matrix_name(node.input[1])
            matrices.setdefault(name, []).append(weights[node.input[1]])
            inputs[name] = node.input[0]
    samples = _sample(model, sorted(set(inputs.values())), checkpoint, texts)
    return {
        name: best_scaling(samples[inputs[name]], np.concatenate(parts, axis=1))
        for name, parts in matrices.items()
    }


def best_scaling(sample: Sample, weight: Floats) -> Scaling:
    """The scaling with which the sample times `weight`, (in, out), has the least error."""
    exact = sample.values @ weight
    best, least = None, np.inf
    for migrated in _MIGRATIONS:
        factors = _factors(sample, weight, migrated)
        divided = sample.values / factors
        low, high = float((sample.low / factors).min()), float((sample.high / factors).max())
        codes, scale = quantise(weight * factors[:, None], axis=0)
        for span in _SPANS:
            scaling = Scaling(factors, low * span, high * span)
            step, zero = scaling.step()
            rounded = np.clip(np.rint(divided / step) + float(zero), 0, 255) - float(zero)
            error = float((((rounded * step) @ (codes * scale) - exact) ** 2).mean())
            if error < least:
                best, least = scaling, error
    assert best is not None
    return best


def scalings_key(checkpoint: Checkpoint, trunk: Trunk | None) -> str:
    """Digest of the weights that scalings are for."""
    assert checkpoint.source.sha256 is not None
    return digest_of(checkpoint.source.sha256, *([trunk.digest()] if trunk else []))


def dump_scalings(scalings: Mapping[str, Scaling], key: str) -> bytes:
    """The content of `scalings.safetensors`; `key` names the weights that they are for."""
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, value in scalings.items():
        tensors[f"{name}/factors"] = value.factors.astype(np.float16)
        tensors[f"{name}/span"] = np.array([value.low, value.high], np.float32)
    return save(tensors, {"key": key})


def parse_scalings(content: bytes) -> dict[str, Scaling]:
    """What `dump_scalings` wrote."""
    tensors = load(content)
    names = sorted({name.rpartition("/")[0] for name in tensors})
    return {
        name: Scaling(
            tensors[f"{name}/factors"].astype(np.float32), *map(float, tensors[f"{name}/span"].tolist())
        )
        for name in names
    }


def write_scalings(directory: Path, checkpoint: Checkpoint, trunk: Trunk | None) -> None:
    """Find the scalings, and keep them beside the weights in `directory`."""
    found = find_scalings(checkpoint, trunk, calibration_texts())
    (directory / SCALINGS_FILE).write_bytes(dump_scalings(found, scalings_key(checkpoint, trunk)))


def kept_scalings(directory: Path, checkpoint: Checkpoint, trunk: Trunk | None) -> bytes | None:
    """The file in `directory` if it is for these weights; None if there is none, or it is for others.

    Raises:
        SetupError: it is not one of ours.
    """
    path = directory / SCALINGS_FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, "numpy") as file:
            key = (file.metadata() or {}).get("key")
    except SafetensorError as error:
        raise SetupError(
            f"{path} does not hold scalings ({error}). Find them: python -m model_export calibrate"
        ) from None
    return path.read_bytes() if scalings_key(checkpoint, trunk) == key else None


def _matrix_name(weight: str) -> str:
    """Query, key and value read one value, and share its scaling."""
    name = weight.removesuffix(".weight")
    stem, _, last = name.rpartition(".")
    return stem if last in {"query", "key", "value"} else name


def _factors(sample: Sample, weight: Floats, migrated: float) -> Floats:
    """What to divide each channel by, so that channels and rows of the weights are even; (in,)."""
    channels = np.maximum(-sample.low, sample.high).clip(1e-3).astype(np.float64)
    rows = np.abs(weight).max(axis=1).clip(1e-5).astype(np.float64)
    factors = channels**migrated / rows ** (1 - migrated)
    # Half precision, since that is how they are kept.
    evened: Floats = (factors / np.exp(np.log(factors).mean())).astype(np.float16).astype(np.float32)
    return evened


def _sample(
    model: onnx.ModelProto, names: Sequence[str], checkpoint: Checkpoint, texts: Sequence[str]
) -> dict[str, Sample]:
    """What the values `names` are over `texts`."""
    del model.graph.output[:]
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = open_session(model.SerializeToString())
    tokenizer = load_tokenizer(checkpoint.tokenizer)
    tokenizer.enable_truncation(window(checkpoint))
    random = np.random.default_rng(0)
    samples: dict[str, list[Floats]] = {name: [] for name in names}
    extremes: dict[str, tuple[Floats, Floats]] = {}
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        places = random.integers(0, ids.shape[1], _POSITIONS)
        values = session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, value in zip(names, values, strict=True):
            samples[name].append(value[0][places])
            low, high = extremes.get(name, (value[0][0], value[0][0]))
            extremes[name] = (
                np.minimum(low, value[0].min(axis=0)),
                np.maximum(high, value[0].max(axis=0)),
            )
    return {name: Sample(np.concatenate(rows), *extremes[name]) for name, rows in samples.items()}
