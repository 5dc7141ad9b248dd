"""The graph must compute what BERT computes, padding or not, in float and nearly so in eight bits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from model_export.assemble import embedding_graph
from model_export.precision import Float32, Int8, Range, quantise
from model_export.sources import Checkpoint, Config
from shared.inference.manifest import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WIDTH, HEADS, LAYERS, INNER, VOCABULARY, PLACES = 32, 4, 2, 64, 50, 40


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """A tiny BERT with random weights."""
    random = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for part, (rows, columns) in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (INNER, WIDTH),
            "output.dense": (WIDTH, INNER),
        }.items():
            shapes |= {f"{layer}.{part}.weight": (rows, columns), f"{layer}.{part}.bias": (rows,)}
        for part in ("attention.output", "output"):
            shapes |= {
                f"{layer}.{part}.LayerNorm.weight": (WIDTH,),
                f"{layer}.{part}.LayerNorm.bias": (WIDTH,),
            }
    return Checkpoint(
        config=Config(
            hidden_size=WIDTH,
            num_attention_heads=HEADS,
            num_hidden_layers=LAYERS,
            layer_norm_eps=1e-12,
            max_position_embeddings=PLACES,
        ),
        tensors={name: random.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()},
        tokenizer=b"",
        source=Source(name="random", revision="0", licence="none", use="test"),
    )


def textbook(checkpoint: Checkpoint, ids: list[int]) -> NDArray[np.float64]:
    """BERT for one text without padding, as the paper writes it, in float64."""
    tensors = {name: value.astype(np.float64) for name, value in checkpoint.tensors.items()}

    def normalise(value: NDArray[np.float64], path: str) -> NDArray[np.float64]:
        centred = value - value.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        result: NDArray[np.float64] = (
            scaled * tensors[f"{path}.LayerNorm.weight"] + tensors[f"{path}.LayerNorm.bias"]
        )
        return result

    def linear(value: NDArray[np.float64], path: str) -> NDArray[np.float64]:
        result: NDArray[np.float64] = value @ tensors[f"{path}.weight"].T + tensors[f"{path}.bias"]
        return result

    value = tensors["embeddings.word_embeddings.weight"][ids]
    value = value + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    value = normalise(value + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        size = WIDTH // HEADS
        query, key, content = (
            linear(value, f"{layer}.attention.self.{part}").reshape(len(ids), HEADS, size).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.swapaxes(1, 2) / math.sqrt(size))
        attended = (scores / scores.sum(axis=-1, keepdims=True)) @ content
        attended = attended.swapaxes(0, 1).reshape(len(ids), WIDTH)
        value = normalise(
            value + linear(attended, f"{layer}.attention.output.dense"), f"{layer}.attention.output"
        )
        inner = linear(value, f"{layer}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        value = normalise(value + linear(inner, f"{layer}.output.dense"), f"{layer}.output")
    mean = value.mean(axis=0)
    result: NDArray[np.float64] = mean / np.linalg.norm(mean)
    return result


def run(graph: bytes, rows: list[list[int]], width: int) -> Floats:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = row, 1
    result: Floats = session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})[0]
    return result


ROWS = [[3, 9, 4, 1], [7] * 11, [5], [2, 8, 6, 40, 41, 42, 3, 2]]


def wide_ranges() -> dict[str, Range]:
    """Ranges that hold every activation of the tiny encoder."""
    ranges = {"embeddings": WIDTH}
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        ranges |= {f"{layer}.attention.self": WIDTH, f"{layer}.attention.output": WIDTH}
        ranges |= {f"{layer}.intermediate": INNER, f"{layer}.output": WIDTH}
    return {
        name: Range(np.full(size, -5, np.float32), np.full(size, 8, np.float32))
        for name, size in ranges.items()
    }


@pytest.mark.parametrize("width", [11, 17])
def test_float_graph_is_bert(checkpoint: Checkpoint, width: int) -> None:
    """Each row of a padded batch is what the textbook gives for the text alone."""
    found = run(embedding_graph(checkpoint, Float32()), ROWS, width)
    for row, ids in zip(found, ROWS, strict=True):
        np.testing.assert_allclose(row, textbook(checkpoint, ids), atol=1e-5)


def test_eight_bits_are_close(checkpoint: Checkpoint) -> None:
    """Quantised, every embedding still points the same way."""
    exact = run(embedding_graph(checkpoint, Float32()), ROWS, 11)
    small = run(embedding_graph(checkpoint, Int8(wide_ranges())), ROWS, 11)
    assert (exact * small).sum(axis=1).min() > 0.98


def test_the_same_weights_give_the_same_bytes(checkpoint: Checkpoint) -> None:
    """A model's digest depends on what went into it alone."""
    precision = Int8(wide_ranges())
    assert embedding_graph(checkpoint, precision) == embedding_graph(checkpoint, precision)


def test_a_text_does_not_depend_on_its_batch(checkpoint: Checkpoint) -> None:
    """In eight bits too, a text has the same embedding alone and beside others."""
    graph = embedding_graph(checkpoint, Int8(wide_ranges()))
    together = run(graph, ROWS, 11)
    for row, ids in zip(together, ROWS, strict=True):
        np.testing.assert_allclose(run(graph, [ids], len(ids))[0], row, atol=1e-5)


def test_quantise_is_within_half_a_step() -> None:
    """No value moves by more than half of its channel's step, and a channel of zeros stays zero."""
    values = np.random.default_rng(1).normal(0, 3, (20, 6)).astype(np.float32)
    values[:, 2] = 0
    codes, scales = quantise(values, axis=0)
    assert codes.dtype == np.int8
    assert np.abs(codes).max() == 127
    assert (np.abs(codes * scales - values) <= scales / 2 * 1.001).all()
