"""Which values do the activations take? Eight bits need to know before the first text comes.

Measured once on sentences of our own and kept beside the heads, not measured at each build: the last bits of
a float depend on the machine, and a model's digest must not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from model_export.assemble import WINDOW, embedding_graph
from model_export.precision import Float32, Range
from model_export.training.examples import OWN, read_labelled
from shared.errors import SetupError
from shared.inference.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.sources import Checkpoint

RANGES_FILE = "ranges.safetensors"
_SENTENCES_OF_A_LONG_TEXT = 7


def calibration_texts() -> list[str]:
    """Single sentences, passages of several, and what tables and headings leave behind."""
    sentences = [example.text for example in read_labelled(OWN / "train.jsonl")]
    size = _SENTENCES_OF_A_LONG_TEXT
    passages = [" ".join(sentences[start : start + size]) for start in range(0, len(sentences), size)]
    digits = [
        " ".join(f"{number * 37 % 1000:,}" for number in range(start, start + 60)) for start in (0, 500)
    ]
    return [*sentences, *passages, *digits, "1 2 3 4 5 6 7 8 9 " * 20, "-", "a", "* " * 40]


def measure_ranges(checkpoint: Checkpoint, texts: Sequence[str]) -> dict[str, Range]:
    """Least and greatest value of every channel that meets a weight matrix, over `texts`."""
    model = onnx.load_from_string(embedding_graph(checkpoint, Float32()))
    names = sorted({node.input[0] for node in model.graph.node if _meets_weights(node)})
    del model.graph.output[:]
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    tokenizer = load_tokenizer(checkpoint.tokenizer)
    tokenizer.enable_truncation(WINDOW)
    extremes: dict[str, Range] = {}
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        values = session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, value in zip(names, values, strict=True):
            found = Range(value[0].min(axis=0), value[0].max(axis=0))
            extremes[name] = found.joined(extremes[name]) if name in extremes else found
    return extremes


def save_ranges(directory: Path, ranges: Mapping[str, Range]) -> None:
    """Write `ranges.safetensors`, in half precision: a thousandth more or less changes nothing."""
    tensors: dict[str, NDArray[np.float16]] = {}
    for name, value in ranges.items():
        tensors |= {
            f"{name}/low": value.low.astype(np.float16),
            f"{name}/high": value.high.astype(np.float16),
        }
    save_file(tensors, directory / RANGES_FILE)


def load_ranges(directory: Path) -> dict[str, Range]:
    """Read `ranges.safetensors`.

    Raises:
        SetupError: it is missing or not one of ours.
    """
    path = directory / RANGES_FILE
    try:
        tensors = {name: value.astype(np.float32) for name, value in load_file(path).items()}
        names = sorted({name.rpartition("/")[0] for name in tensors})
        return {name: Range(tensors[f"{name}/low"], tensors[f"{name}/high"]) for name in names}
    except (FileNotFoundError, SafetensorError, KeyError) as error:
        raise SetupError(
            f"{path} does not hold activation ranges ({error}). Measure: python -m model_export calibrate"
        ) from None


def _meets_weights(node: onnx.NodeProto) -> bool:
    return node.op_type == "Attention" or (node.op_type == "MatMul" and node.input[1].endswith(".weight"))
